"""Deliver: work off one stream in sequence, under its lease, looking before sending whatever may have been sent.

A crash at any line loses nothing and doubles nothing: the intent is committed before the call and the outcome
after it, so the next worker finds either nothing sent, or something that may have been sent and is looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.identity import message_id
from shared.domain.message import MessageState
from shared.domain.stream_rules import barred_by, halt_wait, retry_wait
from shared.domain.verdict import Verdict
from shared.domain.warning import Warning_, WarningKind
from shared.erp.port import Exempt, Missing, PlannedPush
from shared.errors import LeaseLost, MappingError, QueueUnavailable, StoreUnavailable
from shared.flows.heartbeat import Heartbeat
from shared.mapping.message_body import context_of, message_of, missing_for
from shared.queues.envelope import WAKE_QUEUE, wake_up
from shared.store import connections, orders, outbox, warnings
from shared.store.group_commit import GroupCommit
from shared.store.outbox import Attempt, Backlog, Entry, Lease, Outcome, Recorded, Release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from shared.domain.message import QueuedMessage
    from shared.domain.verdict import Decision
    from shared.domain.works_order import WorksOrder
    from shared.erp.port import Advance, Erp
    from shared.flows.connected import ConnectedErp, ReferenceData
    from shared.queues.sender import QueueSender
    from shared.store.connections import ConnectionState
    from shared.store.engine import Store
    from shared.store.orders import StoredOrder

log = logging.getLogger(__name__)

PAGE = 50  # messages read at a time
LONGEST_RUN = timedelta(minutes=4)  # then the stream is given back, well before the host's time-out
UNREACHABLE_BEFORE_HALT = 3
HELD_LOOK = timedelta(
    minutes=2
)  # what a held message waits for wakes it; this is for the moment in which both cross
SAFE = 0.9  # of a lease; the rest is for clocks that differ
STATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A stream just leased, with what waits in it.

    `since` is the event loop's time of the lease, `order` what the stream is about (None: not known yet).
    """

    lease: Lease
    since: float
    backlog: Backlog
    order: StoredOrder | None


