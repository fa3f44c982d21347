"""What a set of events adds up to. The sum does not depend on the order in which the events arrive.

Quantities and seconds are plain sums; the start is the earliest instant; the status is what the *latest*
life-cycle event says, by the time it happened. So a late event lands where it belongs, and folding one by one,
in batches or all over again gives the same state (tests/unit/test_state.py shuffles them).

Quantities in a unit other than the order's are summed by unit, unconverted. What they are in the order's unit depends
on the plan and on the unit links, which may arrive or change at any time; so that is worked out when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.domain.events import ZERO, EventType, ExecutionEvent, Outcome, TimeKind
from shared.domain.units import Made, in_order_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from shared.domain.units import UnitLinks


class Status(StrEnum):
    """State of an operation or of a whole order on the floor."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    COMPLETED = "completed"


# At one and the same instant the later of these wins: who starts and completes at 10:00 has completed.
LIFE_CYCLE = (
    EventType.OPERATION_STARTED,
    EventType.OPERATION_RESUMED,
    EventType.OPERATION_PAUSED,
    EventType.OPERATION_COMPLETED,
)
RANK = {event_type: rank for rank, event_type in enumerate(LIFE_CYCLE)}
STATUS_AFTER = (Status.IN_PROGRESS, Status.IN_PROGRESS, Status.PAUSED, Status.COMPLETED)


@dataclass(slots=True)
class OperationState:
    """Running total of one operation ("" = the order as a whole). Grows by `add`; starts empty.

    `good`, `scrap` and `rework` are what was reported in the order's own unit: by its name, or without any. `named` has
    the rest by unit, and all that names one before the plan has arrived.
    `last_at`, `last_rank` and `last_event` name the latest life-cycle event; the pair of instants is None
    until something happened.
    """

    operation_id: str
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO
    setup_seconds: Decimal = ZERO
    run_seconds: Decimal = ZERO
    units_passed: int = 0
    units_failed: int = 0
    started_at: datetime | None = None
    last_at: datetime | None = None
    last_rank: int = -1
    last_event: str = ""
    named: dict[str, Made] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """Status by the latest life-cycle event; work without any means that it is under way."""
        if self.last_at is not None:
            return STATUS_AFTER[self.last_rank]
        return Status.IN_PROGRESS if self.started_at is not None else Status.NOT_STARTED

    @property
    def completed_at(self) -> datetime | None:
        """When it was completed; None while it is not."""
        return self.last_at if self.status is Status.COMPLETED else None

    def made(self, order_unit: str | None, units: UnitLinks) -> tuple[Made, dict[str, Made]]:
        """Return what was made in the order's unit, and what is left out of that for want of a factor, by unit."""
        return in_order_unit(Made(self.good, self.scrap, self.rework), self.named, order_unit, units)

    def add(self, event: ExecutionEvent, order_unit: str = "") -> None:
        """Count one event of an order in `order_unit` ("": not known yet).

        Corrections count nothing: they decide which events are counted at all.
        """
        kind = event.type
        if kind is EventType.CORRECTION:
            return
        if self.started_at is None or event.occurred_at < self.started_at:
            self.started_at = event.occurred_at
        rank = RANK.get(kind)
        if rank is not None:
            self._advance(event, rank)
            return
        self._count(event, order_unit)

    def _advance(self, event: ExecutionEvent, rank: int) -> None:
        if self.last_at is None or (event.occurred_at, rank, event.key) > (
            self.last_at,
            self.last_rank,
            self.last_event,
        ):
            self.last_at, self.last_rank, self.last_event = event.occurred_at, rank, event.key

    def _count(self, event: ExecutionEvent, order_unit: str) -> None:
        if event.unit and event.unit != order_unit:
            self._count_named(event)
        else:
            self.good += event.good
            self.scrap += event.scrap
            self.rework += event.rework
        if event.seconds:
            if event.time_kind is TimeKind.SETUP:
                self.setup_seconds += event.seconds
            else:
                self.run_seconds += event.seconds
        if event.outcome is not None:
            units = len(event.serials) or 1
            if event.outcome is Outcome.PASS:
                self.units_passed += units
            else:
                self.units_failed += units

    def _count_named(self, event: ExecutionEvent) -> None:
        if event.good or event.scrap or event.rework:
            before = self.named.get(event.unit, NOTHING)
            self.named[event.unit] = before.plus(event.good, event.scrap, event.rework)


NOTHING = Made()


def voided_keys(events: Iterable[ExecutionEvent]) -> set[str]:
    """Keys of the events that corrections among `events` take back."""
    return {event.voids for event in events if event.type is EventType.CORRECTION}


def fold(events: Iterable[ExecutionEvent], order_unit: str = "") -> dict[str, OperationState]:
    """Add up all events of one works order, by operation id. Pure; any order of `events` gives the same.

    A correction of a correction takes nothing back: who corrected wrongly states the fact anew.
    """
    events = list({event.key: event for event in events}.values())
    void = voided_keys(events)
    states: dict[str, OperationState] = {}
    for event in events:
        if event.type is EventType.CORRECTION or event.key in void:
            continue
        states.setdefault(event.operation_id, OperationState(event.operation_id)).add(event, order_unit)
    return states


def order_status(states: Mapping[str, OperationState], planned: Iterable[str]) -> Status:
    """Status of the whole order: complete when every planned operation is, or when the floor says so of the order."""
    whole = states.get("")
    if whole is not None and whole.last_at is not None and whole.status is Status.COMPLETED:
        return Status.COMPLETED
    ids = list(planned)
    if ids and all(op in states and states[op].status is Status.COMPLETED for op in ids):
        return Status.COMPLETED
    begun = any(state.status is not Status.NOT_STARTED for state in states.values())
    return Status.IN_PROGRESS if begun else Status.NOT_STARTED
