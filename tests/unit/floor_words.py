"""Short ways to state events and orders in tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.events import EventType, ExecutionEvent, Outcome, TimeKind
from shared.domain.identity import event_key, order_key
from shared.domain.works_order import ErpState, Operation, WorksOrder

SIX = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
STARTED, PAUSED, RESUMED, COMPLETED = (
    EventType.OPERATION_STARTED,
    EventType.OPERATION_PAUSED,
    EventType.OPERATION_RESUMED,
    EventType.OPERATION_COMPLETED,
)


def at(minutes: float) -> datetime:
    """So many minutes after six."""
    return SIX + timedelta(minutes=minutes)


def event(
    name: str, kind: EventType, minutes: float, operation: str = "10", order: str = "WO-1", **fields
) -> ExecutionEvent:
    """State one fact; `name` is its id, `fields` whatever else it says."""
    connection = fields.pop("connection", "acme")
    stated = ExecutionEvent(
        key=event_key("line", name),
        source="line",
        event_id=name,
        type=kind,
        connection=connection,
        order_number=order,
        order_key=order_key(connection, order),
        operation_id=operation,
        occurred_at=at(minutes),
    )
    return stated._replace(**fields)


def made(name: str, minutes: float, good: str = "1", operation: str = "10", **fields) -> ExecutionEvent:
    """Report good pieces."""
    return event(name, EventType.PRODUCTION_REPORTED, minutes, operation, good=Decimal(good), **fields)


def timed(name: str, minutes: float, seconds: str = "30", operation: str = "10", **fields) -> ExecutionEvent:
    """Record run time."""
    fields = {"time_kind": TimeKind.RUN, **fields}
    return event(name, EventType.TIME_RECORDED, minutes, operation, seconds=Decimal(seconds), **fields)


def unit(name: str, minutes: float, outcome: Outcome, operation: str = "10", **fields) -> ExecutionEvent:
    """Complete one unit."""
    fields = {"time_kind": TimeKind.RUN, **fields}
    return event(name, EventType.UNIT_COMPLETED, minutes, operation, outcome=outcome, **fields)


def correction(
    name: str, target: str, minutes: float = 60, operation: str = "10", **fields
) -> ExecutionEvent:
    """Take the event called `target` back."""
    return event(name, EventType.CORRECTION, minutes, operation, voids=event_key("line", target), **fields)


def plan(*operations: str, order: str = "WO-1", quantity: str = "10", **fields) -> WorksOrder:
    """A released order whose routing runs `operations` in this sequence."""
    routing = tuple(
        Operation(name, place * 10, f"step {name}", "WC-1", Decimal(60), Decimal("1.5"), {"id": place})
        for place, name in enumerate(operations, 1)
    )
    stated = WorksOrder(order, "P-1", Decimal(quantity), "pcs", ErpState.RELEASED, routing, erp_ref={"id": 7})
    return replace(stated, **fields)
