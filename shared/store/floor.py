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
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, Connection, Executable, Subquery

    from shared.store.bulk import Rows


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


def lock(
    connection: Connection,
    orders: Mapping[str, tuple[str, str]],
    touched: Mapping[str, Collection[str]] | None = None,
) -> dict[str, FloorOrder]:
    """Take the stream rows of `orders` (order key -> connection, number), creating those that are new.

    `touched` names, by order key, operations whose totals will do; an order left out of it is read whole. So is
    one of which a named operation has no total yet: that may decide the order's own status.
    """
    keys = sorted(orders)
    if _touch(connection, keys).rowcount < len(keys):
        _create_missing(connection, orders)
        _touch(connection, keys)
    found = _load(connection, keys)
    some = {key: ids for key, ids in (touched or {}).items() if found[key].status is not Status.NOT_STARTED}
    _load_some(connection, found, some)
    lacking = [key for key, ids in some.items() if not found[key].stored.issuperset(ids)]
    _load_whole(connection, found, [*(key for key in keys if key not in some), *lacking])
    return found


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


# In the order of OperationState's fields.
STATE_COLUMNS = (
    "operation_id",
    "good",
    "scrap",
    "rework",
    "setup_seconds",
    "run_seconds",
    "units_passed",
    "units_failed",
    "started_at",
    "last_at",
    "last_rank",
    "last_event",
)


@on_keys
def _streams(wanted: Subquery) -> Executable:
    names = ("stream_key", "connection", "order_number", "status", "started_at", "next_sequence", "due_at")
    columns = select(*(stream.c[name] for name in names))
    return columns.join(wanted, stream.c.stream_key == wanted.c.value)


def _load(connection: Connection, keys: Sequence[str]) -> dict[str, FloorOrder]:
    found: dict[str, FloorOrder] = {}
    for row in _streams(connection, keys):
        key, name, number, status, started_at, next_sequence, due_at = row
        order = FloorOrder(
            key, name, number, Status(status), started_at, next_sequence, asleep=due_at is None
        )
        found[key] = order
    return found


@on_keys
def _some_states(wanted: Subquery) -> Executable:
    table = operation_state
    return select(*_state_columns()).join(wanted, table.c.operation_key == wanted.c.value)


@on_keys
def _whole_states(wanted: Subquery) -> Executable:
    table = operation_state
    return select(*_state_columns()).join(wanted, table.c.order_key == wanted.c.value)


def _state_columns() -> list[Column[Any]]:
    """The order key, then what OperationState takes, in the order of its fields."""
    names = ("order_key", "operation_id", "good", "scrap", "rework", "setup_seconds", "run_seconds")
    rest = ("units_passed", "units_failed", "started_at", "last_at", "last_rank", "last_event")
    return [operation_state.c[name] for name in (*names, *rest)]


def _load_some(
    connection: Connection, found: Mapping[str, FloorOrder], touched: Mapping[str, Collection[str]]
) -> None:
    keys = [operation_key(key, operation_id) for key, ids in touched.items() for operation_id in ids]
    if keys:
        _add_states(found, _some_states(connection, keys))


def _load_whole(connection: Connection, found: Mapping[str, FloorOrder], keys: Sequence[str]) -> None:
    if keys:
        _add_states(found, _whole_states(connection, keys))


def _add_states(found: Mapping[str, FloorOrder], rows: Rows) -> None:
    for row in rows:
        order_key, operation_id, *totals = row
        order = found[order_key]
        order.operations[operation_id] = OperationState(operation_id, *totals)
        order.stored.add(operation_id)


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
