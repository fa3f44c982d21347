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


class Scripted:
    """A listing whose pages are made by `made(page, call) -> (records, reply's body, headers)`."""

    def __init__(self, made):
        self.made, self.pages = made, []

    async def __call__(self, page):
        assert len(self.pages) < 400, "read for ever"
        self.pages.append(page)
        records, body, *headers = self.made(page, len(self.pages))
        reply = {"headers": headers[0] if headers else {}, "body": body}
        return records, {"settings": {}, "reply": reply}


async def read(paging, made, size=2):
    """Return the ids met, and whether the listing was said to be complete."""
    chunks = [chunk async for chunk in Listing(paging, size, Scripted(made), NO_TABLES).chunks()]
    return [record["id"] for chunk in chunks for record in chunk.records], chunks[-1].last


def ids(*numbers):
    return [{"id": number} for number in numbers]


KEYSET = KeysetPaging.model_validate({"kind": "keyset", "after": "=id"})
CIRCLES = {
    "cursor that stays": (lambda _page, _call: (ids(1), {"next": "A"}), "cursor 'A' leads to itself"),
    "cursors in turn": (lambda _page, call: (ids(call), {"next": "AB"[call % 2]}), "cursor 'B' came before"),
    "three in turn": (lambda _page, call: (ids(call), {"next": "ABC"[call % 3]}), "came before"),
    "always new, same record": (lambda _page, call: (ids(1), {"next": f"c{call}"}), "show nothing new"),
    "always new, two pages in turn": (
        lambda _p, call: (ids(call % 2), {"next": f"c{call}"}),
        "show nothing new",
    ),
    "always new, nothing on them": (lambda _page, call: ([], {"next": f"c{call}"}), "show nothing new"),
}


@pytest.mark.parametrize("stable", [None, "so says a profile that is wrong"], ids=["drifting", "stable"])
@pytest.mark.parametrize("kind", ["cursor", "next_link"])
@pytest.mark.parametrize("circle", CIRCLES)
async def test_a_listing_that_goes_round_in_circles_is_not_complete(circle, kind, stable):
    made, complaint = CIRCLES[circle]
    with pytest.raises(ErpUnavailable, match=complaint.replace("cursor '", "'")):
        await read(paging(kind, stable=stable), made)


async def test_an_empty_page_whose_cursor_stays_is_the_end():
    def scrolled(page, _call):
        return (ids(1, 2), {"next": "A"}) if page.cursor is None else ([], {"next": "A"})

    assert await read(paging("cursor", stable="a snapshot"), scrolled) == ([1, 2], True)


@pytest.mark.parametrize("nothing", [None, "", False])
@pytest.mark.parametrize("kind", ["cursor", "next_link"])
async def test_no_next_is_the_end(kind, nothing):
    assert await read(paging(kind, stable="a test"), lambda _page, _call: (ids(1), {"next": nothing})) == (
        [1],
        True,
    )


@pytest.mark.parametrize(
    ("after", "made", "complaint"),
    [
        ("=id", lambda _page, _call: ids(1, 2), "cursor 2 leads to itself"),
        ("=nothing", lambda _page, _call: ids(1, 2), "the same for two records"),
        (
            "=at",
            lambda _page, _call: [{"id": n, "at": "now"} for n in (1, 2)],
            "the same for two records: 'now'",
        ),
        ("=nothing", lambda _page, _call: ids(1, 1), "page 1 leads to itself"),
    ],
    ids=["ignored", "null", "no tie-breaker", "null, twice the same"],
)
async def test_a_keyset_that_does_not_move_is_not_complete(after, made, complaint):
    keyset = KeysetPaging.model_validate({"kind": "keyset", "after": after})
    with pytest.raises(ErpUnavailable, match=complaint):
        await read(keyset, lambda page, call: (made(page, call), {}))


async def test_a_keyset_goes_on_after_the_last_record_that_is_one():
    rows = [{"id": 1}, "odd", {"id": 2}, {"id": 3}]

    async def fetch(page):
        return [r for r in rows if r == "odd" or r["id"] > (page.cursor or 0)][:2], {"settings": {}}

    listing = Listing(KEYSET, 2, fetch, NO_TABLES)
    met_ = [r["id"] for chunk in [c async for c in listing.chunks()] for r in chunk.records if r != "odd"]
    assert sorted(set(met_)) == [1, 2, 3]


