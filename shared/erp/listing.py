"""Page after page of a listing that may move while it is read: every record is met, however the others move.

A record that leaves its place (changed, so sorted to the end; cancelled, so filtered out) lets all behind it move
up by one. Where pages are counted, the first record of the next page is then the last of the one just read, and is
never seen. Three ways to deal with it, by what the profile's paging can do:

- keyset, and cursors the profile calls stable: nothing can slip through, one pass is enough;
- by place (offset, range): each page begins a few records before the end of the last one. As long as one of those
  is met again, nothing behind them has been missed; where none is, we read on from further back;
- anything else (page numbers, opaque links): the whole listing is read again until a pass shows nothing new.

A record is yielded once, and again if it has changed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from shared.erp.paging import first_page, next_page, ranged
from shared.errors import ErpUnavailable
from shared.profiles.model import Drifting, Overlapping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from shared.erp.paging import Page
    from shared.mapping.conversions import Raw, Tables
    from shared.profiles.model import Paging

    type Facts = dict[str, Any]
    type Fetch = Callable[[Page], Awaitable[tuple[list[Any], Facts]]]

log = logging.getLogger(__name__)

MOST_PASSES = 5
MOST_STEPS_BACK = 50


class Chunk(NamedTuple):
    """Some records. `last`: the listing is complete, and all there was has been met."""

    records: list[Any]
    last: bool


class Listing:
    """One listing, read once."""

    def __init__(self, paging: Paging, size: int, fetch: Fetch, tables: Tables) -> None:
        self._paging = paging
        self._size = size
        self._fetch = fetch
        self._tables = tables
        self._seen: set[int] = set()

    def chunks(self) -> AsyncIterator[Chunk]:
        """Yield the records, page by page.

        Raises:
            ErpUnavailable: the listing moves faster than it can be read, or the ERP cannot be read at all.
        """
        if isinstance(self._paging, Overlapping):
            return self._by_place(self._paging.reread)
        if isinstance(self._paging, Drifting) and not self._paging.stable:
            return self._again_and_again()
        return self._once()

    async def _once(self) -> AsyncIterator[Chunk]:
        page: Page | None = first_page(self._paging, self._size)
        while page is not None:
            records, page = await self._read(page)
            yield Chunk(records, last=page is None)

    async def _by_place(self, reread: int) -> AsyncIterator[Chunk]:
        page: Page | None = first_page(self._paging, self._size)
        tail: set[int] = set()
        steps_back = 0
        while page is not None:
            at = page
            records, page = await self._read(at)
            marks = [mark_of(record) for record in records]
            if tail and at.offset and tail.isdisjoint(marks):
                steps_back += 1
                if steps_back > MOST_STEPS_BACK:
                    raise ErpUnavailable("pull: the listing moves faster than it can be read")
                page = ranged(self._paging, replace(at, offset=max(at.offset - self._size, 0)))
                continue
            tail = set(marks[-reread:] if reread else ())
            yield Chunk(self._fresh(records, marks), last=page is None)

    async def _again_and_again(self) -> AsyncIterator[Chunk]:
        for number in range(1, MOST_PASSES + 1):
            news = 0
            page: Page | None = first_page(self._paging, self._size)
            only_page = True
            while page is not None:
                records, page = await self._read(page)
                only_page = only_page and page is None
                fresh = self._fresh(records, [mark_of(record) for record in records])
                news += len(fresh)
                if page is None and (only_page or not news):
                    yield Chunk(fresh, last=True)
                    return
                yield Chunk(fresh, last=False)
            log.info("pass %d over a listing of several pages: %d records are new", number, news)

    async def _read(self, page: Page) -> tuple[list[Any], Page | None]:
        records, facts = await self._fetch(page)
        return records, next_page(self._paging, page, records, facts, self._tables)

    def _fresh(self, records: Sequence[Any], marks: Sequence[int]) -> list[Any]:
        fresh = []
        for record, mark in zip(records, marks, strict=True):
            if mark not in self._seen:
                self._seen.add(mark)
                fresh.append(record)
        return fresh


def mark_of(record: Raw) -> int:
    """Return what tells a record from others, and from itself when it has changed."""
    return hash(orjson.dumps(record, default=str, option=orjson.OPT_SORT_KEYS))
