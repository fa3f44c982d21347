"""`python -m shared.profiles.schema`: the language as JSON Schema, for editors that complete and check YAML.

A file is checked as it is written: a profile that stands for itself has to be whole; one that `extends` another, and
one that only others extend (a protocol), holds what differs (`schema_overlay.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.profiles.model import Profile
from shared.profiles.overlay import EXTENDS
from shared.profiles.schema_overlay import OVERLAY, with_overlays

if TYPE_CHECKING:
    type Node = dict[str, Any]

PUBLISHED = Path(__file__).parents[2] / "docs" / "profile.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
WHOLE = "Profile"
NAMING = ("profile", "version", "title", "push")  # what stands for itself says at least one of these
BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a file in the profile language, drawn from the typed model."""
    whole = Profile.model_json_schema(by_alias=True)
    parts = {**whole.pop("$defs"), WHOLE: whole}
    tidy = {name: _tidy(part) for name, part in parts.items()}
    stands_alone = {"anyOf": [{"required": [key]} for key in NAMING]}
    return {
        "$schema": DIALECT,
        "title": "Profile of an ERP, or what is laid over one",
        "if": {"anyOf": [{"required": [EXTENDS]}, {"not": stands_alone}]},
        "then": {"$ref": f"#/$defs/{OVERLAY}"},
        "else": {"$ref": f"#/$defs/{WHOLE}"},
        "$defs": with_overlays(tidy, WHOLE),
    }


def text() -> str:
    """Return the schema as it is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> Any:  # noqa: ANN401 - any part of a JSON Schema
    """Return `node` with what the model's library leaves open: bounds of optional numbers, names, short forms."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items()}
    if tidy.get("type") == "number":
        tidy = {BOUNDS.get(key, key): value for key, value in tidy.items()}
    if "patternProperties" in tidy:
        tidy.setdefault("additionalProperties", False)
    return _short_forms_filled(tidy)


def _short_forms_filled(node: Node) -> Node:
    """Return `node`; the keys that a short form takes over from the long one, the last, are held to it."""
    *short, long = node.get("anyOf") or [{}]
    known = long.get("properties", {})
    filled = [
        {**each, "properties": _filled(each["properties"], known)} for each in short if "properties" in each
    ]
    if not filled or not known:
        return node
    return {**node, "anyOf": [*(each for each in short if "properties" not in each), *filled, long]}


def _filled(properties: Node, known: Node) -> Node:
    return {key: value or known[key] for key, value in properties.items()}


if __name__ == "__main__":
    PUBLISHED.write_text(text(), encoding="utf-8")
