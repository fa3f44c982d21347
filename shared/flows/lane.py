"""A lane: one leased stream while it is being worked off, message by message, in sequence."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.combine import combine
from shared.domain.message import Progress
from shared.domain.stream_rules import barred_by, in_vain, retry_wait
from shared.domain.verdict import Decision, Verdict
from shared.erp.port import Exempt, Missing, PlannedPush
from shared.errors import (
    ConfigurationError,
    IntegrationError,
    LeaseLost,
    MappingError,
    StoreUnavailable,
)
from shared.flows.heartbeat import Heartbeat
from shared.flows.unrecorded import PARKED, Unrecorded
from shared.store.outcomes import Recorded, Release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.domain.combine import Told
    from shared.domain.message import QueuedMessage
    from shared.domain.works_order import WorksOrder
    from shared.erp.port import Advance, Erp, PushContext
    from shared.flows.deliver import Deliverer
    from shared.store.lanes import Backlog, Lease
    from shared.store.orders import StoredOrder

PAGE = 50  # messages read at a time
LONGEST_RUN = timedelta(minutes=4)  # then the stream is given back, well before the host's time-out
MOST_STEPS = 1000  # of one message in a row; nothing honest has so many
HELD_LOOK = timedelta(minutes=2)  # what was missing wakes the held; this covers both crossing


@dataclass(frozen=True, slots=True)
class Taken:
    """A stream just leased, with what waits in it.

    `since` is the event loop's time of the lease, `order` what the stream is about (None: not known yet).
    """

    lease: Lease
    since: float
    backlog: Backlog
    order: StoredOrder | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a lane ends before its stream is empty, and when to come back.

    `rests`: not before, whoever wakes the stream. `halted`: because its connection takes nothing now.
    """

    due_at: datetime | None
    failures: int = 0
    wake_after: timedelta | None = None
    rests: bool = False
    halted: bool = False


EMPTY = Stop(None)
AGAIN = Stop(None)  # what is to be told has changed: go on with what waits now
TOLD_WITH_OTHERS = (
    "what it takes back was told together with {} others as one message; take the difference back in the ERP by hand,"
    " then dismiss this one"
)
NEVER_TOLD = "what it takes back was superseded and never told"


