"""Named leases for work that must run once however many instances there are, and the watermarks such work moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, or_, select, update

from shared.errors import LeaseLost
from shared.store.batch import Step, ask, later
from shared.store.tables import lease, watermark

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection


def take(connection: Connection, name: str, owner: str, now: datetime, until: datetime) -> int | None:
    """Take the lease `name` if it is free or has expired; return its fencing token, None if another holds it."""
    if connection.scalar(select(lease.c.name).where(lease.c.name == name)) is None:
        connection.execute(insert(lease).values(name=name, token=0))
    free = or_(lease.c.until.is_(None), lease.c.until < now)
    changes = {"owner": owner, "token": lease.c.token + 1, "until": until}
    if connection.execute(update(lease).values(changes).where(lease.c.name == name, free)).rowcount != 1:
        return None
    return connection.scalar(select(lease.c.token).where(lease.c.name == name))


def hold(connection: Connection, name: str, token: int, until: datetime) -> None:
    """Prolong the lease within the caller's transaction. Raises LeaseLost: roll back, somebody else is at it."""
    (rows,) = ask(connection, hold_step(connection, name, token, until))
    held(name, rows)


def hold_step(connection: Connection, name: str, token: int, until: datetime) -> Step:
    """Prolong the lease, and return what tells `held` whether it was still ours."""
    mine = (lease.c.name == name) & (lease.c.token == token)
    later(connection, Step(update(lease).values(until=until).where(mine), {}))
    return Step(select(lease.c.name).where(mine), {})


def held(name: str, rows: Iterable[Any]) -> None:
    """Look at the rows of `hold_step`. Raises LeaseLost."""
    if not list(rows):
        raise LeaseLost(f"lease {name!r} was taken over")


def release(connection: Connection, name: str, token: int) -> None:
    """Give the lease back, if it is still ours."""
    changes = {"owner": None, "until": None}
    connection.execute(update(lease).values(changes).where(lease.c.name == name, lease.c.token == token))


def read_watermark(connection: Connection, name: str, subject: str) -> str | None:
    """Return how far `subject` of connection `name` was read; None = never."""
    condition = (watermark.c.connection == name) & (watermark.c.subject == subject)
    return connection.scalar(select(watermark.c.value).where(condition))


def move_watermark(connection: Connection, name: str, subject: str, value: str, now: datetime) -> None:
    """Set the watermark, in the transaction that writes what was read up to it."""
    condition = (watermark.c.connection == name) & (watermark.c.subject == subject)
    if connection.execute(update(watermark).values(value=value, moved_at=now).where(condition)).rowcount == 0:
        connection.execute(
            insert(watermark).values(connection=name, subject=subject, value=value, moved_at=now)
        )


def forget_watermark(connection: Connection, name: str, subject: str) -> None:
    """Have the next pull read everything anew."""
    connection.execute(
        delete(watermark).where(watermark.c.connection == name, watermark.c.subject == subject)
    )
