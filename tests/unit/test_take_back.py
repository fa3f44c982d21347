"""What a correction does to messages: each case is a past or possible way to tell the ERP something untrue."""

from __future__ import annotations

import pytest

from shared.domain.derive import OrderState, add_events, refold
from shared.domain.message import MessageKind
from shared.domain.take_back import SentMessage, take_back
from tests.unit.floor_words import COMPLETED, PAUSED, RESUMED, STARTED, correction, event, made

KINDS = MessageKind


def corrected(events, *targets, sent=0, planned=("10",)):
    """Take `targets` back after `events`, of whose messages the ERP has heard the first `sent`.

    Returns the kinds of messages taken out, and (kind, sequence it takes back) of those that are said now.
    """
    before = OrderState(planned)
    drafts = [draft for stated in events for draft in add_events(before, [stated])]
    messages = [
        SentMessage(place, draft.kind, draft.operation_id, draft.event_key, untouched=place > sent)
        for place, draft in enumerate(drafts, 1)
    ]
    corrections = [correction(f"no {target}", target) for target in targets]
    order = refold(before, [*events, *corrections])
    by_target = {stated.voids: stated for stated in corrections}
    void, said = take_back(by_target, by_target.keys(), messages, before, order)
    names = {message.sequence: message.kind for message in messages}
    return [names[sequence] for sequence in void], [(draft.kind, draft.voids) for draft in said]


START, MAKE = event("start", STARTED, 0), made("good", 1)
PAUSE, RESUME, DONE = event("pause", PAUSED, 2), event("resume", RESUMED, 3), event("done", COMPLETED, 4)


@pytest.mark.parametrize(
    ("events", "target", "gone", "said"),
    [
        ([START], "start", [KINDS.OPERATION_STARTED, KINDS.ORDER_STARTED], []),
        ([START, MAKE], "start", [], []),
        ([START, MAKE], "good", [KINDS.PRODUCTION_REPORTED], []),
        ([MAKE], "good", [KINDS.PRODUCTION_REPORTED, KINDS.OPERATION_STARTED, KINDS.ORDER_STARTED], []),
        ([START, PAUSE], "pause", [KINDS.OPERATION_PAUSED], []),
        ([START, DONE], "done", [KINDS.ORDER_COMPLETED, KINDS.OPERATION_COMPLETED], []),
        ([START, DONE, event("late", RESUMED, 3)], "start", [], []),
        ([START, PAUSE, RESUME], "resume", [KINDS.OPERATION_RESUMED], []),
    ],
)
def test_what_the_erp_never_heard_is_taken_out(events, target, gone, said):
    assert corrected(events, target) == (gone, said)


@pytest.mark.parametrize(
    ("events", "target", "said"),
    [
        ([START], "start", [(KINDS.CORRECTION, 2), (KINDS.CORRECTION, 1)]),
        ([START, MAKE], "good", [(KINDS.CORRECTION, 3)]),
        ([START, PAUSE], "pause", [(KINDS.CORRECTION, 3)]),
        ([START, DONE], "done", [(KINDS.CORRECTION, 4), (KINDS.CORRECTION, 3)]),
    ],
)
def test_what_the_erp_has_heard_is_reversed_latest_first(events, target, said):
    assert corrected(events, target, sent=99) == ([], said)


def test_a_completion_that_another_event_states_as_well_stands():
    assert corrected([START, DONE, event("again", COMPLETED, 5)], "done", sent=99) == ([], [])


def test_the_last_event_that_implied_a_start_takes_it_back_though_another_had_caused_it():
    assert corrected([START, MAKE], "start", "good", sent=99)[1] == [
        (KINDS.CORRECTION, 3),
        (KINDS.CORRECTION, 2),
        (KINDS.CORRECTION, 1),
    ]


def test_reopening_an_operation_reverses_the_completion_of_the_order_though_another_had_caused_it():
    events = [event("a", COMPLETED, 1), event("b", COMPLETED, 2, "20")]
    _, said = corrected(events, "a", sent=99, planned=("10", "20"))
    assert said == [(KINDS.CORRECTION, 6), (KINDS.CORRECTION, 3), (KINDS.CORRECTION, 2)]


def test_a_status_that_comes_to_light_again_is_said():
    events = [START, RESUME, event("early", COMPLETED, 2)]
    assert corrected(events, "resume", sent=99)[1] == [
        (KINDS.OPERATION_COMPLETED, None),
        (KINDS.ORDER_COMPLETED, None),
    ]


def test_the_same_event_corrected_once_more_changes_nothing():
    before = OrderState(("10",))
    add_events(before, [START])
    again = correction("again", "good")
    still = [SentMessage(1, KINDS.ORDER_STARTED, "", START.key, untouched=False)]
    assert take_back({again.voids: again}, {again.voids}, still, before, before) == ([], [])


def test_a_correction_speaks_of_the_operation_of_the_message_it_reverses():
    before = OrderState(("10",))
    add_events(before, [MAKE])
    order = refold(before, [MAKE, correction("no", "good", operation="")])
    sent = [SentMessage(3, KINDS.PRODUCTION_REPORTED, "10", MAKE.key, untouched=False)]
    by_target = {MAKE.key: correction("no", "good", operation="")}
    _, drafts = take_back(by_target, {MAKE.key}, sent, before, order)
    assert [draft.operation_id for draft in drafts] == ["10"]
