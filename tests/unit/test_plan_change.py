"""What a pull does to an order we hold already."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.plan_change import Action, differences, fingerprint, judge, keep_plan
from shared.domain.works_order import ErpState
from tests.unit.floor_words import at, plan

OURS = plan("10", "20")


def with_operation(number, **changes):
    operations = list(OURS.operations)
    operations[number] = replace(operations[number], **changes)
    return replace(OURS, operations=tuple(operations))


@pytest.mark.parametrize(
    ("stored", "pulled", "started", "action"),
    [
        (None, OURS, False, Action.INSERT),
        (None, OURS, True, Action.INSERT),
        (OURS, replace(OURS, quantity=Decimal(12)), False, Action.UPDATE),
        (OURS, OURS, True, Action.REFRESH),
        (OURS, replace(OURS, erp_ref={"id": 8}), True, Action.REFRESH),
        (OURS, with_operation(0, erp_ref={"id": 8}), True, Action.REFRESH),
        (OURS, replace(OURS, part_name="new words"), True, Action.REFRESH),
        (OURS, replace(OURS, erp_state=ErpState.COMPLETED), True, Action.REFRESH),
        (OURS, replace(OURS, quantity=Decimal("10.000")), True, Action.REFRESH),
        (OURS, with_operation(0, run_seconds=Decimal("1.500000")), True, Action.REFRESH),
        (OURS, replace(OURS, quantity=Decimal(12)), True, Action.PROPOSE),
        (OURS, replace(OURS, part="P-2"), True, Action.PROPOSE),
        (OURS, replace(OURS, unit="kg"), True, Action.PROPOSE),
        (OURS, replace(OURS, due_at=at(0)), True, Action.PROPOSE),
        (OURS, replace(OURS, erp_state=ErpState.CANCELLED), True, Action.PROPOSE),
        (replace(OURS, erp_state=ErpState.CANCELLED), OURS, True, Action.PROPOSE),
        (OURS, with_operation(1, work_centre="WC-2"), True, Action.PROPOSE),
        (OURS, with_operation(1, run_seconds=None), True, Action.PROPOSE),
        (OURS, plan("10"), True, Action.PROPOSE),
        (OURS, plan("10", "20", "30"), True, Action.PROPOSE),
    ],
)
def test_what_to_do_with_a_pulled_order(stored, pulled, started, action):
    assert judge(stored, pulled, started=started).action is action


def test_a_change_shows_before_and_after():
    pulled = replace(with_operation(1, run_seconds=Decimal(100)), quantity=Decimal("12.5"), due_at=at(0))
    assert differences(OURS, pulled) == {
        "quantity": ("10", "12.5"),
        "due_at": (None, "2026-11-23T06:00:00+00:00"),
        "operation 20": (
            "20 step 20 at WC-1, setup 60 s, run 1.5 s",
            "20 step 20 at WC-1, setup 60 s, run 100 s",
        ),
    }


def test_operations_that_came_and_went_are_shown():
    found = differences(plan("10"), plan("20"))
    assert found["operation 10"][1] is None
    assert found["operation 20"][0] is None


@pytest.mark.parametrize(
    "other",
    [
        replace(OURS, quantity=Decimal(11)),
        replace(OURS, due_at=at(0)),
        replace(OURS, erp_state=ErpState.COMPLETED),
        replace(OURS, erp_ref={"id": 8}),
        replace(OURS, part_name="x"),
        with_operation(0, erp_ref={}),
        with_operation(0, name="x"),
        with_operation(0, setup_seconds=None),
        with_operation(0, position=11),
        plan("10"),
    ],
)
def test_whatever_the_erp_states_is_in_the_fingerprint(other):
    assert fingerprint(other) != fingerprint(OURS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (replace(OURS, quantity=Decimal("10.0")), OURS),
        (replace(OURS, erp_ref={"a": {"x": 1, "y": 2}}), replace(OURS, erp_ref={"a": {"y": 2, "x": 1}})),
        (with_operation(0, erp_ref={"a": 1, "b": 2}), with_operation(0, erp_ref={"b": 2, "a": 1})),
    ],
)
def test_another_way_to_write_the_same_is_no_change(one, other):
    assert fingerprint(one) == fingerprint(other)


def test_a_started_order_keeps_its_plan_and_takes_what_the_erp_needs_to_be_told():
    pulled = replace(
        with_operation(0, name="renamed", erp_ref={"id": 99}),
        quantity=Decimal(12),
        erp_ref={"id": 70},
        erp_state=ErpState.COMPLETED,
    )
    kept = keep_plan(OURS, pulled, ())
    assert kept == replace(
        OURS,
        erp_ref={"id": 70},
        erp_state=ErpState.COMPLETED,
        operations=with_operation(0, erp_ref={"id": 99}).operations,
    )


@pytest.mark.parametrize(("worked", "ids"), [((), ["10", "20"]), (("30",), ["10", "20", "30"])])
def test_a_new_operation_is_taken_in_only_where_work_waits_for_it(worked, ids):
    kept = keep_plan(OURS, plan("10", "20", "30", "40"), worked)
    assert [op.operation_id for op in kept.operations] == ids


def test_an_operation_that_vanished_stays_in_a_started_order():
    assert keep_plan(OURS, plan("20"), ()).operations[0].operation_id == "10"
