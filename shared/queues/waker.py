"""Wakes streams without keeping anybody waiting: what the floor is told must not depend on the queue."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.domain.queue_names import WAKE_QUEUE
from shared.errors import QueueUnavailable
from shared.queues.envelope import wake_ups

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.queues.sender import QueueSender

log = logging.getLogger(__name__)


class Waker:
    """Sends wake-ups in the background; a stream that waits to be woken is woken once."""

    def __init__(self, queues: QueueSender) -> None:
        self._queues = queues
        self._waiting: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def wake(self, stream_keys: Iterable[str]) -> None:
        """Have the streams woken soon. What cannot be sent is left to the sweep, which finds it in SQL."""
        self._waiting.update(dict.fromkeys(stream_keys))
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            keys = list(self._waiting)
            self._waiting.clear()
            try:
                await self._queues.send(WAKE_QUEUE, wake_ups(keys))
            except QueueUnavailable as error:
                log.warning("%d wake-ups not sent, the sweep will find the work: %s", len(keys), error)

    async def drain(self) -> None:
        """Wait until everything is sent; for an orderly end."""
        if self._task is not None:
            await self._task
