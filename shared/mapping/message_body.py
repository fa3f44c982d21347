"""A queued message in our own words, complete: what profiles translate. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from shared.domain.identity import message_id
from shared.domain.message import Message, MessageKind
from shared.domain.push import Missing, PushContext
from shared.domain.units import factor_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shared.domain.events import ExecutionEvent
    from shared.domain.message import QueuedMessage
    from shared.domain.units import UnitLinks
    from shared.domain.works_order import Json, Operation, WorksOrder


def missing_for(queued: QueuedMessage, plan: WorksOrder | None, units: UnitLinks) -> Missing | None:
    """Tell what must be known before `queued` can be translated at all; None = everything is there."""
    if plan is None:
        return Missing("order", queued.event.order_number)
    if queued.operation_id and operation_of(plan, queued.operation_id) is None:
        return Missing("operation", queued.operation_id)
    counted = counted_by(queued)
    if counted is not None and factor_of(counted.unit, plan.unit, units) is None:
        return Missing("unit", counted.unit)
    return None


def counted_by(queued: QueuedMessage) -> ExecutionEvent | None:
    """Return the event whose pieces the message reports or takes back, None if it is about something else."""
    kind, event = queued.kind, queued.event
    if kind is MessageKind.CORRECTION and queued.voided_event is not None:
        kind, event = queued.voided_kind or kind, queued.voided_event
    return event if kind is MessageKind.PRODUCTION_REPORTED and carries_quantity(event) else None


def operation_of(plan: WorksOrder, operation_id: str) -> Operation | None:
    """Return the operation of that id, None if the routing has none."""
    return next((op for op in plan.operations if op.operation_id == operation_id), None)


def carries_quantity(event: ExecutionEvent) -> bool:
    """Tell whether the event counts pieces, so that its unit matters."""
    return bool(event.good or event.scrap or event.rework)


def message_of(queued: QueuedMessage, plan: WorksOrder, units: UnitLinks) -> Message:
    """Spell the message out: quantities in the order's unit, and for a correction what it takes back."""
    body = body_of(queued.kind, queued.event, plan, units)
    body["voids"] = None
    if (
        queued.voided_event is not None
        and queued.voided_kind is not None
        and queued.voided_sequence is not None
    ):
        body["voids"] = {
            "message_id": message_id(queued.stream_key, queued.voided_sequence),
            "kind": str(queued.voided_kind),
            "body": body_of(queued.voided_kind, queued.voided_event, plan, units),
        }
    return Message(
        message_id(queued.stream_key, queued.sequence),
        queued.stream_key,
        queued.sequence,
        queued.kind,
        queued.operation_id,
        body,
    )


def body_of(kind: MessageKind, event: ExecutionEvent, plan: WorksOrder, units: UnitLinks) -> dict[str, Json]:
    """Lay out what `event` means for a message of `kind`.

    `last_operation` tells whether its quantity is the order's own output: a good piece on an earlier
    operation is not finished yet.
    """
    factor = factor_of(event.unit, plan.unit, units) or Decimal(1)
    counts = kind is MessageKind.PRODUCTION_REPORTED
    timed = kind is MessageKind.TIME_RECORDED
    return {
        "event_id": event.event_id,
        "source": event.source,
        "occurred_at": rfc3339(event.occurred_at),
        "work_centre": event.work_centre,
        "operator": event.operator,
        "unit": plan.unit,
        "good": decimal_text(event.good * factor) if counts else "0",
        "scrap": decimal_text(event.scrap * factor) if counts else "0",
        "rework": decimal_text(event.rework * factor) if counts else "0",
        "scrap_reason": event.scrap_reason,
        "rework_reason": event.rework_reason,
        "outcome": None if event.outcome is None else str(event.outcome),
        "serials": list(event.serials),
        "batch": event.batch,
        "time_kind": str(event.time_kind or "run") if timed else None,
        "seconds": decimal_text(event.seconds) if timed else "0",
        "reason": event.reason,
        "last_operation": is_last(plan, event.operation_id),
        "implied": is_implied(kind, event),
    }


def is_implied(kind: MessageKind, event: ExecutionEvent) -> bool:
    """Tell whether the message says more than its event did: a start that nobody reported, say."""
    states_a_fact = kind in (MessageKind.PRODUCTION_REPORTED, MessageKind.TIME_RECORDED)
    return not states_a_fact and str(event.type) != str(kind)


def decimal_text(value: Decimal) -> str:
    """Plain decimal text: no exponent, no zeros that only arithmetic has added."""
    return f"{value.normalize():f}" if value else "0"


def is_last(plan: WorksOrder, operation_id: str) -> bool:
    """Tell whether what this operation makes is what the order makes."""
    if not operation_id or not plan.operations:
        return True
    return max(plan.operations, key=lambda op: (op.position, op.operation_id)).operation_id == operation_id


def rfc3339(value: datetime) -> str:
    """UTC with milliseconds and Z."""
    return value.isoformat(timespec="milliseconds")[:23] + "Z"


def context_of(
    queued: QueuedMessage, plan: WorksOrder, links: Mapping[str, Mapping[str, str]]
) -> PushContext:
    """Gather what a push may draw on beside its message."""
    op = operation_of(plan, queued.operation_id) if queued.operation_id else None
    order: dict[str, Json] = {
        "number": plan.number,
        "part": plan.part,
        "quantity": decimal_text(plan.quantity),
        "unit": plan.unit,
        "erp_ref": dict(plan.erp_ref),
        "operations": [{"operation_id": o.operation_id, "erp_ref": dict(o.erp_ref)} for o in plan.operations],
    }
    operation: dict[str, Json] = {}
    if op is not None:
        operation = {
            "operation_id": op.operation_id,
            "position": op.position,
            "name": op.name,
            "work_centre": op.work_centre,
            "erp_ref": dict(op.erp_ref),
        }
    return PushContext(order, operation, links)
