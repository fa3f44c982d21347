"""Reads works orders for people: the ERP's plan and the floor's progress side by side.

An order appears as soon as either side has spoken of it: what only the floor knows has no plan yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Executable, Select, Subquery, func, null, select, union_all

from shared.domain.message import MessageState
from shared.domain.order_view import (
    OperationLine,
    OrderDetail,
    OrderFilter,
    OrderLine,
    StreamLine,
    UnlinkedQuantity,
)
from shared.domain.page import Page
from shared.domain.state import OperationState, Status
from shared.domain.units import Made, UnitLinks
from shared.domain.warning import WarningState
from shared.domain.warning_view import WarningFilter
from shared.domain.works_order import Operation
from shared.store.batch import ask
from shared.store.bulk import on_keys
from shared.store.floor import states_from, states_step
from shared.store.links import unit_links
from shared.store.orders import StoredOrder, load_orders
from shared.store.paging import after, paged
from shared.store.reading_warnings import list_warnings
from shared.store.tables import outbound_message, stream, works_order

ZERO = Decimal(0)
MOST_WARNINGS = 100


def order_keys(tx: Connection, number: str, connection: str | None = None) -> dict[str, str]:
    """Return connection by order key of the orders called `number`, on one connection or on all."""
    planned = select(works_order.c.order_key, works_order.c.connection).where(works_order.c.number == number)
    worked = select(stream.c.stream_key, stream.c.connection).where(stream.c.order_number == number)
    found = {row[0]: row[1] for row in tx.execute(union_all(planned, worked))}
    return {key: name for key, name in found.items() if connection in (None, name)}


def list_orders(
    tx: Connection, wanted: OrderFilter, limit: int, position: tuple[str, str] | None
) -> Page[OrderLine]:
    """Return up to `limit` orders after `position` (number, key), by number; four statements however many."""
    candidates = union_all(_planned(wanted), _unplanned(wanted)).subquery("candidates")
    sort = (candidates.c.number, candidates.c.order_key)
    statement = select(candidates).order_by(*sort).limit(limit + 1)
    if position is not None:
        statement = statement.where(after(sort, position))
    places = [(row.number, row.order_key) for row in tx.execute(statement)]
    known = _Known.read(tx, [key for _, key in places])
    return paged([known.line(key) for _, key in places], limit, *places)


def _planned(wanted: OrderFilter) -> Select[Any]:
    table = works_order
    joined = table.outerjoin(stream, stream.c.stream_key == table.c.order_key)
    statement = select(table.c.order_key, table.c.number).select_from(joined)
    if wanted.connection is not None:
        statement = statement.where(table.c.connection == wanted.connection)
    if wanted.erp_state is not None:
        statement = statement.where(table.c.erp_state == wanted.erp_state)
    if wanted.status is not None:
        statement = statement.where(func.coalesce(stream.c.status, Status.NOT_STARTED) == wanted.status)
    return _with_prefix(statement, table.c.number, wanted.prefix)


def _unplanned(wanted: OrderFilter) -> Select[Any]:
    known = select(null()).where(works_order.c.order_key == stream.c.stream_key).exists()
    statement = select(stream.c.stream_key, stream.c.order_number).where(~known)
    if wanted.connection is not None:
        statement = statement.where(stream.c.connection == wanted.connection)
    if wanted.erp_state is not None:
        statement = statement.where(null().is_not(None))
    if wanted.status is not None:
        statement = statement.where(stream.c.status == wanted.status)
    return _with_prefix(statement, stream.c.order_number, wanted.prefix)


def _with_prefix(statement: Select[Any], column: Any, prefix: str | None) -> Select[Any]:  # noqa: ANN401
    """LIKE ignores case on one engine and not on the other; a bound and a comparison are exact on both."""
    if not prefix:
        return statement
    return statement.where(column >= prefix, func.substring(column, 1, len(prefix)) == prefix)


def read_order(tx: Connection, key: str) -> OrderDetail:
    """Read the order with that key, which exists, in full."""
    known = _Known.read(tx, [key])
    open_warnings = list_warnings(tx, WarningFilter(WarningState.OPEN), [key], MOST_WARNINGS, None)
    stream_line = _stream_line(tx, key, known.streams.get(key))
    return OrderDetail(known.line(key), known.operations(key), list(open_warnings.items), stream_line)


@on_keys
def _streams(wanted: Subquery) -> Executable:
    return select(stream).join(wanted, stream.c.stream_key == wanted.c.value)


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything read of some orders, by order key."""

    plans: Mapping[str, StoredOrder]
    streams: dict[str, Any]
    states: Mapping[str, Mapping[str, OperationState]]
    units: Mapping[str, UnitLinks]  # by connection

    @classmethod
    def read(cls, tx: Connection, keys: Sequence[str]) -> "_Known":
        streams, states = ask(tx, _streams.step(tx, keys), states_step(tx, keys))
        by_order: dict[str, dict[str, OperationState]] = {}
        in_units = False
        for order_key, state, row_key, _ in states_from(states):
            by_order.setdefault(order_key, {})[state.operation_id] = state
            in_units = in_units or row_key is not None
        units = unit_links(tx) if in_units else {}
        return cls(load_orders(tx, keys), {row.stream_key: row for row in streams}, by_order, units)

    def line(self, key: str) -> OrderLine:
        stored = self.plans.get(key)
        if stored is not None:
            return self._planned_line(key, stored, self.streams.get(key))
        row = self.streams[key]
        return OrderLine(
            row.order_number,
            row.connection,
            Status(row.status),
            row.started_at,
            unlinked_units=self._unlinked_units(key),
        )

    def _made(self, key: str, operation_id: str) -> tuple[Made, Mapping[str, Made]]:
        """Return what the operation made in the order's unit, and what is left out of that."""
        state, stored = self.states.get(key, {}).get(operation_id), self.plans.get(key)
        if state is None:
            return Made(), {}
        units = self.units.get(stored.connection, {}) if stored else {}
        return state.made(stored.plan.unit if stored else None, units)

    def _unlinked_units(self, key: str) -> list[str]:
        return sorted({unit for op in self.states.get(key, ()) for unit in self._made(key, op)[1]})

    def _planned_line(self, key: str, stored: StoredOrder, row: Any | None) -> OrderLine:  # noqa: ANN401 - a row
        plan = stored.plan
        good, scrap = self._output(key, plan.operations)
        return OrderLine(
            number=plan.number,
            connection=stored.connection,
            status=Status(row.status) if row else Status.NOT_STARTED,
            started_at=row.started_at if row else None,
            part=plan.part,
            part_name=plan.part_name,
            quantity=plan.quantity,
            unit=plan.unit,
            due_at=plan.due_at,
            erp_state=plan.erp_state,
            vanished_at=stored.vanished_at,
            good=good,
            scrap=scrap,
            proposed=proposed_changes(stored),
            unlinked_units=self._unlinked_units(key),
        )

    def _output(self, key: str, routing: Sequence[Operation]) -> tuple[Decimal, Decimal]:
        """Add up what the last operation made, and what was reported of the order as a whole."""
        last = {routing[-1].operation_id} if routing else set()
        counted = [self._made(key, op)[0] for op in last | {""}]
        return sum((made.good for made in counted), ZERO), sum((made.scrap for made in counted), ZERO)

    def operations(self, key: str) -> list[OperationLine]:
        stored, states = self.plans.get(key), self.states.get(key, {})
        routing = stored.plan.operations if stored else ()
        planned = {op.operation_id for op in routing}
        shown: list[tuple[str, Operation | None]] = [(op.operation_id, op) for op in routing]
        shown += [(op, None) for op in sorted(states) if op not in planned]
        return [_operation_line(op, step, states.get(op), *self._made(key, op)) for op, step in shown]


