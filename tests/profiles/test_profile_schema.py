"""The published JSON Schema is the language: current, fits every profile, refuses what is none."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from shared.errors import ConfigurationError
from shared.profiles.loader import (
    SHIPPED,
    parse_profile,
    shipped_profiles,
    shipped_protocols,
    written_profile,
)
from shared.profiles.schema import PUBLISHED, text
from shared.profiles.yaml_file import read_yaml

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
PLAIN = SHIPPED / "plain_rest.yaml"
PROFILES = [SHIPPED / f"{name}.yaml" for name in shipped_profiles()]
OURS = [
    TESTS / "fakes/plain.yaml",
    TESTS / "fakes/plain_combined.yaml",
    TESTS / "profiles/subjects/netsuite_oauth1.yaml",
]
WRITTEN = [*PROFILES, *(SHIPPED / f"{name}.yaml" for name in shipped_protocols()), *OURS]


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


def documented_overlays():
    """Every YAML file that a page shows whole: what it says, where it is shown."""
    for page in sorted([*DOCS.glob("*.md"), *SHIPPED.rglob("*.md")]):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            if re.search(r"^extends: ", block, re.MULTILINE):
                yield pytest.param(block, id=f"{page.stem}-{len(block)}")


def leaves(error):
    """The mistakes that `error` stands for: beneath a choice there are those of each way to write it."""
    return [leaf for each in error.context for leaf in leaves(each)] if error.context else [error]


def problems(validator, data):
    return [
        f"{leaf.json_path}: {leaf.message[:300]}"
        for error in validator.iter_errors(plain(data))
        for leaf in leaves(error)
    ]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_every_file_fits_as_it_is_written(validator, path):
    assert problems(validator, read_yaml(path.read_text(encoding="utf-8"), path.name).data) == []


@pytest.mark.parametrize("overlay", list(documented_overlays()))
def test_every_overlay_that_is_shown_fits(validator, overlay):
    assert problems(validator, read_yaml(overlay, "ours.yaml").data) == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_a_whole_one_once_it_is_laid_over_what_it_extends(validator, path):
    whole = written_profile(path).data
    assert "extends" not in whole
    assert problems(validator, whole) == []
    assert (
        problems(validator, {"extends": "another", **whole}) == []
    )  # over another, all of it may be said again


def test_every_reference_leads_to_a_definition(validator):
    referred = set(re.findall(r'"\$ref": "#/\$defs/(.+?)"', json.dumps(validator.schema)))
    assert referred == set(validator.schema["$defs"])


def test_overlays_may_do_what_they_may(validator):
    assert problems(validator, read_yaml(EVERYTHING, "ours.yaml").data) == []


EVERYTHING = """
extends: tryton
version: null
connection:
  auth: {kind: oauth1, username: null, token: =settings.token}    # the other kind's keys go
  csrf: null
  probe: {get: null, post: /probe}
  limits: {page_size: null}
pull:
  orders: {watermark: {zone: null}, state: {released: [a]}, call: {query: {x: null}}}
  open_orders: {paging: {next: =reply.body.next}}                 # of the kind beneath
finds: {report: {call: null}}
groups:
  read: {read: {rules: null, when: null, call: {headers: {X-Site: a}}}}
  all: [read]
push:
  order.started: {steps: {read: {when: null}, look: {create: null}}}
  time.recorded: {steps: {each: {steps: {book: {call: GET /a, find: report}}}}}
  operation.started: null