class Lane:
    """One leased stream while it is being worked off."""

    def __init__(self, deliverer: Deliverer, taken: Taken) -> None:
        self._deliverer = deliverer
        self._lease = taken.lease
        self._backlog = taken.backlog
        self._order = taken.order
        self._contexts: dict[str, PushContext] = {}
        self._parked = list(taken.backlog.parked)
        self._failures = taken.lease.failures  # in a row
        self._unrecorded = Unrecorded(taken.lease)
        self._head = taken.backlog.next_sequence
        self._give_back_at = datetime.now(UTC) + LONGEST_RUN
        self._limit = asyncio.timeout_at(taken.since + deliverer.safe_seconds)

    async def run(self) -> None:
        """Send what waits, message by message, and give the stream back. Ends with the lease, whatever it is at.

        Raises:
            LeaseLost: the lease has run out or was taken; what was not recorded will be looked up by the next holder.
        """
        try:
            async with self._limit:
                await self._run()
        except TimeoutError as error:
            raise LeaseLost("the lease ran out and could not be renewed") from error

    async def _run(self) -> None:
        while not await self._page():
            self._backlog = await self._deliverer.read_on(self._lease)

    async def _page(self) -> bool:
        """Work off what has been read. True = the stream is given back."""
        self._contexts.clear()
        with Heartbeat(self._deliverer.safe_seconds / 3, self._renew):
            stop = await self._work_off(self._backlog.messages)
        if stop is AGAIN:
            await self._record()
            return False
        if stop is not None:
            return await self._release(stop)
        if len(self._backlog.messages) < PAGE:
            return await self._release(EMPTY)
        await self._record()
        return False

    async def _work_off(self, messages: Sequence[QueuedMessage]) -> Stop | None:
        try:
            erp = await self._deliverer.erp(self._lease.connection) if messages else None
        except ConfigurationError as error:
            self._head = min(message.sequence for message in messages)
            return await self._unusable(error)
        together = combine(messages, erp.combines() if erp else {})
        for place, told in enumerate(together):
            stop = await self._one(erp, told)
            if stop is not None:
                self._head = min(each.sequences[0] for each in together[place:])
                return stop
        self._head = self._backlog.next_sequence
        return self._left_out(messages, together)

    def _left_out(self, messages: Sequence[QueuedMessage], together: Sequence[Told]) -> Stop | None:
        """Come back later for what was read without the message that carries it: that one is being put back."""
        if len(together) == len(messages):
            return None
        left = {each.sequence for each in messages}.difference(*(told.sequences for told in together))
        self._head = min(left, default=self._head)
        return Stop(datetime.now(UTC) + HELD_LOOK) if left else None

    async def _unusable(self, error: ConfigurationError) -> Stop:
        """Halt the connection: its profile or settings cannot be used, which is no message's fault."""
        decision = Decision(Verdict.HALT, str(error))
        return Stop(
            await self._deliverer.breaker.failed(self._lease.connection, decision),
            self._failures,
            halted=True,
        )

    async def _one(self, erp: Erp | None, told: Told) -> Stop | None:
        """Bring one message as far as it goes now. None = its stream may go on with the next."""
        name, queued = self._lease.connection, told.message
        if datetime.now(UTC) > self._give_back_at:
            return Stop(datetime.now(UTC), wake_after=timedelta(0))
        if erp is None:
            return self._hold(queued, Missing("connection", name))
        try:
            push = await self._planned(erp, queued)
        except MappingError as error:
            return self._park(told, queued.attempts, queued.progress, str(error))
        if isinstance(push, PlannedPush):
            halted_until = await self._deliverer.breaker.may_send(name)
            waits = None if halted_until is None else Stop(halted_until, self._failures, halted=True)
            return waits or await self._send(erp, told, push)
        if isinstance(push, Missing):
            return self._hold(queued, push)
        self._unrecorded.exempt(told, push.reason)
        return AGAIN if told.superseded else None

    async def _planned(self, erp: Erp, queued: QueuedMessage) -> PlannedPush | Missing | Exempt:
        """Translate `queued`; if something is missing, look once more: it may have arrived meanwhile.

        Raises:
            MappingError: it cannot be told, however often it is tried.
        """
        if queued.voided_with:
            raise MappingError(TOLD_WITH_OTHERS.format(queued.voided_with))
        if queued.voided_unheard:
            return Exempt(NEVER_TOLD)
        push = self._translated(erp, queued)
        if not isinstance(push, Missing) or push.kind == PARKED:
            return push
        self._order = await self._deliverer.look_afresh(self._lease)
        self._contexts.clear()
        return self._translated(erp, queued)

    def _translated(self, erp: Erp, queued: QueuedMessage) -> PlannedPush | Missing | Exempt:
        name = self._lease.connection
        plan = self._order.plan if self._order else None
        missing = self._deliverer.missing(queued, plan, name)
        if missing is not None or plan is None:
            return missing or Missing("order", self._lease.order_number)
        barred = barred_by(queued.kind, queued.operation_id, self._parked)
        if barred is not None:
            return Missing(PARKED, str(barred))
        try:
            return self._deliverer.planned(erp, queued, plan, self._context(queued, plan), name)
        except IntegrationError:
            raise
        except Exception as error:  # a defect: shown to a person, or the stream would fail for ever unseen
            raise MappingError(f"cannot be translated: {type(error).__name__}: {error}") from error

    def _context(self, queued: QueuedMessage, plan: WorksOrder) -> PushContext:
        """Gather what a push may draw on beside its message: within a page the same for all of one operation."""
        context = self._contexts.get(queued.operation_id)
        if context is None:
            context = self._deliverer.context(queued, plan, self._lease.connection)
            self._contexts[queued.operation_id] = context
        return context

    async def _send(self, erp: Erp, told: Told, push: PlannedPush) -> Stop | None:
        """Do the push step by step; every step's intent is on disk before it, its outcome after it.

        What goes as one for the first time is laid down with that intent: whoever comes after sends it as one again.
        """
        carried = told.sequences if told.carries and told.message.told_by is None else ()
        told = told.as_sent() if carried else told
        queued = told.message
        progress, attempts = queued.progress, queued.attempts
        for _ in range(MOST_STEPS):
            begins = push.flow if progress == Progress() else ""
            fate = await self._record(intent=queued.sequence, carried=carried, begins=begins)
            if fate is not Recorded.OK:
                return AGAIN if fate is Recorded.TORN else None
            carried = ()
            advance = await erp.advance(push, progress, attempts)
            self._unrecorded.tried(queued, advance, attempts + 1)
            if advance.decision.verdict is not Verdict.DONE:
                return await self._not_done(told, advance, attempts)
            if advance.finished:
                self._unrecorded.done(told, attempts + 1, advance)
                self._failures = 0
                await self._deliverer.breaker.answered(self._lease.connection)
                return None
            progress = advance.progress
            self._unrecorded.stepped(queued, attempts, progress)
        return self._park(told, attempts, progress, f"goes round in circles: {MOST_STEPS} steps, and no end")

    async def _not_done(self, told: Told, advance: Advance, attempts: int) -> Stop | None:
        if advance.decision.verdict is not Verdict.PARK:
            return await self._wait(told, advance, attempts)
        stop = self._park(told, attempts + 1, advance.progress, advance.decision.reason)
        if any(exchange.status for exchange in advance.exchanges):
            await self._deliverer.breaker.answered(self._lease.connection)
        return stop

    async def _record(
        self,
        intent: int | None = None,
        release: Release | None = None,
        carried: Sequence[int] = (),
        begins: str = "",
    ) -> Recorded:
        """Commit what has happened since the last time, and what is to happen next."""
        return await self._deliverer.record(self._lease, self._unrecorded, intent, release, carried, begins)

    async def _renew(self) -> None:
        """Prolong the lease. If that cannot be done, the lane ends when the lease does."""
        asked_at = asyncio.get_running_loop().time()
        with contextlib.suppress(StoreUnavailable, LeaseLost):
            await self._deliverer.renew(self._lease)
            self._limit.reschedule(asked_at + self._deliverer.safe_seconds)

    async def _wait(self, told: Told, advance: Advance, attempts: int) -> Stop | None:
        """Retry or halt: the message stays where it is, the stream comes back later. None: parked, go on."""
        decision = advance.decision
        halted_until = None
        if decision.verdict is Verdict.HALT or not decision.spends_attempt:
            halted_until = await self._deliverer.breaker.failed(self._lease.connection, decision)
        if halted_until is None and in_vain(decision, self._failures):
            reason = f"given up after {self._failures + 1} tries without an answer: {decision.reason}"
            return self._park(told, attempts, advance.progress, reason)
        if told.carries and not decision.spends_attempt and advance.progress == Progress():
            self._unrecorded.apart(told, attempts, decision.reason)
        else:
            self._unrecorded.stays(told.message, attempts + decision.spends_attempt, advance)
        if halted_until is not None:
            return Stop(halted_until, self._failures, halted=True)
        wait = retry_wait(self._failures, random.random(), decision.after)  # noqa: S311 - jitter, not a secret
        return Stop(datetime.now(UTC) + wait, self._failures + 1, wake_after=wait, rests=True)

    def _hold(self, queued: QueuedMessage, missing: Missing) -> Stop:
        """Wait, without spending attempts, until what is missing arrives; the stream waits with it."""
        self._unrecorded.held(queued, missing)
        return Stop(datetime.now(UTC) + HELD_LOOK)

    def _park(self, told: Told, attempts: int, progress: Progress, reason: str) -> Stop | None:
        """Set the message aside for a person; the stream goes on with what that does not bar.

        If it carries others and nothing of it can be in the ERP, each goes on alone instead: not all need be at fault.
        """
        self._failures = 0
        if told.carries and progress == Progress():
            self._unrecorded.apart(told, max(attempts, 1), f"refused as one with others: {reason}")
            return AGAIN
        self._unrecorded.parked(told, attempts, progress, reason)
        aside = [each for each in self._backlog.messages if each.sequence in told.sequences]
        self._parked += [(each.kind, each.operation_id) for each in aside]
        return None

    async def _release(self, stop: Stop) -> bool:
        """Give the stream back. False if there is more to do by now: the lease is still ours, go on."""
        seen = self._backlog.next_sequence if stop is EMPTY else None
        release = Release(stop.due_at, stop.failures, self._head, seen, stop.rests, stop.halted)
        if await self._record(release=release) is Recorded.MORE:
            self._deliverer.breaker.forget()
            return False
        if stop.wake_after is not None:
            await self._deliverer.wake([self._lease.stream_key], stop.wake_after)
        return True
