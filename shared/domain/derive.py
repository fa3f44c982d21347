"""From events to messages: what the ERP has to hear. Pure.

A life-cycle message is derived only when the folded status really changes, so duplicates and late events say
nothing twice. What the floor forgot to say is implied: who reports a quantity has started.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.domain.events import EventType, ExecutionEvent
from shared.domain.message import MessageKind
from shared.domain.state import OperationState, Status, fold, order_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it has its place in the stream. Its body is read off its event when it is sent."""

    kind: MessageKind
    operation_id: str
    event_key: str
    voids: int | None = None  # of a correction: sequence of the message it takes back


@dataclass(slots=True)
class OrderState:
    """Floor state of one works order while events are being added: planned operation ids and their totals."""

    planned: tuple[str, ...] = ()
    operations: dict[str, OperationState] = field(default_factory=dict)
    status: Status = Status.NOT_STARTED
    started_at: datetime | None = None

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


def by_time(event: ExecutionEvent) -> tuple[datetime, str]:
    """Sort key: the order in which things happened; the key settles what happened at one instant."""
    return event.occurred_at, event.key


def add_events(order: OrderState, events: Iterable[ExecutionEvent]) -> list[Draft]:
    """Add new events, none of them void, to `order` and return the messages they cause, in order."""
    drafts: list[Draft] = []
    for event in sorted(events, key=by_time):
        if event.type is not EventType.CORRECTION:
            drafts += _add(order, event)
    return drafts


def _add(order: OrderState, event: ExecutionEvent) -> list[Draft]:
    operation = order.operation(event.operation_id)
    before = operation.status
    operation.add(event)
    drafts = _starts(order, before, event)
    drafts += _facts(event)
    drafts += _change(before, operation.status, event)
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
    return [draft(CHANGE_SAID_AS[after], event)]


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


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What the store knows of a message whose event is being corrected. `untouched`: the ERP has not heard of it."""

    sequence: int
    kind: MessageKind
    untouched: bool


def take_back(
    correction: ExecutionEvent, messages: Sequence[SentMessage], order: OrderState, operation_id: str
) -> tuple[list[int], list[Draft]]:
    """Decide what a correction means for the messages its target, on `operation_id`, had caused.

    `order` is the state without the target. Returns the sequences of the messages to void (the ERP never heard of them)
    and a correction for each of the others. A start that other events still imply stands.
    """
    stands = set()
    if order.started_at is not None:
        stands.add(MessageKind.ORDER_STARTED)
    if order.operation(operation_id).status is not Status.NOT_STARTED:
        stands.add(MessageKind.OPERATION_STARTED)
    if order.status is Status.COMPLETED:
        stands.add(MessageKind.ORDER_COMPLETED)
    affected = [message for message in messages if message.kind not in stands]
    void = [message.sequence for message in affected if message.untouched]
    told = [message for message in affected if not message.untouched]
    return void, [draft(MessageKind.CORRECTION, correction, message.sequence) for message in told]


def refold(order: OrderState, events: Iterable[ExecutionEvent]) -> OrderState:
    """Return the state of the order computed anew from all its events, corrections included."""
    operations = fold(events)
    starts = [state.started_at for state in operations.values() if state.started_at is not None]
    return OrderState(
        order.planned, operations, order_status(operations, order.planned), min(starts, default=None)
    )
