"""What a correction means for the messages of its works order: which are taken out, reversed, or said anew. Pure.

Measured is what the ERP would believe once it had heard every message, against what the floor now says. So it does
not matter which of several events had caused a message, nor how often the same event is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.domain.derive import CHANGE_SAID_AS, Draft, draft_completion
from shared.domain.message import MessageKind
from shared.domain.state import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from shared.domain.derive import OrderState
    from shared.domain.events import ExecutionEvent
    from shared.domain.state import OperationState

SAYS = {
    MessageKind.OPERATION_STARTED: Status.IN_PROGRESS,
    MessageKind.OPERATION_RESUMED: Status.IN_PROGRESS,
    MessageKind.OPERATION_PAUSED: Status.PAUSED,
    MessageKind.OPERATION_COMPLETED: Status.COMPLETED,
}


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What the store knows of a message that still counts. `untouched`: the ERP has not heard of it."""

    sequence: int
    kind: MessageKind
    operation_id: str
    event_key: str
    untouched: bool


def take_back(
    corrections: Mapping[str, ExecutionEvent],
    void: AbstractSet[str],
    messages: Sequence[SentMessage],
    before: OrderState,
    order: OrderState,
) -> tuple[list[int], list[Draft]]:
    """Bring what the ERP will believe back in line with `order`, the state without the events that are `void`.

    `corrections`, never empty, maps the events taken back just now to what did it; `messages` are those of the stream
    that still count, in sequence; `before` is the state that included the events. Returns the sequences of the messages
    to take out (the ERP never heard of them) and what has to be said: a correction for each of the others, latest
    first, then whatever status has come to light again.
    """
    last = list(corrections.values())[-1]
    gone = _untrue(messages, void, before, order)
    kept = [message for message in messages if message not in gone]
    drafts = [
        Draft(
            MessageKind.CORRECTION,
            message.operation_id,
            corrections.get(message.event_key, last).key,
            message.sequence,
        )
        for message in gone
        if not message.untouched
    ]
    drafts += _said_anew(_told(messages), _told(kept), before, order)
    drafts += _completed_anew(kept, before, order)
    return [message.sequence for message in gone if message.untouched], drafts


def _untrue(
    messages: Sequence[SentMessage], void: AbstractSet[str], before: OrderState, order: OrderState
) -> list[SentMessage]:
    """Pick the messages that no longer hold, latest first."""
    gone: list[SentMessage] = []
    later: set[str] = set()  # operations with a later status that holds
    for message in reversed(messages):
        if _holds(message, void, before, order, overtaken=message.operation_id in later):
            if message.kind in SAYS:
                later.add(message.operation_id)
        else:
            gone.append(message)
    return gone


def _holds(
    message: SentMessage, void: AbstractSet[str], before: OrderState, order: OrderState, *, overtaken: bool
) -> bool:
    """A start holds while any event implies it, a status while it is the latest word, all else with its own event."""
    if message.kind is MessageKind.ORDER_STARTED:
        return order.started_at is not None
    if message.kind is MessageKind.ORDER_COMPLETED and order.status is Status.COMPLETED:
        return True
    if message.kind is MessageKind.ORDER_COMPLETED and before.status is Status.COMPLETED:
        return False
    status = _status(order.operations, message.operation_id)
    if message.kind is MessageKind.OPERATION_STARTED:
        return status is not Status.NOT_STARTED
    if message.kind in SAYS and SAYS[message.kind] is status and not overtaken:
        return True
    return message.event_key not in void


def _status(operations: Mapping[str, OperationState], operation_id: str) -> Status:
    return operations[operation_id].status if operation_id in operations else Status.NOT_STARTED


def _told(messages: Sequence[SentMessage]) -> dict[str, Status]:
    """Return the status by operation that whoever hears `messages` believes in."""
    return {message.operation_id: SAYS[message.kind] for message in messages if message.kind in SAYS}


def _said_anew(
    told: Mapping[str, Status], kept: Mapping[str, Status], before: OrderState, order: OrderState
) -> list[Draft]:
    """Say the status of operations that this changed; what a person has settled otherwise stays as it is."""
    return [
        Draft(CHANGE_SAID_AS[state.status], operation_id, state.last_event)
        for operation_id, state in order.operations.items()
        if operation_id in kept
        and state.last_at is not None
        and kept[operation_id] is not state.status
        and (
            kept[operation_id] is not told[operation_id]
            or state.status is not _status(before.operations, operation_id)
        )
    ]


def _completed_anew(kept: Sequence[SentMessage], before: OrderState, order: OrderState) -> list[Draft]:
    """Complete the order when all that stood in the way was taken back."""
    if any(message.kind is MessageKind.ORDER_COMPLETED for message in kept):
        return []
    order.status = before.status
    return draft_completion(order)
