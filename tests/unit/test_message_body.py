"""A queued message in our own words: quantities in the order's unit, and what must be known first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from shared.domain.events import Outcome, TimeKind
from shared.domain.identity import message_id
from shared.domain.message import MessageKind, MessageState, Progress, QueuedMessage
from shared.domain.push import Missing
from shared.mapping.body_out import told_facts
from shared.mapping.message_body import context_of, message_of, missing_for
from shared.profiles.scope import TOLD
from tests.unit.floor_words import STARTED, correction, event, made, plan, timed, unit

PLAN = plan("10", "20")
BOXES = {"box": ("pcs", Decimal(12)), "milli": ("pcs", Decimal("0.001")), "kg": ("g", Decimal(1000))}
KINDS = MessageKind


def queued(kind, stated, operation=None, **fields):
    operation = stated.operation_id if operation is None else operation
    key = stated.order_key
    return QueuedMessage(key, 7, kind, operation, MessageState.PENDING, 0, Progress(), stated, **fields)


def body(kind, stated, plan_=PLAN, **fields):
    return message_of(queued(kind, stated, **fields), plan_, BOXES).body


@pytest.mark.parametrize(
    ("message", "plan_", "missing"),
    [
        (queued(KINDS.PRODUCTION_REPORTED, made("a", 0)), PLAN, None),
        (queued(KINDS.PRODUCTION_REPORTED, made("a", 0)), None, Missing("order", "WO-1")),
        (queued(KINDS.OPERATION_STARTED, made("a", 0, operation="99")), PLAN, Missing("operation", "99")),
        (queued(KINDS.ORDER_STARTED, made("a", 0, operation="99"), ""), PLAN, None),
        (queued(KINDS.PRODUCTION_REPORTED, made("a", 0, unit="pcs")), PLAN, None),
        (queued(KINDS.PRODUCTION_REPORTED, made("a", 0, unit="box")), PLAN, None),
        (queued(KINDS.PRODUCTION_REPORTED, made("a", 0, unit="sack")), PLAN, Missing("unit", "sack")),
        (queued(KINDS.PRODUCTION_REPORTED, made("a", 0, unit="kg")), PLAN, Missing("unit", "kg")),
        (queued(KINDS.PRODUCTION_REPORTED, made("a", 0, "0", unit="sack")), PLAN, None),
        (queued(KINDS.OPERATION_STARTED, made("a", 0, unit="sack")), PLAN, None),
        (queued(KINDS.TIME_RECORDED, timed("a", 0, unit="sack")), PLAN, None),
        (
            queued(
                KINDS.CORRECTION,
                correction("b", "a"),
                voided_sequence=3,
                voided_kind=KINDS.PRODUCTION_REPORTED,
                voided_event=made("a", 0, unit="sack"),
            ),
            PLAN,
            Missing("unit", "sack"),
        ),
    ],
)
def test_what_must_be_known_first(message, plan_, missing):
    assert missing_for(message, plan_, BOXES) == missing


@pytest.mark.parametrize(
    ("good", "unit_", "said"),
    [
        ("5", "", "5"),
        ("5", "pcs", "5"),
        ("5", "box", "60"),
        ("2.5", "box", "30"),
        ("100", "pcs", "100"),
        ("0.000001", "milli", "0.000000001"),
        ("1000", "milli", "1"),
        ("0", "box", "0"),
        ("1E+2", "", "100"),
    ],
)
def test_quantities_are_plain_text_in_the_orders_unit(good, unit_, said):
    stated = body(KINDS.PRODUCTION_REPORTED, made("a", 0, good, unit=unit_))
    assert (stated["good"], stated["unit"]) == (said, "pcs")


def test_a_message_says_only_what_its_kind_is_about():
    stated = unit("a", 0, Outcome.PASS, good=Decimal(1), seconds=Decimal("12.50"))
    produced = body(KINDS.PRODUCTION_REPORTED, stated)
    spent = body(KINDS.TIME_RECORDED, stated)
    assert (produced["good"], produced["seconds"], produced["time_kind"]) == ("1", "0", None)
    assert (spent["good"], spent["seconds"], spent["time_kind"]) == ("0", "12.5", "run")


@pytest.mark.parametrize(
    ("kind", "stated", "implied"),
    [
        (KINDS.OPERATION_STARTED, event("a", STARTED, 0), False),
        (KINDS.OPERATION_STARTED, made("a", 0), True),
        (KINDS.OPERATION_STARTED, unit("a", 0, Outcome.PASS), True),
        (KINDS.ORDER_STARTED, event("a", STARTED, 0), True),
        (KINDS.PRODUCTION_REPORTED, made("a", 0), False),
        (KINDS.PRODUCTION_REPORTED, unit("a", 0, Outcome.PASS), False),
        (KINDS.TIME_RECORDED, unit("a", 0, Outcome.PASS), False),
        (KINDS.CORRECTION, correction("b", "a"), False),
    ],
)
def test_a_start_that_nobody_reported_is_implied(kind, stated, implied):
    assert body(kind, stated)["implied"] is implied


@pytest.mark.parametrize(("operation", "last"), [("10", False), ("20", True), ("", True)])
def test_only_the_last_operation_makes_what_the_order_makes(operation, last):
    assert body(KINDS.PRODUCTION_REPORTED, made("a", 0, operation=operation))["last_operation"] is last


def test_what_is_told_has_the_fields_that_profiles_may_read():
    target = made("a", 0)
    voided = {"voided_sequence": 3, "voided_kind": KINDS.PRODUCTION_REPORTED, "voided_event": target}
    for waiting in (
        queued(KINDS.PRODUCTION_REPORTED, target),
        queued(KINDS.CORRECTION, correction("b", "a"), **voided),
    ):
        assert told_facts(message_of(waiting, PLAN, BOXES)).keys() - {"voids"} == TOLD


def test_a_correction_carries_what_it_takes_back():
    target = made("a", 0, "2", unit="box", batch="L-1", serials=("S1",))
    stated = message_of(
        queued(
            KINDS.CORRECTION,
            correction("b", "a", reason="miscounted"),
            voided_sequence=3,
            voided_kind=KINDS.PRODUCTION_REPORTED,
            voided_event=target,
        ),
        PLAN,
        BOXES,
    )
    voids = stated.body["voids"]
    assert stated.message_id == message_id(target.order_key, 7)
    assert stated.body["reason"] == "miscounted"
    assert (voids["message_id"], voids["kind"]) == (message_id(target.order_key, 3), "production.reported")
    assert voids["body"] == {
        key: value for key, value in body(KINDS.PRODUCTION_REPORTED, target).items() if key != "voids"
    }


def test_everything_is_plain_json():
    stated = made("a", 0.5, scrap=Decimal("0.5"), outcome=Outcome.FAIL, time_kind=TimeKind.SETUP)
    said = body(KINDS.PRODUCTION_REPORTED, stated)
    assert orjson.loads(orjson.dumps(said)) == said
    assert said["occurred_at"] == "2026-11-23T06:00:30.000Z"


def test_the_context_is_what_the_erp_knows_of_order_and_operation():
    context = context_of(
        queued(KINDS.OPERATION_STARTED, event("a", STARTED, 0)), PLAN, {"unit": {"box": "pcs"}}
    )
    assert context.order["erp_ref"] == {"id": 7}
    assert context.operation == {
        "operation_id": "10",
        "position": 10,
        "name": "step 10",
        "work_centre": "WC-1",
        "erp_ref": {"id": 1},
    }
    whole = context_of(queued(KINDS.ORDER_STARTED, event("a", STARTED, 0), ""), PLAN, {})
    assert (whole.operation, whole.links) == ({}, {})


def test_the_planned_quantity_is_plain_text_too():
    context = context_of(
        queued(KINDS.ORDER_STARTED, event("a", STARTED, 0)), replace(PLAN, quantity=Decimal("1E+3")), {}
    )
    assert context.order["quantity"] == "1000"
