"""Retain: evidence of deliveries is at hand for a while, then archived, then gone. Small bites: nobody waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from shared.store.retention import archive_attempts, forget_archived

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from shared.store.engine import Store
    from shared.store.retention import Bite

MANY = 1000


class Retained(NamedTuple):
    """How many attempts have gone into the archive, and how many out of it."""

    archived: int
    forgotten: int


async def retain(store: Store, at_hand: timedelta, archived: timedelta, many: int = MANY) -> Retained:
    """Archive settled attempts older than `at_hand`, drop archived ones older than `archived`; `many` a transaction.

    Raises:
        StoreUnavailable: what is done is done, the next time goes on.
    """
    now = datetime.now(UTC)
    moved = await _bites(store, lambda tx, after: archive_attempts(tx, now - at_hand, after, many, now))
    return Retained(
        moved, await _bites(store, lambda tx, after: forget_archived(tx, now - archived, after, many))
    )


async def _bites(store: Store, bite: Callable[[Connection, int], Bite]) -> int:
    """Take one bite after the other, each in a transaction of its own; return how many attempts that were."""
    done, last = 0, 0
    while True:
        taken = await store.write(lambda tx, after=last: bite(tx, after))  # type: ignore[misc]  # a default binds it now
        done += taken.many
        if taken.last is None:
            return done
        last = taken.last
