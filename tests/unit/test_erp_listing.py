"""Listings that move while they are read: every record is met, whatever way they are paged."""

import asyncio
import random

import httpx
import pytest

from shared.erp.listing import Listing, mark_of
from shared.errors import ErpUnavailable
from shared.mapping.conversions import NO_TABLES
from shared.profiles.model import (
    CursorPaging,
    KeysetPaging,
    NextLinkPaging,
    NumberPaging,
    OffsetPaging,
    RangePaging,
)
from tests.unit.erp_at_hand import erp_of, order_record, profile_source


class Moving:
    """A listing sorted by change; between two reads of pages some records change (go to the end) or leave."""

    def __init__(self, count, moves, size, seed=0):
        self.rows = [{"id": number, "version": 1} for number in range(count)]
        self.always = set(range(count))  # ids that stay all the time
        self.moves, self.size, self.dice, self.reads = moves, size, random.Random(seed), 0

    def move(self):
        """Let `moves` records near the front change or leave, as an ERP's users would."""
        for _ in range(self.moves if self.reads < 40 and len(self.rows) > 20 else 0):
            place = self.dice.randrange(len(self.rows) - 1)
            row = self.rows.pop(place)
            if self.dice.random() < 0.5:
                self.rows.append(row | {"version": row["version"] + 1})
            else:
                self.always.discard(row["id"])

    def slice(self, start, size):
        self.reads += 1
        found = self.rows[start : start + size]
        headers = {"content-range": f"items {start}-{start + len(found) - 1}/{len(self.rows)}"}
        self.move()
        return found, headers

    async def __call__(self, page):
        await asyncio.sleep(0)
        if page.headers:
            first, last = map(int, page.headers["Range"].removeprefix("items=").split("-"))
            records, headers = self.slice(first, last - first + 1)
        elif page.url is not None:
            records, headers = self.slice(int(page.url), self.size)[0], {}
        elif page.cursor is not None:
            records, headers = self.slice(int(page.cursor), self.size)[0], {}
        else:
            records, headers = self.slice(page.offset, self.size)[0], {}
        at = int(page.url or page.cursor or 0) + self.size
        body = {"next": str(at) if len(records) == self.size else None}
        return records, {"settings": {}, "reply": {"headers": headers, "body": body}}


def paging(kind, **more):
    kinds = {"offset": OffsetPaging, "range": RangePaging, "page": NumberPaging, "cursor": CursorPaging}
    expected = {"next": "=reply.body.next"} if kind in ("cursor", "next_link") else {}
    return (kinds | {"next_link": NextLinkPaging})[kind].model_validate({"kind": kind} | expected | more)


async def met(listing):
    return [record["id"] async for chunk in listing.chunks() for record in chunk.records]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["offset", "range", "page", "next_link", "cursor"])
async def test_whatever_stays_is_met_however_the_others_move(kind, seed):
    moving = Moving(60, moves=2, size=7, seed=seed)
    seen = await met(Listing(paging(kind), 7, moving, NO_TABLES))
    assert moving.always <= set(seen)


async def test_counted_pages_without_care_would_have_missed_some():
    """The test above can fail: one pass over the same moves loses records."""
    lost = 0
    for seed in range(8):
        moving = Moving(60, moves=2, size=7, seed=seed)
        stable = paging("page", stable="so says a profile that is wrong")
        lost += len(moving.always - set(await met(Listing(stable, 7, moving, NO_TABLES))))
    assert lost > 0


async def test_more_moves_than_are_read_again_are_noticed_and_made_up_for():
    moving = Moving(100, moves=12, size=10, seed=3)
    seen = await met(Listing(paging("offset", reread=2), 10, moving, NO_TABLES))
    assert moving.always <= set(seen)


async def test_a_listing_that_never_rests_is_not_read_for_ever():
    async def different(page):
        rows = [{"id": random.random()} for _ in range(5)]
        return rows, {"settings": {}, "reply": {"headers": {}, "body": {}}}

    with pytest.raises(ErpUnavailable, match="moves faster"):
        await met(Listing(paging("offset", reread=2), 5, different, NO_TABLES))


async def test_a_record_that_is_still_is_yielded_once():
    moving = Moving(23, moves=0, size=5)
    for kind in ("offset", "range", "page", "cursor"):
        assert await met(Listing(paging(kind), 5, moving, NO_TABLES)) == list(range(23))


async def test_one_page_is_read_once():
    moving = Moving(3, moves=0, size=5)
    for kind in ("offset", "page", "next_link", "cursor"):
        moving.reads = 0
        assert await met(Listing(paging(kind), 5, moving, NO_TABLES)) == [0, 1, 2]
        assert moving.reads == 1


async def test_keyset_and_stable_cursors_cost_one_pass():
    moving = Moving(10, moves=0, size=5)
    await met(Listing(paging("cursor", stable="a snapshot"), 5, moving, NO_TABLES))
    assert moving.reads == 3
    keyset = KeysetPaging.model_validate({"kind": "keyset", "after": "=id"})
    assert isinstance(keyset, KeysetPaging)


def test_a_changed_record_is_another():
    assert mark_of({"a": 1, "b": 2}) == mark_of({"b": 2, "a": 1}) != mark_of({"a": 1, "b": 3})


async def test_a_stated_total_ends_a_listing_whose_pages_are_smaller_than_asked_for():
    rows = [order_record(f"WO-{number}") for number in range(7)]

    def capped(request):
        start = int(request.url.params["offset"])
        return httpx.Response(200, json={"rows": rows[start : start + 3], "total": 7})

    source = profile_source()
    source["pull"]["orders"] |= {
        "records": "=reply.body.rows",
        "paging": {"kind": "offset", "total": "=reply.body.total"},
    }
    source["pull"]["orders"]["call"]["query"] = {"offset": "=page.offset"}
    numbers = [o.number async for page in erp_of(source, capped).pull(None) for o in page.orders]
    assert numbers == [f"WO-{number}" for number in range(7)]


async def test_the_watermark_waits_for_the_pass_that_shows_nothing_new():
    """Links may drift: until the listing is known to be complete, no page moves the watermark."""
    rows = [order_record(f"WO-{number}") for number in range(4)]

    def linked(request):
        start = int(request.url.params.get("start", 0))
        more = {"next": f"/orders?start={start + 2}"} if start < 2 else {}
        return httpx.Response(200, json={"rows": rows[start : start + 2]} | more)

    source = profile_source()
    source["pull"]["orders"] |= {
        "records": "=reply.body.rows",
        "paging": {"kind": "next_link", "next": "=reply.body.next"},
        "watermark": {"value": "=at", "ascending": True},
    }
    pages = [page async for page in erp_of(source, linked).pull(None)]
    assert [page.watermark for page in pages] == [None] * 3 + ["2026-11-23T09:00:00Z"]
    assert [len(page.orders) for page in pages] == [2, 2, 0, 0]
