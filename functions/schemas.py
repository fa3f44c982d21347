"""The shapes the floor sends, validated; the OpenAPI document is made from the same models.

An event is plain JSON, or CloudEvents 1.0 JSON (structured) with the order's fields inside `data`.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
)

from functions.problems import WITHOUT_NUL
from functions.shape import Moment, Shape, validated
from shared.domain.events import EventType, ExecutionEvent, Outcome, TimeKind
from shared.domain.identity import event_key, order_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

Ident = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL)]
OptionalIdent = Annotated[str, StringConstraints(max_length=200, pattern=WITHOUT_NUL)]
LONGEST = 366 * 24 * 60 * 60  # what took longer was said in another unit
# Three digits less than a total may have: sums of what is accepted can be stored.
Quantity = Annotated[
    Decimal,
    Field(
        ge=0, max_digits=16, decimal_places=6, description="exact; text ('2.5') or number", examples=["2.5"]
    ),
]
Seconds = Annotated[
    Decimal,
    Field(ge=0, le=LONGEST, decimal_places=6, description="seconds, at most a year", examples=["754.5"]),
]
ZERO = Decimal(0)
PREFIX = "com.tascus."


class Payload(Shape):
    """Base of every shape: what a door does not know is left aside, so newer floors can talk to older doors."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=False)


class Remark(Payload):
    """Details of an operation event."""

    reason: Annotated[str, StringConstraints(max_length=400, pattern=WITHOUT_NUL)] = ""


class Production(Payload):
    """Quantities made since the last report, never running totals."""

    good: Quantity = ZERO
    scrap: Quantity = ZERO
    rework: Quantity = ZERO
    unit: Annotated[str, StringConstraints(max_length=50, pattern=WITHOUT_NUL)] = Field(
        default="", description="empty: the order's unit"
    )
    scrap_reason: OptionalIdent = ""
    rework_reason: OptionalIdent = ""
    outcome: Outcome | None = None
    serials: Annotated[tuple[Ident, ...], Field(max_length=1000)] = ()
    batch: OptionalIdent = ""


class Unit(Payload):
    """One unit has passed or failed."""

    serial: OptionalIdent = ""
    outcome: Outcome
    seconds: Seconds = ZERO
    disposition: Literal["rework", "scrap"] = Field(
        default="rework", description="what becomes of a failed unit"
    )
    reason_code: OptionalIdent = ""
    batch: OptionalIdent = ""


class Time(Payload):
    """Time spent on the operation."""

    kind: TimeKind = TimeKind.RUN
    seconds: Annotated[Seconds, Field(gt=0)]


class Voided(Payload):
    """The event that is taken back; `source` empty = the same source as the correction's own."""

    id: Ident
    source: OptionalIdent = ""
    reason: Annotated[str, StringConstraints(max_length=400, pattern=WITHOUT_NUL)] = ""


class Envelope(Payload):
    """What every event carries."""

    source: Ident = Field(description="who says it: a line, a station; with `id` it identifies the event")
    id: Ident
    time: Moment = Field(
        description="when it happened, RFC 3339 with offset", examples=["2026-11-23T06:00:00Z"]
    )
    order: Ident = Field(description="works order number, exactly as the ERP has it")
    operation: OptionalIdent = Field(default="", description="operation id; empty = the order as a whole")
    work_centre: OptionalIdent = ""
    operator: OptionalIdent = ""
    connection: Annotated[str, StringConstraints(max_length=100, pattern=WITHOUT_NUL)] = Field(
        default="", description="empty = the default"
    )


class OperationEvent(Envelope):
    """An operation starts, pauses, goes on or is finished."""

    type: Literal[
        EventType.OPERATION_STARTED,
        EventType.OPERATION_PAUSED,
        EventType.OPERATION_RESUMED,
        EventType.OPERATION_COMPLETED,
    ]
    data: Remark = Field(default_factory=Remark)


class ProductionEvent(Envelope):
    """Quantities were made."""

    type: Literal[EventType.PRODUCTION_REPORTED]
    data: Production


class UnitEvent(Envelope):
    """One unit is through."""

    type: Literal[EventType.UNIT_COMPLETED]
    data: Unit


class TimeEvent(Envelope):
    """Time was spent."""

    type: Literal[EventType.TIME_RECORDED]
    data: Time


