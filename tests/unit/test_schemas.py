"""What the floor sends becomes facts, exactly; whatever else it sends is refused and never breaks anything."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.http_events import load, parse
from shared.domain.events import EventType, Outcome, TimeKind
from shared.domain.identity import event_key, order_key

PLAIN = {
    "type": "production.reported",
    "source": "line-1",
    "id": "e-1",
    "time": "2026-11-23T07:00:00.123456+01:00",
    "order": "000123 ",
    "operation": "10.10",
    "work_centre": "SAW",
    "operator": "Ada",
    "data": {"good": "2.5", "scrap": 1, "serials": ["a"], "batch": "B", "scrap_reason": "S1"},
}


def fact(**changes):
    parsed = parse([PLAIN | changes], "main")
    assert parsed.faults == {}
    return parsed.events[0]


def faults(**changes):
    parsed = parse([PLAIN | changes], "main")
    assert parsed.events == []
    return [fault["pointer"] for fault in parsed.faults[0]]


def test_an_event_is_taken_over_exactly():
    event = fact()
    assert (event.order_number, event.operation_id) == ("000123 ", "10.10")
    assert (event.key, event.order_key) == (event_key("line-1", "e-1"), order_key("main", "000123 "))
    assert (event.good, event.scrap, event.rework) == (Decimal("2.5"), Decimal(1), Decimal(0))
    assert event.occurred_at == datetime(2026, 11, 23, 6, 0, 0, 123000, tzinfo=UTC)
    assert (event.serials, event.batch, event.scrap_reason) == (("a",), "B", "S1")


def test_cloud_events_say_the_same():
    moved = {name: PLAIN[name] for name in ("order", "operation", "work_centre", "operator")}
    envelope = {name: PLAIN[name] for name in ("source", "id", "time")}
    cloud = envelope | {
        "specversion": "1.0",
        "type": "com.tascus.production.reported",
        "datacontenttype": "application/json",
        "data": PLAIN["data"] | moved,
    }
    assert parse([cloud], "main").events == [fact()]


def test_a_named_connection_wins_over_the_default():
    assert fact(connection="leeds").order_key == order_key("leeds", "000123 ")


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        ({"outcome": "pass"}, (1, 0, 0)),
        ({"outcome": "fail"}, (0, 0, 1)),
        ({"outcome": "fail", "disposition": "scrap"}, (0, 1, 0)),
        ({"outcome": "pass", "disposition": "scrap"}, (1, 0, 0)),
    ],
)
def test_a_unit_counts_as_one_piece_somewhere(data, counted):
    event = fact(type="unit.completed", data=data | {"serial": "SN-1", "seconds": "12.5", "reason_code": "R"})
    assert (event.good, event.scrap, event.rework) == counted
    assert (event.serials, event.seconds, event.time_kind) == (("SN-1",), Decimal("12.5"), TimeKind.RUN)
    assert event.outcome is Outcome(data["outcome"])
    assert (event.scrap_reason, event.rework_reason) == ("R" * counted[1], "R" * counted[2])


def test_a_correction_names_the_event_it_takes_back():
    same = fact(type="correction", data={"id": "e-0", "reason": "typo"})
    other = fact(type="correction", data={"id": "e-0", "source": "line-2"})
    assert (same.voids, other.voids) == (event_key("line-1", "e-0"), event_key("line-2", "e-0"))
    assert same.type is EventType.CORRECTION


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"data": {"good": "1e30"}}, "/data/good"),
        ({"data": {"good": "NaN"}}, "/data/good"),
        ({"data": {"good": "Infinity"}}, "/data/good"),
        ({"data": {"good": "0.0000001"}}, "/data/good"),
        ({"data": {"serials": ["x" * 201]}}, "/data/serials/0"),
        ({"order": "x" * 201}, "/order"),
        ({"order": 123}, "/order"),
        ({"source": ""}, "/source"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "/time"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "/time"),
        ({"time": 1e300}, "/time"),
        ({"time": "1969-12-31T23:59:59.999Z"}, "/time"),
        ({"time": "1970-01-01T00:30:00+01:00"}, "/time"),
        ({"time": "3000-01-01T00:00:00Z"}, "/time"),
        ({"time": "2999-12-31T23:30:00-01:00"}, "/time"),
        ({"type": "time.recorded", "data": {"seconds": 0}}, "/data/seconds"),
        ({"type": "correction", "data": {}}, "/data/id"),
    ],
)
def test_what_cannot_be_stored_is_refused(changes, pointer):
    assert faults(**changes) == [pointer]


NUL = "a\x00b"
HELD = {
    "production.reported": {
        "unit": NUL,
        "scrap_reason": NUL,
        "rework_reason": NUL,
        "batch": NUL,
        "serials": [NUL],
    },
    "unit.completed": {"outcome": "pass", "serial": NUL, "batch": NUL, "reason_code": NUL},
    "operation.paused": {"reason": NUL},
    "correction": {"id": NUL, "source": NUL, "reason": NUL},
}


@pytest.mark.parametrize(
    "name", ["source", "id", "order", "operation", "work_centre", "operator", "connection"]
)
def test_no_identifier_holds_a_nul(name):
    """SQLite's JSON functions would cut it off there, and two orders would become one."""
    parsed = parse([PLAIN | {name: NUL}], "main")
    assert [(fault["pointer"], "U+0000" in fault["detail"]) for fault in parsed.faults[0]] == [
        (f"/{name}", True)
    ]


