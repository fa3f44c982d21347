"""The floor's running totals: one stream row per works order, one state row per operation.

`lock` comes first in every transaction that adds events: whoever holds an order's stream row is alone with that
order until the commit, on any engine, without lock hints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from shared.domain.identity import operation_key
from shared.domain.state import OperationState, Status
from shared.store.bulk import insert_rows, keys_of, on_keys, update_rows
from shared.store.tables import operation_state, stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Subquery


@dataclass(slots=True)
class FloorOrder:
    """Floor side of one works order as stored: status, start, next sequence number and its operations' totals."""

    order_key: str
    connection: str
    number: str
    status: Status
    started_at: datetime | None
    next_sequence: int
    asleep: bool  # nothing was due: the new messages need a wake-up
    operations: dict[str, OperationState] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)  # the operations that have a row already


def lock(connection: Connection, orders: Mapping[str, tuple[str, str]]) -> dict[str, FloorOrder]:
    """Take the stream rows of `orders` (order key -> connection, number), creating those that are new."""
    keys = sorted(orders)
    if _touch(connection, keys).rowcount < len(keys):
        _create_missing(connection, orders)
        _touch(connection, keys)
    return _load(connection, keys)


@on_keys
def _touch(wanted: Subquery) -> Executable:
    return (
        update(stream)
        .values(next_sequence=stream.c.next_sequence)
        .where(stream.c.stream_key == wanted.c.value)
    )


def _create_missing(connection: Connection, orders: Mapping[str, tuple[str, str]]) -> None:
    wanted = keys_of(connection, sorted(orders))
    there = set(
        connection.scalars(select(stream.c.stream_key).join(wanted, stream.c.stream_key == wanted.c.value))
    )
    fresh = [
        {
            "stream_key": key,
            "connection": name,
            "order_number": number,
            "status": Status.NOT_STARTED,
            "head": 1,
            "next_sequence": 1,
            "failures": 0,
            "lease_token": 0,
        }
        for key, (name, number) in sorted(orders.items())
        if key not in there
    ]
    insert_rows(connection, stream, fresh)


@on_keys
def _with_operations(wanted: Subquery) -> Executable:
    joined = stream.join(wanted, stream.c.stream_key == wanted.c.value).outerjoin(
        operation_state, operation_state.c.order_key == stream.c.stream_key
    )
    columns = [
        stream.c.stream_key,
        stream.c.connection,
        stream.c.order_number,
        stream.c.status.label("order_status"),
        stream.c.started_at.label("order_started_at"),
        stream.c.next_sequence,
        stream.c.due_at,
        *(
            column
            for column in operation_state.c
            if column.name not in ("operation_key", "order_key", "status")
        ),
    ]
    return select(*columns).select_from(joined)


def _load(connection: Connection, keys: Sequence[str]) -> dict[str, FloorOrder]:
    found: dict[str, FloorOrder] = {}
    for row in _with_operations(connection, keys).mappings():
        order = found.get(row["stream_key"])
        if order is None:
            order = found[row["stream_key"]] = _order_from(row)
        if row["operation_id"] is not None:
            order.operations[row["operation_id"]] = _state_from(row)
            order.stored.add(row["operation_id"])
    return found


def _order_from(row: Any) -> FloorOrder:  # noqa: ANN401 - a SQLAlchemy row mapping
    return FloorOrder(
        row["stream_key"],
        row["connection"],
        row["order_number"],
        Status(row["order_status"]),
        row["order_started_at"],
        row["next_sequence"],
        asleep=row["due_at"] is None,
    )


def _state_from(row: Any) -> OperationState:  # noqa: ANN401
    return OperationState(
        row["operation_id"],
        row["good"],
        row["scrap"],
        row["rework"],
        row["setup_seconds"],
        row["run_seconds"],
        row["units_passed"],
        row["units_failed"],
        row["started_at"],
        row["last_at"],
        row["last_rank"],
        row["last_event"].strip(),
    )


def save_states(
    connection: Connection, changed: Iterable[tuple[str, OperationState]], stored: Mapping[str, FloorOrder]
) -> None:
    """Write the totals of the (order key, state) pairs; which rows exist is known from `lock`."""
    inserts: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    for order, state in changed:
        (updates if state.operation_id in stored[order].stored else inserts).append(_row_of(order, state))
    insert_rows(connection, operation_state, inserts)
    update_rows(connection, operation_state, ["operation_key"], updates)


def _row_of(order: str, state: OperationState) -> dict[str, Any]:
    return {
        "operation_key": operation_key(order, state.operation_id),
        "order_key": order,
        "operation_id": state.operation_id,
        "status": state.status,
        "good": state.good,
        "scrap": state.scrap,
        "rework": state.rework,
        "setup_seconds": state.setup_seconds,
        "run_seconds": state.run_seconds,
        "units_passed": state.units_passed,
        "units_failed": state.units_failed,
        "started_at": state.started_at,
        "last_at": state.last_at,
        "last_rank": state.last_rank,
        "last_event": state.last_event,
    }


def begun(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return (connection, number) by order key of those orders the floor has begun."""
    wanted = keys_of(connection, keys)
    statement = select(stream.c.stream_key, stream.c.connection, stream.c.order_number).where(
        stream.c.status != Status.NOT_STARTED
    )
    rows = connection.execute(statement.join(wanted, stream.c.stream_key == wanted.c.value))
    return {row.stream_key: (row.connection, row.order_number) for row in rows}


def worked_operations(connection: Connection, keys: Sequence[str]) -> dict[str, set[str]]:
    """Return the ids of the operations that have recorded work, by order key."""
    if not keys:
        return {}
    table, wanted = operation_state, keys_of(connection, keys)
    rows = connection.execute(
        select(table.c.order_key, table.c.operation_id).join(wanted, table.c.order_key == wanted.c.value)
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.order_key, set()).add(row.operation_id)
    return found


def unfinished(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Return those of the orders that are under way: begun and not completed."""
    wanted = keys_of(connection, keys)
    under_way = stream.c.status.in_((Status.IN_PROGRESS, Status.PAUSED))
    statement = (
        select(stream.c.stream_key).join(wanted, stream.c.stream_key == wanted.c.value).where(under_way)
    )
    return list(connection.scalars(statement))


@dataclass(frozen=True, slots=True)
class StreamChange:
    """What a transaction leaves on a stream row."""

    order_key: str
    status: Status
    started_at: datetime | None
    next_sequence: int


def save_streams(connection: Connection, changes: Sequence[StreamChange]) -> None:
    """Write status, start and next sequence number of streams held by `lock`."""
    rows = [
        {
            "stream_key": change.order_key,
            "status": change.status,
            "started_at": change.started_at,
            "next_sequence": change.next_sequence,
        }
        for change in changes
    ]
    update_rows(connection, stream, ["stream_key"], rows)


def wake(connection: Connection, keys: Sequence[str], due_at: datetime) -> None:
    """Make the given streams due at `due_at` unless they are due, or waiting for their turn, already."""
    if keys:
        _wake(connection, keys, due_at=due_at)


@on_keys
def _wake(wanted: Subquery) -> Executable:
    asleep = (stream.c.stream_key == wanted.c.value) & stream.c.due_at.is_(None)
    return update(stream).values(due_at=bindparam("due_at", type_=stream.c.due_at.type)).where(asleep)
