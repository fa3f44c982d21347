"""Intake: every acknowledged event is on disk or on the queue; only when both are away the floor must send again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.domain.queue_names import FLOOR_QUEUE
from shared.domain.receipt import Disposition, Receipt
from shared.errors import StoreUnavailable
from shared.queues.envelope import floor_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shared.domain.events import ExecutionEvent
    from shared.flows.receive import Receiver
    from shared.queues.sender import QueueSender

log = logging.getLogger(__name__)


class Intake:
    """Takes events in, whichever of SQL and the queue is there."""

    def __init__(self, receiver: Receiver, queues: QueueSender) -> None:
        self._receiver = receiver
        self._queues = queues

    async def take_in(
        self, events: Sequence[ExecutionEvent], packed: Callable[[], Iterable[bytes]]
    ) -> Sequence[Receipt]:
        """Record `events`, or buffer them while SQL is away: `packed` gives them as JSON, in the same order.

        Raises:
            QueueUnavailable: SQL and the queue are both away; nothing was acknowledged, sending again is safe.
        """
        try:
            return await self._receiver.receive(events)
        except StoreUnavailable as error:
            log.warning("buffering %d events: %s", len(events), error)
        await self._queues.send(FLOOR_QUEUE, floor_batches(packed(), datetime.now(UTC).isoformat()))
        return [Receipt(Disposition.BUFFERED)] * len(events)