@pytest.mark.parametrize(("kind", "data"), HELD.items())
def test_no_detail_holds_a_nul(kind, data):
    where = {f"/data/{name}" + ("/0" if name == "serials" else "") for name in data if name != "outcome"}
    assert set(faults(type=kind, data=data)) == where


@pytest.mark.parametrize("text", ["\x01", "\n", "a\n", "\u2028", "\U0001f600"])
def test_any_other_character_is_kept(text):
    assert fact(order=text).order_number == text


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1969-12-31T23:00:00-01:00", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2999-12-31T23:59:59.999Z", datetime(2999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        ("3000-01-01T13:59:59+14:00", datetime(2999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_instants_of_a_thousand_years_are_known(time, instant):
    assert fact(time=time).occurred_at == instant


def test_a_refused_instant_says_which_years_are_known():
    parsed = parse([PLAIN | {"time": "3000-01-01T00:00:00Z"}], "main")
    assert "1970 to 2999" in parsed.faults[0][0]["detail"]


def test_long_numbers_keep_every_digit():
    body = orjson.dumps(PLAIN).replace(b'"2.5"', b"1234567890.123456")
    assert parse([load(body)], "main").events[0].good == Decimal("1234567890.123456")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": NaN, "b": 1234567890123456.1}',
        b'["\\ud800", 1234567890123456.1]',
        b"[" * 100_000,
        b"[1234567890123456.1," * 50_000,
    ],
)
def test_what_is_no_json_is_a_value_error(body):
    with pytest.raises(ValueError):  # noqa: PT011 - the door answers 400 whatever the words are
        load(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NEARLY = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(EventType)) | JSON},
    optional={name: JSON for name in (*PLAIN, "specversion", "connection") if name != "type"},
)
TIMES = st.builds(lambda time: PLAIN | {"time": time}, st.datetimes().map(str) | st.integers() | st.text())


@given(st.lists(JSON | NEARLY | TIMES, min_size=1, max_size=4))
def test_no_json_whatever_breaks_the_door(items):
    parsed = parse(load(json.dumps(items).encode()), "main")
    assert len(parsed.events) + len(parsed.faults) == parsed.size == len(items)
    assert all(found for found in parsed.faults.values())
    assert all(
        re.fullmatch("(/.*)?", fault["pointer"], re.DOTALL)
        for found in parsed.faults.values()
        for fault in found
    )
