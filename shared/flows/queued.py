"""Queued: what comes off the queues. Wake-ups are delivered, buffered events recorded, poison becomes a warning."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.domain.identity import key_of
from shared.domain.queue_names import FLOOR_QUEUE
from shared.domain.warning import Warning_, WarningKind
from shared.errors import MappingError, StoreUnavailable
from shared.queues.envelope import floor_events_of, streams_of
from shared.store import floor, warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from shared.domain.events import ExecutionEvent
    from shared.flows.deliver import Deliverer
    from shared.flows.receive import Receiver
    from shared.queues.sender import QueueSender
    from shared.store.engine import Store

    type Read = Callable[[list[Any]], tuple[Sequence[ExecutionEvent], Mapping[int, Any]]]

log = logging.getLogger(__name__)

LATER = timedelta(seconds=15)


class Queued:
    """Handles queue messages. A failure that has a name is not raised: the platform would try again at once."""

    def __init__(
        self, store: Store, queues: QueueSender, receiver: Receiver, deliverer: Deliverer, connection: str
    ) -> None:
        """`connection` is where a warning belongs that no connection can be told of."""
        self._store = store
        self._queues = queues
        self._receiver = receiver
        self._deliverer = deliverer
        self._connection = connection

    async def deliver(self, text: str | bytes) -> None:
        """Work off the streams that a wake-up names. Raises MappingError when the text is no wake-up."""
        streams = streams_of(text)
        ends = await asyncio.gather(*map(self._deliverer.deliver, streams), return_exceptions=True)
        for end in ends:
            if isinstance(end, StoreUnavailable):
                log.warning("not delivered now, the sweep comes back: %s", end)
            elif isinstance(end, BaseException):
                raise end

    async def record(self, text: str, read: Read) -> None:
        """Record events that were buffered while SQL was away; while it still is, they wait on.

        `read` makes events of JSON; what is wrong with some it returns by their place.

        Raises:
            MappingError: some are not valid. They were when they were acknowledged: a defect, to be seen as poison,
                not dropped.
            QueueUnavailable: SQL and the queue are both away; the platform keeps the message and tries again.
        """
        events, faults = read(floor_events_of(text))
        try:
            await self._receiver.receive(events)
        except StoreUnavailable:
            await self._queues.send(FLOOR_QUEUE, [text], LATER)
            return
        if faults:
            raise MappingError(f"{len(faults)} buffered events are not valid: {faults}")

    async def show_poison(self, queue: str, text: str) -> None:
        """Show a message no handler could take as a warning with its text; a stream it names is woken again.

        Raises StoreUnavailable: the platform keeps it and tries again.
        """
        now = datetime.now(UTC)
        warning = _poison(self._connection, queue, text)

        def work(tx: Connection) -> None:
            warnings.raise_warnings(tx, [warning], now)
            floor.wake(tx, streams_named(text), now)

        await self._store.write(work)


def _poison(connection: str, queue: str, text: str) -> Warning_:
    subject = f"{queue}:{key_of(text)}"
    detail = (
        f"a message on queue {queue!r} failed again and again and was taken out; its text is kept as evidence"
    )
    evidence = {"queue": queue, "text": text}
    return Warning_(connection, WarningKind.POISON_MESSAGE, subject, detail, evidence=evidence)


def streams_named(text: str) -> list[str]:
    """Return the streams a wake-up names; none if the text is no wake-up."""
    try:
        return streams_of(text)
    except MappingError:
        return []
