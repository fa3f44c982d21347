"""Page after page of a listing that may move while it is read: every record is met, however the others move.

A record that leaves its place (changed, so sorted to the end; cancelled, so filtered out) lets all behind it move
up by one. Where pages are counted, the first record of the next page is then the last of the one just read, and is
never seen. Three ways to deal with it, by what the profile's paging can do:

- keyset, and cursors the profile calls stable: nothing can slip through, one pass is enough;
- by place (offset, range): each page begins a few records before the end of the last one. As long as one of those
  is met again, nothing behind them has been missed; where none is, we read on from further back;
- anything else (page numbers, opaque links): the whole listing is read again until a pass shows nothing new.

A record is yielded once, and again if it has changed. A listing that goes round in circles (a cursor that came
before, a server that ignores the page asked for) is unavailable, never complete.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from shared.erp.paging import first_page, next_page, ranged
from shared.errors import ErpUnavailable, MappingError
from shared.mapping.expressions import FAULTS
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
MOST_IDLE_PAGES = 50  # in a row that show nothing new: some servers send empty pages, but not for ever
MOST_PAGES = 100_000


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
        course = Course()
        page: Page | None = first_page(self._paging, self._size)
        while page is not None:
            at = page
            records, following = await self._read(at)
            page = course.onward(at, following, news=course.shows(_marks([*records[:1], *records[-1:]])))
            yield Chunk(records, last=page is None)

    async def _by_place(self, reread: int) -> AsyncIterator[Chunk]:
        course = Course()
        page: Page | None = first_page(self._paging, self._size)
        tail: set[int] = set()
        steps_back, furthest = 0, -1
        while page is not None:
            at = page
            records, following = await self._read(at)
            marks = _marks(records)
            if tail and at.offset and tail.isdisjoint(marks) and not (at.beyond and not records):
                steps_back += 1
                if steps_back > MOST_STEPS_BACK:
                    raise ErpUnavailable("pull: the listing moves faster than it can be read")
                page = self._further_back(at)
                continue
            fresh = self._fresh(records, marks)
            news = bool(fresh) or at.offset <= furthest
            page = course.onward(at, following, news=news)
            if len(records) < at.size and tail and not news:
                page = None  # whatever total was stated: nothing comes after what has been met
            furthest = max(furthest, at.offset)
            again = at.offset + len(records) - page.offset if page else 0
            tail = set(marks[-again:] if again else ())
            yield Chunk(fresh, last=page is None)

    def _further_back(self, page: Page) -> Page:
        return ranged(self._paging, replace(page, offset=max(page.offset - self._size, 0), beyond=False))

    async def _again_and_again(self) -> AsyncIterator[Chunk]:
        for number in range(1, MOST_PASSES + 1):
            news, pages = 0, 0
            course = Course()
            page: Page | None = first_page(self._paging, self._size)
            while page is not None:
                at = page
                records, following = await self._read(at)
                marks = _marks(records)
                shows = course.shows(marks)
                page = course.onward(at, following, news=shows)
                fresh = self._fresh(records, marks)
                news += len(fresh)
                pages += shows or not at.beyond
                complete = page is None and (pages == 1 or not news)
                yield Chunk(fresh, last=complete)
                if complete:
                    return
            log.info("pass %d over a listing of several pages: %d records are new", number, news)
        log.warning("after %d passes the listing still moves: it is not taken for complete", MOST_PASSES)

    async def _read(self, page: Page) -> tuple[list[Any], Page | None]:
        records, facts = await self._fetch(page)
        try:
            return records, next_page(self._paging, page, records, facts, self._tables)
        except (MappingError, *FAULTS) as error:
            raise ErpUnavailable(f"pull: no way on from {page.place}: {error}") from error

    def _fresh(self, records: Sequence[Any], marks: Sequence[int]) -> list[Any]:
        fresh = []
        for record, mark in zip(records, marks, strict=True):
            if mark not in self._seen:
                self._seen.add(mark)
                fresh.append(record)
        return fresh


class Course:
    """One pass over a listing, page by page: notices when it leads nowhere."""

    def __init__(self) -> None:
        self._places: set[int] = set()
        self._shown: set[int] = set()
        self._idle = 0
        self._pages = 0

    def shows(self, marks: Sequence[int]) -> bool:
        """Tell whether a page with these `marks` is one this pass has not met; an empty one is none."""
        page = hash(tuple(marks))
        known = not marks or page in self._shown
        self._shown.add(page)
        return not known

    def onward(self, page: Page, following: Page | None, *, news: bool) -> Page | None:
        """Return the page to go on with; `news`: `page` has shown something.

        Raises:
            ErpUnavailable: the listing goes round in circles.
        """
        before, self._idle = self._idle, 0 if news else self._idle + 1
        self._pages += 1
        if page.beyond and not news and not before:
            return None  # the total was no lie
        if self._idle > MOST_IDLE_PAGES or (page.beyond and not news):
            raise ErpUnavailable(f"pull: {page.place} and those before show nothing new: {IGNORED}")
        if self._pages > MOST_PAGES:
            raise ErpUnavailable(f"pull: the listing has no end: more than {MOST_PAGES} pages")
        if following is not None and (following.cursor is not None or following.url is not None):
            self._note(following)
        return following

    def _note(self, page: Page) -> None:
        place = mark_of([page.cursor, page.url])
        if place in self._places:
            raise ErpUnavailable(f"pull: the listing goes round in circles: {page.place} came before")
        self._places.add(place)


IGNORED = "the ERP ignores which page is asked for, or its list has no end"


def _marks(records: Sequence[Any]) -> list[int]:
    try:
        return [mark_of(record) for record in records]
    except RecursionError as error:
        raise ErpUnavailable("pull: a record is nested too deeply to be told from others") from error


def mark_of(record: Raw) -> int:
    """Return what tells a record from others, and from itself when it has changed."""
    try:
        return hash(orjson.dumps(record, default=str, option=orjson.OPT_SORT_KEYS))
    except TypeError:  # numbers beyond 64 bits, half characters, depths that the quick way does not go to
        return hash(json.dumps(record, default=str, sort_keys=True))
