"""Retain: evidence of deliveries is kept while somebody may ask, and then no longer. Small bites: nobody waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.store.retention import forget_attempts

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from shared.store.engine import Store
    from shared.store.retention import Forgotten

MANY = 1000


async def retain(store: Store, before: datetime, many: int = MANY) -> int:
    """Delete attempts from before `before` whose messages are settled, `many` to a transaction; return how many.

    Raises:
        StoreUnavailable: the next time goes on where this one ended.
    """
    gone, last = 0, 0
    while True:

        def bite(tx: Connection, after: int = last) -> Forgotten:
            return forget_attempts(tx, before, after, many)

        forgotten = await store.write(bite)
        gone += forgotten.many
        if forgotten.last is None:
            return gone
        last = forgotten.last
