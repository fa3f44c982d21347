"""Outcomes: what lease holders record, many at once in one transaction, and only while their leases hold."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select, update

from shared.domain.message import MessageState, Progress
from shared.errors import LeaseLost
from shared.store.batch import ask, later
from shared.store.bulk import alone, insert_tuples, on_rows, update_rows, update_tuples
from shared.store.connections import still_halted
from shared.store.lanes import Lease, begun_row, marks_of, progress_row
from shared.store.outbox import OPEN
from shared.store.tables import connection_state, delivery_attempt, outbound_message, stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Executable, Subquery

    from shared.store.bulk import Shape

DELIVERY_NOTED_EVERY = timedelta(seconds=5)


class Outcome(NamedTuple):
    """What became of one message for now. `state` PENDING = still to be done, from `progress` on."""

    sequence: int
    state: MessageState
    attempts: int
    progress: Progress
    reason: str = ""
    waits_for_kind: str | None = None
    waits_for_value: str | None = None
    told_by: int | None = None  # the message it was sent as one with; None = it stands alone (again)


class Attempt(NamedTuple):
    """One call to the ERP, as evidence. Secrets are gone before it gets here."""

    sequence: int
    attempt: int
    step: str
    started_at: datetime
    duration_ms: int
    method: str
    url: str
    status: int
    verdict: str
    reason: str
    request: str
    reply: str


class Release(NamedTuple):
    """Give the stream back. `due_at` None = nothing to do by the clock.

    `seen_sequence`: keep the lease instead if messages came in after it (None: give it back in any case).
    `rests`: nobody may take the stream before `due_at`, whoever wakes it. `halted`: it is given back because its
    connection takes nothing; keep the lease instead if that is over.
    """

    due_at: datetime | None
    failures: int
    head: int  # sequence of the first message still open
    seen_sequence: int | None
    rests: bool = False
    halted: bool = False


class Entry(NamedTuple):
    """What one lease holder records in one go: an outcome, the next intent, evidence, and perhaps the release.

    `until` None = the lease lasts as long as it did. `carried`: what is to be sent as one with the intent for the first
    time, its own message among it. `begins`: of a message nothing has been told of, the steps it begins with.
    """

    lease: Lease
    until: datetime | None = None
    outcomes: Sequence[Outcome] = ()
    intent: int | None = None  # sequence of the message about to be sent
    attempts: Sequence[Attempt] = ()
    release: Release | None = None
    carried: Sequence[int] = ()
    begins: str = ""


class Recorded(StrEnum):
    """What became of an entry. Only after `ok` may the message named as intent be sent."""

    OK = "ok"
    VOIDED = "voided"  # the message named as intent was taken back meanwhile: go on with the next
    TORN = (
        "torn"  # one of the messages to be sent as one was taken back meanwhile: send none of it, read again
    )
    MORE = "more"  # not released: there is more to do than the holder has seen, and the lease is still ours


def record(connection: Connection, entries: Sequence[Entry], worker: str, now: datetime) -> list[Recorded]:
    """Write all entries in one go; return what became of each.

    Raises:
        LeaseLost: an entry's lease holds no more. Nothing of this transaction may stand: the caller lets it be
            rolled back and records the other entries anew.
    """
    _write_leases(connection, entries)
    _write_outcomes(connection, entries, now)
    _write_intents(connection, entries, now)
    _write_carried(connection, entries)
    _write_attempts(connection, entries, worker)
    _write_deliveries(connection, entries, now)
    voided = _voided_intents(connection, entries)
    torn = _torn(connection, entries)
    overtaken = _release(connection, entries, now)
    return [_fate(entry, voided, torn, overtaken) for entry in entries]


def _fate(entry: Entry, voided: set[tuple[str, int]], torn: set[str], overtaken: set[str]) -> Recorded:
    stream_key = entry.lease.stream_key
    if stream_key in torn:
        return Recorded.TORN
    if entry.release is not None and stream_key in overtaken:
        return Recorded.MORE
    return Recorded.VOIDED if (stream_key, entry.intent) in voided else Recorded.OK


ENTRY: Shape = {
    "stream_key": stream.c.stream_key.type,
    "lease_token": stream.c.lease_token.type,
    "lease_until": stream.c.lease_until.type,
    "intent": outbound_message.c.sequence.type,
}


def _rows_of(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        {
            "stream_key": entry.lease.stream_key,
            "lease_token": entry.lease.token,
            "lease_until": entry.until,
            "intent": entry.intent,
        }
        for entry in entries
    ]


def _write_leases(connection: Connection, entries: Sequence[Entry]) -> None:
    """Prolong leases, or leave them as they are: either way whoever takes one over waits for this transaction."""
    if any(entry.until is not None for entry in entries) or not alone(connection):
        later(connection, _prolong.step(connection, _rows_of(entries)))


def _voided_intents(connection: Connection, entries: Sequence[Entry]) -> set[tuple[str, int]]:
    """Find intents for messages that a correction took out meanwhile. Raises LeaseLost if a lease holds no more."""
    (rows,) = ask(connection, _still_held.step(connection, _rows_of(entries)))
    found = rows.all()
    held = {(row.stream_key, row.lease_token) for row in found}
    for entry in entries:
        if (entry.lease.stream_key, entry.lease.token) not in held:
            raise LeaseLost(f"stream {entry.lease.stream_key} was taken over")
    return {(row.stream_key, row.intent) for row in found if row.state == MessageState.VOIDED}


def _same_lease(given: Subquery) -> ColumnElement[bool]:
    same = and_(stream.c.stream_key == given.c.stream_key, stream.c.lease_token == given.c.lease_token)
    return and_(same, stream.c.lease_owner.is_not(None))  # a stream given back is nobody's


@on_rows(ENTRY)
def _prolong(given: Subquery) -> Executable:
    longer = {
        "lease_until": func.coalesce(given.c.lease_until, stream.c.lease_until),
        "due_at": func.coalesce(given.c.lease_until, stream.c.due_at),
    }
    return update(stream).values(longer).where(_same_lease(given))


@on_rows(ENTRY)
def _still_held(given: Subquery) -> Executable:
    table = outbound_message
    announced = and_(table.c.stream_key == given.c.stream_key, table.c.sequence == given.c.intent)
    found = select(stream.c.stream_key, stream.c.lease_token, given.c.intent, table.c.state)
    return found.select_from(given.join(stream, _same_lease(given)).outerjoin(table, announced))


PLACE = ("stream_key", "sequence")
TOLD_BY = (*PLACE, "told_by")
OUTCOME = ("stream_key", *Outcome._fields, "finished_at", "intent_at")
INTENT = (*PLACE, "intent_at")
BEGINS = (*INTENT, "progress")
ATTEMPT = ("stream_key", "worker", *Attempt._fields)


def _write_outcomes(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    rows = [
        (
            entry.lease.stream_key,
            *outcome._replace(progress=progress_row(outcome.progress)),  # type: ignore[arg-type]  # as it is stored
            None if outcome.state in OPEN else now,
            None,
        )
        for entry in entries
        for outcome in entry.outcomes
    ]
    # a correction may have voided a message its lane had not yet announced: that stands
    update_tuples(connection, outbound_message, PLACE, OUTCOME, rows, "state", OPEN)


def _write_intents(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    going_on, beginning = [], []
    for entry in entries:
        if entry.intent is None:
            continue
        row = (entry.lease.stream_key, entry.intent, now)
        if entry.begins:
            beginning.append((*row, begun_row(Progress(flow=entry.begins))))
        else:
            going_on.append(row)
    update_tuples(connection, outbound_message, PLACE, INTENT, going_on, "state", OPEN)
    update_tuples(connection, outbound_message, PLACE, BEGINS, beginning, "state", OPEN)


def _write_carried(connection: Connection, entries: Sequence[Entry]) -> None:
    """Lay down what is sent as one, in the commit that announces it: from then on it stays one."""
    rows = [
        (entry.lease.stream_key, sequence, entry.intent) for entry in entries for sequence in entry.carried
    ]
    update_tuples(connection, outbound_message, PLACE, TOLD_BY, rows, "state", OPEN)


def _torn(connection: Connection, entries: Sequence[Entry]) -> set[str]:
    """Find streams where some of what was to be sent as one was taken back meanwhile; undo the rest of it."""
    places = [(entry.lease.stream_key, sequence) for entry in entries for sequence in entry.carried]
    if not places:
        return set()
    (closed,) = ask(
        connection, _closed.step(connection, [dict(zip(PLACE, place, strict=True)) for place in places])
    )
    torn = {row.stream_key for row in closed}
    freed = [(*place, None, None, None) for place in places if place[0] in torn]
    update_tuples(
        connection, outbound_message, PLACE, (*TOLD_BY, "intent_at", "progress"), freed, "state", OPEN
    )
    return torn


@on_rows({name: outbound_message.c[name].type for name in PLACE})
def _closed(given: Subquery) -> Executable:
    table = outbound_message
    same = and_(table.c.stream_key == given.c.stream_key, table.c.sequence == given.c.sequence)
    return select(table.c.stream_key).join(given, same).where(table.c.state.not_in(OPEN))


def _write_attempts(connection: Connection, entries: Sequence[Entry], worker: str) -> None:
    rows = [(entry.lease.stream_key, worker, *attempt) for entry in entries for attempt in entry.attempts]
    insert_tuples(connection, delivery_attempt, ATTEMPT, rows)


def _write_deliveries(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Note per connection that it works; not every time, because all workers would queue for that one row."""
    names = {
        entry.lease.connection
        for entry in entries
        if any(outcome.state is MessageState.DONE for outcome in entry.outcomes)
    }
    if names:
        rows = [{"connection": name} for name in sorted(names)]
        stale = now - DELIVERY_NOTED_EVERY
        later(connection, _note_delivery.step(connection, rows, now=now, stale=stale))


