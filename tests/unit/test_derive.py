"""From sequences of events to the messages they cause."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.derive import Draft, OrderState, add_events, draft_completion, outstanding, refold
from shared.domain.events import Outcome
from shared.domain.identity import event_key
from shared.domain.message import MessageKind
from shared.domain.state import Status
from tests.unit.floor_words import COMPLETED, PAUSED, RESUMED, STARTED, correction, event, made, timed, unit
from tests.unit.test_state import POOL

O_START, O_DONE = MessageKind.ORDER_STARTED, MessageKind.ORDER_COMPLETED
START, DONE = MessageKind.OPERATION_STARTED, MessageKind.OPERATION_COMPLETED
PAUSE, RESUME = MessageKind.OPERATION_PAUSED, MessageKind.OPERATION_RESUMED
MADE, TIME = MessageKind.PRODUCTION_REPORTED, MessageKind.TIME_RECORDED


def kinds(drafts):
    return [draft.kind for draft in drafts]


FIRST = [
    ([event("a", STARTED, 0)], [O_START, START]),
    ([event("a", PAUSED, 0)], [O_START, START, PAUSE]),
    ([event("a", RESUMED, 0)], [O_START, START]),
    ([event("a", COMPLETED, 0)], [O_START, START, DONE]),
    ([made("a", 0)], [O_START, START, MADE]),
    ([made("a", 0, "0")], [O_START, START]),
    ([made("a", 0, "0", outcome=Outcome.FAIL)], [O_START, START, MADE]),
    ([made("a", 0, "0", scrap=Decimal(1))], [O_START, START, MADE]),
    ([timed("a", 0)], [O_START, START, TIME]),
    ([unit("a", 0, Outcome.PASS, good=Decimal(1), seconds=Decimal(9))], [O_START, START, MADE, TIME]),
    ([unit("a", 0, Outcome.FAIL, rework=Decimal(1))], [O_START, START, MADE]),
    ([unit("a", 0, Outcome.FAIL, scrap=Decimal(1))], [O_START, START, MADE]),
    ([event("a", STARTED, 0, "")], [O_START]),
    ([event("a", PAUSED, 0, "")], [O_START]),
    ([event("a", COMPLETED, 0, "")], [O_START, O_DONE]),
    ([correction("a", "b")], []),
]
GOING_ON = [
    ([event("a", STARTED, 0), event("b", STARTED, 1)], [O_START, START]),
    ([event("a", STARTED, 0), event("b", PAUSED, 1)], [O_START, START, PAUSE]),
    ([event("a", STARTED, 0), event("b", PAUSED, 1), event("c", PAUSED, 2)], [O_START, START, PAUSE]),
    ([event("a", STARTED, 0), event("b", PAUSED, 1), made("c", 2)], [O_START, START, PAUSE, MADE]),
    ([event("a", PAUSED, 0), event("b", RESUMED, 1)], [O_START, START, PAUSE, RESUME]),
    ([event("a", PAUSED, 0), event("b", COMPLETED, 1)], [O_START, START, PAUSE, RESUME, DONE]),
    ([event("a", COMPLETED, 0), event("b", COMPLETED, 1)], [O_START, START, DONE]),
    ([event("a", COMPLETED, 1), event("b", STARTED, 2)], [O_START, START, DONE, RESUME]),
    ([event("a", STARTED, 0), event("b", STARTED, 0, "20")], [O_START, START, START]),
    ([event("a", STARTED, 0), event("b", STARTED, 0, "")], [O_START, START]),
]


@pytest.mark.parametrize(("events", "expected"), FIRST + GOING_ON)
def test_events_of_one_batch_cause_these_messages(events, expected):
    assert kinds(add_events(OrderState(), events)) == expected


@pytest.mark.parametrize(("events", "expected"), GOING_ON)
def test_events_that_come_one_by_one_cause_the_same(events, expected):
    order = OrderState()
    assert kinds([draft for stated in events for draft in add_events(order, [stated])]) == expected


def test_a_batch_is_taken_in_the_order_in_which_it_happened():
    late = [event("c", COMPLETED, 9), made("b", 5), event("a", STARTED, 0)]
    assert kinds(add_events(OrderState(), late)) == [O_START, START, MADE, DONE]


def test_a_late_event_changes_no_status_that_came_after_it():
    order = OrderState()
    add_events(order, [event("a", STARTED, 0), event("b", COMPLETED, 9)])
    assert add_events(order, [event("c", PAUSED, 5)]) == []


def test_a_late_start_moves_the_start_without_saying_it_again():
    order = OrderState()
    add_events(order, [made("a", 9)])
    assert add_events(order, [event("b", STARTED, 1)]) == []
    assert order.started_at == event("b", STARTED, 1).occurred_at


def test_completing_the_last_operation_completes_the_order_once():
    order = OrderState(("10", "20"))
    add_events(order, [event("a", COMPLETED, 1)])
    drafts = add_events(order, [event("b", COMPLETED, 2, "20")])
    assert kinds(drafts) == [START, DONE, O_DONE]
    assert drafts[-1] == Draft(O_DONE, "", event_key("line", "b"))
    assert add_events(order, [event("c", COMPLETED, 3, "20")]) == []


def test_the_order_is_not_complete_before_its_routing_is_known():
    order = OrderState()
    add_events(order, [event("a", COMPLETED, 1)])
    assert draft_completion(order) == []
    order.planned = ("10",)
    assert draft_completion(order) == [Draft(O_DONE, "", event_key("line", "a"))]
    assert draft_completion(order) == []


def test_a_longer_routing_puts_a_completed_order_back_under_way():
    order = OrderState(("10",))
    add_events(order, [event("a", COMPLETED, 1)])
    order.planned = ("10", "20")
    assert draft_completion(order) == []
    assert order.status is Status.IN_PROGRESS


@pytest.mark.parametrize(
    ("stated", "status", "left"),
    [
        ([START, O_DONE], Status.COMPLETED, [START, O_DONE]),
        ([O_DONE, RESUME], Status.IN_PROGRESS, [RESUME]),
        ([O_DONE, RESUME, DONE, O_DONE], Status.COMPLETED, [RESUME, DONE, O_DONE]),
        ([START], Status.IN_PROGRESS, [START]),
    ],
)
def test_a_completion_taken_back_at_once_is_not_said(stated, status, left):
    drafts = [Draft(kind, "", "e") for kind in stated]
    assert kinds(outstanding(drafts, status)) == left


@given(st.lists(st.sampled_from([stated for stated in POOL if not stated.voids]), max_size=12))
def test_no_life_cycle_message_without_a_change_of_status(events):
    """Of any operation no two messages in a row say the same, and a start is said once."""
    events = list({stated.key: stated for stated in events}.values())
    drafts = add_events(OrderState(("10", "20")), events)
    said: dict[str, list[MessageKind]] = {}
    for draft in drafts:
        if draft.kind in (START, PAUSE, RESUME, DONE):
            said.setdefault(draft.operation_id, []).append(draft.kind)
    for words in said.values():
        assert words[0] is START
        assert START not in words[1:]
        assert all(one is not other for one, other in pairwise(words))
    assert kinds(drafts).count(O_START) == (1 if drafts else 0)


@given(st.lists(st.sampled_from([stated for stated in POOL if not stated.voids]), max_size=12))
def test_adding_gives_the_state_of_folding(events):
    events = list({stated.key: stated for stated in events}.values())
    order = OrderState(("10", "20"))
    add_events(order, events)
    assert order == refold(OrderState(("10", "20")), events)
