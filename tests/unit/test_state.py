"""The sum of a set of events, told as tables; tests/contract/store shuffles them through the store."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.events import Outcome, TimeKind
from shared.domain.state import OperationState, Status, fold, order_status, voided_keys
from shared.domain.units import Made
from tests.unit.floor_words import (
    COMPLETED,
    PAUSED,
    RESUMED,
    STARTED,
    at,
    correction,
    event,
    made,
    timed,
    unit,
)

UNITS = {"box": ("pcs", Decimal("2.5"))}
POOL = [
    event("start", STARTED, 0),
    event("start again", STARTED, 2),
    event("pause", PAUSED, 2),
    event("resume", RESUMED, 2),
    event("complete", COMPLETED, 3),
    event("complete early", COMPLETED, 0),
    made("good", 1, "2.5", scrap=Decimal("0.000001")),
    made("more", 4, rework=Decimal(1), serials=("S1", "S2"), outcome=Outcome.PASS),
    unit("failed", 1, Outcome.FAIL),
    timed("run", 1),
    timed("set up", 0, "754.5", time_kind=TimeKind.SETUP),
    made("elsewhere", 1, operation="20"),
    made("boxes", 1, "2", scrap=Decimal("0.5"), unit="box"),
    made("more boxes", 2, "0.000001", rework=Decimal(3), unit="box"),
    made("pieces", 2, "7", unit="pcs"),
    made("nothing in kg", 3, "0", unit="kg"),
    correction("no boxes", "boxes"),
    event("all done", COMPLETED, 9, ""),
    correction("no start", "start"),
    correction("no pause", "pause", minutes=0),
    correction("no correction", "no start"),
    correction("no stranger", "never came"),
]


@given(st.lists(st.sampled_from(POOL), max_size=20), st.randoms(use_true_random=False))
def test_neither_order_nor_repeats_change_the_sum(events, random):
    shuffled = [*events, *random.choices(events, k=3)] if events else []
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(events)


@given(st.lists(st.sampled_from(POOL), unique_by=lambda stated: stated.key))
def test_adding_one_by_one_gives_the_same_sum(events):
    void = voided_keys(events)
    states: dict[str, OperationState] = {}
    for stated in events:
        if stated.key not in void and not stated.voids:
            states.setdefault(stated.operation_id, OperationState(stated.operation_id)).add(stated)
    assert states == fold(events)


def state_of(*events):
    return fold(events).get("10", OperationState("10"))


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], Status.NOT_STARTED),
        ([event("a", STARTED, 0)], Status.IN_PROGRESS),
        ([made("a", 0)], Status.IN_PROGRESS),
        ([event("a", PAUSED, 0)], Status.PAUSED),
        ([event("a", COMPLETED, 0)], Status.COMPLETED),
        ([event("a", COMPLETED, 5), event("b", STARTED, 0)], Status.COMPLETED),
        ([event("a", COMPLETED, 5), event("b", RESUMED, 6)], Status.IN_PROGRESS),
        ([event("a", COMPLETED, 5), made("b", 6)], Status.COMPLETED),
        ([event("a", STARTED, 5), event("b", COMPLETED, 5)], Status.COMPLETED),
        ([event("a", PAUSED, 5), event("b", RESUMED, 5)], Status.PAUSED),
        ([event("a", STARTED, 0), correction("b", "a")], Status.NOT_STARTED),
        ([correction("b", "a"), event("a", STARTED, 0)], Status.NOT_STARTED),
        ([event("a", STARTED, 0), event("c", COMPLETED, 1), correction("b", "c")], Status.IN_PROGRESS),
    ],
)
def test_status_is_the_latest_word_by_the_time_it_happened(events, status):
    assert state_of(*events).status is status


def test_a_corrected_correction_still_takes_back():
    events = [made("a", 0), correction("b", "a"), correction("c", "b")]
    assert fold(events) == {}


def test_quantities_seconds_and_units_are_plain_sums():
    state = state_of(
        made("a", 1, "0.1", scrap=Decimal("0.2")),
        made("b", 2, "0.2", rework=Decimal(1)),
        unit("c", 3, Outcome.FAIL, seconds=Decimal("12.5")),
        unit("d", 3, Outcome.PASS, serials=("S1",)),
        timed("e", 4, "60", time_kind=TimeKind.SETUP),
        timed("f", 4, "0.5"),
    )
    assert (state.good, state.scrap, state.rework) == (Decimal("0.3"), Decimal("0.2"), Decimal(1))
    assert (state.setup_seconds, state.run_seconds) == (Decimal(60), Decimal(13))
    assert (state.units_passed, state.units_failed) == (1, 1)
    assert (state.started_at, state.completed_at) == (at(1), None)


def test_quantities_are_summed_by_the_unit_they_are_in():
    state = state_of(
        made("a", 1, "1"),
        made("b", 2, "2", unit="box", scrap=Decimal(1)),
        made("c", 3, "0.5", unit="box", rework=Decimal(4)),
        made("d", 4, "3", unit="kg"),
        made("e", 5, "0", unit="bag", outcome=Outcome.PASS),
    )
    assert (state.good, state.scrap, state.rework, state.units_passed) == (1, 0, 0, 1)
    assert state.named == {"box": Made(Decimal("2.5"), Decimal(1), Decimal(4)), "kg": Made(Decimal(3))}


def test_a_correction_takes_back_what_was_counted_in_its_unit():
    events = [made("a", 1, "2", unit="box"), made("b", 2, "3", unit="box"), correction("c", "a")]
    assert state_of(*events).named == {"box": Made(Decimal(3))}
    assert state_of(*events, correction("d", "b")) == OperationState("10")


@given(st.lists(st.sampled_from(POOL), max_size=20), st.randoms(use_true_random=False))
def test_in_the_unit_of_the_order_the_order_of_events_does_not_matter_either(events, random):
    shuffled = random.sample(events, k=len(events))
    for unit_of_order in ("pcs", "box", None):
        sums = [
            {name: state.made(unit_of_order, UNITS) for name, state in fold(each, known).items()}
            for each in (events, shuffled)
            for known in ("", unit_of_order or "")  # when the plan came, before the events or after them
        ]
        assert all(each == sums[0] for each in sums)


def test_a_report_of_many_serials_counts_each_as_a_unit():
    assert state_of(made("a", 1, "3", serials=("1", "2", "3"), outcome=Outcome.PASS)).units_passed == 3


def test_completion_is_dated_by_the_event_that_says_so():
    assert state_of(event("a", COMPLETED, 7), made("b", 9)).completed_at == at(7)


@pytest.mark.parametrize(
    ("planned", "events", "status"),
    [
        ((), [], Status.NOT_STARTED),
        (("10",), [], Status.NOT_STARTED),
        (("10",), [event("a", PAUSED, 0)], Status.IN_PROGRESS),
        (("10",), [event("a", COMPLETED, 0)], Status.COMPLETED),
        (("10", "20"), [event("a", COMPLETED, 0)], Status.IN_PROGRESS),
        (("10", "20"), [event("a", COMPLETED, 0), event("b", COMPLETED, 1, "20")], Status.COMPLETED),
        ((), [event("a", COMPLETED, 0)], Status.IN_PROGRESS),
        (("10", "20"), [event("a", COMPLETED, 0, "")], Status.COMPLETED),
        (("10",), [event("a", COMPLETED, 0), made("b", 1, operation="99")], Status.COMPLETED),
        ((), [made("a", 0, operation="")], Status.IN_PROGRESS),
    ],
)
def test_an_order_is_complete_when_its_routing_is_or_the_floor_says_so(planned, events, status):
    assert order_status(fold(events), planned) is status
