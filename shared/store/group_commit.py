"""Group commit: units of work that wait at the same time share one transaction.

While one transaction is on the disk, the next group gathers. A caller's `await` still ends only after the commit
of the transaction its own work was part of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


class GroupCommit[T, R]:
    """Runs `commit` over all items that have gathered; at most `largest` items in one go.

    A group that fails is tried again in halves, so that one caller's trouble ends up with that caller.
    """

    def __init__(self, commit: Callable[[Sequence[T]], Awaitable[Sequence[R]]], largest: int = 256) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Have `item` committed with whatever else is waiting; return its own result or raise its own error."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            await self._settle(group)

    async def _settle(self, group: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._commit([item for item, _ in group])
            settled = list(zip(group, results, strict=True))
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the callers, who are waiting for it
            await self._settle_apart(group, error)
            return
        for (_, future), result in settled:
            if not future.done():  # a caller may have gone away
                future.set_result(result)

    async def _settle_apart(self, group: list[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
        if len(group) > 1 and not getattr(error, "concerns_all", False):
            half = len(group) // 2
            await self._settle(group[:half])
            await self._settle(group[half:])
            return
        for _, future in group:
            if not future.done():
                future.set_exception(error)