@on_rows({"connection": connection_state.c.connection.type})
def _note_delivery(given: Subquery) -> Executable:
    noted = connection_state.c.last_delivery_at
    now, stale = bindparam("now", type_=noted.type), bindparam("stale", type_=noted.type)
    mine = update(connection_state).where(connection_state.c.connection == given.c.connection)
    return mine.values(last_delivery_at=now).where(or_(noted.is_(None), noted < stale))


def _release(connection: Connection, entries: Sequence[Entry], now: datetime) -> set[str]:
    """Give streams back; return those that stay leased because there is more to do than their holder has seen.

    More is a new message, an earlier one that a person has put back meanwhile (the head never passes that), or a
    connection that takes messages again.
    """
    releases = {entry.lease.stream_key: entry.release for entry in entries if entry.release is not None}
    if not releases:
        return set()
    seen = {key: held.seen_sequence for key, held in releases.items() if held.seen_sequence is not None}
    heads = [{"stream_key": key, "head": release.head} for key, release in releases.items()]
    opened, marks = ask(
        connection, _open_before.step(connection, heads), marks_of.step(connection, list(seen))
    )
    put_back = {row.stream_key: row.first for row in opened}  # by a person, before the new head
    overtaken = {row.stream_key for row in marks if row.next_sequence != seen[row.stream_key]}
    overtaken |= _no_longer_halted(connection, entries)
    overtaken |= {key for key in put_back if releases[key].seen_sequence is not None}
    rows = [
        _released(key, release, put_back.get(key), now)
        for key, release in releases.items()
        if key not in overtaken
    ]
    update_rows(connection, stream, ["stream_key"], rows)
    return overtaken


