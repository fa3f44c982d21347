"""The transactional outbox: messages in their streams, leases on the streams, outcomes under the lease.

A lease is taken by compare-and-set and carries a fencing token that grows with every take. Nothing is recorded
under a token that is no longer the stream's: a worker that lost its lease cannot write an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, func, or_, select, update

from shared.domain.message import MessageKind, MessageState, Progress, QueuedMessage
from shared.domain.take_back import SentMessage
from shared.store.bulk import insert_rows, keys_of, on_keys, on_rows, rows_of, update_rows
from shared.store.events import from_row
from shared.store.tables import connection_state, delivery_attempt, execution_event, outbound_message, stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Subquery

    from shared.domain.derive import Draft
    from shared.domain.events import ExecutionEvent
    from shared.store.bulk import Shape

OPEN = (MessageState.PENDING, MessageState.HELD)


def insert_messages(connection: Connection, placed: Sequence[tuple[str, int, Draft]], now: datetime) -> None:
    """Insert messages at their places: (stream key, sequence, draft)."""
    rows = [
        {
            "stream_key": stream_key,
            "sequence": sequence,
            "kind": draft.kind,
            "operation_id": draft.operation_id,
            "event_key": draft.event_key,
            "voids_sequence": draft.voids,
            "state": MessageState.PENDING,
            "created_at": now,
            "attempts": 0,
        }
        for stream_key, sequence, draft in placed
    ]
    insert_rows(connection, outbound_message, rows)


def messages_that_count(connection: Connection, stream_keys: Sequence[str]) -> dict[str, list[SentMessage]]:
    """Return the messages of the streams in sequence, but for corrections, what they take back, and what is voided."""
    rows = _all_messages(connection, stream_keys).all()
    reversed_ = {(row.stream_key, row.voids_sequence) for row in rows if row.voids_sequence is not None}
    found: dict[str, list[SentMessage]] = {key: [] for key in stream_keys}
    for row in rows:
        if row.state == MessageState.VOIDED or row.kind == MessageKind.CORRECTION:
            continue
        if (row.stream_key, row.sequence) not in reversed_:
            found[row.stream_key].append(_sent(row))
    return found


@on_keys
def _all_messages(wanted: Subquery) -> Executable:
    names = ("stream_key", "sequence", "operation_id", "event_key", "kind", "state", "intent_at", "progress")
    table = outbound_message
    columns = select(*(table.c[name] for name in names), table.c.voids_sequence)
    mine = columns.join(wanted, table.c.stream_key == wanted.c.value)
    return mine.order_by(table.c.stream_key, table.c.sequence)


def _sent(row: Any) -> SentMessage:  # noqa: ANN401 - a SQLAlchemy row
    never_sent = row.state != MessageState.DONE and row.intent_at is None and row.progress is None
    return SentMessage(
        row.sequence, MessageKind(row.kind), row.operation_id, row.event_key, untouched=never_sent
    )


def void_messages(connection: Connection, places: Sequence[tuple[str, int]], now: datetime) -> None:
    """Take messages out, by (stream key, sequence), that the ERP has never heard of."""
    rows = [
        {
            "stream_key": stream_key,
            "sequence": sequence,
            "state": MessageState.VOIDED,
            "finished_at": now,
            "reason": "taken back before it was sent",
        }
        for stream_key, sequence in places
    ]
    update_rows(connection, outbound_message, ["stream_key", "sequence"], rows)


def withdraw_completion(connection: Connection, stream_keys: Sequence[str], now: datetime) -> None:
    """Take out an unsent order.completed of orders that are under way again."""
    if not stream_keys:
        return
    table, wanted = outbound_message, keys_of(connection, stream_keys)
    changes = {"state": MessageState.VOIDED, "finished_at": now, "reason": "the order is under way again"}
    unsent = and_(table.c.state.in_(OPEN), table.c.intent_at.is_(None), table.c.progress.is_(None))
    mine = and_(table.c.stream_key == wanted.c.value, table.c.kind == MessageKind.ORDER_COMPLETED)
    connection.execute(update(table).values(changes).where(mine, unsent))


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to deliver one stream until `until`, unless somebody with a higher `token` came after."""

    stream_key: str
    token: int
    connection: str
    order_number: str
    failures: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a lease holder has to do: open messages in sequence, parked ones that may bar them, the mark to compare."""

    messages: Sequence[QueuedMessage]
    parked: Sequence[tuple[MessageKind, str]]  # kind and operation id
    next_sequence: int


def take(
    connection: Connection, stream_keys: Sequence[str], owner: str, now: datetime, until: datetime
) -> dict[str, Lease]:
    """Lease those of the streams that nobody else holds; `owner` must be unique to this call."""
    _claim(connection, stream_keys, owner=owner, now=now, until=until)
    return {
        row["stream_key"]: _lease_from(row)
        for row in _claimed(connection, stream_keys, owner=owner).mappings()
    }


def _lease_from(row: Any) -> Lease:  # noqa: ANN401 - a SQLAlchemy row mapping
    return Lease(
        row["stream_key"], row["lease_token"], row["connection"], row["order_number"], row["failures"]
    )


@on_keys
def _claim(wanted: Subquery) -> Executable:
    now, until = bindparam("now", type_=stream.c.due_at.type), bindparam("until", type_=stream.c.due_at.type)
    free = or_(stream.c.lease_until.is_(None), stream.c.lease_until < now)
    changes = {
        "lease_owner": bindparam("owner"),
        "lease_token": stream.c.lease_token + 1,
        "lease_until": until,
        "due_at": until,
    }
    return update(stream).values(changes).where(stream.c.stream_key == wanted.c.value, free)


@on_keys
def _claimed(wanted: Subquery) -> Executable:
    names = ("stream_key", "lease_token", "connection", "order_number", "failures")
    mine = select(*(stream.c[name] for name in names)).join(wanted, stream.c.stream_key == wanted.c.value)
    return mine.where(stream.c.lease_owner == bindparam("owner"))


@on_keys
def _marks(wanted: Subquery) -> Executable:
    columns = select(stream.c.stream_key, stream.c.next_sequence)
    return columns.join(wanted, stream.c.stream_key == wanted.c.value)


def backlog(connection: Connection, stream_keys: Sequence[str], limit: int) -> dict[str, Backlog]:
    """Read up to `limit` open messages of each stream, in sequence, with their events."""
    next_sequence = {row.stream_key: row.next_sequence for row in _marks(connection, stream_keys)}
    messages = _open_messages(connection, stream_keys, limit)
    parked = _parked(connection, stream_keys)
    return {
        key: Backlog(messages.get(key, ()), parked.get(key, ()), number)
        for key, number in next_sequence.items()
    }


def _open_messages(
    connection: Connection, stream_keys: Sequence[str], limit: int
) -> dict[str, list[QueuedMessage]]:
    rows = _first_open(connection, stream_keys, limit=limit).mappings().all()
    corrections = [(row["m_stream_key"], row["m_voids_sequence"]) for row in rows if row["m_voids_sequence"]]
    voided = _voided(connection, corrections)
    found: dict[str, list[QueuedMessage]] = {}
    for row in rows:
        found.setdefault(row["m_stream_key"], []).append(_queued(row, voided))
    return found


@on_keys
def _first_open(wanted: Subquery) -> Executable:
    table = outbound_message
    place = func.row_number().over(partition_by=table.c.stream_key, order_by=table.c.sequence).label("place")
    numbered = (
        select(table, place)
        .join(wanted, table.c.stream_key == wanted.c.value)
        .join(stream, stream.c.stream_key == table.c.stream_key)
        .where(table.c.sequence >= stream.c.head, table.c.state.in_(OPEN))
        .subquery("numbered")
    )
    return (
        select(*(numbered.c[name].label(f"m_{name}") for name in MESSAGE_COLUMNS), execution_event)
        .join(execution_event, execution_event.c.event_key == numbered.c.event_key)
        .where(numbered.c.place <= bindparam("limit"))
        .order_by(numbered.c.stream_key, numbered.c.sequence)
    )


MESSAGE_COLUMNS = (
    "stream_key",
    "sequence",
    "kind",
    "operation_id",
    "state",
    "attempts",
    "progress",
    "intent_at",
    "voids_sequence",
)


def _queued(row: Any, voided: Mapping[tuple[str, int], tuple[MessageKind, ExecutionEvent]]) -> QueuedMessage:  # noqa: ANN401
    target = voided.get((row["m_stream_key"], row["m_voids_sequence"]))
    return QueuedMessage(
        row["m_stream_key"],
        row["m_sequence"],
        MessageKind(row["m_kind"]),
        row["m_operation_id"],
        MessageState(row["m_state"]),
        row["m_attempts"],
        progress_from(row["m_progress"], left_open=row["m_intent_at"] is not None),
        from_row(row),
        row["m_voids_sequence"],
        *(target or (None, None)),
    )


def progress_from(stored: Mapping[str, Any] | None, *, left_open: bool) -> Progress:
    """Read progress back; an intent without an outcome means that the step it stands at may have been sent."""
    if stored is None:
        return Progress(unknown=left_open)
    unknown = stored["unknown"] or left_open
    return Progress(
        stored["step"], unknown, stored["captured"], stored.get("resend", False) and not left_open
    )


def progress_row(progress: Progress) -> dict[str, Any] | None:
    """Lay progress out for storage; nothing done yet is NULL."""
    if progress == Progress():
        return None
    row = {"step": progress.step, "unknown": progress.unknown, "captured": dict(progress.captured)}
    return {**row, "resend": True} if progress.resend else row


def _voided(
    connection: Connection, places: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], tuple[MessageKind, ExecutionEvent]]:
    """Read what corrections take back: kind and event of the messages at `places`."""
    if not places:
        return {}
    table = outbound_message
    given = _places(connection, places)
    statement = (
        select(table.c.stream_key, table.c.sequence, table.c.kind.label("message_kind"), execution_event)
        .join(given, and_(table.c.stream_key == given.c.stream_key, table.c.sequence == given.c.sequence))
        .join(execution_event, execution_event.c.event_key == table.c.event_key)
    )
    rows = connection.execute(statement).mappings()
    return {
        (row["stream_key"], row["sequence"]): (MessageKind(row["message_kind"]), from_row(row))
        for row in rows
    }


def _places(connection: Connection, places: Sequence[tuple[str, int]]) -> Subquery:
    """Return (stream key, sequence) pairs as a derived table."""
    columns = {name: outbound_message.c[name].type for name in ("stream_key", "sequence")}
    return rows_of(connection, columns, [{"stream_key": key, "sequence": number} for key, number in places])


def _parked(connection: Connection, stream_keys: Sequence[str]) -> dict[str, list[tuple[MessageKind, str]]]:
    found: dict[str, list[tuple[MessageKind, str]]] = {}
    for row in _parked_messages(connection, stream_keys):
        found.setdefault(row.stream_key, []).append((MessageKind(row.kind), row.operation_id))
    return found


@on_keys
def _parked_messages(wanted: Subquery) -> Executable:
    table = outbound_message
    columns = select(table.c.stream_key, table.c.kind, table.c.operation_id)
    mine = columns.join(wanted, table.c.stream_key == wanted.c.value)
    return mine.where(table.c.state == MessageState.PARKED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message for now. `state` PENDING = still to be done, from `progress` on."""

    sequence: int
    state: MessageState
    attempts: int
    progress: Progress
    reason: str = ""
    waits_for_kind: str | None = None
    waits_for_value: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
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


