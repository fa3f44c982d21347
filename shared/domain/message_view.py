"""Messages as readers see them, with the history of every attempt to deliver them.

The OpenAPI document is made from these shapes, so their types are real imports.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.message import MessageKind, MessageState


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message: what it tells, of which event, and where it is.

    `sending_since` = a call is under way, or its outcome was never recorded. `corrects` is the id of the
    message that a correction takes back. `waits_for_...` says what a held message lacks.
    """

    id: str
    connection: str
    order: str
    operation: str
    kind: MessageKind
    state: MessageState
    reason: str | None
    waits_for_kind: str | None
    waits_for_value: str | None
    attempts: int
    created_at: datetime
    sending_since: datetime | None
    finished_at: datetime | None
    corrects: str | None
    event_source: str
    event_id: str
    event_type: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One call to the ERP. Secrets were taken out before it was stored; long bodies are cut."""

    attempt: int
    step: str
    worker: str
    started_at: datetime
    duration_ms: int
    method: str
    url: str
    status: int
    verdict: str
    reason: str
    request: str
    reply: str


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """A message and everything that was tried, oldest first. `progress`: steps done, values the ERP gave."""

    message: MessageLine
    progress: dict[str, Any] | None
    history: list[AttemptLine]


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages to list; None = any. `order` is a works order number, exact."""

    state: MessageState | None = None
    kind: MessageKind | None = None
    connection: str | None = None
    order: str | None = None