def _released(key: str, release: Release, put_back: int | None, now: datetime) -> dict[str, Any]:
    return {
        "stream_key": key,
        "lease_owner": None,
        "lease_until": release.due_at if release.rests else None,
        "due_at": release.due_at if put_back is None else min(release.due_at or now, now),
        "failures": release.failures,
        "head": release.head if put_back is None else put_back,
    }


def _no_longer_halted(connection: Connection, entries: Sequence[Entry]) -> set[str]:
    """Find streams given back for a halt that is over: its end has woken who was waiting then, and nobody after."""
    waiting = [entry.lease for entry in entries if entry.release is not None and entry.release.halted]
    if not waiting:
        return set()
    halted = still_halted(connection, {lease.connection for lease in waiting})
    return {lease.stream_key for lease in waiting if lease.connection not in halted}


@on_rows({name: stream.c[name].type for name in ("stream_key", "head")})
def _open_before(given: Subquery) -> Executable:
    table = outbound_message
    first = select(table.c.stream_key, func.min(table.c.sequence).label("first"))
    passed = and_(table.c.stream_key == given.c.stream_key, table.c.sequence < given.c.head)
    mine = first.join(given, passed).join(stream, stream.c.stream_key == table.c.stream_key)
    left = mine.where(table.c.sequence >= stream.c.head, table.c.state.in_(OPEN))
    return left.group_by(table.c.stream_key)