@dataclass(frozen=True, slots=True)
class Release:
    """Give the stream back. `due_at` None = nothing to do by the clock.

    `seen_sequence`: keep the lease instead if messages came in after it (None: give it back in any case).
    """

    due_at: datetime | None
    failures: int
    head: int  # sequence of the first message still open
    seen_sequence: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one lease holder records in one go: an outcome, the next intent, evidence, and perhaps the release."""

    lease: Lease
    until: datetime
    outcomes: Sequence[Outcome] = ()
    intent: int | None = None  # sequence of the message about to be sent
    attempts: Sequence[Attempt] = ()
    release: Release | None = None


class Recorded(StrEnum):
    """What became of an entry. Only after `ok` may the message named as intent be sent."""

    OK = "ok"
    LOST = "lost"  # another worker holds the stream now
    VOIDED = "voided"  # the message named as intent was taken back meanwhile: go on with the next
    MORE = "more"  # not released: messages came in since the stream was read, and the lease is still ours


def record(connection: Connection, entries: Sequence[Entry], worker: str, now: datetime) -> list[Recorded]:
    """Write all entries whose lease still holds, in one go; return what became of each."""
    holding = _renew(connection, entries)
    valid = [entry for entry in entries if holding.get(entry.lease.stream_key) == entry.lease.token]
    voided = _voided_intents(connection, valid)
    _write_outcomes(connection, valid, now)
    _write_intents(connection, valid, now)
    _write_attempts(connection, valid, worker)
    _write_deliveries(connection, valid, now)
    overtaken = _release(connection, valid, now)
    return [_fate(entry, holding, voided, overtaken) for entry in entries]


def _fate(
    entry: Entry, holding: Mapping[str, int], voided: set[tuple[str, int]], overtaken: set[str]
) -> Recorded:
    if holding.get(entry.lease.stream_key) != entry.lease.token:
        return Recorded.LOST
    if entry.release is not None and entry.lease.stream_key in overtaken:
        return Recorded.MORE
    return Recorded.VOIDED if (entry.lease.stream_key, entry.intent) in voided else Recorded.OK


def _voided_intents(connection: Connection, entries: Sequence[Entry]) -> set[tuple[str, int]]:
    """Find intents for messages that a correction took out since their stream was read."""
    rows = [
        {"stream_key": entry.lease.stream_key, "sequence": entry.intent}
        for entry in entries
        if entry.intent is not None
    ]
    return {(row.stream_key, row.sequence) for row in _voided_among(connection, rows)} if rows else set()


PLACE: Shape = {name: outbound_message.c[name].type for name in ("stream_key", "sequence")}
LEASED: Shape = {name: stream.c[name].type for name in ("stream_key", "lease_token", "lease_until")}


@on_rows(PLACE)
def _voided_among(given: Subquery) -> Executable:
    table = outbound_message
    same = and_(table.c.stream_key == given.c.stream_key, table.c.sequence == given.c.sequence)
    voided = select(table.c.stream_key, table.c.sequence).join(given, same)
    return voided.where(table.c.state == MessageState.VOIDED)


def _renew(connection: Connection, entries: Sequence[Entry]) -> dict[str, int]:
    """Prolong the leases that still hold; return the token of every stream that is held by one of `entries`."""
    rows = [
        {"stream_key": entry.lease.stream_key, "lease_token": entry.lease.token, "lease_until": entry.until}
        for entry in entries
    ]
    _prolong(connection, rows)
    return {row.stream_key: row.lease_token for row in _still_held(connection, rows)}


@on_rows(LEASED)
def _prolong(given: Subquery) -> Executable:
    same = and_(stream.c.stream_key == given.c.stream_key, stream.c.lease_token == given.c.lease_token)
    return update(stream).values(lease_until=given.c.lease_until, due_at=given.c.lease_until).where(same)


@on_rows(LEASED)
def _still_held(given: Subquery) -> Executable:
    same = and_(stream.c.stream_key == given.c.stream_key, stream.c.lease_token == given.c.lease_token)
    return select(stream.c.stream_key, stream.c.lease_token).join(given, same)


def _write_outcomes(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    rows = [
        {
            "stream_key": entry.lease.stream_key,
            "sequence": outcome.sequence,
            "state": outcome.state,
            "attempts": outcome.attempts,
            "progress": progress_row(outcome.progress),
            "intent_at": None,
            "finished_at": None if outcome.state in OPEN else now,
            "reason": outcome.reason,
            "waits_for_kind": outcome.waits_for_kind,
            "waits_for_value": outcome.waits_for_value,
        }
        for entry in entries
        for outcome in entry.outcomes
    ]
    # a correction may have voided a message its lane had not yet announced: that stands
    update_rows(connection, outbound_message, ["stream_key", "sequence"], rows, "state", OPEN)


def _write_intents(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    rows = [
        {"stream_key": entry.lease.stream_key, "sequence": entry.intent, "intent_at": now}
        for entry in entries
        if entry.intent is not None
    ]
    update_rows(connection, outbound_message, ["stream_key", "sequence"], rows, "state", OPEN)


def _write_attempts(connection: Connection, entries: Sequence[Entry], worker: str) -> None:
    rows = [
        {
            "stream_key": entry.lease.stream_key,
            "sequence": attempt.sequence,
            "attempt": attempt.attempt,
            "step": attempt.step,
            "worker": worker,
            "started_at": attempt.started_at,
            "duration_ms": attempt.duration_ms,
            "method": attempt.method,
            "url": attempt.url,
            "status": attempt.status,
            "verdict": attempt.verdict,
            "reason": attempt.reason,
            "request": attempt.request,
            "reply": attempt.reply,
        }
        for entry in entries
        for attempt in entry.attempts
    ]
    insert_rows(connection, delivery_attempt, rows)


def _write_deliveries(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Note per connection that it works."""
    done = (
        entry for entry in entries if any(outcome.state is MessageState.DONE for outcome in entry.outcomes)
    )
    names = {entry.lease.connection for entry in done}
    for name in sorted(names):
        connection.execute(
            update(connection_state).values(last_delivery_at=now).where(connection_state.c.connection == name)
        )