"""

MUTANTS = [
    ({"conection": {}}, "$", "'conection'"),
    ({"connection": {"bas_url": "x"}}, "$.connection", "'bas_url'"),
    ({"connection": {"probe": "FETCH /x"}}, "$.connection.probe", "FETCH"),
    ({"connection": {"probe": "GET x"}}, "$.connection.probe", "GET x"),
    ({"connection": {"auth": {"kind": "magic"}}}, "$.connection.auth.kind", "magic|was expected"),
    ({"connection": {"auth": {"kind": "basic", "tokn": "x"}}}, "$.connection.auth", "'tokn'"),
    ({"connection": {"csrf": {"cal": "GET /"}}}, "$.connection.csrf", "'cal'"),
    ({"connection": {"limits": {"page_size": "many"}}}, "$.connection.limits.page_size", "many"),
    ({"connection": {"limits": {"page_size": 0}}}, "$.connection.limits.page_size", "minimum"),
    (
        {"connection": {"limits": {"requests_per_second": 0}}},
        "$.connection.limits.requests_per_second",
        "minimum",
    ),
    ({"connection": {"decimals": "float"}}, "$.connection.decimals", "float"),
    ({"connection": {"rules": [{"status": "abc", "park": "x"}]}}, "$.connection.rules[0].status", "abc"),
    ({"connection": {"rules": [{"status": [404], "prak": "x"}]}}, "$.connection.rules[0]", "'prak'"),
    ({"connection": []}, "$.connection", "array|\\[\\]"),
    ({"settings": {"site": {"hlp": "x"}}}, "$.settings.site", "'hlp'"),
    ({"settings": {"site": {"help": "x", "type": "txt"}}}, "$.settings.site.type", "txt"),
    ({"codes": {"unit": {"H": 1}}}, "$.codes.unit.H", "1"),
    ({"pull": {"order": {}}}, "$.pull", "'order'"),
    ({"pull": {"orders": {"map": {"nmber": "=a"}}}}, "$.pull.orders.map", "'nmber'"),
    ({"pull": {"orders": {"call": {"git": "/x"}}}}, "$.pull.orders.call", "'git'"),
    ({"pull": {"orders": {"call": {"get": "/x", "query": 1}}}}, "$.pull.orders.call.query", "1"),
    ({"pull": {"orders": {"state": {"value": "x"}}}}, "$.pull.orders.state.value", "\\^="),
    ({"pull": {"orders": {"watermark": {"kind": "date"}}}}, "$.pull.orders.watermark.kind", "date"),
    ({"pull": {"paging": {"kind": "pages"}}}, "$.pull.paging.kind", "pages|was expected"),
    ({"pull": {"reference": {"machine": {}}}}, "$.pull.reference", "machine"),
    ({"finds": {"Bad Name": {}}}, "$.finds", "Bad Name"),
    ({"finds": {"f": {"found": "x", "call": "GET /"}}}, "$.finds.f.found", "\\^="),
    ({"groups": {"g": [{"name": "a", "call": "GET /", "fnd": "f"}]}}, "$.groups.g[0]", "'fnd'"),
    (
        {"groups": {"g": [{"name": "a", "call": "GET /", "verified": "hopefully"}]}},
        "$.groups.g[0].verified",
        "hope",
    ),
    ({"push": {"order.begun": {"exempt": "no"}}}, "$.push", "order.begun"),
    ({"push": {"order.started": {"exmpt": "no"}}}, "$.push['order.started']", "'exmpt'"),
    ({"push": {"order.started": {"needs": ["x"]}}}, "$.push['order.started'].needs[0]", "'x'"),
    ({"push": {"order.started": {"steps": "read"}}}, "$.push['order.started'].steps", "read"),
]
ONLY_OVER = [
    ({"groups": {"g": {"step": None}}}, "$.groups.g.step", "None"),
    ({"extends": 5}, "$.extends", "5"),
    ({"extends": None}, "$.extends", "None"),
    ({"connection": {"auth": {"kind": "basic", "token": "x"}}}, "$.connection.auth.token", "null"),
    ({"groups": {"g": {"step": {"cal": "GET /"}}}}, "$.groups.g.step.cal", "GET /"),
    ({"groups": {"g": {"step": {"call": {"gt": "/"}}}}}, "$.groups.g.step.call", "'gt'"),
    ({"groups": {"g": {"step": {"verified": "hopefully"}}}}, "$.groups.g.step.verified", "hopefully"),
    ({"groups": {"g": {"step": {"on_unknown": "hope"}}}}, "$.groups.g.step.on_unknown", "hope"),
]
ONLY_WHOLE = [
    ({"connection": {"base_url": "x"}}, "$.connection", "'probe' is a required"),
    ({"profile": None}, "$.profile", "None"),
    ({"groups": {"g": {}}}, "$.groups.g", "array"),
    ({"connection": {"base_url": "x", "probe": {"get": "/x", "path": "/y"}}}, "$.connection.probe", "'get'"),
    ({"pull": {"orders": None}}, "$.pull.orders", "None"),
]


@pytest.mark.parametrize(("wrong", "where", "said"), [*MUTANTS, *ONLY_WHOLE], ids=str)
def test_a_mistake_in_a_whole_profile_is_flagged_where_it_is(validator, wrong, where, said):
    right = plain(read_yaml(PLAIN.read_text(encoding="utf-8"), PLAIN.name).data)
    assert "extends" not in right
    assert problems(validator, right) == []
    assert flagged(problems(validator, right | wrong), where, said)


@pytest.mark.parametrize(("wrong", "where", "said"), [*MUTANTS, *ONLY_OVER], ids=str)
def test_a_mistake_in_an_overlay_is_flagged_where_it_is(validator, wrong, where, said):
    right = {"extends": "tryton", "title": "ours"}
    assert problems(validator, right) == []
    assert flagged(problems(validator, right | wrong), where, said)


@pytest.mark.parametrize(("wrong", "where", "said"), MUTANTS, ids=str)
def test_a_mistake_in_a_protocol_is_flagged_where_it_is(validator, wrong, where, said):
    if "push" not in wrong:  # what pushes stands for itself
        assert flagged(problems(validator, wrong), where, said)


@pytest.mark.parametrize(("wrong", "where", "said"), [*MUTANTS, *ONLY_OVER], ids=str)
def test_what_is_flagged_is_refused_when_it_is_loaded_too(wrong, where, said):
    with pytest.raises(ConfigurationError, match=r"\.yaml:[0-9]+:"):
        parse_profile(json.dumps({"extends": "plain_rest", **wrong}), "ours.yaml")


def flagged(found, where, said):
    return [one for one in found if one.startswith(f"{where}: ") and re.search(said, one)]


@pytest.mark.parametrize("empty", [None, [], "tryton", {}])
def test_what_holds_no_keys_does_not_fit(validator, empty):
    assert problems(validator, empty)
