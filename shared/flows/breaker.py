"""Breaker: does a connection take messages now? Opened by silence and refused credentials, closed by any answer.

What is known is kept in SQL for all workers, and read again every second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.stream_rules import WAKE_GRACE, halt_wait
from shared.domain.verdict import Verdict
from shared.domain.warning import Warning_, WarningKind
from shared.errors import StoreUnavailable
from shared.store import connections, warnings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from shared.domain.verdict import Decision
    from shared.queues.waker import Waker
    from shared.store.connections import ConnectionState
    from shared.store.engine import Store

log = logging.getLogger(__name__)

UNREACHABLE_BEFORE_HALT = 3
STATE_SECONDS = 1.0
PATIENCE_SECONDS = 5.0


@dataclass(slots=True)
class Line:
    """What this worker knows of one connection: `unreachable` calls in a row found nobody there.

    `probe`: one of this worker's lanes is out to see whether a halt is over; set once that is known.
    """

    unreachable: int = 0
    probe: asyncio.Event | None = None

    def probe_ends(self) -> None:
        """Let those who wait for the probe look at what has come of it."""
        if self.probe is not None:
            self.probe.set()
            self.probe = None


class Breaker:
    """The breakers of all connections, as one worker sees them."""

    def __init__(self, store: Store, waker: Waker, names: Iterable[str], probe: timedelta) -> None:
        self._store = store
        self._waker = waker
        self._probe = probe  # how long one worker may try alone after a halt
        self._lines = {name: Line() for name in names}
        self._states: dict[str, ConnectionState] = {}
        self._read_at = datetime.min.replace(tzinfo=UTC)

    def refresh(self, tx: Connection, now: datetime) -> None:
        """Read the connections' states again if that is due, within a transaction that is open anyway."""
        if now - self._read_at > timedelta(seconds=STATE_SECONDS):
            self._states, self._read_at = connections.load(tx), now

    def forget(self) -> None:
        """Have the next `refresh` read the states: a halt is over that is not known of here."""
        self._read_at = datetime.min.replace(tzinfo=UTC)

    async def may_send(self, name: str) -> datetime | None:
        """Return None if connection `name` takes messages, else when to come back. One worker probes after a halt."""
        state, now = self._states.get(name), datetime.now(UTC)
        if state is None or state.halted_until is None:
            return None
        if state.halted_until <= now:
            return await self._probed(name, state, state.halted_until, now + self._probe)
        probe = self._lines[name].probe
        return state.halted_until if probe is None else await self._outcome(name, probe)

    async def _probed(
        self, name: str, state: ConnectionState, seen: datetime, probing_until: datetime
    ) -> datetime | None:
        """Win the right to probe and return None; else when to come back."""
        line = self._lines[name]
        line.probe = asyncio.Event()
        # before the first await: of lanes that come due together one asks, and the others wait for it
        self._states[name] = replace(state, halted_until=probing_until)
        try:
            won = await self._store.write(lambda tx: connections.claim_probe(tx, name, seen, probing_until))
        except StoreUnavailable:
            line.probe_ends()
            raise
        if won:
            return None
        line.probe_ends()
        return probing_until

    async def _outcome(self, name: str, probe: asyncio.Event) -> datetime | None:
        """Wait a moment for a probe that is out: most are answered at once, and to be woken again takes longer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(probe.wait(), PATIENCE_SECONDS)
        state = self._states.get(name)
        return None if state is None else state.halted_until

    async def answered(self, name: str) -> None:
        """Note that the ERP took or judged a message: if the connection was halted, everything that waits is woken."""
        state = self._states.get(name)
        line = self._lines[name]
        line.unreachable = 0
        if state is None or (state.halted_until is None and state.failures == 0):
            return
        self._states[name] = replace(state, halted_until=None, failures=0)
        line.probe_ends()
        now = datetime.now(UTC)
        streams = await self._store.write(lambda tx: _resume(tx, name, now))
        log.info("connection %s works again, %d streams wake up", name, len(streams))
        self._waker.wake(streams)

    async def failed(self, name: str, decision: Decision) -> datetime | None:
        """Note a failure that is the connection's, not the message's; return until when it is halted now, if it is."""
        line = self._lines[name]
        state = self._states.get(name)
        if state is not None and self._halted(state) and line.probe is None:
            return state.halted_until  # calls that were under way at the halt do not stretch it
        if decision.verdict is not Verdict.HALT:
            line.unreachable += 1
            if line.unreachable < UNREACHABLE_BEFORE_HALT and not self._proving(name):
                return None
        failures = state.failures if state else 0
        until = datetime.now(UTC) + halt_wait(failures, decision.after)
        warning = Warning_(name, WarningKind.CONNECTION_HALTED, name, f"{name} waits: {decision.reason}")
        if state is not None:  # before the first await: whoever fails next finds the halt there
            self._states[name] = replace(state, halted_until=until, failures=failures + 1)
        line.probe_ends()
        await self._store.write(lambda tx: _halt(tx, name, until, decision.reason, failures + 1, warning))
        return until

    @staticmethod
    def _halted(state: ConnectionState) -> bool:
        return state.halted_until is not None and state.halted_until > datetime.now(UTC)

    def _proving(self, name: str) -> bool:
        state = self._states.get(name)
        return state is not None and state.failures > 0


def _halt(tx: Connection, name: str, until: datetime, reason: str, failures: int, warning: Warning_) -> None:
    connections.halt(tx, name, until, reason, failures)
    warnings.raise_warnings(tx, [warning], datetime.now(UTC))


def _resume(tx: Connection, name: str, now: datetime) -> list[str]:
    due_at = now + WAKE_GRACE
    if not connections.resume(tx, name, due_at):
        return []
    warnings.resolve_connection(tx, name, "the connection works again", now)
    return connections.waiting_streams(tx, name, due_at)
