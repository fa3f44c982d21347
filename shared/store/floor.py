"""The floor's running totals: one stream row per works order, one state row per operation.

`lock` comes first in every transaction that adds events: whoever holds an order's stream row is alone with that
order until the commit, on any engine, without lock hints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import and_, bindparam, case, select, update

from shared.domain.identity import KEY_LENGTH, operation_key
from shared.domain.state import OperationState, Status
from shared.domain.units import Made
from shared.store import in_units
from shared.store.batch import Step, ask, later
from shared.store.bulk import (
    alone,
    insert_rows,
    insert_tuples,
    keys_of,
    on_keys,
    update_tuples,
)
from shared.store.tables import operation_in_unit, operation_state, stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Subquery

    from shared.store.in_units import Place


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
    version: str  # new with every write, so that writers may remember what they wrote
    operations: dict[str, OperationState] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)  # the operations that have a row already
    in_units: dict[Place, str] = field(default_factory=dict)  # the same of their named units: key of the row


def lock(connection: Connection, orders: Mapping[str, tuple[str, str]]) -> dict[str, FloorOrder]:
    """Take the stream rows of `orders` (order key -> connection, number), creating those that are new.

    Totals read before and not written since, by anybody, are taken from memory.
    """
    streams, states = ask(connection, lock_step(connection, orders), states_step(connection, orders))
    held = held_from(connection, orders, streams)
    add_states(held, states)
    return held


def lock_step(connection: Connection, orders: Mapping[str, tuple[str, str]]) -> Step:
    """Return what reads the stream rows of `orders`, locked till the commit: the first read of a transaction."""
    keys = sorted(orders)
    if not alone(connection):
        later(connection, _touch.step(connection, keys))
    return _streams.step(connection, keys)


def states_step(connection: Connection, keys: Iterable[str]) -> Step:
    """Return what reads the totals of the given orders."""
    return _states.step(connection, sorted(keys))


def held_from(
    connection: Connection, orders: Mapping[str, tuple[str, str]], rows: Iterable[Any]
) -> dict[str, FloorOrder]:
    """Return the orders of `lock_step`, without totals; those nobody has spoken of yet are created.

    Somebody else may be quicker with that: IntegrityError, and the transaction begins anew.
    """
    found = {order.order_key: order for order in map(_order_from, rows)}
    fresh = [
        FloorOrder(key, name, number, Status.NOT_STARTED, None, 1, asleep=True, version="")
        for key, (name, number) in sorted(orders.items())
        if key not in found
    ]
    _create(connection, fresh)
    return found | {order.order_key: order for order in fresh}


def forgotten(held: Mapping[str, FloorOrder]) -> list[str]:
    """Take totals from memory where nobody has written since; return the orders whose totals have to be read."""
    return [key for key, order in held.items() if order.version and not _recall(order)]


def add_states(held: Mapping[str, FloorOrder], rows: Iterable[Any]) -> None:
    """Give the orders their totals as read."""
    for order_key, state, row_key, unit in states_from(rows):
        order = held[order_key]
        order.operations[state.operation_id] = state
        order.stored.add(state.operation_id)
        if row_key:
            order.in_units[state.operation_id, unit] = row_key


def load_states(connection: Connection, keys: Iterable[str]) -> dict[str, dict[str, OperationState]]:
    """Read the totals of the given orders, by order key and operation id."""
    (rows,) = ask(connection, states_step(connection, keys))
    found: dict[str, dict[str, OperationState]] = {}
    for order_key, state, _, _ in states_from(rows):
        found.setdefault(order_key, {})[state.operation_id] = state
    return found


def states_from(rows: Iterable[Any]) -> Iterator[tuple[str, OperationState, str | None, str]]:
    """Yield order key and total off the rows of `states_step`, with row key and name of a unit if there is one.

    An operation with several units comes several times, the same object every time.
    """
    seen: dict[tuple[str, str], OperationState] = {}
    for order_key, operation_id, *totals, row_key, unit, good, scrap, rework in rows:
        state = seen.get((order_key, operation_id))
        if state is None:
            state = seen[order_key, operation_id] = OperationState(operation_id, *totals)
        if row_key:
            state.named[unit] = Made(good, scrap, rework)
        yield order_key, state, row_key, unit


REMEMBERED = 10_000  # orders; some 20 MB
_recent: dict[tuple[str, str], tuple[dict[str, OperationState], dict[Place, str]]] = {}


def _recall(order: FloorOrder) -> bool:
    """Take the order's totals out of memory, if its row is still as this process left it; they are its own now.

    What a rolled-back transaction has changed cannot come back: it is remembered under a version no row has.
    """
    recalled = _recent.pop((order.order_key, order.version), None)
    if recalled is None:
        return False
    order.operations, order.in_units = recalled
    order.stored = set(order.operations)
    return True


def _remember(change: StreamChange, version: str) -> None:
    if len(_recent) >= REMEMBERED:
        _recent.clear()
    _recent[change.order_key, version] = change.operations, change.in_units


@on_keys
def _touch(wanted: Subquery) -> Executable:
    return (
        update(stream)
        .values(next_sequence=stream.c.next_sequence)
        .where(stream.c.stream_key == wanted.c.value)
    )


def _create(connection: Connection, fresh: Sequence[FloorOrder]) -> None:
    rows = [
        {
            "stream_key": order.order_key,
            "connection": order.connection,
            "order_number": order.number,
            "status": order.status,
            "head": 1,
            "next_sequence": order.next_sequence,
            "failures": 0,
            "lease_token": 0,
            "version": order.version,
        }
        for order in fresh
    ]
    insert_rows(connection, stream, rows)


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
    names = ("stream_key", "connection", "order_number", "status", "started_at", "next_sequence")
    asleep = case((stream.c.due_at.is_(None), 1), else_=0)  # T-SQL has no truth values in rows
    columns = select(*(stream.c[name] for name in names), asleep.label("asleep"), stream.c.version)
    return columns.join(wanted, stream.c.stream_key == wanted.c.value)


def _order_from(row: Any) -> FloorOrder:  # noqa: ANN401 - a SQLAlchemy row
    key, name, number, status, started_at, next_sequence, asleep, version = row
    return FloorOrder(key, name, number, Status(status), started_at, next_sequence, bool(asleep), version)


@on_keys
def _states(wanted: Subquery) -> Executable:
    table, beside = operation_state, operation_in_unit
    same = and_(beside.c.order_key == table.c.order_key, beside.c.operation_key == table.c.operation_key)
    totals = (table.c[name] for name in ("order_key", *STATE_COLUMNS))
    named = (beside.c[name].label(f"named_{name}") for name in in_units.TOTALS)
    mine = table.join(wanted, table.c.order_key == wanted.c.value)
    return select(*totals, *named).select_from(mine.outerjoin(beside, same))


def save_states(
    connection: Connection, changed: Iterable[tuple[str, OperationState]], stored: Mapping[str, FloorOrder]
) -> None:
    """Write the totals of the (order key, state) pairs; which rows exist is known from `lock`."""
    inserts: list[tuple[Any, ...]] = []
    updates: list[tuple[Any, ...]] = []
    in_named: list[in_units.Change] = []
    for order, state in changed:
        held = stored[order]
        (updates if state.operation_id in held.stored else inserts).append(_row_of(order, state))
        if state.named or held.in_units:
            in_named.append(in_units.Change(order, state.operation_id, state.named, held.in_units))
    in_units.save(connection, in_named)
    insert_tuples(connection, operation_state, STATE_ROW, inserts)
    update_tuples(connection, operation_state, ("order_key", "operation_key"), STATE_ROW, updates)


STATE_ROW = ("order_key", "operation_key", "status", *STATE_COLUMNS)


def _row_of(order: str, state: OperationState) -> tuple[Any, ...]:
    return (
        order,
        operation_key(order, state.operation_id),
        state.status,
        state.operation_id,
        state.good,
        state.scrap,
        state.rework,
        state.setup_seconds,
        state.run_seconds,
        state.units_passed,
        state.units_failed,
        state.started_at,
        state.last_at,
        state.last_rank,
        state.last_event,
    )


def begun(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return (connection, number) by order key of those orders the floor has begun."""
    (rows,) = ask(connection, begun_step(connection, keys))
    return begun_from(rows)


