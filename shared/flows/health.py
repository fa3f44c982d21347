"""Health: can this instance take events, and what else should a person on duty know."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Connection

from shared.errors import QueueUnavailable, StoreUnavailable
from shared.queues.envelope import WAKE_QUEUE
from shared.queues.sender import QueueSender
from shared.store import connections, schema
from shared.store.connections import ConnectionState
from shared.store.engine import Store


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


async def readiness(store: Store, queues: QueueSender, configured: Sequence[str]) -> Health:
    """Ask SQL and the queue; never raises for either being away."""
    reasons: list[str] = []
    states: dict[str, ConnectionState] = {}
    try:
        states, fault = await store.read(lambda tx: _look(store, tx))
        reasons += [fault] if fault else []
    except StoreUnavailable:
        reasons.append("SQL cannot be reached: events are buffered on the queue")
    try:
        await queues.depth(WAKE_QUEUE)
    except QueueUnavailable:
        reasons.append("the storage queue cannot be reached: the sweep delivers what is recorded")
    now = datetime.now(UTC)
    status = (Readiness.READY, Readiness.DEGRADED, Readiness.UNAVAILABLE)[len(reasons)]
    return Health(status, reasons, [_health(states[name], now) for name in configured if name in states])


def _look(store: Store, tx: Connection) -> tuple[dict[str, ConnectionState], str]:
    found = schema.current(store.engine)
    if found != schema.NEWEST:
        return {}, f"the schema is at {found}, this code needs {schema.NEWEST}"
    return connections.load(tx), ""


def _health(state: ConnectionState, now: datetime) -> ConnectionHealth:
    until = state.halted_until
    return ConnectionHealth(
        connection=state.connection,
        halted=until is not None and until > now,
        halted_until=until,
        last_pull_at=state.last_pull_at,
        last_pull_failed=bool(state.last_pull_error),
        last_delivery_at=state.last_delivery_at,
    )