def proposed_changes(stored: StoredOrder) -> dict[str, Any] | None:
    """Return field -> [before, after] of the change that waits for a person, None if there is none."""
    return None if stored.proposed is None else dict(stored.proposed["changes"])


def _operation_line(
    operation_id: str,
    op: Operation | None,
    state: OperationState | None,
    made: Made,
    left_out: Mapping[str, Made],
) -> OperationLine:
    state = state or OperationState(operation_id)
    return OperationLine(
        operation_id=operation_id,
        planned=op is not None,
        position=op.position if op else None,
        name=op.name if op else None,
        work_centre=op.work_centre if op else None,
        standard_setup_seconds=op.setup_seconds if op else None,
        standard_run_seconds=op.run_seconds if op else None,
        status=state.status,
        good=made.good,
        scrap=made.scrap,
        rework=made.rework,
        setup_seconds=state.setup_seconds,
        run_seconds=state.run_seconds,
        units_passed=state.units_passed,
        units_failed=state.units_failed,
        started_at=state.started_at,
        completed_at=state.completed_at,
        unlinked=[UnlinkedQuantity(unit, *quantities) for unit, quantities in sorted(left_out.items())],
    )


def _stream_line(tx: Connection, key: str, row: Any) -> StreamLine | None:  # noqa: ANN401 - a row
    if row is None:
        return None
    table = outbound_message
    statement = (
        select(table.c.state, func.count().label("many"))
        .where(table.c.stream_key == key)
        .group_by(table.c.state)
    )
    many = {found.state: found.many for found in tx.execute(statement)}
    return StreamLine(
        many.get(MessageState.PENDING, 0),
        many.get(MessageState.HELD, 0),
        many.get(MessageState.PARKED, 0),
        row.due_at,
        row.failures,
        row.lease_owner,
        row.lease_until,
    )
