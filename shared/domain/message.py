"""Outbound facts for the ERP: what the floor's events mean to it, one message at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.domain.events import ExecutionEvent
    from shared.domain.works_order import Json


class MessageKind(StrEnum):
    """Every fact a profile can push; a profile names the ones its ERP has no place for, with the reason."""

    ORDER_STARTED = "order.started"
    ORDER_COMPLETED = "order.completed"
    OPERATION_STARTED = "operation.started"
    OPERATION_PAUSED = "operation.paused"
    OPERATION_RESUMED = "operation.resumed"
    OPERATION_COMPLETED = "operation.completed"
    PRODUCTION_REPORTED = "production.reported"
    TIME_RECORDED = "time.recorded"
    CORRECTION = "correction"


class MessageState(StrEnum):
    """Where a message is. Only `pending` and `held` keep later messages of the stream waiting."""

    PENDING = "pending"  # to be sent, or being sent
    HELD = "held"  # waits for something missing (order, operation, code, link); goes out by itself
    DONE = "done"  # in the ERP
    PARKED = "parked"  # a person decides; the reason stands beside it
    VOIDED = "voided"  # corrected on the floor before the ERP ever heard of it
    EXEMPT = "exempt"  # the profile says, with its reason, that this ERP has no place for it


@dataclass(frozen=True, slots=True)
class Message:
    """One outbound fact. `sequence` orders it within its stream; `body` is the fact in our own words.

    `body` holds plain JSON: quantities as decimal text, instants as RFC 3339 text in UTC.
    `message_id` (shared.domain.identity) is stable over retries and workers: the external reference an ERP may store.
    """

    message_id: str
    stream: str
    sequence: int
    kind: MessageKind
    operation_id: str
    body: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a push of several calls has come. Stored after every step, so a retry goes on from there.

    `unknown` says that step number `step` was sent and no reply was read: look before sending it again.
    `captured` holds values earlier replies gave (an id the ERP assigned, say).
    `flow` names the steps it was begun with: numbers mean nothing under others. `wrote` says that a step which is done
    has written into the ERP, `anew` that a person had it begun again: every write is looked up first.
    """

    step: int = 0
    unknown: bool = False
    captured: Mapping[str, Json] = field(default_factory=dict)
    resend: bool = False  # a person has said "send again" of a step whose outcome nobody can look up
    anew: bool = False
    flow: str = field(default="", compare=False)
    wrote: bool = field(default=False, compare=False)


class QueuedMessage(NamedTuple):
    """A message that waits in its stream, with the event it tells of and, for corrections, what it takes back."""

    stream_key: str
    sequence: int
    kind: MessageKind
    operation_id: str
    state: MessageState
    attempts: int
    progress: Progress
    event: ExecutionEvent
    voided_sequence: int | None = None
    voided_kind: MessageKind | None = None
    voided_event: ExecutionEvent | None = None
    told_by: int | None = None  # the message that carries this one; its own sequence where it carries others
    voided_with: int = 0  # of a correction: how many others were told as one with what it takes back
    voided_unheard: bool = False  # of a correction: what it takes back was superseded and never told
