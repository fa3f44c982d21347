"""Reading ahead: the next page is on its way while the last one is being written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

END = object()


async def ahead[T](items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield `items`, one of them fetched in advance; an error comes after the items before it."""
    coming = _next(items)
    try:
        while (item := await coming) is not END:
            coming = _next(items)
            yield item
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


def _next(items: AsyncIterator[Any]) -> asyncio.Task[Any]:
    async def step() -> Any:  # noqa: ANN401 - an item, or END
        return await anext(items, END)

    return asyncio.create_task(step())
