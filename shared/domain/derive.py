"""From events to messages: what the ERP has to hear. Pure.

A life-cycle message is derived only when the folded status really changes, so duplicates and late events say
nothing twice. What the floor forgot to say is implied: who reports a quantity has started, who completes a paused
operation has resumed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from shared.domain.events import EventType, ExecutionEvent
from shared.domain.message import MessageKind
from shared.domain.state import OperationState, Status, fold, order_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime


class Draft(NamedTuple):
    """A message before it has its place in the stream. Its body is read off its event when it is sent."""

    kind: MessageKind
    operation_id: str
    event_key: str
    voids: int | None = None  # of a correction: sequence of the message it takes back


@dataclass(slots=True)
class OrderState:
    """Floor state of one works order while events are being added: planned operation ids and their totals.

    `unit` is the order's, "" as long as there is no plan.
    """

    planned: tuple[str, ...] = ()
    operations: dict[str, OperationState] = field(default_factory=dict)
    status: Status = Status.NOT_STARTED
    started_at: datetime | None = None
    unit: str = ""

    def operation(self, operation_id: str) -> OperationState:
        """Return the total of an operation, empty when nothing has happened there yet."""
        state = self.operations.get(operation_id)
        if state is None:
            state = self.operations[operation_id] = OperationState(operation_id)
        return state


def draft(kind: MessageKind, event: ExecutionEvent, voids: int | None = None) -> Draft:
    """Draft the message of `kind` that `event` causes."""
    return Draft(kind, "" if kind in WHOLE_ORDER else event.operation_id, event.key, voids)


WHOLE_ORDER = frozenset({MessageKind.ORDER_STARTED, MessageKind.ORDER_COMPLETED})
CHANGE_SAID_AS = {
    Status.IN_PROGRESS: MessageKind.OPERATION_RESUMED,
    Status.PAUSED: MessageKind.OPERATION_PAUSED,
    Status.COMPLETED: MessageKind.OPERATION_COMPLETED,
}


def add_events(order: OrderState, events: Iterable[ExecutionEvent]) -> list[Draft]:
    """Add new events, none of them void, to `order` and return the messages they cause, in order."""
    drafts: list[Draft] = []
    for event in sorted(events, key=lambda event: event.occurred_at):  # at one instant: as they came
        if event.type is not EventType.CORRECTION:
            drafts += _add(order, event)
    return drafts


def _add(order: OrderState, event: ExecutionEvent) -> list[Draft]:
    operation = order.operation(event.operation_id)
    before = operation.status
    operation.add(event, order.unit)
    drafts = _starts(order, before, event)
    drafts += _facts(event)
    drafts += _change(before, operation.status, event)
    if before is not operation.status or order.status is Status.NOT_STARTED:
        drafts += settle(order, event)
    return drafts


def _starts(order: OrderState, before: Status, event: ExecutionEvent) -> list[Draft]:
    drafts = []
    if order.started_at is None:
        drafts.append(draft(MessageKind.ORDER_STARTED, event))
    if order.started_at is None or event.occurred_at < order.started_at:
        order.started_at = event.occurred_at
    if before is Status.NOT_STARTED and event.operation_id:
        drafts.append(draft(MessageKind.OPERATION_STARTED, event))
    return drafts


def _facts(event: ExecutionEvent) -> list[Draft]:
    drafts = []
    if event.good or event.scrap or event.rework or event.outcome is not None:
        drafts.append(draft(MessageKind.PRODUCTION_REPORTED, event))
    if event.seconds:
        drafts.append(draft(MessageKind.TIME_RECORDED, event))
    return drafts


def _change(before: Status, after: Status, event: ExecutionEvent) -> list[Draft]:
    if (
        before is after
        or not event.operation_id
        or (before is Status.NOT_STARTED and after is Status.IN_PROGRESS)
    ):
        return []
    resumed = [MessageKind.OPERATION_RESUMED] if (before, after) == (Status.PAUSED, Status.COMPLETED) else []
    return [draft(kind, event) for kind in (*resumed, CHANGE_SAID_AS[after])]


def settle(order: OrderState, event: ExecutionEvent) -> list[Draft]:
    """Bring the order's status up to date; say so when that completes it."""
    before, order.status = order.status, order_status(order.operations, order.planned)
    if order.status is Status.COMPLETED and before is not Status.COMPLETED:
        return [draft(MessageKind.ORDER_COMPLETED, event)]
    return []


def draft_completion(order: OrderState) -> list[Draft]:
    """Bring the status up to date after the routing arrived or changed; complete the order if that is all it lacked."""
    before, order.status = order.status, order_status(order.operations, order.planned)
    if order.status is not Status.COMPLETED or before is Status.COMPLETED:
        return []
    ended = [state for state in order.operations.values() if state.last_at is not None]
    latest = max(ended, key=lambda state: (state.last_at, state.last_event))
    return [Draft(MessageKind.ORDER_COMPLETED, "", latest.last_event)]


def outstanding(drafts: Sequence[Draft], status: Status) -> list[Draft]:
    """Drop completions of the order that later events of the same go took back; `status` is the order's in the end."""
    places = [place for place, draft in enumerate(drafts) if draft.kind is MessageKind.ORDER_COMPLETED]
    gone = set(places[:-1] if status is Status.COMPLETED else places)
    return [draft for place, draft in enumerate(drafts) if place not in gone]


def refold(order: OrderState, events: Iterable[ExecutionEvent]) -> OrderState:
    """Return the state of the order computed anew from all its events, corrections included."""
    operations = fold(events, order.unit)
    starts = [state.started_at for state in operations.values() if state.started_at is not None]
    return OrderState(
        order.planned,
        operations,
        order_status(operations, order.planned),
        min(starts, default=None),
        order.unit,
    )
