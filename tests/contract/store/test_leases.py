"""Leases on streams: one holder, fenced; nothing is recorded under a lease that is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain.message import MessageKind, MessageState, Progress
from shared.errors import LeaseLost
from shared.store import connections, lanes, leases, outbox, outcomes
from shared.store.outcomes import Attempt, Recorded
from tests.contract.store.streams import (
    KEY,
    LATER,
    NOW,
    backlog,
    insert_plan,
    messages,
    note,
    outcome,
    record,
    release,
    row_of,
    take,
)
from tests.unit.floor_words import COMPLETED, RESUMED, STARTED, correction, event, made

AFTER = LATER + timedelta(seconds=1)


@pytest.fixture
def started(store):
    """A stream of three messages: order started, operation started, one piece."""
    record(store, event("a", STARTED, 0), made("b", 1))
    return store


def test_one_stream_has_one_holder(started):
    assert list(take(started)) == [KEY]
    assert take(started, owner="two") == {}
    assert row_of(started).due_at == LATER


def test_an_expired_lease_is_free_and_its_token_is_worthless(started):
    old = take(started)[KEY]
    new = take(started, owner="two", now=AFTER, until=AFTER + timedelta(seconds=60))[KEY]
    assert new.token > old.token
    with pytest.raises(LeaseLost):
        note(started, old, outcome(1))
    assert messages(started)[1].state == "pending"
    assert note(started, new, outcome(1)) is Recorded.OK
    assert messages(started)[1].state == "done"


def test_a_lost_lease_records_nothing_at_all(started):
    old = take(started)[KEY]
    take(started, owner="two", now=AFTER, until=AFTER + timedelta(seconds=60))
    held_until = row_of(started).lease_until
    with pytest.raises(LeaseLost):
        note(started, old, intent=1, release=release(4), until=AFTER + timedelta(days=1))
    assert (row_of(started).lease_until, row_of(started).lease_owner) == (held_until, "two")
    assert messages(started)[1].intent_at is None


def test_a_lost_lease_takes_back_what_others_recorded_with_it(started):
    """Who shares a transaction with it records again without it: `GroupCommit` does."""
    record(started, event("c", STARTED, 0, order="WO-2"))
    mine = take(started, KEY)[KEY]
    other = next(iter(take(started, event("c", STARTED, 0, order="WO-2").order_key, owner="two").values()))
    stale = lanes.Lease(KEY, mine.token - 1, "acme", "WO-1", 0)
    entries = [outcomes.Entry(lease, LATER, [outcome(1)]) for lease in (other, stale)]
    with pytest.raises(LeaseLost, match=KEY):
        started.write_now(lambda tx: outcomes.record(tx, entries, "worker", NOW))
    assert messages(started, other.stream_key)[1].state == "pending"


def test_what_is_given_back_is_nobodys(started):
    lease = take(started)[KEY]
    note(started, lease, release=release(1, due_at=AFTER))
    with pytest.raises(LeaseLost):
        note(started, lease, until=AFTER)
    assert row_of(started).lease_until is None


def test_a_stream_that_rests_is_not_taken_before_its_time(started):
    lease = take(started)[KEY]
    note(started, lease, release=outcomes.Release(AFTER, 1, 1, None, rests=True))
    assert take(started, owner="two", now=AFTER - timedelta(milliseconds=1)) == {}
    assert started.read_now(lambda tx: lanes.due_streams(tx, AFTER, 10)) == []
    later = AFTER + timedelta(milliseconds=1)
    assert started.read_now(lambda tx: lanes.due_streams(tx, later, 10)) == [KEY]
    assert list(take(started, owner="two", now=later)) == [KEY]


def test_who_gives_up_because_of_a_halt_that_is_over_goes_on(started):
    given_up = outcomes.Release(AFTER, 0, 1, None, halted=True)
    started.write_now(lambda tx: connections.ensure(tx, ["acme"]))
    lease = take(started)[KEY]
    started.write_now(lambda tx: connections.halt(tx, "acme", AFTER, "away", 1))
    started.write_now(lambda tx: connections.resume(tx, "acme", NOW))
    assert note(started, lease, release=given_up) is Recorded.MORE
    assert row_of(started).lease_owner == "one"
    started.write_now(lambda tx: connections.halt(tx, "acme", AFTER, "away", 1))
    assert note(started, lease, release=given_up) is Recorded.OK
    assert (row_of(started).lease_owner, row_of(started).due_at) == (None, AFTER)


def test_recording_prolongs_the_lease_where_that_is_wanted(started):
    lease = take(started)[KEY]
    note(started, lease, outcome(1), until=None)
    assert (row_of(started).lease_until, row_of(started).due_at) == (LATER, LATER)
    note(started, lease, until=AFTER)
    assert (row_of(started).lease_until, row_of(started).due_at) == (AFTER, AFTER)
    assert take(started, owner="two", now=LATER + timedelta(milliseconds=1)) == {}


def test_an_intent_without_an_outcome_leaves_the_reply_unknown(started):
    lease = take(started)[KEY]
    assert [message.progress.unknown for message in backlog(started).messages] == [False] * 3
    note(started, lease, intent=1)
    assert [message.progress.unknown for message in backlog(started).messages] == [True, False, False]
    note(
        started, lease, outcome(1, MessageState.PENDING, progress=Progress(1, captured={"id": "7"})), intent=1
    )
    assert backlog(started).messages[0].progress == Progress(1, unknown=True, captured={"id": "7"})
    note(started, lease, outcome(1, MessageState.PENDING, progress=Progress(2)))
    assert backlog(started).messages[0].progress == Progress(2)


def test_the_steps_a_message_begins_with_are_laid_down_before_it_is_sent(started):
    lease = take(started)[KEY]
    note(started, lease, intent=1, begins="steps")
    progress = backlog(started).messages[0].progress
    assert (progress, progress.flow) == (Progress(unknown=True), "steps")
    note(started, lease, outcome(1, MessageState.PENDING))
    assert backlog(started).messages[0].progress.flow == ""  # nothing of it is there: any steps will do


def test_progress_comes_back_as_it_was_laid_down(started):
    known = Progress(2, captured={"id": "7"}, anew=True, flow="steps", wrote=True)
    note(started, take(started)[KEY], outcome(1, MessageState.PENDING, progress=known))
    progress = backlog(started).messages[0].progress
    assert (progress, progress.flow, progress.wrote) == (known, "steps", True)


def test_a_message_taken_back_meanwhile_is_not_sent(started):
    lease = take(started)[KEY]
    record(started, correction("c", "b"))
    assert note(started, lease, intent=3) is Recorded.VOIDED
    assert (messages(started)[3].state, messages(started)[3].intent_at) == ("voided", None)


@pytest.mark.parametrize("state", [MessageState.HELD, MessageState.PARKED, MessageState.EXEMPT])
def test_a_message_taken_back_meanwhile_does_not_come_back_to_life(started, state):
    lease = take(started)[KEY]
    record(started, correction("c", "b"))
    note(started, lease, outcome(3, state))
    assert messages(started)[3].state == "voided"


def test_what_the_erp_may_have_heard_of_is_corrected_not_taken_out(started):
    lease = take(started)[KEY]
    note(started, lease, intent=3)
    record(started, correction("c", "b"))
    assert (messages(started)[3].state, messages(started)[4].kind) == ("pending", MessageKind.CORRECTION)
    reversal = backlog(started).messages[-1]
    assert (reversal.voided_sequence, reversal.voided_kind) == (3, MessageKind.PRODUCTION_REPORTED)
    assert reversal.voided_event == made("b", 1)


def test_a_stream_with_new_messages_is_not_given_back(started):
    lease = take(started)[KEY]
    seen = backlog(started).next_sequence
    record(started, made("c", 2))
    done = [outcome(sequence) for sequence in (1, 2, 3)]
    assert note(started, lease, *done, release=release(4, seen=seen)) is Recorded.MORE
    assert row_of(started).lease_owner == "one"
    assert [message.sequence for message in backlog(started).messages] == [4]
    assert note(started, lease, outcome(4), release=release(5, seen=5)) is Recorded.OK
    assert (row_of(started).lease_owner, row_of(started).due_at, row_of(started).head) == (None, None, 5)


def test_a_new_message_wakes_a_stream_that_sleeps_and_only_that(started):
    assert record(started, made("c", 2)).wake == []
    lease = take(started)[KEY]
    assert record(started, made("d", 2)).wake == []
    note(started, lease, *[outcome(n) for n in range(1, 6)], release=release(6, seen=6))
    assert record(started, made("e", 2)).wake == [KEY]


def test_a_stream_given_back_for_later_is_due_then(started):
    lease = take(started)[KEY]
    record(started, made("c", 2))
    assert note(started, lease, release=release(1, due_at=AFTER, failures=2)) is Recorded.OK
    assert (row_of(started).due_at, row_of(started).failures, row_of(started).head) == (AFTER, 2, 1)
    assert take(started, owner="two")[KEY].failures == 2


def test_due_streams_come_longest_overdue_first_and_leased_ones_not(started):
    for number, seconds in (("WO-2", 20), ("WO-3", 10), ("WO-4", 0)):
        record(started, event(number, STARTED, 0, order=number), now=NOW + timedelta(seconds=seconds))
    keys = {number: event("x", STARTED, 0, order=number).order_key for number in ("WO-2", "WO-3", "WO-4")}
    take(started, KEY, keys["WO-4"])
    due = started.read_now(lambda tx: lanes.due_streams(tx, NOW + timedelta(seconds=30), 10))
    assert due == [keys["WO-3"], keys["WO-2"]]
    assert started.read_now(lambda tx: lanes.due_streams(tx, NOW + timedelta(seconds=30), 1)) == due[:1]
    everything = started.read_now(lambda tx: lanes.due_streams(tx, AFTER, 10))
    assert set(everything) == {KEY, *keys.values()}


def test_postponed_streams_are_left_alone_for_a_while_even_if_their_holder_died(started):
    record(started, event("x", STARTED, 0, order="WO-2"))
    take(started)
    due = started.read_now(lambda tx: lanes.due_streams(tx, AFTER, 10))
    started.write_now(lambda tx: lanes.postpone(tx, due, AFTER + timedelta(seconds=20)))
    assert len(due) == 2
    assert started.read_now(lambda tx: lanes.due_streams(tx, AFTER, 10)) == []


def test_the_head_never_passes_a_message_put_back(started):
    """A lane parks 1 and goes on; a person puts it back; the lane then gives back a stream it believes empty."""
    lease = take(started)[KEY]
    note(started, lease, outcome(1, MessageState.PARKED), intent=2)
    assert started.write_now(lambda tx: outbox.retry_parked(tx, KEY, 1, NOW))
    fate = note(started, lease, outcome(2), outcome(3), release=release(4, seen=4))
    assert fate is Recorded.MORE
    assert [message.sequence for message in backlog(started).messages] == [1]


def test_a_message_put_back_is_due_even_if_the_stream_is_given_back_in_any_case(started):
    lease = take(started)[KEY]
    note(started, lease, outcome(1, MessageState.PARKED), intent=2)
    started.write_now(lambda tx: outbox.retry_parked(tx, KEY, 1, NOW))
    note(started, lease, outcome(2, MessageState.HELD), release=release(2))
    assert (row_of(started).head, row_of(started).due_at, row_of(started).lease_owner) == (1, NOW, None)


def test_retrying_forgives_attempts_and_needs_a_parked_message(started):
    lease = take(started)[KEY]
    note(started, lease, outcome(1, MessageState.PARKED, 12), outcome(2), outcome(3), release=release(4))
    assert not started.write_now(lambda tx: outbox.retry_parked(tx, KEY, 2, NOW))
    assert started.write_now(lambda tx: outbox.retry_parked(tx, KEY, 1, NOW))
    assert not started.write_now(lambda tx: outbox.retry_parked(tx, KEY, 1, NOW))
    assert (row_of(started).head, row_of(started).due_at) == (1, NOW)
    assert [(m.sequence, m.attempts) for m in backlog(started).messages] == [(1, 0)]


def test_dismissing_lets_go_what_was_held_behind_it(started):
    lease = take(started)[KEY]
    waiting = outcome(2, MessageState.HELD, waits_for_kind="parked", waits_for_value="order.started")
    note(started, lease, outcome(1, MessageState.PARKED), waiting, release=release(2))
    assert backlog(started).parked == [(MessageKind.ORDER_STARTED, "")]
    assert started.write_now(lambda tx: outbox.dismiss_parked(tx, KEY, 1, "done by hand", NOW))
    assert not started.write_now(lambda tx: outbox.dismiss_parked(tx, KEY, 1, "again", NOW))
    assert (messages(started)[1].state, messages(started)[1].reason) == ("voided", "done by hand")
    assert (messages(started)[2].state, row_of(started).due_at) == ("pending", NOW)


def test_held_messages_go_when_what_they_wait_for_arrives(started):
    lease = take(started)[KEY]
    waiting = outcome(1, MessageState.HELD, waits_for_kind="unit", waits_for_value="Sack ")
    note(started, lease, waiting, release=release(1))

    def waiting_for(kind, value, name="acme"):
        return started.read_now(lambda tx: outbox.streams_waiting_for(tx, kind, [value], name))

    assert waiting_for("unit", "Sack ") == [KEY]
    assert [waiting_for("unit", value) for value in ("sack ", "Sack")] == [[], []]
    assert waiting_for("order", "Sack ") == waiting_for("unit", "Sack ", "other") == []
    assert started.write_now(lambda tx: outbox.release_held(tx, [KEY], NOW)) == [KEY]
    assert started.write_now(lambda tx: outbox.release_held(tx, [KEY], NOW)) == []
    assert (messages(started)[1].state, messages(started)[1].waits_for_kind) == ("pending", None)


def test_taking_back_a_parked_start_wakes_what_it_kept_waiting(started):
    lease = take(started)[KEY]
    record(started, event("x", STARTED, 2, "20"))
    waiting = outcome(3, MessageState.HELD, waits_for_kind="parked", waits_for_value="x")
    note(started, lease, outcome(1), outcome(2, MessageState.PARKED), waiting, release=release(3))
    assert record(started, correction("c", "b")).wake == [KEY]


def test_every_attempt_is_kept_word_for_word(started):
    lease = take(started)[KEY]
    long = "ß€🙂" * 30_000
    attempt = Attempt(1, 1, "start", NOW, 12, "POST", "http://erp/x", 200, "done", "HTTP 200", long, "")
    note(started, lease, outcome(1), attempts=[attempt])
    row = started.read_now(lambda tx: tx.execute(outcomes.delivery_attempt.select()).one())
    assert (row.request, row.worker, row.started_at) == (long, "worker", NOW)


def test_a_reopened_order_withdraws_the_completion_that_was_not_sent(store):
    insert_plan(store, "10")
    record(store, event("a", STARTED, 0))
    record(store, event("b", COMPLETED, 1))
    record(store, event("c", RESUMED, 2))
    assert [row.state for row in messages(store).values()] == ["pending"] * 3 + ["voided", "pending"]


def test_an_order_reopened_and_completed_at_once_withdraws_its_earlier_completion(store):
    insert_plan(store, "10")
    record(store, event("a", STARTED, 0), event("b", COMPLETED, 1))
    record(store, event("c", RESUMED, 2), event("d", COMPLETED, 3))
    completions = [row.state for row in messages(store).values() if row.kind == MessageKind.ORDER_COMPLETED]
    assert completions == ["voided", "pending"]


def test_a_named_lease_has_one_holder_and_a_growing_token(store):
    def take_named(owner, now=NOW, until=LATER):
        return store.write_now(lambda tx: leases.take(tx, "pull:acme", owner, now, until))

    first = take_named("one")
    assert take_named("two") is None
    second = take_named("two", AFTER, AFTER + timedelta(seconds=60))
    assert second > first
    with pytest.raises(LeaseLost):
        store.write_now(lambda tx: leases.hold(tx, "pull:acme", first, LATER))
    store.write_now(lambda tx: leases.release(tx, "pull:acme", first))
    assert take_named("three", AFTER) is None
    store.write_now(lambda tx: leases.hold(tx, "pull:acme", second, AFTER + timedelta(seconds=90)))
    store.write_now(lambda tx: leases.release(tx, "pull:acme", second))
    assert take_named("three", AFTER) > second


def test_a_watermark_is_kept_by_connection_and_subject(store):
    def read(name):
        return store.read_now(lambda tx: leases.read_watermark(tx, name, "orders"))

    assert read("acme") is None
    for value in ("2026-01-01 10.10", "2026-02-01"):
        store.write_now(lambda tx, value=value: leases.move_watermark(tx, "acme", "orders", value, NOW))
        assert read("acme") == value
    assert read("other") is None
    store.write_now(lambda tx: leases.forget_watermark(tx, "acme", "orders"))
    assert read("acme") is None
