"""Reads messages for people, with the history of every attempt to deliver them."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from shared.domain.identity import message_id
from shared.domain.message import MessageKind, MessageState
from shared.domain.message_view import AttemptLine, MessageDetail, MessageFilter, MessageLine
from shared.domain.page import Page
from shared.store.bulk import keys_of
from shared.store.paging import after, paged
from shared.store.tables import delivery_attempt, execution_event, outbound_message, stream

STUCK = (MessageState.HELD, MessageState.PARKED)
# Spelled out, not bound: only then either engine sees that the small index of stuck messages will do.
IS_STUCK = outbound_message.c.state.in_(bindparam("stuck", STUCK, expanding=True, literal_execute=True))


def list_messages(
    tx: Connection,
    wanted: MessageFilter,
    order_keys: Collection[str] | None,
    limit: int,
    position: tuple[str, int] | None,
) -> Page[MessageLine]:
    """Return up to `limit` messages after `position` (stream key, sequence), stream by stream in sequence.

    `order_keys` are the keys of the order that is wanted, None = any order.
    """
    table = outbound_message
    sort = (table.c.stream_key, table.c.sequence)
    statement = _filtered(tx, wanted, order_keys).order_by(*sort).limit(limit + 1)
    if position is not None:
        statement = statement.where(after(sort, position))
    rows = tx.execute(statement).all()
    return paged([_line(row) for row in rows], limit, *((row.stream_key, row.sequence) for row in rows))


def _filtered(tx: Connection, wanted: MessageFilter, order_keys: Collection[str] | None) -> Select[Any]:
    table, statement = outbound_message, _joined()
    if wanted.state is not None:
        statement = statement.where(table.c.state == wanted.state)
    if wanted.state in STUCK:
        statement = statement.where(IS_STUCK)
    if wanted.kind is not None:
        statement = statement.where(table.c.kind == wanted.kind)
    if wanted.connection is not None:
        statement = statement.where(stream.c.connection == wanted.connection)
    if order_keys is not None:
        keys = keys_of(tx, sorted(order_keys))
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