@dataclass(slots=True)
class Unrecorded:
    """What has happened since the last commit. Goes out with the next intent, or with the release."""

    outcomes: list[Outcome] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    warnings: list[Warning_] = field(default_factory=list)

    def clear(self) -> None:
        """It is on disk."""
        self.outcomes, self.attempts, self.warnings = [], [], []


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a lane ends before its stream is empty, and when to come back."""

    due_at: datetime | None
    failures: int = 0
    wake_after: timedelta | None = None


EMPTY = Stop(None)


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
        self._breakers = {name: Breaker() for name in erps}
        self._states: dict[str, ConnectionState] = {}
        self._states_read = datetime.min.replace(tzinfo=UTC)
        self._calls = 0

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
            if now - self._states_read > timedelta(seconds=STATE_SECONDS):
                self._states, self._states_read = connections.load(tx), now
            leases = outbox.take(tx, wanted, owner, now, now + self._lease)
            backlogs = outbox.backlog(tx, list(leases), PAGE)
            known = orders.load_orders(tx, list(leases))
            return {key: Taken(lease, since, backlogs[key], known.get(key)) for key, lease in leases.items()}

        taken = await self._store.write(work)
        return [taken.pop(key, None) for key in stream_keys]  # the same key twice: one lane, not two

    async def _record(self, entries: Sequence[tuple[Entry, Sequence[Warning_]]]) -> Sequence[Recorded]:
        now = datetime.now(UTC)

        def work(tx: Connection) -> list[Recorded]:
            fates = outbox.record(tx, [entry for entry, _ in entries], self._worker, now)
            warnings.raise_warnings(tx, [warning for _, raised in entries for warning in raised], now)
            return fates

        return await self._store.write(work)

    async def record(
        self, lease: Lease, unrecorded: Unrecorded, intent: int | None = None, release: Release | None = None
    ) -> Recorded:
        """Commit what a lane has done and what it is about to do. Raises LeaseLost."""
        until = datetime.now(UTC) + self._lease
        entry = Entry(lease, until, tuple(unrecorded.outcomes), intent, tuple(unrecorded.attempts), release)
        fate = await self._records.submit((entry, tuple(unrecorded.warnings)))
        if fate is Recorded.LOST:
            raise LeaseLost(f"stream {lease.stream_key} was taken over")
        unrecorded.clear()
        return fate

    async def read_on(self, lease: Lease) -> Backlog:
        """Read what waits in a stream now."""
        backlogs = await self._store.read(lambda tx: outbox.backlog(tx, [lease.stream_key], PAGE))
        return backlogs[lease.stream_key]

    async def look_afresh(self, lease: Lease) -> StoredOrder | None:
        """Read links, and the order of a stream, as they are now."""

        def look(tx: Connection) -> StoredOrder | None:
            self._references.forget()
            self._references.refresh(tx)
            return orders.load_orders(tx, [lease.stream_key]).get(lease.stream_key)

        return await self._store.read(look)

    async def erp(self, name: str) -> Erp | None:
        """Return the ERP of connection `name`; None if no such connection is configured."""
        connected = self._erps.get(name)
        return None if connected is None else await connected.erp()

    def links(self, name: str) -> Mapping[str, Mapping[str, str]]:
        """Return the reference links of connection `name`."""
        return self._references.known(name).links

    def missing(self, queued: QueuedMessage, plan: WorksOrder | None, connection: str) -> Missing | None:
        """Tell what must arrive before `queued` can be sent."""
        return missing_for(queued, plan, self._references.units(connection))

    def planned(
        self, erp: Erp, queued: QueuedMessage, plan: WorksOrder, connection: str
    ) -> PlannedPush | Missing | Exempt:
        """Translate `queued` for its ERP. Raises MappingError."""
        message = message_of(queued, plan, self._references.units(connection))
        return erp.plan(message, context_of(queued, plan, self.links(connection)))

    async def may_send(self, name: str) -> datetime | None:
        """Return None if connection `name` takes messages, else when to come back. One worker probes after a halt."""
        state, now = self._states.get(name), datetime.now(UTC)
        if state is None or state.halted_until is None:
            return None
        if state.halted_until > now:
            return state.halted_until
        seen = state.halted_until
        probing_until = now + self._lease
        won = await self._store.write(lambda tx: connections.claim_probe(tx, name, seen, probing_until))
        self._states[name] = replace(state, halted_until=probing_until)
        if won:  # of many lanes that come due together one wins; the others must not undo that
            self._breakers[name].probing = True
        return None if won else probing_until

    async def answered(self, name: str) -> None:
        """Note that the ERP took or judged a message: if the connection was halted, everything that waits is woken."""
        state = self._states.get(name)
        breaker = self._breakers[name]
        breaker.unreachable, breaker.probing = 0, False
        if state is None or (state.halted_until is None and state.failures == 0):
            return
        self._states[name] = replace(state, halted_until=None, failures=0)
        now = datetime.now(UTC)
        streams = await self._store.write(lambda tx: _resume(tx, name, now))
        log.info("connection %s works again, %d streams wake up", name, len(streams))
        await self.wake(streams)

    async def failed(self, name: str, decision: Decision) -> datetime | None:
        """Note a failure that is the connection's, not the message's; return until when it is halted now, if it is."""
        breaker = self._breakers[name]
        state = self._states.get(name)
        if state is not None and self._halted(state) and not breaker.probing:
            return state.halted_until  # calls that were under way at the halt do not stretch it
        if decision.verdict is not Verdict.HALT:
            breaker.unreachable += 1
            if breaker.unreachable < UNREACHABLE_BEFORE_HALT and not self._proving(name):
                return None
        breaker.probing = False
        failures = state.failures if state else 0
        until = datetime.now(UTC) + halt_wait(failures, decision.after)
        warning = Warning_(name, WarningKind.CONNECTION_HALTED, name, f"{name} waits: {decision.reason}")
        if state is not None:  # before the first await: whoever fails next finds the halt there
            self._states[name] = replace(state, halted_until=until, failures=failures + 1)
        await self._store.write(lambda tx: _halt(tx, name, until, decision.reason, failures + 1, warning))
        return until

    @staticmethod
    def _halted(state: ConnectionState) -> bool:
        return state.halted_until is not None and state.halted_until > datetime.now(UTC)

    def _proving(self, name: str) -> bool:
        state = self._states.get(name)
        return state is not None and state.failures > 0

    async def wake(self, stream_keys: Sequence[str], delay: timedelta = timedelta(0)) -> None:
        """Put wake-ups on the queue; without the queue the sweep does it."""
        if not stream_keys:
            return
        try:
            await self._queues.send(WAKE_QUEUE, [wake_up(key) for key in stream_keys], delay)
        except QueueUnavailable as error:
            log.warning("wake-ups not sent, the sweep will find the work: %s", error)


@dataclass(slots=True)
class Breaker:
    """Counts calls in a row that found nobody there, in this worker; `probing`: one is out to see if that is over."""

    unreachable: int = 0
    probing: bool = False


def _halt(tx: Connection, name: str, until: datetime, reason: str, failures: int, warning: Warning_) -> None:
    connections.halt(tx, name, until, reason, failures)
    warnings.raise_warnings(tx, [warning], datetime.now(UTC))


def _resume(tx: Connection, name: str, now: datetime) -> list[str]:
    if not connections.resume(tx, name, now):
        return []
    warnings.resolve_connection(tx, name, "the connection works again", now)
    return connections.waiting_streams(tx, name, now)


class Lane:
    """One leased stream while it is being worked off."""

    def __init__(self, deliverer: Deliverer, taken: Taken) -> None:
        self._deliverer = deliverer
        self._lease = taken.lease
        self._backlog = taken.backlog
        self._order = taken.order
        self._parked = list(taken.backlog.parked)
        self._unrecorded = Unrecorded()
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
        while True:
            stop = await self._work_off(self._backlog.messages)
            if stop is not None:
                await self._release(stop)
                return
            if len(self._backlog.messages) == PAGE:
                await self._record()
            elif await self._release(EMPTY):
                return
            self._backlog = await self._deliverer.read_on(self._lease)

    async def _work_off(self, messages: Sequence[QueuedMessage]) -> Stop | None:
        for queued in messages:
            stop = await self._one(queued)
            if stop is not None:
                self._head = queued.sequence
                return stop
            self._head = queued.sequence + 1
        self._head = self._backlog.next_sequence if len(messages) < PAGE else self._head
        return None

    async def _one(self, queued: QueuedMessage) -> Stop | None:
        """Bring one message as far as it goes now. None = its stream may go on with the next."""
        name = self._lease.connection
        if datetime.now(UTC) > self._give_back_at:
            return Stop(datetime.now(UTC), wake_after=timedelta(0))
        erp = await self._deliverer.erp(name)
        if erp is None:
            return self._hold(queued, Missing("connection", name))
        try:
            push = await self._planned(erp, queued)
        except MappingError as error:
            self._park(queued, str(error), queued.attempts)
            return None
        if isinstance(push, PlannedPush):
            halted_until = await self._deliverer.may_send(name)
            waits = None if halted_until is None else Stop(halted_until, self._lease.failures)
            return waits or await self._send(erp, queued, push)
        if isinstance(push, Missing):
            return self._hold(queued, push)
        self._conclude(queued, MessageState.EXEMPT, push.reason)
        return None

    async def _planned(self, erp: Erp, queued: QueuedMessage) -> PlannedPush | Missing | Exempt:
        """Translate `queued`; if something is missing, look once more: it may have arrived meanwhile."""
        push = self._translated(erp, queued)
        if not isinstance(push, Missing) or push.kind == PARKED:
            return push
        self._order = await self._deliverer.look_afresh(self._lease)
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
        return self._deliverer.planned(erp, queued, plan, name)

    async def _send(self, erp: Erp, queued: QueuedMessage, push: PlannedPush) -> Stop | None:
        """Do the push step by step; every step's intent is on disk before it, its outcome after it."""
        progress = queued.progress
        attempts = queued.attempts
        while True:
            fate = await self._record(intent=queued.sequence)
            if fate is Recorded.VOIDED:
                return None
            with Heartbeat(self._deliverer.safe_seconds / 3, self._renew):
                advance = await erp.advance(push, progress, attempts)
            self._note(queued, advance, attempts + 1)
            decision, progress = advance.decision, advance.progress
            if decision.verdict is Verdict.DONE and advance.finished:
                self._unrecorded.outcomes.append(
                    Outcome(queued.sequence, MessageState.DONE, attempts + 1, progress, decision.reason)
                )
                await self._deliverer.answered(self._lease.connection)
                return None
            if decision.verdict is Verdict.PARK:
                self._park(queued, decision.reason, attempts + 1, advance)
                if any(exchange.status for exchange in advance.exchanges):
                    await self._deliverer.answered(self._lease.connection)
                return None
            if decision.verdict is not Verdict.DONE:
                return await self._wait(queued, advance, attempts)
            self._unrecorded.outcomes = [Outcome(queued.sequence, MessageState.PENDING, attempts, progress)]

    async def _record(self, intent: int | None = None, release: Release | None = None) -> Recorded:
        """Commit what has happened since the last time. From then on the lease lasts its full length again."""
        asked_at = asyncio.get_running_loop().time()
        fate = await self._deliverer.record(self._lease, self._unrecorded, intent, release)
        self._limit.reschedule(asked_at + self._deliverer.safe_seconds)
        return fate

    async def _renew(self) -> None:
        """Prolong the lease while a call is outstanding. If that cannot be done, the lane ends when the lease does."""
        asked_at = asyncio.get_running_loop().time()
        with contextlib.suppress(StoreUnavailable, LeaseLost):
            await self._deliverer.record(self._lease, Unrecorded())
            self._limit.reschedule(asked_at + self._deliverer.safe_seconds)

    async def _wait(self, queued: QueuedMessage, advance: Advance, attempts: int) -> Stop:
        """Retry or halt: the message stays where it is, the stream comes back later."""
        decision = advance.decision
        spent = attempts + 1 if decision.spends_attempt else attempts
        self._unrecorded.outcomes.append(
            Outcome(queued.sequence, MessageState.PENDING, spent, advance.progress, decision.reason)
        )
        halted_until = None
        if decision.verdict is Verdict.HALT or not decision.spends_attempt:
            halted_until = await self._deliverer.failed(self._lease.connection, decision)
        if halted_until is not None:
            return Stop(halted_until, self._lease.failures)
        wait = retry_wait(self._lease.failures, random.random(), decision.after)  # noqa: S311 - jitter, not a secret
        return Stop(datetime.now(UTC) + wait, self._lease.failures + 1, wake_after=wait)

    def _note(self, queued: QueuedMessage, advance: Advance, attempt: int) -> None:
        """Keep the evidence of an attempt and log it in one line."""
        decision = advance.decision
        for exchange in advance.exchanges:
            self._unrecorded.attempts.append(
                Attempt(
                    queued.sequence,
                    attempt,
                    exchange.step,
                    exchange.started_at,
                    exchange.duration_ms,
                    exchange.method,
                    exchange.url,
                    exchange.status,
                    str(decision.verdict),
                    decision.reason,
                    exchange.request,
                    exchange.reply,
                )
            )
        for text in advance.warnings:
            self._unrecorded.warnings.append(self._warning(WarningKind.ERP_DIFFERS, queued, text))
        log.log(
            logging.DEBUG if decision.verdict is Verdict.DONE else logging.INFO,
            "attempt connection=%s order=%s message=%s-%d kind=%s event=%s/%s attempt=%d verdict=%s reason=%s",
            self._lease.connection,
            self._lease.order_number,
            queued.stream_key,
            queued.sequence,
            queued.kind,
            queued.event.source,
            queued.event.event_id,
            attempt,
            decision.verdict,
            decision.reason,
        )

    def _hold(self, queued: QueuedMessage, missing: Missing) -> Stop:
        """Wait, without spending attempts, until what is missing arrives; the stream waits with it."""
        reason = f"waits for {missing.kind} {missing.value}"
        self._unrecorded.outcomes.append(
            Outcome(
                queued.sequence,
                MessageState.HELD,
                queued.attempts,
                queued.progress,
                reason,
                missing.kind,
                missing.value,
            )
        )
        kind = HELD_AS.get(missing.kind)
        if kind is not None and queued.state is not MessageState.HELD:  # said already
            self._unrecorded.warnings.append(self._warning(kind, queued, reason, missing.value))
        return Stop(datetime.now(UTC) + HELD_LOOK)

    def _park(
        self, queued: QueuedMessage, reason: str, attempts: int, advance: Advance | None = None
    ) -> None:
        progress = advance.progress if advance else queued.progress
        self._unrecorded.outcomes.append(
            Outcome(queued.sequence, MessageState.PARKED, attempts, progress, reason)
        )
        self._unrecorded.warnings.append(self._warning(WarningKind.MESSAGE_PARKED, queued, reason))
        self._parked.append((queued.kind, queued.operation_id))

    def _conclude(self, queued: QueuedMessage, state: MessageState, reason: str) -> None:
        self._unrecorded.outcomes.append(
            Outcome(queued.sequence, state, queued.attempts, queued.progress, reason)
        )

    def _warning(self, kind: WarningKind, queued: QueuedMessage, detail: str, subject: str = "") -> Warning_:
        return Warning_(
            self._lease.connection,
            kind,
            subject or f"{self._lease.order_number}/{queued.sequence}",
            detail,
            self._lease.stream_key,
            self._lease.order_number,
            {"message": message_id(queued.stream_key, queued.sequence), "event_id": queued.event.event_id},
        )

    async def _release(self, stop: Stop) -> bool:
        """Give the stream back. False if new messages came in: the lease is still ours, go on."""
        seen = self._backlog.next_sequence if stop is EMPTY else None
        release = Release(stop.due_at, stop.failures, self._head, seen)
        fate = await self._record(release=release)
        if fate is Recorded.MORE:
            return False
        if stop.wake_after is not None:
            await self._deliverer.wake([self._lease.stream_key], stop.wake_after)
        return True


PARKED = "parked"
HELD_AS = {
    "order": WarningKind.UNKNOWN_ORDER,
    "operation": WarningKind.UNKNOWN_OPERATION,
    "unit": WarningKind.UNKNOWN_UNIT,
    "work_centre": WarningKind.UNKNOWN_WORK_CENTRE,
    "scrap_reason": WarningKind.UNKNOWN_CODE,
    "rework_reason": WarningKind.UNKNOWN_CODE,
    "connection": WarningKind.UNKNOWN_CONNECTION,
}