def _release(connection: Connection, entries: Sequence[Entry], now: datetime) -> set[str]:
    """Give streams back; return those that stay leased because there is more to do than their holder has seen.

    More is a new message, or an earlier one that a person has put back meanwhile; the head never passes that.
    """
    releases = {entry.lease.stream_key: entry.release for entry in entries if entry.release is not None}
    if not releases:
        return set()
    seen = {
        key: release.seen_sequence for key, release in releases.items() if release.seen_sequence is not None
    }
    marks = _marks(connection, list(seen))
    overtaken = {row.stream_key for row in marks if row.next_sequence != seen[row.stream_key]}
    heads = [{"stream_key": key, "head": release.head} for key, release in releases.items()]
    put_back = {row.stream_key: row.first for row in _open_before(connection, heads)}
    overtaken |= put_back.keys() & seen.keys()
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
        "lease_until": None,
        "due_at": release.due_at if put_back is None else min(release.due_at or now, now),
        "failures": release.failures,
        "head": release.head if put_back is None else put_back,
    }


@on_rows({name: stream.c[name].type for name in ("stream_key", "head")})
def _open_before(given: Subquery) -> Executable:
    table = outbound_message
    first = select(table.c.stream_key, func.min(table.c.sequence).label("first"))
    passed = and_(table.c.stream_key == given.c.stream_key, table.c.sequence < given.c.head)
    mine = first.join(given, passed).join(stream, stream.c.stream_key == table.c.stream_key)
    left = mine.where(table.c.sequence >= stream.c.head, table.c.state.in_(OPEN))
    return left.group_by(table.c.stream_key)


