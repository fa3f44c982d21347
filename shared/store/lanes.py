"""Lanes: the right to deliver one stream, and what waits in it.

A lease is taken by compare-and-set and carries a fencing token that grows with every take. Nothing is recorded
under a token that is no longer the stream's (`outcomes.py`): a worker that lost its lease cannot write an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select, update

from shared.domain.combine import FACTS
from shared.domain.message import MessageKind, MessageState, Progress, QueuedMessage
from shared.store.batch import ask, later
from shared.store.bulk import keys_of, on_keys, rows_of
from shared.store.events import STATED, event_of, from_row
from shared.store.outbox import OPEN
from shared.store.tables import execution_event, outbound_message, stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Subquery

    from shared.domain.events import ExecutionEvent


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
    later(connection, _claim.step(connection, stream_keys, owner=owner, now=now, until=until))
    (mine,) = ask(connection, _claimed.step(connection, stream_keys, owner=owner))
    return {row["stream_key"]: _lease_from(row) for row in mine.mappings()}


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
def marks_of(wanted: Subquery) -> Executable:
    """Read (stream key, next sequence): compare, and you know whether messages came in."""
    columns = select(stream.c.stream_key, stream.c.next_sequence)
    return columns.join(wanted, stream.c.stream_key == wanted.c.value)


def backlog(connection: Connection, stream_keys: Sequence[str], limit: int) -> dict[str, Backlog]:
    """Read up to `limit` open messages of each stream, in sequence, with their events; and all that was sent as one."""
    marks, first, barring = ask(
        connection,
        marks_of.step(connection, stream_keys),
        _first_open.step(connection, stream_keys, limit=limit),
        _parked_messages.step(connection, stream_keys),
    )
    next_sequence = {row.stream_key: row.next_sequence for row in marks}
    messages = _open_messages(connection, first.all())
    parked = _parked(barring)
    return {
        key: Backlog(messages.get(key, ()), parked.get(key, ()), number)
        for key, number in next_sequence.items()
    }


def _open_messages(connection: Connection, rows: Sequence[Any]) -> dict[str, list[QueuedMessage]]:
    voided = _voided(connection, [(row[KEY], row[VOIDS]) for row in rows if row[VOIDS]])
    found: dict[str, list[QueuedMessage]] = {}
    for row in rows:
        found.setdefault(row[KEY], []).append(_queued(row, voided))
    return found


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
    "told_by",
)
KEY, VOIDS = MESSAGE_COLUMNS.index("stream_key"), MESSAGE_COLUMNS.index("voids_sequence")


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
    stated = (execution_event.c[name].label(f"e_{name}") for name in STATED)
    return (
        select(*(numbered.c[name] for name in MESSAGE_COLUMNS), *stated)
        .join(execution_event, execution_event.c.event_key == numbered.c.event_key)
        .where(or_(numbered.c.place <= bindparam("limit"), numbered.c.told_by.is_not(None)))
        .order_by(numbered.c.stream_key, numbered.c.sequence)
    )


class Voided(NamedTuple):
    """What a correction takes back. `others`: told as one with it. `unheard`: it was superseded and never told."""

    kind: MessageKind
    event: ExecutionEvent
    others: int
    unheard: bool


def _queued(row: Any, voided: Mapping[tuple[str, int], Voided]) -> QueuedMessage:  # noqa: ANN401
    columns = len(MESSAGE_COLUMNS)
    key, sequence, kind, operation_id, state, attempts, progress, intent_at, voids, told_by = row[:columns]
    queued = QueuedMessage(
        key,
        sequence,
        MessageKind(kind),
        operation_id,
        MessageState(state),
        attempts,
        progress_from(progress, left_open=intent_at is not None),
        event_of(row[columns:]),
        voids,
        told_by=told_by,
    )
    target = voided.get((key, voids))
    if target is None:
        return queued
    return queued._replace(
        voided_kind=target.kind,
        voided_event=target.event,
        voided_with=target.others,
        voided_unheard=target.unheard,
    )


def progress_from(stored: Mapping[str, Any] | None, *, left_open: bool) -> Progress:
    """Read progress back; an intent without an outcome means that the step it stands at may have been sent."""
    if stored is None:
        return Progress(unknown=left_open)
    unknown = stored["unknown"] or left_open
    resend = stored.get("resend", False) and not left_open
    told = stored.get("anew", False), stored.get("flow", ""), stored.get("wrote", False)
    return Progress(stored["step"], unknown, stored["captured"], resend, *told)


def progress_row(progress: Progress) -> dict[str, Any] | None:
    """Lay progress out for storage; nothing done yet is NULL."""
    return None if progress == Progress() else begun_row(progress)


def begun_row(progress: Progress) -> dict[str, Any]:
    """Lay progress out for storage, even if nothing has been done yet."""
    row = {"step": progress.step, "unknown": progress.unknown, "captured": dict(progress.captured)}
    told = {name: getattr(progress, name) for name in ("resend", "anew", "flow", "wrote")}
    return row | {name: value for name, value in told.items() if value}


def _voided(connection: Connection, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Voided]:
    """Read what corrections take back: the messages at `places`."""
    if not places:
        return {}
    table = outbound_message
    given = _places(connection, places)
    named = (table.c.stream_key, table.c.sequence, table.c.kind.label("message_kind"), table.c.told_by)
    statement = (
        select(*named, execution_event)
        .join(given, and_(table.c.stream_key == given.c.stream_key, table.c.sequence == given.c.sequence))
        .join(execution_event, execution_event.c.event_key == table.c.event_key)
    )
    rows = connection.execute(statement).mappings().all()
    carriers = sorted({(row["stream_key"], row["told_by"]) for row in rows if row["told_by"] is not None})
    told = _told_as_one(connection, carriers)
    return {(row["stream_key"], row["sequence"]): _voided_from(row, told) for row in rows}


def _voided_from(row: Any, told: Mapping[tuple[str, int], int]) -> Voided:  # noqa: ANN401
    kind, carrier = MessageKind(row["message_kind"]), row["told_by"]
    is_fact = kind in FACTS
    others = told[row["stream_key"], carrier] - 1 if is_fact and carrier is not None else 0
    unheard = not is_fact and carrier not in (None, row["sequence"])
    return Voided(kind, from_row(row), others, unheard)


def _told_as_one(connection: Connection, carriers: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Count the messages whose figures each of the `carriers` tells, itself among them."""
    if not carriers:
        return {}
    table = outbound_message
    given = _places(connection, carriers)
    statement = (
        select(table.c.stream_key, table.c.told_by, func.count().label("many"))
        .join(given, and_(table.c.stream_key == given.c.stream_key, table.c.told_by == given.c.sequence))
        .group_by(table.c.stream_key, table.c.told_by)
    )
    return {(row.stream_key, row.told_by): row.many for row in connection.execute(statement)}


def _places(connection: Connection, places: Sequence[tuple[str, int]]) -> Subquery:
    """Return (stream key, sequence) pairs as a derived table."""
    columns = {name: outbound_message.c[name].type for name in ("stream_key", "sequence")}
    return rows_of(connection, columns, [{"stream_key": key, "sequence": number} for key, number in places])


def _parked(rows: Iterable[Any]) -> dict[str, list[tuple[MessageKind, str]]]:
    found: dict[str, list[tuple[MessageKind, str]]] = {}
    for row in rows:
        found.setdefault(row.stream_key, []).append((MessageKind(row.kind), row.operation_id))
    return found


@on_keys
def _parked_messages(wanted: Subquery) -> Executable:
    table = outbound_message
    columns = select(table.c.stream_key, table.c.kind, table.c.operation_id)
    mine = columns.join(wanted, table.c.stream_key == wanted.c.value)
    return mine.where(table.c.state == MessageState.PARKED)


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
