"""From one page of a listing to the next. Pure: what the reply showed in, what to ask for next out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

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

TOTAL = re.compile(r"/(\d+)\s*$")
RANGE_ENDED = 416


@dataclass(frozen=True, slots=True)
class Page:
    """Where a listing stands. `url` replaces the call's own address; `headers` go with the call."""

    size: int
    number: int = 1
    offset: int = 0
    cursor: Any = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return the page as expressions see it."""
        return {"size": self.size, "number": self.number, "offset": self.offset, "cursor": self.cursor}


def first_page(paging: Paging, size: int) -> Page:
    """Return the page a listing begins with."""
    return ranged(paging, Page(size))


def next_page(
    paging: Paging, page: Page, records: Sequence[Any], facts: dict[str, Any], tables: Tables
) -> Page | None:
    """Return the page after `page`, None at the end. `facts` hold the `reply` that brought `records`."""
    match paging:
        case NextLinkPaging():
            url = text(paging.next(facts, tables))
            following = page if not url else replace(page, url=url)
        case CursorPaging():
            cursor = paging.next(facts, tables)
            following = page if cursor is None or cursor == "" else replace(page, cursor=cursor)
        case KeysetPaging():
            following = (
                page if len(records) < page.size else _after_last(paging, page, records[-1], facts, tables)
            )
        case OffsetPaging() | RangePaging() | NumberPaging():
            ends = _ends(paging, page, records, facts, tables)
            following = page if ends else _counted_on(paging, page, len(records))
        case _:
            following = page
    return None if following == page else following


def _after_last(paging: KeysetPaging, page: Page, last: Raw, facts: dict[str, Any], tables: Tables) -> Page:
    return replace(page, cursor=paging.after({**last, "settings": facts["settings"]}, tables))


def _counted_on(paging: Paging, page: Page, count: int) -> Page:
    reread = max(min(paging.reread, count - 1), 0) if isinstance(paging, OffsetPaging | RangePaging) else 0
    return ranged(paging, replace(page, number=page.number + 1, offset=page.offset + count - reread))


def ranged(paging: Paging, page: Page) -> Page:
    """Return `page` with the header that asks for it, where the paging has one."""
    if not isinstance(paging, RangePaging):
        return page
    last = page.offset + page.size - 1
    return replace(page, headers={"Range": f"{paging.unit}={page.offset}-{last}"})


def _ends(paging: Paging, page: Page, records: Sequence[Any], facts: dict[str, Any], tables: Tables) -> bool:
    total = _total(paging, facts, tables)
    if total is None:
        return len(records) < page.size
    return page.offset + len(records) >= total or not records


def _total(paging: Paging, facts: dict[str, Any], tables: Tables) -> int | None:
    """Return how many records the reply says there are, None if it does not say."""
    if isinstance(paging, OffsetPaging | NumberPaging) and paging.total:
        return integer(paging.total(facts, tables))
    stated = TOTAL.search(facts["reply"]["headers"].get("content-range", ""))
    return int(stated[1]) if stated else None
