"""Deliver: work off one stream in sequence, under its lease, looking before sending whatever may have been sent.

A crash at any line loses nothing and doubles nothing: the intent is committed before the call and the outcome
after it, so the next worker finds either nothing sent, or something that may have been sent and is looked up.
What happens to one stream is told in `lane.py`; whether its connection takes messages at all, in `breaker.py`.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.errors import LeaseLost, QueueUnavailable
from shared.mapping.message_body import context_of, message_of, missing_for
from shared.queues.envelope import WAKE_QUEUE, wake_ups
from shared.queues.waker import Waker
from shared.store import lanes, orders, outcomes, warnings
from shared.store.group_commit import GroupCommit
from shared.store.outcomes import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from shared.domain.message import QueuedMessage
    from shared.domain.warning import Warning_
    from shared.domain.works_order import WorksOrder
    from shared.erp.port import Erp, Exempt, Missing, PlannedPush, PushContext
    from shared.flows.connected import ConnectedErp, ReferenceData
    from shared.flows.unrecorded import Unrecorded
    from shared.queues.sender import QueueSender
    from shared.store.engine import Store
    from shared.store.lanes import Backlog, Lease
    from shared.store.orders import StoredOrder
    from shared.store.outcomes import Recorded, Release

from shared.flows.breaker import Breaker
from shared.flows.lane import PAGE, Lane, Taken

log = logging.getLogger(__name__)

SAFE = 0.9  # of a lease; the rest is for clocks that differ


class Deliverer:
    """Delivers streams, many at once. What lanes record at the same time shares a transaction."""

    def __init__(
        self,
        store: Store,
        queues: QueueSender,
        erps: Mapping[str, ConnectedErp],
        references: ReferenceData,
        worker: str,
        lease: timedelta,
    ) -> None:
        self._store = store
        self._queues = queues
        self._erps = erps
        self._references = references
        self._worker = worker
        self._lease = lease
        self.safe_seconds = lease.total_seconds() * SAFE
        self._takes: GroupCommit[str, Taken | None] = GroupCommit(self._take)
        self._records: GroupCommit[tuple[Entry, Sequence[Warning_]], Recorded] = GroupCommit(self._record)
        self._waker = Waker(queues)
        self.breaker = Breaker(store, self._waker, erps, lease)
        self._calls = 0

    async def close(self) -> None:
        """Send what is still to be sent."""
        await self._waker.drain()

    async def deliver(self, stream_key: str) -> None:
        """Work off one stream as far as it goes. Returns at once when another worker is at it.

        Raises:
            StoreUnavailable: SQL cannot be reached; the lease expires by itself and the sweep comes back.
        """
        taken = await self._takes.submit(stream_key)
        if taken is None:
            return
        try:
            await Lane(self, taken).run()
        except LeaseLost as error:
            log.info("stream %s: %s", stream_key, error)

    async def _take(self, stream_keys: Sequence[str]) -> Sequence[Taken | None]:
        now, since = datetime.now(UTC), asyncio.get_running_loop().time()
        self._calls += 1
        owner = f"{self._worker}:{self._calls}"
        wanted = sorted(set(stream_keys))

        def work(tx: Connection) -> dict[str, Taken]:
            self._references.refresh(tx)
            self.breaker.refresh(tx, now)
            leases = lanes.take(tx, wanted, owner, now, now + self._lease)
            backlogs = lanes.backlog(tx, list(leases), PAGE)
            known = orders.load_orders(tx, list(leases))
            return {key: Taken(lease, since, backlogs[key], known.get(key)) for key, lease in leases.items()}

        taken = await self._store.write(work)
        return [taken.pop(key, None) for key in stream_keys]  # the same key twice: one lane, not two

    async def _record(self, entries: Sequence[tuple[Entry, Sequence[Warning_]]]) -> Sequence[Recorded]:
        now = datetime.now(UTC)

        def work(tx: Connection) -> list[Recorded]:
            fates = outcomes.record(tx, [entry for entry, _ in entries], self._worker, now)
            warnings.raise_warnings(tx, [warning for _, raised in entries for warning in raised], now)
            return fates

        return await self._store.write(work)

    async def record(
        self,
        lease: Lease,
        unrecorded: Unrecorded,
        intent: int | None = None,
        release: Release | None = None,
        carried: Sequence[int] = (),
        begins: str = "",
    ) -> Recorded:
        """Commit what a lane has done and what it is about to do. Raises LeaseLost."""
        entry = Entry(lease, None, unrecorded.outcomes, intent, unrecorded.attempts, release, carried, begins)
        fate = await self._records.submit((entry, unrecorded.warnings))
        unrecorded.clear()
        return fate

    async def renew(self, lease: Lease) -> None:
        """Prolong a lease to its full length from now on. Raises LeaseLost."""
        await self._records.submit((Entry(lease, datetime.now(UTC) + self._lease), ()))

    async def read_on(self, lease: Lease) -> Backlog:
        """Read what waits in a stream now."""
        now = datetime.now(UTC)

        def read(tx: Connection) -> Backlog:
            self.breaker.refresh(tx, now)
            return lanes.backlog(tx, [lease.stream_key], PAGE)[lease.stream_key]

        return await self._store.read(read)

    async def look_afresh(self, lease: Lease) -> StoredOrder | None:
        """Read links, and the order of a stream, as they are now."""

        def look(tx: Connection) -> StoredOrder | None:
            self._references.forget()
            self._references.refresh(tx)
            return orders.load_orders(tx, [lease.stream_key]).get(lease.stream_key)

        return await self._store.read(look)

    async def erp(self, name: str) -> Erp | None:
        """Return the ERP of connection `name`; None if no such connection is configured. Raises ConfigurationError."""
        connected = self._erps.get(name)
        return None if connected is None else await connected.erp()

    def missing(self, queued: QueuedMessage, plan: WorksOrder | None, connection: str) -> Missing | None:
        """Tell what must arrive before `queued` can be sent."""
        return missing_for(queued, plan, self._references.units(connection))

    def context(self, queued: QueuedMessage, plan: WorksOrder, connection: str) -> PushContext:
        """Gather what a push may draw on beside its message."""
        return context_of(queued, plan, self._references.known(connection).links)

    def planned(
        self, erp: Erp, queued: QueuedMessage, plan: WorksOrder, context: PushContext, connection: str
    ) -> PlannedPush | Missing | Exempt:
        """Translate `queued` for its ERP. Raises MappingError."""
        return erp.plan(message_of(queued, plan, self._references.units(connection)), context)

    async def wake(self, stream_keys: Sequence[str], delay: timedelta = timedelta(0)) -> None:
        """Put wake-ups on the queue; without the queue the sweep does it."""
        if not stream_keys:
            return
        try:
            await self._queues.send(WAKE_QUEUE, wake_ups(stream_keys), delay)
        except QueueUnavailable as error:
            log.warning("wake-ups not sent, the sweep will find the work: %s", error)
