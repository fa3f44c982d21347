"""What the translation of a message draws on, and what keeps a message from being translated. Values, no rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.domain.works_order import Json


@dataclass(frozen=True, slots=True)
class PushContext:
    """What a push may draw on beside its message: the order and operation as the ERP knows them.

    `order` and `operation` carry `number`/`operation_id`, `part`, `unit`, ... and `erp_ref`; `links` translates our
    codes ("scrap_reason" -> {"S1": "SCR-01"}). `operation` is empty for order-level messages.
    """

    order: Mapping[str, Json]
    operation: Mapping[str, Json]
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """The push cannot be made yet: `value` of `kind` ("operation", "work_centre", "scrap_reason", ...) is unknown."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Exempt:
    """The profile says that this ERP has no place for the fact, and why."""

    reason: str
