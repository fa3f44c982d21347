"""Warnings as readers see them, with their audit trail.

The OpenAPI document is made from these shapes, so their types are real imports.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.warning import WarningKind, WarningState


@dataclass(frozen=True, slots=True)
class WarningLine:
    """One warning: what it is about, in words, with its evidence. `order` is empty when it concerns none."""

    id: str
    connection: str
    kind: WarningKind
    subject: str
    order: str
    detail: str
    evidence: dict[str, Any]
    state: WarningState
    occurrences: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to a warning, and the note they left; `system` acts for itself."""

    at: datetime
    actor: str
    action: str
    note: str


@dataclass(frozen=True, slots=True)
class WarningDetail:
    """A warning with everything that was done to it, oldest first."""

    warning: WarningLine
    order_key: str | None
    audit: list[AuditLine]


@dataclass(frozen=True, slots=True)
class WarningFilter:
    """Which warnings to list; None = any. `order` is a works order number, exact."""

    state: WarningState | None = None
    kind: WarningKind | None = None
    connection: str | None = None
    order: str | None = None
