"""Floor against plan: which mismatch gives which warning. None of them ever refuses anything."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.checks import References, mismatches, over_completed
from shared.domain.state import fold
from shared.domain.warning import Warning_, WarningKind
from shared.domain.works_order import ErpState
from tests.unit.floor_words import COMPLETED, STARTED, correction, event, made, plan

PLAN = plan("10", "20", "30")
KINDS = WarningKind
LINKED = References(
    frozenset({"WC-1"}),
    {"work_centre": {"press": "WC-9"}, "scrap_reason": {"S1": "1"}, "unit": {"box": "pcs", "sack": "kg"}},
    {"box": ("pcs", Decimal(12)), "half": ("pcs", Decimal("0.5")), "sack": ("kg", Decimal(25))},
)


def kinds(event_, plan_=PLAN, before=(), references=LINKED):
    return [found.kind for found in mismatches(event_, plan_, fold([*before, event_]), references)]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (made("a", 0, work_centre="WC-1"), []),
        (made("a", 0, operation=""), []),
        (made("a", 0, operation="99"), [KINDS.UNKNOWN_OPERATION]),
        (made("a", 0, work_centre="nowhere"), [KINDS.UNKNOWN_WORK_CENTRE]),
        (made("a", 0, work_centre="press"), []),
        (made("a", 0, work_centre="wc-1"), [KINDS.UNKNOWN_WORK_CENTRE]),
        (made("a", 0, scrap_reason="S1"), []),
        (made("a", 0, scrap_reason="S2"), [KINDS.UNKNOWN_CODE]),
        (made("a", 0, rework_reason="anything: no such links"), []),
        (made("a", 0, unit="pcs"), []),
        (made("a", 0, "0.5", unit="box"), []),
        (made("a", 0, unit="box"), [KINDS.OVER_COMPLETION]),
        (made("a", 0, "20", unit="half"), []),
        (made("a", 0, "11", unit="pcs"), [KINDS.OVER_COMPLETION]),
        (made("a", 0, "11", unit="sack"), [KINDS.UNKNOWN_UNIT]),
        (made("a", 0, unit="kg"), [KINDS.UNKNOWN_UNIT]),
        (made("a", 0, "10"), []),
        (made("a", 0, "10.000001"), [KINDS.OVER_COMPLETION]),
        (event("a", STARTED, 0), []),
        (event("a", STARTED, 0, "20"), [KINDS.WRONG_SEQUENCE]),
        (event("a", COMPLETED, 0, "20"), []),
        (correction("a", "b"), []),
    ],
)
def test_a_mismatch_becomes_a_warning(stated, expected):
    assert kinds(stated) == expected


def test_an_unknown_order_says_that_and_nothing_else():
    assert kinds(made("a", 0, "99", "99", unit="kg"), None) == [KINDS.UNKNOWN_ORDER]


def test_work_on_a_cancelled_order_is_shown_beside_what_else_is_wrong():
    cancelled = replace(PLAN, erp_state=ErpState.CANCELLED)
    assert kinds(made("a", 0, operation="99"), cancelled) == [KINDS.ORDER_CANCELLED, KINDS.UNKNOWN_OPERATION]


def test_without_any_routing_no_work_centre_is_called_unknown():
    assert kinds(made("a", 0, work_centre="new"), references=References()) == []


def test_only_operations_that_nothing_was_reported_of_are_skipped():
    found = mismatches(
        event("c", STARTED, 2, "30"),
        PLAN,
        fold([made("a", 0), event("c", STARTED, 2, "30")]),
        LINKED,
    )
    assert [warning.detail for warning in found] == ["operation 30 started before 20"]


def test_over_completion_counts_what_was_made_before():
    assert kinds(made("b", 1, "6"), before=[made("a", 0, "6")]) == [KINDS.OVER_COMPLETION]
    assert kinds(made("b", 1, "0", scrap=Decimal(6)), before=[made("a", 0, "16")]) == []


def test_over_completion_adds_up_in_the_unit_of_the_order():
    """2 boxes and 3 are 5 pieces of 24 if one adds up numbers, and 27 if one adds up pieces."""
    planned = replace(PLAN, quantity=Decimal(26))
    event_ = made("b", 1, "3")
    states = fold([made("a", 0, "2", unit="box"), made("kg", 0, "100", unit="kg"), event_])
    (found,) = mismatches(event_, planned, states, LINKED)
    assert found.detail == "27 good of 26 pcs planned on operation 10"
    assert kinds(event_, replace(planned, quantity=Decimal(27)), [made("a", 0, "2", unit="box")]) == []


def test_what_comes_to_count_later_is_warned_about_by_operation():
    states = fold(
        [
            made("a", 0, "1", unit="box"),
            made("b", 0, "10", "20"),
            made("c", 0, "1", "30", unit="kg"),
        ]
    )
    (found,) = over_completed("acme", "key", PLAN, states, LINKED.units)
    assert (found.subject, found.detail) == ("WO-1/10", "12 good of 10 pcs planned on operation 10")
    assert (found.connection, found.order_key, found.order_number) == ("acme", "key", "WO-1")


def test_the_same_mismatch_is_the_same_warning():
    one, again = (next(mismatches(made(name, 0), None, {}, LINKED)) for name in ("a", "b"))
    assert one.warning_id == again.warning_id
    assert one.evidence != again.evidence


def test_a_warning_is_named_by_its_exact_subject():
    names = {Warning_("acme", KINDS.UNKNOWN_UNIT, subject, "").warning_id for subject in ("A1", "a1", "A1 ")}
    assert len(names) == 3
