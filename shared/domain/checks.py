"""What the plan says against what the floor did: mismatches become warnings, never refusals. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.domain.events import EventType, ExecutionEvent
from shared.domain.state import OperationState, Status
from shared.domain.units import factor_of
from shared.domain.warning import Warning_, WarningKind
from shared.domain.works_order import ErpState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from shared.domain.units import UnitLinks
    from shared.domain.works_order import WorksOrder


@dataclass(frozen=True, slots=True)
class References:
    """What is known on one connection. A kind of code without any link is not checked: the ERP has no such codes."""

    work_centres: frozenset[str] = frozenset()
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # kind -> Tascus value -> ERP value
    units: UnitLinks = field(default_factory=dict)


def mismatches(
    event: ExecutionEvent,
    plan: WorksOrder | None,
    states: Mapping[str, OperationState],
    references: References,
) -> Iterator[Warning_]:
    """Yield the warnings that `event` gives rise to; `states` already include it."""
    if plan is None:
        yield _warn(
            event,
            WarningKind.UNKNOWN_ORDER,
            event.order_number,
            f"order {event.order_number} is not known (yet)",
        )
        return
    if plan.erp_state is ErpState.CANCELLED:
        yield _warn(
            event,
            WarningKind.ORDER_CANCELLED,
            event.order_number,
            f"work on cancelled order {event.order_number}",
        )
    yield from _unknown_names(event, plan, references)
    if event.type is EventType.OPERATION_STARTED:
        yield from _out_of_turn(event, plan, states)
    if event.good:
        yield from _too_many(event, plan, states, references)


def _unknown_names(event: ExecutionEvent, plan: WorksOrder, references: References) -> Iterator[Warning_]:
    links = references.links
    if event.operation_id and event.operation_id not in plan.operation_ids:
        yield _unknown_operation(event, plan)
    if event.work_centre and not _known_work_centre(event.work_centre, references):
        detail = f"work centre {event.work_centre} is not in any routing or link"
        yield _warn(event, WarningKind.UNKNOWN_WORK_CENTRE, event.work_centre, detail)
    for kind, code in (("scrap_reason", event.scrap_reason), ("rework_reason", event.rework_reason)):
        if code and kind in links and code not in links[kind]:
            detail = f"{kind} {code} has no counterpart in the ERP"
            yield _warn(event, WarningKind.UNKNOWN_CODE, f"{kind}:{code}", detail)
    if event.unit and factor_of(event.unit, plan.unit, references.units) is None:
        detail = f"unit {event.unit} is neither the order's {plan.unit} nor linked to it"
        yield _warn(event, WarningKind.UNKNOWN_UNIT, event.unit, detail)


def _known_work_centre(name: str, references: References) -> bool:
    if not references.work_centres:
        return True  # nothing to compare with yet
    return name in references.work_centres or name in references.links.get("work_centre", {})


def _unknown_operation(event: ExecutionEvent, plan: WorksOrder) -> Warning_:
    known = ", ".join(op.operation_id for op in plan.operations) or "empty"
    subject = f"{event.order_number}/{event.operation_id}"
    detail = f"operation {event.operation_id} is not in the routing of {event.order_number} ({known})"
    return _warn(event, WarningKind.UNKNOWN_OPERATION, subject, detail)


def _out_of_turn(
    event: ExecutionEvent, plan: WorksOrder, states: Mapping[str, OperationState]
) -> Iterator[Warning_]:
    position = {op.operation_id: op.position for op in plan.operations}
    if event.operation_id not in position:
        return
    skipped = [
        op.operation_id
        for op in plan.operations
        if op.position < position[event.operation_id]
        and (op.operation_id not in states or states[op.operation_id].status is Status.NOT_STARTED)
    ]
    if skipped:
        subject = f"{event.order_number}/{event.operation_id}"
        yield _warn(
            event,
            WarningKind.WRONG_SEQUENCE,
            subject,
            f"operation {event.operation_id} started before {', '.join(skipped)}",
        )


def _too_many(
    event: ExecutionEvent, plan: WorksOrder, states: Mapping[str, OperationState], references: References
) -> Iterator[Warning_]:
    state = states.get(event.operation_id)
    if state is None:
        return
    good = state.good if not state.named else state.made(plan.unit, references.units)[0].good
    if good > plan.quantity:
        subject, detail = over_completion(plan, event.operation_id, good)
        yield _warn(event, WarningKind.OVER_COMPLETION, subject, detail)


def over_completed(
    connection: str,
    order_key: str,
    plan: WorksOrder,
    states: Mapping[str, OperationState],
    units: UnitLinks,
) -> Iterator[Warning_]:
    """Yield the warnings about operations whose total has changed although nothing was reported."""
    for operation_id, state in states.items():
        good = state.made(plan.unit, units)[0].good
        if good > plan.quantity:
            subject, detail = over_completion(plan, operation_id, good)
            yield Warning_(connection, WarningKind.OVER_COMPLETION, subject, detail, order_key, plan.number)


def over_completion(plan: WorksOrder, operation_id: str, good: Decimal) -> tuple[str, str]:
    """Return subject and words of the warning that `good` pieces are more than planned."""
    planned = f"{plan.quantity.normalize():f} {plan.unit}"
    detail = f"{good.normalize():f} good of {planned} planned on operation {operation_id or '(order)'}"
    return f"{plan.number}/{operation_id}", detail


def _warn(event: ExecutionEvent, kind: WarningKind, subject: str, detail: str) -> Warning_:
    evidence = {"source": event.source, "event_id": event.event_id}
    return Warning_(event.connection, kind, subject, detail, event.order_key, event.order_number, evidence)