@on_keys
def _begun(wanted: Subquery) -> Executable:
    columns = select(stream.c.stream_key, stream.c.connection, stream.c.order_number)
    mine = columns.join(wanted, stream.c.stream_key == wanted.c.value)
    return mine.where(stream.c.status != Status.NOT_STARTED)


def begun_step(connection: Connection, keys: Iterable[str]) -> Step:
    """Return what reads which of the given orders the floor has begun."""
    return _begun.step(connection, list(keys))


def begun_from(rows: Iterable[Any]) -> dict[str, tuple[str, str]]:
    """Return (connection, number) by order key off the rows of `begun_step`."""
    return {row.stream_key: (row.connection, row.order_number) for row in rows}


@on_keys
def _worked(wanted: Subquery) -> Executable:
    table = operation_state
    columns = select(table.c.order_key, table.c.operation_id)
    return columns.join(wanted, table.c.order_key == wanted.c.value)


def worked_step(connection: Connection, keys: Iterable[str]) -> Step:
    """Return what reads which operations of the given orders have recorded work."""
    return _worked.step(connection, list(keys))


def worked_operations(rows: Iterable[Any]) -> dict[str, set[str]]:
    """Return the ids of the operations that have recorded work, by order key, off the rows of `worked_step`."""
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
    """What a transaction leaves on a stream row, and the totals that go with it."""

    order_key: str
    status: Status
    started_at: datetime | None
    next_sequence: int
    operations: dict[str, OperationState]
    in_units: dict[Place, str]


def save_streams(connection: Connection, changes: Sequence[StreamChange]) -> None:
    """Write status, start and next sequence number of streams held by `lock`; their totals are written already."""
    version = uuid4().hex[:KEY_LENGTH]
    names = ("stream_key", "status", "started_at", "next_sequence", "version")
    rows = [
        (change.order_key, change.status, change.started_at, change.next_sequence, version)
        for change in changes
    ]
    update_tuples(connection, stream, ("stream_key",), names, rows)
    for change in changes:
        _remember(change, version)


def wake(connection: Connection, keys: Sequence[str], due_at: datetime) -> None:
    """Make the given streams due at `due_at` unless they are due, or waiting for their turn, already."""
    if keys:
        later(connection, _wake.step(connection, keys, due_at=due_at))


@on_keys
def _wake(wanted: Subquery) -> Executable:
    asleep = (stream.c.stream_key == wanted.c.value) & stream.c.due_at.is_(None)
    return update(stream).values(due_at=bindparam("due_at", type_=stream.c.due_at.type)).where(asleep)
