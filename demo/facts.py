"""What the demo's floor is made of: orders, jobs, what is posted, and what was really made. Frozen, or a ledger."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

ZERO = Decimal(0)
Event = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One step of a routing as pulled; `station` is its work centre."""

    id: str
    name: str
    station: str


@dataclass(frozen=True)
class Order:
    """A released works order as pulled, its operations in sequence."""

    number: str
    part: str
    quantity: Decimal
    unit: str
    operations: tuple[Operation, ...]


class Act(IntEnum):
    """The parts of the story; a job belongs to the one in which it begins."""

    FIRST_HALF = 0
    OUTAGE = 1
    SECOND_HALF = 2


@dataclass(frozen=True)
class Post:
    """One request of a station: its events and, of these, how many are new, known already, or to be refused."""

    events: tuple[Event, ...]
    recorded: int = 0
    duplicates: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Job:
    """One operation of one order at one station, or a part of one. `after` names the job it waits for."""

    name: str
    order: str
    station: str
    act: Act
    begins: datetime
    posts: tuple[Post, ...]
    after: str = ""


class Reached(StrEnum):
    """How far the floor has come with an order or an operation."""

    NOT_STARTED = "not started"
    RUNNING = "in progress"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass
class OperationMade:
    """The truth about one operation: seconds of set-up and run, and how far it has come."""

    seconds: Decimal = ZERO
    reached: Reached = Reached.NOT_STARTED


@dataclass
class Made:
    """The truth about one order, noted by who did the work, not read off any event.

    `good` is what the last operation made; `scrap` and `rework` are of every operation; `lots` are the serial and
    batch numbers of what was made, one a receipt. Quantities are in the order's unit.
    """

    number: str
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO
    lots: list[str] = field(default_factory=list)
    reached: Reached = Reached.NOT_STARTED
    operations: dict[str, OperationMade] = field(default_factory=dict)

    @property
    def seconds(self) -> Decimal:
        """All time spent on the order."""
        return sum((operation.seconds for operation in self.operations.values()), ZERO)
