"""What is sent as one is laid down with its intent, in one commit, and read back as it was by whoever comes after."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.combine import Combine, combine
from shared.domain.message import MessageKind, MessageState, Progress
from shared.errors import LeaseLost
from shared.store import outbox
from shared.store.outcomes import Recorded
from tests.contract.store.streams import (
    KEY,
    LATER,
    NOW,
    backlog,
    messages,
    note,
    outcome,
    record,
    release,
    row_of,
    take,
)
from tests.unit.floor_words import PAUSED, RESUMED, STARTED, correction, event, made

AFTER = LATER + timedelta(seconds=1)
SUM = {MessageKind.PRODUCTION_REPORTED: Combine.SUM}


@pytest.fixture
def reported(store):
    """A stream of order and operation started (done) and three reports, 3, 4 and 5, of 1, 2 and 4 pieces."""
    record(store, event("s", STARTED, 0), *(made(f"r{good}", good, str(good)) for good in (1, 2, 4)))
    lease = take(store)[KEY]
    note(store, lease, outcome(1), outcome(2))
    return store, lease


def carriers(store):
    return {sequence: row.told_by for sequence, row in messages(store).items()}


def told(store, policies=SUM):
    return combine(backlog(store).messages, policies)


def test_it_is_laid_down_with_the_intent_and_rebuilt_after_a_lost_lease(reported):
    store, lease = reported
    assert note(store, lease, intent=3, carried=(3, 4, 5)) is Recorded.OK
    assert carriers(store) == {1: None, 2: None, 3: 3, 4: 3, 5: 3}
    assert messages(store)[3].intent_at == NOW
    record(store, made("late", 30, "8"))
    new = take(store, owner="two", now=AFTER, until=AFTER + timedelta(seconds=60))[KEY]
    one, late = told(store, {})
    assert (one.members, one.message.event.good) == ((3, 4, 5), Decimal(7))
    assert one.message.progress.unknown
    assert late.members == (6,)
    note(store, new, *(outcome(number, told_by=3) for number in (3, 4, 5)), now=AFTER)
    assert [each.members for each in told(store)] == [(6,)]
    with pytest.raises(LeaseLost):
        note(store, lease, intent=3, carried=(3, 4, 5))


def test_a_lost_lease_lays_nothing_down(reported):
    store, lease = reported
    take(store, owner="two", now=AFTER, until=AFTER + timedelta(seconds=60))
    with pytest.raises(LeaseLost):
        note(store, lease, intent=3, carried=(3, 4, 5))
    assert set(carriers(store).values()) == {None}


def test_all_of_it_is_read_however_short_the_page(reported):
    store, lease = reported
    note(store, lease, intent=3, carried=(3, 4, 5))
    record(store, made("late", 30, "8"))
    assert [message.sequence for message in backlog(store, limit=1).messages] == [3, 4, 5]


@pytest.mark.parametrize("target", ["r1", "r2"])
def test_nothing_is_sent_when_part_of_it_was_taken_back_meanwhile(reported, target):
    store, lease = reported
    record(store, correction("c", target))
    assert note(store, lease, intent=3, carried=(3, 4, 5)) is Recorded.TORN
    assert set(carriers(store).values()) == {None}
    assert {row.intent_at for row in messages(store).values()} == {None}
    (left,) = told(store)
    assert left.message.event.good == {"r1": 6, "r2": 5}[target]
    assert note(store, lease, intent=left.message.sequence, carried=left.sequences) is Recorded.OK


@pytest.mark.parametrize("target", ["r1", "r4"])
def test_what_was_announced_is_taken_back_by_a_message_that_knows_of_the_others(reported, target):
    store, lease = reported
    note(store, lease, intent=3, carried=(3, 4, 5))
    record(store, correction("c", target))
    assert {row.state for row in messages(store).values()} == {"done", "pending"}
    taking_back = backlog(store).messages[-1]
    assert taking_back.kind is MessageKind.CORRECTION
    assert (taking_back.voided_with, taking_back.voided_unheard) == (2, False)


def test_what_went_alone_is_taken_back_as_ever(reported):
    store, lease = reported
    note(store, lease, outcome(3))
    record(store, correction("c", "r1"))
    assert backlog(store).messages[-1].voided_with == 0


def test_a_status_that_was_superseded_was_never_told(store):
    record(store, event("s", STARTED, 0), event("p", PAUSED, 1), event("r", RESUMED, 2))
    lease = take(store)[KEY]
    note(store, lease, outcome(1), outcome(2), intent=4, carried=(3, 4))
    note(store, lease, outcome(3, told_by=4), outcome(4, told_by=4))
    record(store, correction("c", "p"), correction("d", "r"))
    unheard = {message.voided_sequence: message.voided_unheard for message in backlog(store).messages}
    assert unheard[3] is True
    assert unheard.get(4, False) is False


def parked(store, lease):
    """Park 4 with what it carries: 3 and 5."""
    note(store, lease, intent=4, carried=(3, 4, 5))
    unknown = outcome(4, MessageState.PARKED, progress=Progress(0, unknown=True), told_by=4)
    carried = [outcome(number, MessageState.PARKED, 0, told_by=4) for number in (3, 5)]
    note(store, lease, unknown, *carried, release=release(6))


def test_a_person_puts_all_of_it_back(reported):
    store, lease = reported
    parked(store, lease)
    assert not store.write_now(lambda tx: outbox.retry_parked(tx, KEY, 3, NOW))
    assert store.read_now(lambda tx: [outbox.is_carried(tx, KEY, number) for number in (2, 3, 4)]) == [
        False,
        True,
        False,
    ]
    assert store.write_now(lambda tx: outbox.retry_parked(tx, KEY, 4, NOW))
    assert row_of(store).head == 3
    assert {row.state for row in list(messages(store).values())[2:]} == {"pending"}
    back = {message.sequence: message for message in backlog(store).messages}
    assert back[4].progress == Progress(0, unknown=True, resend=True)
    assert back[3].progress == back[5].progress == Progress()
    assert set(back) == {3, 4, 5}


def test_a_person_takes_all_of_it_out(reported):
    store, lease = reported
    parked(store, lease)
    assert not store.write_now(lambda tx: outbox.dismiss_parked(tx, KEY, 5, "no", NOW))
    assert store.write_now(lambda tx: outbox.dismiss_parked(tx, KEY, 4, "by hand", NOW))
    assert [messages(store)[number].reason for number in (3, 4, 5)] == ["by hand"] * 3
    assert {messages(store)[number].state for number in (3, 4, 5)} == {"voided"}
