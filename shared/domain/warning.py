"""What a person should see. A warning never stops anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.domain.identity import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.domain.works_order import Json


class WarningKind(StrEnum):
    """Every kind of warning; the value is what the API and the reports show."""

    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_OPERATION = "unknown_operation"
    UNKNOWN_WORK_CENTRE = "unknown_work_centre"
    UNKNOWN_CODE = "unknown_code"
    UNKNOWN_UNIT = "unknown_unit"
    UNKNOWN_CONNECTION = "unknown_connection"
    OVER_COMPLETION = "over_completion"
    WRONG_SEQUENCE = "wrong_sequence"
    ORDER_CHANGED = "order_changed"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_VANISHED = "order_vanished"
    ROUTING_CHANGED = "routing_changed"
    CORRECTION_NOT_APPLIED = "correction_not_applied"
    CORRECTION_WAITS = "correction_waits"
    MESSAGE_PARKED = "message_parked"
    ERP_DIFFERS = "erp_differs"
    CONNECTION_HALTED = "connection_halted"
    RECORD_REJECTED = "record_rejected"
    POISON_MESSAGE = "poison_message"


class WarningState(StrEnum):
    """`resolved` by a person, or by itself when its cause is gone."""

    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801 - `Warning` is Python's own
    """One thing to see. The same (connection, kind, subject) is the same warning, seen again.

    `subject` is what it is about, exact; `detail` one sentence for a person; `evidence` small JSON, no secrets.
    """

    connection: str
    kind: WarningKind
    subject: str
    detail: str
    order_key: str = ""
    order_number: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)

    @property
    def warning_id(self) -> str:
        """Key of the warning, the same whenever it is raised again."""
        return key_of(self.connection, self.kind, self.subject)
