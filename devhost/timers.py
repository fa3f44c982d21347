"""Timer triggers: wait for the next occurrence, fire, and never overlap with oneself.

The host computes the next occurrence after a run has ended, so occurrences that pass during a long run are
left out, not made up for.
"""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from devhost.errors import DevhostError
from devhost.ncrontab import Schedule
from devhost.worker import Function, Worker

logger = logging.getLogger("devhost")

# Later than this and the function is told that it is past due.
_PUNCTUAL: Final = timedelta(seconds=1)


def is_past_due(due: datetime, now: datetime) -> bool:
    """Whether an occurrence fires noticeably late, as after the laptop has slept."""
    return now - due > _PUNCTUAL


class Timer:
    """One timer function and its schedule."""

    def __init__(self, worker: Worker, function: Function, schedule: Schedule, *, at_startup: bool) -> None:
        self.function = function
        self.schedule = schedule
        self._worker = worker
        self._at_startup = at_startup
        self._running = asyncio.Lock()
        self._last = datetime.min.replace(tzinfo=UTC)
        if schedule.next_after(datetime.now(UTC)) is None:
            raise DevhostError(f"the schedule {schedule.text!r} of {function.name} never comes")

    async def run(self, stop: asyncio.Event) -> None:
        """Fire at every occurrence until asked to stop; a run under way is finished."""
        if self._at_startup:
            await self.fire()
        while not stop.is_set():
            due = self._next()
            if await _reached(due, stop):
                await self.fire(past_due=is_past_due(due, datetime.now(UTC)))

    async def fire(self, *, past_due: bool = False) -> None:
        """Invoke the function once, after a run under way has ended."""
        async with self._running:
            last, self._last = self._last, datetime.now(UTC)
            status = {
                "Last": last.isoformat(),
                "Next": self._next().isoformat(),
                "LastUpdated": last.isoformat(),
            }
            await self._worker.timer(self.function, past_due=past_due, status=status)

    def _next(self) -> datetime:
        due = self.schedule.next_after(datetime.now(UTC))
        assert due is not None  # noqa: S101 -- the calendar repeats, so what was checked at start stays true
        return due


async def _reached(due: datetime, stop: asyncio.Event) -> bool:
    """Sleep until an instant; False when asked to stop before it."""
    # In slices: a wall clock that jumps (sleep, a time server) is noticed within a second.
    while not stop.is_set() and (left := (due - datetime.now(UTC)).total_seconds()) > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(left, 1.0))
    return not stop.is_set()
