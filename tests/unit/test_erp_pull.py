"""Pages, watermarks and records that cannot be read."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared.erp.port import ReferenceValue
from shared.erp.pulling import Marks
from shared.errors import ConfigurationError, ErpUnavailable
from shared.profiles.model import Watermark
from tests.unit.erp_at_hand import NOW, OPERATION, erp_of, order_record, profile_source


def listing(paging, query, **orders):
    source = profile_source()
    source["pull"]["orders"] |= {"paging": paging} | orders
    source["pull"]["orders"]["call"]["query"] = query
    source["connection"]["limits"] = {"page_size": 2}
    return source


RECORDS = [order_record(f"WO-{number}", id=number) for number in range(5)]


def slices(start, size=2):
    return RECORDS[start : start + size]


def by_cursor(request):
    start = int(request.url.params.get("after", 0))
    return httpx.Response(200, json={"rows": slices(start), "next": start + 2 if start < 4 else None})


def by_link(request):
    start = int(request.url.params.get("start", 0))
    more = {"@next": f"/orders?start={start + 2}"} if start < 4 else {}
    return httpx.Response(200, json={"rows": slices(start)} | more)


def by_offset(request):
    return httpx.Response(200, json={"rows": slices(int(request.url.params["offset"]))})


def by_number(request):
    return httpx.Response(200, json={"rows": slices(2 * (int(request.url.params["page"]) - 1))})


def by_key(request):
    after = int(request.url.params.get("after", -1))
    return httpx.Response(200, json={"rows": [r for r in RECORDS if r["id"] > after][:2]})


def by_range(request):
    first, last = map(int, request.headers["range"].removeprefix("rows=").split("-"))
    headers = {"Content-Range": f"rows {first}-{last}/{len(RECORDS)}"}
    return httpx.Response(206, json={"rows": RECORDS[first : last + 1]}, headers=headers)


@pytest.mark.parametrize(
    ("paging", "query", "handler"),
    [
        ({"kind": "cursor", "next": "=reply.body.next"}, {"after": "=page.cursor"}, by_cursor),
        ({"kind": "next_link", "next": '=reply.body."@next"'}, {}, by_link),
        ({"kind": "offset"}, {"offset": "=page.offset"}, by_offset),
        ({"kind": "page"}, {"page": "=page.number"}, by_number),
        ({"kind": "keyset", "after": "=id"}, {"after": "=page.cursor"}, by_key),
        ({"kind": "range", "unit": "rows"}, {}, by_range),
    ],
)
async def test_every_paging_reads_every_record_once(paging, query, handler):
    erp = erp_of(listing(paging, query, records="=reply.body.rows"), handler)
    numbers = [order.number async for page in erp.pull(None) for order in page.orders]
    assert numbers == [f"WO-{number}" for number in range(5)]


async def test_a_link_to_another_host_is_not_followed():
    def elsewhere(request):
        return httpx.Response(200, json={"rows": [], "@next": "http://evil.test/orders"})

    source = listing({"kind": "next_link", "next": '=reply.body."@next"'}, {}, records="=reply.body.rows")
    with pytest.raises(ErpUnavailable, match=r"evil\.test"):
        [page async for page in erp_of(source, elsewhere).pull(None)]


async def pages_of(source, records, since=None):
    asked = []

    def handler(request):
        asked.append(dict(request.url.params))
        return httpx.Response(200, json=records)

    return [page async for page in erp_of(source, handler).pull(since)], asked


async def test_one_bad_record_does_not_hide_the_others():
    records = [order_record("WO-1"), order_record("WO-2", qty="many"), order_record("WO-3", state="odd"), 5]
    (page,), _ = await pages_of(profile_source(), records)
    assert [order.number for order in page.orders] == ["WO-1"]
    assert [rejected.subject for rejected in page.rejected] == ["WO-2", "WO-3", "(no number)"]
    assert "quantity" in page.rejected[0].reason


async def test_the_watermark_is_the_latest_instant_and_is_set_back_for_the_next_pull():
    records = [
        order_record("1", at="2026-11-23T10:00:00+02:00"),
        order_record("2", at="2026-11-23T08:30:00Z"),
    ]
    (page,), asked = await pages_of(profile_source(), records)
    assert (page.watermark, asked) == ("2026-11-23T08:30:00Z", [{}])
    _, asked = await pages_of(profile_source(), records, page.watermark)
    assert asked == [{"since": "2026-11-23T08:28:59Z"}]


async def test_only_the_last_page_moves_the_watermark_of_an_unsorted_listing():
    paging = {"kind": "offset"}, {"offset": "=page.offset"}
    unsorted = listing(*paging, records="=reply.body.rows")
    marks = [page.watermark async for page in erp_of(unsorted, by_offset).pull(None)]
    assert marks == [None] * 4 + ["2026-11-23T09:00:00Z"]
    watermark = {"value": "=at", "ascending": True}
    ascending = listing(*paging, records="=reply.body.rows", watermark=watermark)
    marks = [page.watermark async for page in erp_of(ascending, by_offset).pull(None)]
    assert marks == ["2026-11-23T09:00:00Z"] * 5


async def test_operations_may_come_in_a_call_of_their_own():
    source = profile_source()
    del source["pull"]["orders"]["map"]["operations"]
    source["pull"]["operations"] = {
        "order_key": "=id",
        "call": {"method": "GET", "path": "/operations", "query": {"order": "=keys"}},
        "records": "=reply.body",
        "key": "=order",
        "map": OPERATION,
    }
    operations = [{"order": 2, "id": "20"}, {"order": 1, "id": "10"}, {"order": 2, "id": "10"}]

    def handler(request):
        if request.url.path == "/operations":
            assert request.url.params.get_list("order") == ["1", "2"]
            return httpx.Response(200, json=operations)
        return httpx.Response(200, json=[order_record("A", id=1), order_record("B", id=2)])

    (page,) = [page async for page in erp_of(source, handler).pull(None)]
    routing = {order.number: [o.operation_id for o in order.operations] for order in page.orders}
    assert routing == {"A": ["10"], "B": ["10", "20"]}


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (httpx.Response(500, text="broken"), "HTTP 500: broken"),
        (httpx.Response(401), "HTTP 401"),
        (httpx.Response(200, json={"no": "list"}), "no list at =reply.body"),
        (httpx.Response(200, text="<html>"), "a web page came"),
    ],
)
async def test_an_erp_that_does_not_answer_a_list_is_unavailable(answer, complaint):
    with pytest.raises(ErpUnavailable, match=complaint):
        [page async for page in erp_of(profile_source(), lambda _request: answer).pull(None)]


async def test_open_orders():
    erp = erp_of(profile_source(), lambda _request: httpx.Response(200, json=["A", "B"]))
    assert [numbers async for numbers in erp.open_orders()] == [["A", "B"]]


def since_of(watermark, since):
    marks = Marks(Watermark.model_validate({"value": "=at"} | watermark), {}, dict, lambda: NOW)
    return marks.since(since)


@pytest.mark.parametrize(
    ("watermark", "since", "asked"),
    [
        ({}, "2026-11-23T10:00:00Z", "2026-11-23T09:58:59Z"),
        ({"overlap": 0, "resolution": 0}, "2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ({"overlap": 0, "resolution": 86400}, "2026-11-23T10:00:00Z", "2026-11-22T10:00:00Z"),
        ({"kind": "integer"}, "500", "500"),
        ({"kind": "integer", "overlap": 20}, "500", "480"),
        ({"kind": "text"}, "00AB", "00AB"),
        ({}, None, None),
        # Berlin's clocks go back at 01:00 UTC on 25 October 2026: 02:30 there is told twice.
        (
            {"zone": "Europe/Berlin", "overlap": 0, "resolution": 0},
            "2026-10-25T00:30:00Z",
            "2026-10-24T23:30:00Z",
        ),
        (
            {"zone": "Europe/Berlin", "overlap": 0, "resolution": 0},
            "2026-10-25T02:30:00Z",
            "2026-10-25T02:30:00Z",
        ),
        (
            {"zone": "Europe/Berlin", "overlap": 0, "resolution": 0},
            "2026-03-29T01:30:00Z",
            "2026-03-29T01:30:00Z",
        ),
    ],
)
def test_where_the_next_pull_begins(watermark, since, asked):
    assert since_of(watermark, since) == asked


@pytest.mark.parametrize("minutes", range(0, 180, 7))
def test_no_change_is_hidden_by_clocks_that_go_back(minutes):
    """An ERP that stamps and filters by its local clock: whatever it wrote after a mark is asked for again."""
    zone = ZoneInfo("Europe/Berlin")
    mark = datetime(2026, 10, 24, 23, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    watermark = {"zone": "Europe/Berlin", "overlap": 0, "resolution": 0}
    asked = datetime.fromisoformat(since_of(watermark, mark.isoformat()))
    local = asked.astimezone(zone).replace(tzinfo=None)
    for later in range(0, 180, 5):
        written = (mark + timedelta(minutes=later)).astimezone(zone).replace(tzinfo=None)
        assert written >= local


@pytest.mark.parametrize(
    ("watermark", "complaint"),
    [
        ({"kind": "integer", "zone": "UTC"}, "`zone` is for instants, not for integer"),
        ({"kind": "text", "overlap": 5}, "text cannot be set back"),
    ],
)
def test_a_watermark_fits_its_kind(watermark, complaint):
    source = profile_source()
    source["pull"]["orders"]["watermark"] = {"value": "=at"} | watermark
    with pytest.raises(ConfigurationError, match=complaint):
        erp_of(source, None)


async def test_reference_data_is_listed_by_kind():
    source = profile_source()
    source["pull"]["reference"] = {
        "part": {
            "call": "GET /parts",
            "records": "=reply.body",
            "map": {"code": "=no", "name": "=name", "unit": "=unit"},
        }
    }
    rows = [{"no": "P1", "name": "Bracket", "unit": "pcs"}, {"no": None}, {"no": 7}]
    erp = erp_of(source, lambda _request: httpx.Response(200, json=rows))
    assert erp.reference_kinds() == ["part"]
    (values,) = [page async for page in erp.reference("part")]
    assert values == [ReferenceValue("part", "P1", "Bracket", "pcs"), ReferenceValue("part", "7")]
    with pytest.raises(ConfigurationError, match="cannot list 'unit'; it can list: part"):
        [page async for page in erp.reference("unit")]


async def test_a_record_without_a_required_field_is_rejected_and_an_optional_one_may_be_null_or_absent():
    records = [
        order_record("WO-1", unit_name=None),
        order_record("WO-2", part=None),
        order_record("WO-3", part=""),
    ]
    source = profile_source()
    source["pull"]["orders"]["map"] |= {"part_name": "=unit_name", "due_at": "=no_such_field"}
    (page,), _ = await pages_of(source, records)
    assert [(order.number, order.part_name, order.due_at) for order in page.orders] == [("WO-1", "", None)]
    assert [rejected.reason for rejected in page.rejected] == ["part: missing ('=part' finds nothing)"] * 2


def replying(*replies):
    """Play an ERP that gives these replies, the last of them for ever, and notes what it was asked."""
    asked = []

    def handler(request):
        asked.append(str(request.url))
        return replies[min(len(asked), len(replies)) - 1]

    return handler, asked


def rows(*records, **more):
    """Say `records` in JSON that holds whatever Python can say: big numbers, half characters, deep nesting."""
    return httpx.Response(200, content=json.dumps({"rows": records} | more).encode())


PAGINGS = [
    {"kind": "none"},
    {"kind": "offset"},
    {"kind": "range"},
    {"kind": "page"},
    {"kind": "cursor", "next": "=reply.body.next"},
    {"kind": "next_link", "next": "=reply.body.next"},
    {"kind": "keyset", "after": "=no"},
]
ODD = [
    {"qty": "1e400"},
    {"qty": 10**30},
    {"part": "\ud800"},
    {"part": "P" * 201},
    {"no": "N" * 201},
    {"ops": [{"id": 10**30}]},
    {"ops": 7},
    {"ops": "x"},
    {"state": ["released"]},
]


@pytest.mark.parametrize("paging", PAGINGS, ids=lambda paging: paging["kind"])
@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_one_odd_record_spoils_no_page_however_it_is_paged(paging, odd):
    handler, _ = replying(rows(order_record("ODD", **odd), order_record("WO-1")), rows())
    pages = [
        page async for page in erp_of(listing(paging, {}, records="=reply.body.rows"), handler).pull(None)
    ]
    assert [order.number for page in pages for order in page.orders] == ["WO-1"]
    assert sum(len(page.rejected) for page in pages) == 1
    assert pages[-1].watermark == "2026-11-23T09:00:00Z"


@pytest.mark.parametrize("paging", PAGINGS, ids=lambda paging: paging["kind"])
@pytest.mark.parametrize(
    "extra", [10**30, "\ud800", json.loads("[" * 900 + "]" * 900)], ids=["big", "half", "deep"]
)
async def test_what_nobody_maps_may_be_odd(paging, extra):
    handler, _ = replying(rows(order_record("WO-1", extra=extra), order_record("WO-2")), rows())
    pages = [
        page async for page in erp_of(listing(paging, {}, records="=reply.body.rows"), handler).pull(None)
    ]
    assert [order.number for page in pages for order in page.orders] == ["WO-1", "WO-2"]


async def test_an_odd_key_rejects_its_order_and_asks_for_no_operations():
    source = profile_source()
    del source["pull"]["orders"]["map"]["operations"]
    source["pull"]["operations"] = {
        "order_key": "=id",
        "call": {"method": "GET", "path": "/operations", "query": {"order": "=keys"}},
        "records": "=reply.body",
        "key": "=order",
        "map": OPERATION,
    }

    def handler(request):
        if request.url.path == "/operations":
            assert request.url.params.get_list("order") == ["1"]
            return httpx.Response(200, json=[{"order": 1, "id": "10"}])
        records = [order_record("A", id=1), order_record("B", id={"x": 1}), 5]
        return httpx.Response(200, json=records)

    (page,) = [page async for page in erp_of(source, handler).pull(None)]
    assert [order.number for order in page.orders] == ["A"]
    assert [rejected.subject for rejected in page.rejected] == ["B", "(no number)"]


@pytest.mark.parametrize(
    ("paging", "reply", "complaint"),
    [
        ({"kind": "offset", "total": "=reply.body.total"}, {"total": "many"}, "'many' is not a number"),
        ({"kind": "page", "total": "=reply.body.total"}, {"total": [1]}, "is not a number"),
        (
            {"kind": "next_link", "next": "=reply.body.next"},
            {"next": {"href": "/x"}},
            "not one value but several",
        ),
        ({"kind": "next_link", "next": "=reply.body.next"}, {"next": "http://erp.test:x/"}, "is no address"),
        ({"kind": "cursor", "next": "=integer(reply.body.next)"}, {"next": "abc"}, "'abc' is not a number"),
        ({"kind": "keyset", "after": "=integer(part)"}, {}, "'P' is not a number"),
    ],
)
async def test_what_a_listing_does_wrong_is_said_in_words(paging, reply, complaint):
    handler, _ = replying(rows(order_record("A"), order_record("B"), **reply))
    with pytest.raises(ErpUnavailable, match=complaint):
        [page async for page in erp_of(listing(paging, {}, records="=reply.body.rows"), handler).pull(None)]


async def test_a_full_page_without_any_object_leads_nowhere():
    handler, _ = replying(rows("x", None))
    source = listing({"kind": "keyset", "after": "=no"}, {}, records="=reply.body.rows")
    with pytest.raises(ErpUnavailable, match="are no objects"):
        [page async for page in erp_of(source, handler).pull(None)]


async def test_a_number_that_cannot_be_read_concludes_nothing():
    erp = erp_of(profile_source(), lambda _request: httpx.Response(200, json=["A", ["B"]]))
    with pytest.raises(ErpUnavailable, match="open orders"):
        [numbers async for numbers in erp.open_orders()]


LINKED = {"kind": "next_link", "next": "=reply.body.next"}


@pytest.mark.parametrize(
    ("base", "link", "asked"),
    [
        ("http://erp.test", "http://erp.test:80/more", "http://erp.test/more"),
        ("http://erp.test:80", "http://erp.test/more", "http://erp.test/more"),
        ("https://erp.test", "https://erp.test:443/more", "https://erp.test/more"),
        ("http://erp.test", "HTTP://ERP.Test/more", "http://erp.test/more"),
        ("http://ERP.Test", "http://erp.test/more", "http://erp.test/more"),
        ("http://erp.test:8080/api", "http://erp.test:8080/more", "http://erp.test:8080/more"),
        ("http://erp.test/api/v1", "?page=2", "http://erp.test/api/v1/orders?page=2"),
        ("http://erp.test/api/v1", "orders?page=2", "http://erp.test/api/v1/orders?page=2"),
        ("http://erp.test/api/v1", "/orders?page=2", "http://erp.test/orders?page=2"),
    ],
)
async def test_a_link_is_followed_on_our_erp(base, link, asked):
    handler, seen = replying(rows(order_record("A"), next=link), rows())
    source = listing(LINKED | {"stable": "in this test"}, {"at": "now"}, records="=reply.body.rows")
    [page async for page in erp_of(source, handler, base_url=base).pull(None)]
    assert seen[1:] == [asked]


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.test/o",
        "//evil.test/o",
        "https://erp.test/o",
        "http://erp.test:81/o",
        "http://erp.test@evil.test/o",
        "http://erp.test\\@evil.test/o",
        "http://user:word@erp.test/o",
        "http://erp.test.evil.test/o",
    ],
)
async def test_a_link_that_leads_elsewhere_is_not_followed(link):
    handler, seen = replying(rows(order_record("A"), next=link))
    with pytest.raises(ErpUnavailable, match="leads to another host"):
        [page async for page in erp_of(listing(LINKED, {}, records="=reply.body.rows"), handler).pull(None)]
    assert len(seen) == 1


def in_minutes(minutes):
    return (NOW + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


async def marks_of(records, **headers):
    reply = httpx.Response(200, json=records, headers=headers)
    pages = [page async for page in erp_of(profile_source(), lambda _request: reply).pull(None)]
    return pages[-1].watermark


@pytest.mark.parametrize(
    ("date", "stamps", "mark"),
    [
        (None, (-30, -10), -10),
        (None, (-30, 1), 1),  # the overlap of a minute: the next pull does not begin after this one
        (None, (-30, 2), -30),
        (None, (-30, 60 * 24 * 365 * 7), -30),
        (None, (9,), None),
        ("Mon, 23 Nov 2026 10:10:00 GMT", (-30, 10), 10),  # the ERP's own clock, ten minutes ahead of ours
        ("Mon, 23 Nov 2026 10:10:00 GMT", (-30, 12), -30),
        ("Mon, 23 Nov 2026 09:40:00 GMT", (-30, -10), -30),  # and twenty behind
        ("Wed, 01 Jan 2031 00:00:00 GMT", (10, 60 * 24 * 365 * 4), 10),  # a clock set wrong is not believed
        ("yesterday", (-30, 60), -30),
    ],
)
async def test_a_stamp_of_the_future_moves_no_watermark(date, stamps, mark):
    records = [order_record(f"WO-{minutes}", at=in_minutes(minutes)) for minutes in stamps]
    headers = {"Date": date} if date else {}
    assert await marks_of(records, **headers) == (None if mark is None else in_minutes(mark))


async def test_a_stamp_of_the_future_is_said_once(caplog):
    await marks_of([order_record(number, at="2031-01-01T00:00:00Z") for number in "ABC"])
    assert [record.message for record in caplog.records] == [
        "a record is stamped 2031-01-01T00:00:00Z, ahead of the ERP's clock: no watermark moves there"
    ]


@pytest.mark.parametrize(
    "stamp", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "garbage", 5, ["x"], 10**30, "\ud800"]
)
async def test_a_stamp_that_cannot_be_read_moves_nothing(stamp):
    handler, _ = replying(rows(order_record("A", at=stamp), order_record("B")))
    source = listing({"kind": "none"}, {}, records="=reply.body.rows")
    (page,) = [page async for page in erp_of(source, handler).pull(None)]
    assert [order.number for order in page.orders] == ["A", "B"]
    assert page.watermark == "2026-11-23T09:00:00Z"


async def test_a_mark_that_no_store_keeps_moves_nothing():
    source = profile_source()
    source["pull"]["orders"]["watermark"] = {"value": "=at", "kind": "text"}
    handler, _ = replying(
        httpx.Response(200, json=[order_record("A", at="9" * 201), order_record("B", at="8" * 200)])
    )
    (page,) = [page async for page in erp_of(source, handler).pull(None)]
    assert page.watermark == "8" * 200


@pytest.mark.parametrize(
    ("watermark", "since"),
    [
        ({}, "garbage"),
        ({}, "0001-01-01T00:00:10Z"),
        ({}, "2031-01-01T00:00:00Z"),
        ({"kind": "integer"}, "garbage"),
    ],
)
def test_a_stored_watermark_that_cannot_be_used_means_everything(watermark, since):
    marks = Marks(Watermark.model_validate({"value": "=at"} | watermark), {}, dict, lambda: NOW)
    assert marks.since(since) is None
