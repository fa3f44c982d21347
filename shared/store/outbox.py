"""The outbox: messages in their streams, put there with the events that cause them; held and parked ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select, update

from shared.domain.message import MessageKind, MessageState
from shared.domain.take_back import SentMessage
from shared.store.batch import Step, ask, later
from shared.store.bulk import insert_tuples, keys_of, on_keys, update_rows
from shared.store.tables import outbound_message, stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Executable, Subquery

    from shared.domain.derive import Draft

OPEN = (MessageState.PENDING, MessageState.HELD)


def insert_messages(connection: Connection, placed: Sequence[tuple[str, int, Draft]], now: datetime) -> None:
    """Insert messages at their places: (stream key, sequence, draft)."""
    rows = [
        (stream_key, sequence, *draft, MessageState.PENDING, now, 0) for stream_key, sequence, draft in placed
    ]
    insert_tuples(connection, outbound_message, NEW, rows)


# In the order of Draft's fields, between its place and what every new message begins with.
NEW = (
    "stream_key",
    "sequence",
    "kind",
    "operation_id",
    "event_key",
    "voids_sequence",
    "state",
    "created_at",
    "attempts",
)


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
    columns = select(*(table.c[name] for name in names), table.c.voids_sequence, table.c.told_by)
    mine = columns.join(wanted, table.c.stream_key == wanted.c.value)
    return mine.order_by(table.c.stream_key, table.c.sequence)


def _sent(row: Any) -> SentMessage:  # noqa: ANN401 - a SQLAlchemy row
    untried = row.intent_at is None and row.progress is None and row.told_by is None
    never_sent = row.state != MessageState.DONE and untried
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
    later(connection, Step(update(table).values(changes).where(mine, unsent), {}))


def release_held(connection: Connection, stream_keys: Sequence[str], due_at: datetime) -> list[str]:
    """Let held messages of these streams try again; return the streams that had any."""
    table, wanted = outbound_message, keys_of(connection, stream_keys)
    held = select(table.c.stream_key).join(wanted, table.c.stream_key == wanted.c.value)
    (rows,) = ask(connection, Step(held.where(table.c.state == MessageState.HELD), {}))
    keys = sorted(set(rows.scalars()))
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
    held = and_(table.c.stream_key == wanted.c.value, table.c.state == MessageState.HELD)
    later(connection, Step(update(table).values(changes).where(held), {}))
    wanted = keys_of(connection, stream_keys)
    due = update(stream).values(due_at=due_at).where(stream.c.stream_key == wanted.c.value)
    later(connection, Step(due, {}))


def retry_parked(connection: Connection, stream_key: str, sequence: int, due_at: datetime) -> bool:
    """Put a parked message back into its stream with its attempts forgiven; False if it is not parked.

    A step whose outcome is unknown is looked up first, or, where the profile cannot look, sent on the person's word.
    What it carries goes with it.
    """
    place = and_(outbound_message.c.stream_key == stream_key, outbound_message.c.sequence == sequence)
    stored = connection.scalar(select(outbound_message.c.progress).where(place))
    progress = {**stored, "resend": True} if stored and stored["unknown"] else stored
    changes = {"state": MessageState.PENDING, "attempts": 0, "finished_at": None}
    if not _change_parked(connection, stream_key, sequence, changes):
        return False
    connection.execute(update(outbound_message).values(progress=progress).where(place))
    mine = select(func.min(outbound_message.c.sequence)).where(_carried_by(stream_key, sequence))
    first = connection.scalar(mine)
    head = case((stream.c.head > first, first), else_=stream.c.head)
    connection.execute(update(stream).values(head=head).where(stream.c.stream_key == stream_key))
    _reopen(connection, [stream_key], due_at)
    return True


def dismiss_parked(connection: Connection, stream_key: str, sequence: int, note: str, now: datetime) -> bool:
    """Take a parked message out for good, with a person's word for it; what it barred may go. False if not parked.

    What it carries is taken out with it.
    """
    changes = {"state": MessageState.VOIDED, "finished_at": now, "reason": note}
    if not _change_parked(connection, stream_key, sequence, changes):
        return False
    _reopen(connection, [stream_key], now)
    return True


def _change_parked(
    connection: Connection, stream_key: str, sequence: int, changes: Mapping[str, Any]
) -> bool:
    mine = _carried_by(stream_key, sequence)
    statement = update(outbound_message).values(changes)
    return (
        connection.execute(statement.where(mine, outbound_message.c.state == MessageState.PARKED)).rowcount
        > 0
    )


def _carried_by(stream_key: str, sequence: int) -> ColumnElement[bool]:
    """Match a message with all that it carries; nothing where another carries it."""
    table = outbound_message
    alone = and_(table.c.sequence == sequence, table.c.told_by.is_(None))
    return and_(table.c.stream_key == stream_key, or_(alone, table.c.told_by == sequence))


def is_carried(connection: Connection, stream_key: str, sequence: int) -> bool:
    """Tell whether another message carries this one: a person decides about that one."""
    table = outbound_message
    place = and_(table.c.stream_key == stream_key, table.c.sequence == sequence)
    return connection.scalar(select(table.c.told_by).where(place)) not in (None, sequence)
