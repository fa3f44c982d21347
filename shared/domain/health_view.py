"""Health as readers see it. The OpenAPI document is made from these shapes, so their types are real imports."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Readiness(StrEnum):
    """Events are taken while SQL or the queue works: each stands in for the other."""

    READY = "ready"
    DEGRADED = "degraded"  # events are taken; one of the two is away
    UNAVAILABLE = "unavailable"  # events must be sent again


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """One connection. A halted one takes nothing now; its messages wait and nothing is lost."""

    connection: str
    halted: bool
    halted_until: datetime | None
    last_pull_at: datetime | None
    last_pull_failed: bool
    last_delivery_at: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """`reasons` say what is away. An ERP that is away is shown, and is no reason: the floor goes on."""

    status: Readiness
    reasons: list[str]
    connections: list[ConnectionHealth]
