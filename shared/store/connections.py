"""State of each connection that outlives a worker: is it halted, when did it last work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, or_, select, update

from shared.store.tables import connection_state, stream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """`halted_until` in the future = nobody sends. `failures` counts halts in a row and stretches the next one."""

    connection: str
    halted_until: datetime | None
    halt_reason: str
    failures: int
    last_delivery_at: datetime | None
    last_pull_at: datetime | None
    last_pull_error: str


def ensure(connection: Connection, names: Iterable[str]) -> None:
    """Create the rows that configured connections need."""
    there = set(connection.scalars(select(connection_state.c.connection)))
    fresh = [{"connection": name, "failures": 0} for name in sorted(set(names) - there)]
    if fresh:
        connection.execute(insert(connection_state), fresh)


def load(connection: Connection) -> dict[str, ConnectionState]:
    """Read the state of every connection by name."""
    return {row["connection"]: _from(row) for row in connection.execute(select(connection_state)).mappings()}


def _from(row: Any) -> ConnectionState:  # noqa: ANN401 - a SQLAlchemy row mapping
    return ConnectionState(
        row["connection"],
        row["halted_until"],
        row["halt_reason"] or "",
        row["failures"],
        row["last_delivery_at"],
        row["last_pull_at"],
        row["last_pull_error"] or "",
    )


def halt(connection: Connection, name: str, until: datetime, reason: str, failures: int) -> None:
    """Halt the connection; its waiting streams come due when the halt ends."""
    changes = {"halted_until": until, "halt_reason": reason, "failures": failures}
    connection.execute(update(connection_state).values(changes).where(connection_state.c.connection == name))
    waiting = and_(stream.c.connection == name, stream.c.due_at.is_not(None), stream.c.lease_owner.is_(None))
    connection.execute(update(stream).values(due_at=until).where(waiting))


def resume(connection: Connection, name: str, due_at: datetime) -> bool:
    """Lift the halt after a success: what waits longer is due at `due_at`. False if it was not halted."""
    halted = or_(connection_state.c.halted_until.is_not(None), connection_state.c.failures > 0)
    changes = {"halted_until": None, "halt_reason": None, "failures": 0}
    statement = update(connection_state).values(changes).where(connection_state.c.connection == name, halted)
    if connection.execute(statement).rowcount == 0:
        return False
    waiting = and_(stream.c.connection == name, stream.c.due_at > due_at, stream.c.lease_owner.is_(None))
    connection.execute(update(stream).values(due_at=due_at, failures=0).where(waiting))
    return True


def still_halted(connection: Connection, names: Collection[str]) -> set[str]:
    """Return those of the connections that are halted, or being probed, for as long as this transaction lasts.

    The rows are written as they are, so that the end of a halt and who gives up because of it take turns.
    """
    mine = connection_state.c.connection.in_(names)
    connection.execute(update(connection_state).values(failures=connection_state.c.failures).where(mine))
    halted = select(connection_state.c.connection).where(mine, connection_state.c.halted_until.is_not(None))
    return set(connection.scalars(halted))


def claim_probe(connection: Connection, name: str, seen: datetime, until: datetime) -> bool:
    """Win the right to try first after a halt that ended at `seen`; the others wait on until `until`."""
    same = and_(connection_state.c.connection == name, connection_state.c.halted_until == seen)
    return connection.execute(update(connection_state).values(halted_until=until).where(same)).rowcount == 1


def waiting_streams(connection: Connection, name: str, now: datetime) -> list[str]:
    """Return the streams of connection `name` that are due and that nobody holds."""
    due = and_(stream.c.connection == name, stream.c.due_at <= now, stream.c.lease_owner.is_(None))
    return list(connection.scalars(select(stream.c.stream_key).where(due)))


def note_pull(connection: Connection, name: str, now: datetime, error: str) -> None:
    """Note the end of a pull: `error` "" = it went through."""
    changes: dict[str, Any] = {"last_pull_error": error}
    if not error:
        changes["last_pull_at"] = now
    connection.execute(update(connection_state).values(changes).where(connection_state.c.connection == name))
