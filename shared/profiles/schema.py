"""`python -m shared.profiles.schema`: the language as JSON Schema, for editors that complete and check YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.profiles.model import Profile

PUBLISHED = Path(__file__).parents[2] / "docs" / "profile.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a profile, drawn from the typed model."""
    return {"$schema": DIALECT, **Profile.model_json_schema(by_alias=True)}


def text() -> str:
    """Return the schema as it is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PUBLISHED.write_text(text(), encoding="utf-8")
