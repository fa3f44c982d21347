"""Sweep: whatever is due and was not delivered is woken again. A lost wake-up costs seconds, nothing else."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.queue_names import WAKE_QUEUE
from shared.errors import QueueUnavailable
from shared.queues.envelope import wake_ups
from shared.store import lanes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from shared.flows.deliver import Deliverer
    from shared.queues.sender import QueueSender
    from shared.store.engine import Store

log = logging.getLogger(__name__)

MANY = 1000
LOOK_AGAIN = timedelta(seconds=20)
HANDS = 16  # streams delivered at once when the queue is away and the sweep does it itself


async def sweep(store: Store, queues: QueueSender, deliverer: Deliverer) -> int:
    """Wake every stream that is due; deliver them here if the queue cannot be reached. Returns how many.

    Raises:
        StoreUnavailable: SQL is away too; the next sweep tries again.
    """
    now = datetime.now(UTC)
    due = await store.write(lambda tx: _due(tx, now))
    if not due:
        return 0
    try:
        await queues.send(WAKE_QUEUE, wake_ups(due))
    except QueueUnavailable as error:
        log.warning("the sweep delivers %d streams itself: %s", len(due), error)
        await _deliver_all(deliverer, due)
    return len(due)


def _due(tx: Connection, now: datetime) -> list[str]:
    due = lanes.due_streams(tx, now, MANY)
    if due:
        lanes.postpone(tx, due, now + LOOK_AGAIN)
    return due


async def _deliver_all(deliverer: Deliverer, due: Sequence[str]) -> None:
    hands = asyncio.Semaphore(HANDS)

    async def one(key: str) -> None:
        async with hands:
            await deliverer.deliver(key)

    await asyncio.gather(*(one(key) for key in due))
