"""From one page of a listing to the next. Pure: what the reply showed in, what to ask for next out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.errors import ErpUnavailable
from shared.mapping.conversions import integer, text
from shared.profiles.model import (
    CursorPaging,
    KeysetPaging,
    NextLinkPaging,
    NumberPaging,
    OffsetPaging,
    Paging,
    RangePaging,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.mapping.conversions import Raw, Tables

TOTAL = re.compile(r"/(\d{1,18})\s*$")


@dataclass(frozen=True, slots=True)
class Page:
    """Where a listing stands. `url` replaces the call's own address; `headers` go with the call.

    `beyond`: the reply before said that this was all, but came full; asked once more, because totals lie.
    """

    size: int
    number: int = 1
    offset: int = 0
    cursor: Any = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    beyond: bool = False

    @property
    def place(self) -> str:
        """Name the page, for a person."""
        if self.url is not None:
            return f"link {self.url!r}"
        return f"page {self.number}" if self.cursor is None else f"cursor {self.cursor!r}"

    def facts(self) -> dict[str, Any]:
        """Return the page as expressions see it."""
        return {"size": self.size, "number": self.number, "offset": self.offset, "cursor": self.cursor}


def first_page(paging: Paging, size: int) -> Page:
    """Return the page a listing begins with."""
    return ranged(paging, Page(size))


def next_page(
    paging: Paging, page: Page, records: Sequence[Any], facts: dict[str, Any], tables: Tables
) -> Page | None:
    """Return the page after `page`, None at the end. `facts` hold the `reply` that brought `records`.

    Raises:
        ErpUnavailable: there is more to come, and no way to it.
        MappingError: what leads on cannot be read.
    """
    match paging:
        case NextLinkPaging():
            following = _linked(page, paging.next(facts, tables))
        case CursorPaging():
            following = _moved(page, paging.next(facts, tables))
        case KeysetPaging():
            following = _after_last(paging, page, records, facts, tables)
        case OffsetPaging() | RangePaging() | NumberPaging():
            following = _counted_on(paging, page, len(records), _total(paging, facts, tables))
        case _:
            following = None
    if following == page and records:
        raise ErpUnavailable(f"pull: the listing does not move on: {page.place} leads to itself")
    return None if following == page else following


def _linked(page: Page, link: Raw) -> Page | None:
    url = None if link is False else text(link)
    return replace(page, url=url) if url else None


def _moved(page: Page, cursor: Raw) -> Page | None:
    return None if cursor is None or cursor is False or cursor == "" else replace(page, cursor=cursor)


def _after_last(
    paging: KeysetPaging, page: Page, records: Sequence[Any], facts: dict[str, Any], tables: Tables
) -> Page | None:
    """Go on after the last record that is one. Two at the end of a page that share their key hide a third."""
    if len(records) < page.size:
        return None
    last = [record for record in records[-2:] if isinstance(record, dict)]
    if not last:
        raise ErpUnavailable("pull: the listing cannot go on: the last records of a full page are no objects")
    keys = [paging.after({**record, "settings": facts["settings"]}, tables) for record in last]
    if len(keys) > 1 and keys[0] == keys[1] and last[0] != last[1]:
        raise ErpUnavailable(f"pull: the paging's `after` is the same for two records: {keys[1]!r}")
    return replace(page, cursor=keys[-1])


def _counted_on(paging: Paging, page: Page, count: int, total: int | None) -> Page | None:
    full = count >= page.size
    said_to_end = total is not None and page.offset + count >= total
    if not count or (not full and (total is None or said_to_end)):
        return None
    reread = max(min(paging.reread, count - 1), 0) if isinstance(paging, OffsetPaging | RangePaging) else 0
    offset = page.offset + count - reread
    return ranged(paging, replace(page, number=page.number + 1, offset=offset, beyond=said_to_end))


def ranged(paging: Paging, page: Page) -> Page:
    """Return `page` with the header that asks for it, where the paging has one."""
    if not isinstance(paging, RangePaging):
        return page
    last = page.offset + page.size - 1
    return replace(page, headers={"Range": f"{paging.unit}={page.offset}-{last}"})


def _total(paging: Paging, facts: dict[str, Any], tables: Tables) -> int | None:
    """Return how many records the reply says there are, None if it does not say."""
    if isinstance(paging, OffsetPaging | NumberPaging) and paging.total:
        return integer(paging.total(facts, tables))
    stated = TOTAL.search(facts["reply"]["headers"].get("content-range", ""))
    return int(stated[1]) if stated else None
