"""Execution events: immutable facts from the floor, each identified by (source, id).

Shapes as the floor sends them are in `functions/schemas.py`; here they are already parsed: quantities Decimal,
instants UTC, seconds Decimal.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class EventType(StrEnum):
    """The eight facts the floor can state."""

    OPERATION_STARTED = "operation.started"
    OPERATION_PAUSED = "operation.paused"
    OPERATION_RESUMED = "operation.resumed"
    OPERATION_COMPLETED = "operation.completed"
    PRODUCTION_REPORTED = "production.reported"
    UNIT_COMPLETED = "unit.completed"
    TIME_RECORDED = "time.recorded"
    CORRECTION = "correction"


class Outcome(StrEnum):
    """Result of a check or of a unit."""

    PASS = "pass"  # noqa: S105 - a test result, not a password
    FAIL = "fail"


class TimeKind(StrEnum):
    """What the time was spent on; standards exist for both."""

    SETUP = "setup"
    RUN = "run"


ZERO = Decimal(0)


class ExecutionEvent(NamedTuple):
    """One fact. Fields a type does not use keep their defaults.

    A tuple, because they come by the thousand: it is made and laid out as a row in a fraction of the time.

    `occurred_at` is when it happened; when we recorded it is the store's business. `operation_id` "" means the
    order as a whole. `voids` is the event key that a correction takes back. `outcome` of a failed unit together
    with `rework`/`scrap` says what becomes of the unit.
    """

    key: str
    source: str
    event_id: str
    type: EventType
    connection: str
    order_number: str
    order_key: str
    operation_id: str
    occurred_at: datetime
    work_centre: str = ""
    operator: str = ""
    unit: str = ""
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO
    scrap_reason: str = ""
    rework_reason: str = ""
    outcome: Outcome | None = None
    serials: tuple[str, ...] = ()
    batch: str = ""
    time_kind: TimeKind | None = None
    seconds: Decimal = ZERO
    voids: str = ""
    reason: str = ""
