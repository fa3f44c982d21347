"""Works orders as readers see them: the ERP's plan and the floor's progress side by side.

The OpenAPI document is made from these shapes, so their types are real imports.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.domain.state import Status
from shared.domain.warning_view import WarningLine
from shared.domain.works_order import ErpState


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One works order. `quantity` is planned; `good` and `scrap` count the output of the last operation.

    Both are in the order's `unit`. What was reported in a unit that no link converts to that is left out of them:
    `unlinked_units` names those units, of all operations.
    What the ERP has not told (yet) is null. `proposed` maps each field of a change in mid-flight, which waits
    for a person, to its value before and after.
    """

    number: str
    connection: str
    status: Status
    started_at: datetime | None
    part: str | None = None
    part_name: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    due_at: datetime | None = None
    erp_state: ErpState | None = None
    vanished_at: datetime | None = None
    good: Decimal | None = None
    scrap: Decimal | None = None
    proposed: dict[str, Any] | None = None
    unlinked_units: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UnlinkedQuantity:
    """What was reported in a unit that no link converts to the order's: it counts when it is linked."""

    unit: str
    good: Decimal
    scrap: Decimal
    rework: Decimal


@dataclass(frozen=True, slots=True)
class OperationLine:
    """One operation: its standard times in the plan (setup per order, run per unit), and what the floor did.

    `planned` false = the floor works on it, but the routing has no such operation. All times are seconds.
    Quantities are in the order's unit; what cannot be converted to it (yet) is left out of them, and `unlinked`.
    """

    operation_id: str
    planned: bool
    position: int | None
    name: str | None
    work_centre: str | None
    standard_setup_seconds: Decimal | None
    standard_run_seconds: Decimal | None
    status: Status
    good: Decimal
    scrap: Decimal
    rework: Decimal
    setup_seconds: Decimal
    run_seconds: Decimal
    units_passed: int
    units_failed: int
    started_at: datetime | None
    completed_at: datetime | None
    unlinked: list[UnlinkedQuantity]


@dataclass(frozen=True, slots=True)
class StreamLine:
    """The messages of an order that are on their way: how many wait, and who is at them until when."""

    pending: int
    held: int
    parked: int
    due_at: datetime | None
    failures: int
    lease_owner: str | None
    lease_until: datetime | None


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """An order with its operations in routing sequence, its open warnings, and its stream (null: nothing happened)."""

    order: OrderLine
    operations: list[OperationLine]
    warnings: list[WarningLine]
    stream: StreamLine | None


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list; None = any. `prefix` is how the number begins."""

    connection: str | None = None
    status: Status | None = None
    erp_state: ErpState | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class NotOne:
    """A number that names no order (no connection has it), or an order on each of several connections."""

    connections: tuple[str, ...]