class CorrectionEvent(Envelope):
    """An earlier event was wrong; it is taken back as a whole. What is right is stated as a new event."""

    type: Literal[EventType.CORRECTION]
    data: Voided


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Lay a CloudEvents envelope out like a plain event: the order's fields move up out of `data`."""
    if not isinstance(value, dict):
        return value
    stated = value.get("type")
    if isinstance(stated, str) and stated.startswith(PREFIX):
        value = {**value, "type": stated.removeprefix(PREFIX)}
    data = value.get("data")
    if "specversion" in value and isinstance(data, dict):
        raised = {
            key: data[key]
            for key in ("order", "operation", "work_centre", "operator", "connection")
            if key in data
        }
        value = {**value, **raised}
    return value


type AnyEvent = OperationEvent | ProductionEvent | UnitEvent | TimeEvent | CorrectionEvent
type ByType = Annotated[AnyEvent, Field(discriminator="type")]
type OneOrMany = ByType | Annotated[list[ByType], Field(min_length=1)]


def read_event(stated: Any) -> AnyEvent:  # noqa: ANN401 - any JSON
    """Validate one event. Raises NotValid."""
    return validated(_one(), stated)


def read_events(stated: list[Any]) -> list[AnyEvent]:
    """Validate a batch in one go. Raises NotValid if any event is not."""
    return validated(_many(), stated)


def as_json(stated: AnyEvent) -> bytes:
    """Lay an event out as it may be read again: what was stated and is known, nothing else."""
    return stated.model_dump_json(exclude_unset=True).encode()


@cache
def _one() -> TypeAdapter[AnyEvent]:
    return TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])


@cache
def _many() -> TypeAdapter[list[AnyEvent]]:
    return TypeAdapter(list[Annotated[AnyEvent, Field(discriminator="type")]])


type Common = tuple[str, str, str, EventType, str, str, str, str, datetime, str, str]


def execution_event(stated: AnyEvent, default_connection: str) -> ExecutionEvent:
    """Turn a validated event into the fact it states. Instants become UTC, to the millisecond."""
    connection = stated.connection or default_connection
    at = stated.time
    common = (
        event_key(stated.source, stated.id),
        stated.source,
        stated.id,
        EventType(stated.type),
        connection,
        stated.order,
        order_key(connection, stated.order),
        stated.operation,
        at.replace(microsecond=at.microsecond // 1000 * 1000) if at.microsecond else at,
        stated.work_centre,
        stated.operator,
    )
    return DETAILS[type(stated)](stated, common)


def _operation(stated: OperationEvent, common: Common) -> ExecutionEvent:
    return ExecutionEvent(*common, reason=stated.data.reason)


def _production(stated: ProductionEvent, common: Common) -> ExecutionEvent:
    data = stated.data
    return ExecutionEvent(
        *common,
        unit=data.unit,
        good=data.good,
        scrap=data.scrap,
        rework=data.rework,
        scrap_reason=data.scrap_reason,
        rework_reason=data.rework_reason,
        outcome=data.outcome,
        serials=data.serials,
        batch=data.batch,
    )


def _unit(stated: UnitEvent, common: Common) -> ExecutionEvent:
    data = stated.data
    passed = data.outcome is Outcome.PASS
    scrapped = not passed and data.disposition == "scrap"
    one = Decimal(1)
    return ExecutionEvent(
        *common,
        good=one if passed else ZERO,
        scrap=one if scrapped else ZERO,
        rework=one if not passed and not scrapped else ZERO,
        scrap_reason=data.reason_code if scrapped else "",
        rework_reason=data.reason_code if not passed and not scrapped else "",
        outcome=data.outcome,
        serials=(data.serial,) if data.serial else (),
        batch=data.batch,
        time_kind=TimeKind.RUN,
        seconds=data.seconds,
    )


def _time(stated: TimeEvent, common: Common) -> ExecutionEvent:
    return ExecutionEvent(*common, time_kind=stated.data.kind, seconds=stated.data.seconds)


def _correction(stated: CorrectionEvent, common: Common) -> ExecutionEvent:
    target = event_key(stated.data.source or stated.source, stated.data.id)
    return ExecutionEvent(*common, voids=target, reason=stated.data.reason)


DETAILS: dict[type, Callable[[Any, Common], ExecutionEvent]] = {
    OperationEvent: _operation,
    ProductionEvent: _production,
    UnitEvent: _unit,
    TimeEvent: _time,
    CorrectionEvent: _correction,
}
