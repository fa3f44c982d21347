"""The plan as the ERP states it: works orders and the routing each of them runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


class ErpState(StrEnum):
    """What the ERP says about an order, in our words."""

    RELEASED = "released"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a routing.

    `operation_id` is what the floor names in its events; unique in its order and kept as text ("0010").
    Standard times are seconds: `setup_seconds` per order, `run_seconds` per unit; None = the ERP has none.
    `erp_ref` holds what the ERP needs to be told again (its row id, say); opaque to everything but profiles.
    """

    operation_id: str
    position: int
    name: str
    work_centre: str
    setup_seconds: Decimal | None = None
    run_seconds: Decimal | None = None
    erp_ref: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class WorksOrder:
    """What to build, with the routing it runs. Quantities are in `unit`; instants are UTC."""

    number: str
    part: str
    quantity: Decimal
    unit: str
    erp_state: ErpState
    operations: tuple[Operation, ...]
    part_name: str = ""
    due_at: datetime | None = None
    erp_ref: Mapping[str, Json] = field(default_factory=dict)

    @cached_property
    def operation_ids(self) -> frozenset[str]:
        """What the floor may name in its events."""
        return frozenset(operation.operation_id for operation in self.operations)
