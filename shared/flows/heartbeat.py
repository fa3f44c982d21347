"""Heartbeat: keeps a lease up for as long as its holder is at work, whatever a single call takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType


class Heartbeat:
    """Runs `renew` every `seconds` for as long as the block lasts, and costs next to nothing when that is not long.

    A renewal that has not begun when the block ends never begins. `renew` must not raise.
    """

    def __init__(self, seconds: float, renew: Callable[[], Coroutine[None, None, None]]) -> None:
        self._seconds = seconds
        self._renew = renew
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._next.cancel()
        if self._task is not None:
            self._task.cancel()

    def _wait(self) -> None:
        self._next = asyncio.get_running_loop().call_later(self._seconds, self._beat)

    def _beat(self) -> None:
        if self._task is None or self._task.done():  # SQL may be slow; one renewal at a time
            self._task = asyncio.create_task(self._renew())
        self._wait()
