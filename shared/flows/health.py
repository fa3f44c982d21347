"""Health: can this instance take events, and what else should a person on duty know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.domain.health_view import ConnectionHealth, Health, Readiness
from shared.domain.queue_names import WAKE_QUEUE
from shared.errors import QueueUnavailable, StoreUnavailable
from shared.store import connections, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from shared.queues.sender import QueueSender
    from shared.store.connections import ConnectionState
    from shared.store.engine import Store


class HealthCheck:
    """Asks what this instance stands on, and what it knows of the ERPs."""

    def __init__(self, store: Store, queues: QueueSender, configured: Sequence[str]) -> None:
        self._store = store
        self._queues = queues
        self._configured = configured

    async def readiness(self) -> Health:
        """Ask SQL and the queue; never raises for either being away."""
        reasons: list[str] = []
        states: dict[str, ConnectionState] = {}
        try:
            states, fault = await self._store.read(lambda tx: _look(self._store, tx))
            reasons += [fault] if fault else []
        except StoreUnavailable:
            reasons.append("SQL cannot be reached: events are buffered on the queue")
        try:
            await self._queues.depth(WAKE_QUEUE)
        except QueueUnavailable:
            reasons.append("the storage queue cannot be reached: the sweep delivers what is recorded")
        now = datetime.now(UTC)
        status = (Readiness.READY, Readiness.DEGRADED, Readiness.UNAVAILABLE)[len(reasons)]
        known = [states[name] for name in self._configured if name in states]
        return Health(status, reasons, [_health(state, now) for state in known])


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
