"""Messages as readers see them, with the history of every attempt to deliver them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from shared.domain.identity import message_id
from shared.domain.message import MessageKind, MessageState
from shared.store.bulk import keys_of
from shared.store.paging import Page, after, paged
from shared.store.tables import delivery_attempt, execution_event, outbound_message, stream


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message: what it tells, of which event, and where it is.

    `sending_since` = a call is under way, or its outcome was never recorded. `corrects` is the id of the
    message that a correction takes back. `waits_for_...` says what a held message lacks.
    """

    id: str
    connection: str
    order: str
    operation: str
    kind: MessageKind
    state: MessageState
    reason: str | None
    waits_for_kind: str | None
    waits_for_value: str | None
    attempts: int
    created_at: datetime
    sending_since: datetime | None
    finished_at: datetime | None
    corrects: str | None
    event_source: str
    event_id: str
    event_type: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One call to the ERP. Secrets were taken out before it was stored; long bodies are cut."""

    attempt: int
    step: str
    worker: str
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
class MessageDetail:
    """A message and everything that was tried, oldest first. `progress`: steps done, values the ERP gave."""

    message: MessageLine
    progress: dict[str, Any] | None
    history: list[AttemptLine]


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages to list; None = any. `order_keys` are the streams of the order asked for."""

    state: MessageState | None = None
    kind: MessageKind | None = None
    connection: str | None = None
    order_keys: Collection[str] | None = None


def list_messages(
    tx: Connection, wanted: MessageFilter, limit: int, position: tuple[str, int] | None
) -> Page[MessageLine]:
    """Return up to `limit` messages after `position` (stream key, sequence), stream by stream in sequence."""
    table = outbound_message
    sort = (table.c.stream_key, table.c.sequence)
    statement = _filtered(tx, wanted).order_by(*sort).limit(limit + 1)
    if position is not None:
        statement = statement.where(after(sort, position))
    rows = tx.execute(statement).all()
    return paged([_line(row) for row in rows], limit, *((row.stream_key, row.sequence) for row in rows))


def _filtered(tx: Connection, wanted: MessageFilter) -> Select[Any]:
    table, statement = outbound_message, _joined()
    if wanted.state is not None:
        statement = statement.where(table.c.state == wanted.state)
    if wanted.kind is not None:
        statement = statement.where(table.c.kind == wanted.kind)
    if wanted.connection is not None:
        statement = statement.where(stream.c.connection == wanted.connection)
    if wanted.order_keys is not None:
        keys = keys_of(tx, sorted(wanted.order_keys))
        statement = statement.join(keys, table.c.stream_key == keys.c.value)
    return statement


def _joined() -> Select[Any]:
    table = outbound_message
    return (
        select(
            table,
            stream.c.connection,
            stream.c.order_number,
            execution_event.c.source.label("event_source"),
            execution_event.c.event_id,
            execution_event.c.type.label("event_type"),
            execution_event.c.occurred_at,
        )
        .join(stream, stream.c.stream_key == table.c.stream_key)
        .join(execution_event, execution_event.c.event_key == table.c.event_key)
    )


def _line(row: Any) -> MessageLine:  # noqa: ANN401 - a SQLAlchemy row
    corrects = None if row.voids_sequence is None else message_id(row.stream_key, row.voids_sequence)
    return MessageLine(
        id=message_id(row.stream_key, row.sequence),
        connection=row.connection,
        order=row.order_number,
        operation=row.operation_id,
        kind=MessageKind(row.kind),
        state=MessageState(row.state),
        reason=row.reason or None,
        waits_for_kind=row.waits_for_kind,
        waits_for_value=row.waits_for_value,
        attempts=row.attempts,
        created_at=row.created_at,
        sending_since=row.intent_at,
        finished_at=row.finished_at,
        corrects=corrects,
        event_source=row.event_source,
        event_id=row.event_id,
        event_type=row.event_type,
        occurred_at=row.occurred_at,
    )


def read_message(tx: Connection, stream_key: str, sequence: int) -> MessageDetail | None:
    """Read one message with its history; None if there is none at that place."""
    table, tried = outbound_message, delivery_attempt
    row = tx.execute(
        _joined().where(table.c.stream_key == stream_key, table.c.sequence == sequence)
    ).one_or_none()
    if row is None:
        return None
    statement = (
        select(tried)
        .where(tried.c.stream_key == stream_key, tried.c.sequence == sequence)
        .order_by(tried.c.attempt_id)
    )
    return MessageDetail(_line(row), row.progress, [_attempt(found) for found in tx.execute(statement)])


def _attempt(row: Any) -> AttemptLine:  # noqa: ANN401 - a SQLAlchemy row
    return AttemptLine(
        row.attempt,
        row.step,
        row.worker,
        row.started_at,
        row.duration_ms,
        row.method,
        row.url,
        row.status,
        row.verdict,
        row.reason,
        row.request,
        row.reply,
    )