def due_streams(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Return the streams that should have been delivered by now and are not, longest overdue first."""
    free = or_(stream.c.lease_until.is_(None), stream.c.lease_until < now)
    statement = (
        select(stream.c.stream_key).where(stream.c.due_at <= now, free).order_by(stream.c.due_at).limit(limit)
    )
    return list(connection.scalars(statement))


def postpone(connection: Connection, stream_keys: Sequence[str], due_at: datetime) -> None:
    """Set when the sweep looks at these streams again; it has just woken them."""
    free = or_(stream.c.lease_until.is_(None), stream.c.lease_until < due_at)  # a dead holder's lease too
    wanted = keys_of(connection, stream_keys)
    connection.execute(
        update(stream).values(due_at=due_at).where(stream.c.stream_key == wanted.c.value, free)
    )


def release_held(connection: Connection, stream_keys: Sequence[str], due_at: datetime) -> list[str]:
    """Let held messages of these streams try again; return the streams that had any."""
    table, wanted = outbound_message, keys_of(connection, stream_keys)
    held = select(table.c.stream_key).join(wanted, table.c.stream_key == wanted.c.value)
    keys = sorted(set(connection.scalars(held.where(table.c.state == MessageState.HELD))))
    if keys:
        _reopen(connection, keys, due_at)
    return keys


def streams_waiting_for(connection: Connection, kind: str, values: Sequence[str], name: str) -> list[str]:
    """Return the streams of connection `name` with a message held for one of the `values` of `kind`."""
    table, wanted = outbound_message, keys_of(connection, values, outbound_message.c.waits_for_value.type)
    statement = (
        select(table.c.stream_key)
        .join(stream, stream.c.stream_key == table.c.stream_key)
        .join(wanted, table.c.waits_for_value == wanted.c.value)
        .where(
            table.c.state == MessageState.HELD, table.c.waits_for_kind == kind, stream.c.connection == name
        )
        .distinct()
    )
    return list(connection.scalars(statement))


def _reopen(connection: Connection, stream_keys: Sequence[str], due_at: datetime) -> None:
    table, wanted = outbound_message, keys_of(connection, stream_keys)
    changes = {"state": MessageState.PENDING, "waits_for_kind": None, "waits_for_value": None}
    connection.execute(
        update(table)
        .values(changes)
        .where(table.c.stream_key == wanted.c.value, table.c.state == MessageState.HELD)
    )
    wanted = keys_of(connection, stream_keys)
    connection.execute(update(stream).values(due_at=due_at).where(stream.c.stream_key == wanted.c.value))


def retry_parked(connection: Connection, stream_key: str, sequence: int, due_at: datetime) -> bool:
    """Put a parked message back into its stream with its attempts forgiven; False if it is not parked.

    A step whose outcome is unknown is looked up first, or, where the profile cannot look, sent on the person's word.
    """
    place = and_(outbound_message.c.stream_key == stream_key, outbound_message.c.sequence == sequence)
    stored = connection.scalar(select(outbound_message.c.progress).where(place))
    progress = {**stored, "resend": True} if stored and stored["unknown"] else stored
    changes = {"state": MessageState.PENDING, "attempts": 0, "finished_at": None, "progress": progress}
    if not _change_parked(connection, stream_key, sequence, changes):
        return False
    head = case((stream.c.head > sequence, sequence), else_=stream.c.head)
    connection.execute(update(stream).values(head=head).where(stream.c.stream_key == stream_key))
    _reopen(connection, [stream_key], due_at)
    return True


def dismiss_parked(connection: Connection, stream_key: str, sequence: int, note: str, now: datetime) -> bool:
    """Take a parked message out for good, with a person's word for it; what it barred may go. False if not parked."""
    changes = {"state": MessageState.VOIDED, "finished_at": now, "reason": note}
    if not _change_parked(connection, stream_key, sequence, changes):
        return False
    _reopen(connection, [stream_key], now)
    return True


def _change_parked(
    connection: Connection, stream_key: str, sequence: int, changes: Mapping[str, Any]
) -> bool:
    table = outbound_message
    place = and_(table.c.stream_key == stream_key, table.c.sequence == sequence)
    statement = update(table).values(changes).where(place, table.c.state == MessageState.PARKED)
    return connection.execute(statement).rowcount == 1