def counted(rows, total, cap=None):
    """A list by place or number that says `total`, and gives no more than `cap` records a page."""

    def made(page, _call):
        start = page.offset if page.number == 1 or page.offset else (page.number - 1) * page.size
        found = rows[start : start + min(page.size, cap or page.size)]
        return found, {"total": total}, {"content-range": f"items {start}-{start + len(found)}/{total}"}

    return made


@pytest.mark.parametrize("total", [0, 1, 3, 8, 16, 19, 20, 21, 99])
@pytest.mark.parametrize("kind", ["offset", "range", "page"])
async def test_no_total_is_believed_where_a_full_page_came(kind, total):
    stated = {} if kind == "range" else {"total": "=reply.body.total"}
    seen, complete = await read(paging(kind, **stated), counted(ids(*range(20)), total), size=8)
    assert (seen, complete) == (list(range(20)), True)


async def test_a_total_below_nothing_is_not_believed():
    listing = paging("offset", total="=reply.body.total")
    assert await read(listing, counted(ids(*range(20)), -1), size=8) == (list(range(20)), True)


async def test_a_true_total_costs_one_more_read_only_after_a_full_page():
    for count, calls in ((7, 1), (8, 2), (11, 3), (10, 2)):
        scripted = Scripted(counted(ids(*range(count)), count))
        listing = Listing(paging("offset", total="=reply.body.total"), 8, scripted, NO_TABLES)
        assert await met(listing) == list(range(count))
        assert len(scripted.pages) == calls


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("kind", ["offset", "range", "page"])
async def test_small_pages_are_pages(kind, size):
    assert await read(paging(kind), counted(ids(*range(7)), "*"), size=size) == (list(range(7)), True)


@pytest.mark.parametrize("total", [None, 8, 20, 99])
@pytest.mark.parametrize("kind", ["offset", "page"])
async def test_a_server_that_ignores_the_page_asked_for_is_noticed(kind, total):
    """Unless it says that the one page is all there is."""
    stated = {"total": "=reply.body.total"}
    listing = read(paging(kind, **stated), lambda _page, _call: (ids(*range(8)), {"total": total}), size=8)
    if total == 8:
        assert await listing == (list(range(8)), True)
    else:
        with pytest.raises(ErpUnavailable, match="the ERP ignores which page is asked for"):
            await listing


async def test_a_page_beyond_a_true_total_may_be_refused():
    """Some servers answer 404 to the page after the last one."""
    rows = [order_record(f"WO-{number}") for number in range(4)]

    def numbered(request):
        at = 2 * (int(request.url.params["page"]) - 1)
        return (
            httpx.Response(200, json={"rows": rows[at : at + 2], "total": 4})
            if at < 4
            else httpx.Response(404)
        )

    source = profile_source()
    source["connection"]["limits"] = {"page_size": 2}
    source["pull"]["orders"] |= {
        "records": "=reply.body.rows",
        "paging": {"kind": "page", "total": "=reply.body.total"},
    }
    source["pull"]["orders"]["call"]["query"] = {"page": "=page.number"}
    pages = [page async for page in erp_of(source, numbered).pull(None)]
    assert [order.number for page in pages for order in page.orders] == [
        f"WO-{number}" for number in range(4)
    ]
    assert pages[-1].watermark is not None


async def test_a_page_that_has_to_be_there_may_not_be_refused():
    erp = erp_of(profile_source(), lambda _request: httpx.Response(404))
    with pytest.raises(ErpUnavailable, match="HTTP 404"):
        [page async for page in erp.pull(None)]


@pytest.mark.parametrize("odd", [10**30, "\ud800", [[]]])
def test_odd_records_have_marks_too(odd):
    if odd == [[]]:
        for _ in range(900):
            odd = [odd]
    assert mark_of({"a": odd}) == mark_of({"a": odd}) != mark_of({"a": 1})


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
