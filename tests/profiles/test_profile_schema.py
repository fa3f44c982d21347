"""The published JSON Schema is the language: current, fits every profile, refuses what is none."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from shared.profiles.loader import SHIPPED, shipped_profiles, written_profile
from shared.profiles.schema import PUBLISHED, text

PLAIN = Path(__file__).parents[2] / "shared/profiles/plain_rest.yaml"
PROFILES = [*(SHIPPED / f"{name}.yaml" for name in shipped_profiles()), PLAIN]


def plain(value):
    """JSON knows no Decimal."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_published_schema_is_current():
    assert PUBLISHED.read_text(encoding="utf-8") == text(), "draw it again: python -m shared.profiles.schema"


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_fits_the_schema(validator, path):
    problems = [
        f"{error.json_path}: {error.message[:200]}"
        for error in validator.iter_errors(plain(written_profile(path).data))
    ]
    assert problems == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"conection": {}},
        {"connection": {"base_url": "x", "probe": "FETCH /x"}},
        {"connection": {"base_url": "x", "probe": {"get": "/x", "path": "/y"}}},
        {"connection": {"base_url": "x", "probe": "GET /", "auth": {"kind": "magic"}}},
        {"push": {"order.begun": {"exempt": "no"}}},
        {"groups": {"g": [{"name": "a", "call": "GET /", "find": {"found": "x", "call": "GET /"}}]}},
        {"groups": {"g": [{"name": "a", "call": "GET /", "verified": "hopefully"}]}},
    ],
)
def test_what_is_no_profile_does_not_fit(validator, wrong):
    right = plain(written_profile(PLAIN).data)
    assert validator.is_valid(right)
    assert not validator.is_valid(right | wrong)
