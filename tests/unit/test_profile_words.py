"""The words that spare a profile its repetitions: told, takes_back, short rules, one `records`, protocols."""

from decimal import Decimal

import httpx
import pytest
import yaml

from shared.domain.message import MessageKind, Progress
from shared.domain.verdict import Verdict
from shared.errors import ConfigurationError, MappingError
from shared.mapping.body_out import told_facts
from shared.mapping.expressions import Expression, Value
from shared.profiles.loader import load_profile, parse_profile, shipped_profiles, shipped_protocols
from tests.unit.erp_at_hand import CONTEXT, erp_of, message, order_record, profile_source

REPORTED = {"good": "2.50", "scrap": "1", "seconds": "90.5", "occurred_at": "2026-11-23T10:00:00.000Z"}


def refused(source):
    with pytest.raises(ConfigurationError) as error:
        parse_profile(yaml.safe_dump(source), "small.yaml")
    return str(error.value)


def correction(kind="production.reported"):
    voids = {"message_id": "m-0", "kind": kind, "body": REPORTED}
    return message(MessageKind.CORRECTION, occurred_at="2026-11-24T08:00:00.000Z", good="0", voids=voids)


def test_what_is_told_has_numbers_lists_and_its_beginning():
    told = told_facts(message(**REPORTED))
    assert (told["good"], told["scrap"], told["rework"]) == (Decimal("2.50"), Decimal(1), Decimal(0))
    assert told["serials"] == []
    assert told["began"] == "2026-11-23T09:58:29.500000Z"
    assert (told["id"], told["mark"], told["kind"]) == ("m-1", "[tascus:m-1]", "production.reported")


def test_a_correction_tells_what_it_takes_back_under_the_mark_it_was_told_by():
    told = told_facts(correction())
    assert (told["id"], told["mark"]) == ("m-0", "[tascus:m-0]")
    assert (told["good"], told["occurred_at"]) == (Decimal("2.50"), REPORTED["occurred_at"])


def test_a_misspelt_field_of_what_is_told_is_refused():
    step = {
        "name": "report",
        "call": {"path": "/r", "body": {"n": "=told.god"}},
        "verified": {"status": "so"},
    }
    assert "told has no 'god'; valid: batch" in refused(profile_source({"steps": [step]}))


@pytest.mark.parametrize(
    ("kind", "verdict"), [("production.reported", Verdict.DONE), ("order.completed", Verdict.PARK)]
)
async def test_a_correction_takes_back_what_the_profile_names_and_parks_the_rest(kind, verdict):
    step = {"name": "delete", "call": "DELETE /r/{told.id}", "verified": {"status": "so says the test"}}
    source = profile_source()
    source["push"]["correction"] = {"takes_back": ["production.reported"], "steps": [step]}
    asked = []
    erp = erp_of(source, lambda request: asked.append(request.url.path) or httpx.Response(200, json={}))
    result = await erp.advance(erp.plan(correction(kind), CONTEXT), Progress(), 0)
    assert result.decision.verdict is verdict
    assert asked == (["/r/m-0"] if verdict is Verdict.DONE else [])
    if verdict is Verdict.PARK:
        assert result.decision.reason == "Small cannot take back order.completed"


def test_only_a_correction_takes_back():
    source = profile_source()
    source["push"]["production.reported"]["takes_back"] = ["production.reported"]
    assert "push.production.reported.takes_back: only a correction takes back" in refused(source)


async def test_a_rule_names_its_verdict_as_the_key_of_its_reason():
    source = profile_source()
    source["connection"]["rules"] = [{"status": [409], "park": "busy with {reply.body.what}"}]
    erp = erp_of(source, lambda _request: httpx.Response(409, json={"what": "stock"}))
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert result.decision.verdict is Verdict.PARK
    assert "busy with stock" in result.decision.reason


@pytest.mark.parametrize(
    "rule",
    [{"park": "one", "halt": "two", "status": [409]}, {"park": "one", "verdict": "halt", "status": [409]}],
)
def test_a_rule_with_two_verdicts_is_refused(rule):
    source = profile_source()
    source["connection"]["rules"] = [rule]
    assert "connection.rules.0" in refused(source)


async def test_records_and_paging_of_the_pull_hold_for_every_listing_that_says_none():
    source = profile_source()
    pull = source["pull"]
    del pull["orders"]["records"], pull["open_orders"]["records"]
    pull["records"], pull["paging"] = "=reply.body.rows", {"kind": "keyset", "after": "=no"}
    pull["orders"]["paging"] = {"kind": "none"}
    erp = erp_of(source, lambda _request: httpx.Response(200, json={"rows": [order_record("WO/1")]}))
    pages = [page async for page in erp.pull(None)]
    assert [order.number for page in pages for order in page.orders] == ["WO/1"]
    read = parse_profile(yaml.safe_dump(source), "small.yaml").pull
    assert (read.orders.paging.kind, read.open_orders.paging.kind) == ("none", "keyset")


def test_a_listing_without_records_is_refused_where_the_pull_has_none():
    source = profile_source()
    del source["pull"]["open_orders"]["records"]
    assert "'records' is required" in refused(source)


def test_a_protocol_is_no_profile_and_is_offered_where_one_extends():
    assert not set(shipped_protocols()) & set(shipped_profiles())
    with pytest.raises(ConfigurationError) as error:
        load_profile("protocols/nowhere")
    assert "protocols/" not in str(error.value).replace("protocols/nowhere", "")
    with pytest.raises(ConfigurationError) as error:
        parse_profile("extends: protocols/nowhere\n", "ours.yaml")
    assert all(name in str(error.value) for name in [*shipped_protocols(), *shipped_profiles()])


def test_a_key_may_be_worked_out_and_another_object_taken_in():
    body = Value(
        {"a": 1, "...": "=given", "b": 2, "~Work{n}": "=spent", "~Unit{n}?": "=none", "last?": "=none"}
    )
    facts = {"given": {"a": 10, "b": 20, "c": 30}, "n": "3", "spent": "7", "none": None}
    assert body(facts) == {"a": 10, "b": 2, "c": 30, "Work3": "7"}
    assert Value({"...": "=none", "a": 1})(facts) == {"a": 1}
    with pytest.raises(MappingError, match="takes in an object, not '7'"):
        Value({"...": "=spent"})(facts)


def test_a_key_that_is_worked_out_reads_only_what_is_in_scope():
    step = {
        "name": "r",
        "call": {"path": "/r", "body": {"~Work{told.god}": "1"}},
        "verified": {"status": "so"},
    }
    assert "told has no 'god'" in refused(profile_source({"steps": [step]}))


def test_a_field_whose_name_is_worked_out():
    named = Expression("field(@, concat('Work', n))")
    assert named({"Work3": "7", "n": "3"}) == "7"
    assert named({"n": "4"}) is None


async def test_a_use_compares_what_its_group_does_not():
    create = {"name": "create", "call": {"path": "/{given.what}"}, "verified": "=reply.body.id"}
    use = {
        "create": {"what": "results"},
        "compare": {"good": {"theirs": "=reply.body.good", "ours": "=told.good"}},
    }
    source = profile_source({"steps": [use]}, groups={"create": [create]})
    erp = erp_of(source, lambda _request: httpx.Response(200, json={"id": 1, "good": "2"}))
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert result.decision.verdict is Verdict.DONE
    assert result.warnings == ["good: the ERP has 2, the floor has 2.50"]
