"""The events door: what it takes, what it refuses and how it says so. Whatever is sent, it never fails by itself."""

import json
from datetime import UTC, datetime

import azure.functions as func
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy import func as sql

from functions.http_events import receive_events
from shared.store.tables import (
    event_serial,
    execution_event,
    operation_state,
    outbound_message,
    stream,
    warning,
)
from tests.integration.kit import Reply, event
from tests.integration.plant import floor_totals, recorded_ids, warnings_of


async def send(body):
    """Post any bytes, or anything JSON can say, past every check of the sender's own."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answered = await receive_events(func.HttpRequest("POST", "http://here/api/v1/events", body=content))
    return Reply(
        answered.status_code, json.loads(answered.get_body()), answered.headers, answered.mimetype or ""
    )


def good(**fields):
    return event("production.reported", "WO-1", data={"good": "1"}) | fields


def faults(reply):
    return {(fault["pointer"]): fault for fault in reply.body["errors"]}


# --- what is refused, and how -------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff\xfe", b'{"a":}', b"[1,]"])
async def test_what_is_not_json_is_a_400_problem(here, body):
    reply = await send(body)
    assert reply.status == 400
    assert reply.media_type == "application/problem+json"
    assert reply.body["status"] == 400
    assert "JSON" in reply.body["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"source": ""}, "/source"),
        ({"source": "a\u0000b"}, "/source"),
        ({"id": None}, "/id"),
        ({"id": 7}, "/id"),
        ({"order": "x" * 201}, "/order"),
        ({"time": "yesterday"}, "/time"),
        ({"time": "2026-11-23T06:00:00"}, "/time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "/time"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "/time"),
        ({"data": {"good": "-1"}}, "/data/good"),
        ({"data": {"good": "many"}}, "/data/good"),
        ({"data": {"good": "1e400"}}, "/data/good"),
        ({"data": {"good": "NaN"}}, "/data/good"),
        ({"data": {"good": "0.0000001"}}, "/data/good"),
        ({"data": {"good": "10000000000"}}, "/data/good"),
        ({"data": {"serials": ["a", 1]}}, "/data/serials/1"),
        ({"data": {"outcome": "perhaps"}}, "/data/outcome"),
        ({"data": []}, "/data"),
        ({"type": "operation.exploded"}, "/type"),
    ],
)
async def test_a_wrong_field_is_named(here, change, pointer):
    reply = await send(good(**change))
    assert reply.status == 422
    assert pointer in faults(reply), reply.body
    assert recorded_ids(here) == []


async def test_the_valid_values_are_listed(here):
    reply = await send(good(type="operation.exploded"))
    assert "production.reported" in faults(reply)["/type"]["valid"]
    reply = await send(good(data={"outcome": "perhaps"}))
    assert set(faults(reply)["/data/outcome"]["valid"]) == {"pass", "fail"}
    reply = await send({"id": "x"})
    assert "operation.started" in faults(reply)["/type"]["valid"]


async def test_a_bad_event_does_not_take_the_good_ones_with_it(here):
    batch = [good(), good(time="never"), good(), {"type": "nothing"}, 7]
    reply = await send(batch)
    assert reply.status == 207
    assert (reply.body["accepted"], reply.body["rejected"]) == (2, 3)
    said = [line["disposition"] for line in reply.body["events"]]
    assert said == ["recorded", "rejected", "recorded", "rejected", "rejected"]
    (fault,) = reply.body["events"][1]["errors"]
    assert fault["pointer"].endswith("/time")
    assert sorted(recorded_ids(here)) == sorted([batch[0]["id"], batch[2]["id"]])


async def test_a_batch_without_any_good_event_names_each_by_its_place(here):
    reply = await send([good(time="never"), good(id="")])
    assert reply.status == 422
    assert faults(reply).keys() == {"/0/time", "/1/id"}


@pytest.mark.parametrize("number", [0, 1001])
async def test_a_batch_of_the_wrong_size(here, number):
    reply = await send([good() for _ in range(number)])
    assert reply.status == 422
    assert "1000" in reply.body["detail"]


async def test_a_body_over_the_limit_is_413(open_app, connections):
    here = await open_app(connections, TASCUS_MAX_BODY_BYTES="1000")
    reply = await send([good() for _ in range(10)])
    assert (reply.status, reply.media_type) == (413, "application/problem+json")
    assert "1000" in reply.body["detail"]
    assert (await send(good())).status == 202
    assert len(recorded_ids(here)) == 1


async def test_an_event_too_large_for_the_buffer_is_refused_by_itself(here):
    """Whether it is taken must not depend on whether SQL is there at the moment."""
    large = good(data={"good": "1", "serials": [f"{number:0150}" for number in range(300)]})
    reply = await send([good(), large])
    assert reply.status == 207
    assert "at most 40000" in reply.body["events"][1]["errors"][0]["detail"]
    assert (await send(large)).status == 422
    assert len(recorded_ids(here)) == 1


async def test_what_is_not_known_may_be_nested_as_deep_as_it_likes(here):
    """It is left aside; what could not be written down again must not fail for its size either."""
    deep = json.loads("[" * 900 + "]" * 900)
    assert (await send([good(extra=deep), good(extra=deep)])).status == 202
    assert (await send([good(extra=deep), good(padding="x" * 41_000)])).status == 202
    assert len(recorded_ids(here)) == 4


@pytest.mark.parametrize("seconds", ["31622401", "754500000000", "1e12"])
async def test_a_time_longer_than_a_year_was_said_in_another_unit(here, seconds):
    reply = await send(event("time.recorded", "WO-1", data={"kind": "run", "seconds": seconds}))
    assert (reply.status, list(faults(reply))) == (422, ["/data/seconds"])
    assert "31622400" in reply.body["errors"][0]["detail"]


async def test_the_same_event_again_is_a_duplicate_and_a_no_op(here):
    batch = [good(), good()]
    assert (await send([*batch, batch[0]])).body["duplicates"] == 1
    assert (await send(batch)).body["duplicates"] == 2
    assert len(recorded_ids(here)) == 2


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 100_000,
        b'{"x":1234567890.1234567890,"y":' + b"[" * 100_000,
        b'{"x":1234567890.1234567890,"y":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":12345678901234567.5,"type":"\\ud800"}',
        b'{"x":12345678901234567.5,"type":"operation.started","source":"\\ud800","id":"1"}',
        b'{"x":12345678901234567.5,"n":' + b"9" * 5000 + b"}",
        b'{"x":12345678901234567.5,"n":NaN}',
        b'{"n":NaN}',
        b'{"n":1e999}',
        b'{"type":{"a":1}}',
        b'{"type":["operation.started"]}',
        b'{"specversion":"1.0","type":"com.tascus.","data":{"order":{}}}',
        b'{"specversion":"1.0","type":"com.tascus.operation.started","data":null}',
        b"\x00",
        b'"text"',
        b"null",
        b"[[[]]]",
    ],
    ids=range(17),
)
async def test_hostile_bodies_are_refused(here, hostile):
    reply = await send(hostile)
    assert reply.status in (400, 422)
    assert reply.media_type == "application/problem+json"


async def test_odd_but_valid_text_is_kept_exactly(here):
    odd = "a\tb\u202e\U0001f527 \u00e9 '\"; DROP TABLE stream;--"
    reply = await send(good(id=odd, source=odd, order=odd, operation=odd))
    assert reply.status == 202
    assert recorded_ids(here) == [odd]
    assert (await send(good(id=odd, source=odd, order=odd, operation=odd))).body["duplicates"] == 1


async def test_long_numbers_are_kept_to_the_last_digit(here):
    body = json.dumps(good()).replace('"1"', "1234567890.654321").encode()
    assert (await send(body)).status == 202
    kept = here.store.read_now(lambda tx: tx.scalar(select(execution_event.c.good)))
    assert str(kept) == "1234567890.654321"


# --- anything at all ----------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(),
    TEXT,
    st.sampled_from(["1e30", "12345678901234567.1234567", "-0", "Infinity", "com.tascus.x", "pass", "run"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(
    [
        "operation.started",
        "operation.completed",
        "production.reported",
        "unit.completed",
        "time.recorded",
        "correction",
        "com.tascus.operation.paused",
    ]
)
NAMES = (
    "good",
    "scrap",
    "rework",
    "unit",
    "scrap_reason",
    "outcome",
    "serials",
    "batch",
    "serial",
    "seconds",
    "kind",
    "id",
)
DATA = st.dictionaries(st.sampled_from(NAMES), SCALARS | st.lists(TEXT, max_size=3), max_size=5)
TIMES = st.one_of(
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.sampled_from(
        ["2026-11-23T06:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"]
    ),
    SCALARS,
)
NEARLY = st.fixed_dictionaries(
    {
        "source": st.just("fuzz") | TEXT,
        "id": TEXT,
        "type": TYPES,
        "time": TIMES,
        "order": st.just("WO-1") | TEXT,
        "data": DATA | ANYTHING,
    },
    optional={"operation": TEXT, "work_centre": SCALARS, "specversion": SCALARS, "connection": TEXT},
)
BODIES = st.one_of(
    st.binary(max_size=200),
    ANYTHING.map(lambda value: json.dumps(value).encode()),
    st.one_of(NEARLY, st.lists(NEARLY, max_size=5)).map(lambda value: json.dumps(value).encode()),
    st.one_of(NEARLY, st.lists(NEARLY | ANYTHING, max_size=5)).map(
        lambda value: (
            json.dumps({"long": 1, "v": value}, allow_nan=True)
            .replace('"long": 1', '"long": 12345678901234567.5')
            .encode()
        )
    ),
    st.lists(NEARLY, min_size=1, max_size=3).map(
        lambda value: (json.dumps(value)[:-1] + ", 12345678901234567.5]").encode()
    ),
)


@pytest_asyncio.fixture
async def fuzzed(here):
    """The App, and a way to forget what one example has left."""

    def forget():
        def work(tx):
            for table in (event_serial, execution_event, operation_state, outbound_message, stream, warning):
                tx.execute(delete(table))

        here.store.write_now(work)

    return here, forget


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(BODIES)
@example(b'{"x":12345678901234567.5,"type":"\\ud800"}')
async def test_anything_at_all(fuzzed, body):
    """Never an exception, never a 5xx; what is answered with 2xx is in SQL, each event once."""
    here, forget = fuzzed
    forget()
    reply = await send(body)
    assert reply.status in (202, 207, 400, 422)
    here_now = here.store.read_now(lambda tx: tx.scalar(select(sql.count()).select_from(execution_event)))
    if reply.status in (400, 422):
        assert here_now == 0
        assert reply.media_type == "application/problem+json"
        return
    taken = [line for line in reply.body["events"] if line["disposition"] == "recorded"]
    named = {(line["source"], line["id"]) for line in taken}
    stored = here.store.read_now(
        lambda tx: tx.execute(select(execution_event.c.source, execution_event.c.event_id)).all()
    )
    assert len(taken) == len(named) == here_now == reply.body["accepted"]
    assert {tuple(row) for row in stored} == named
    again = await send(body)
    assert (again.body["accepted"], again.body["duplicates"]) == (0, len(taken) + reply.body["duplicates"])


# --- corrections that come before what they take back -------------------------------------------------------


def voiding(target, **fields):
    return event("correction", "WO-1", data={"id": target["id"], "source": target["source"]}) | fields


async def test_a_correction_that_waits_is_a_warning_until_its_event_arrives(here):
    late = good()
    await send(voiding(late))
    (waiting,) = warnings_of(here, "correction_waits", state="open")
    assert "has not arrived for this works order" in waiting.detail
    assert (await send(late)).status == 202
    assert warnings_of(here, "correction_waits", state="open") == []
    (closed,) = warnings_of(here, "correction_waits")
    assert closed.state == "resolved"
    assert floor_totals(here, "WO-1")["good"] == 0


async def test_a_correction_that_comes_with_its_event_or_after_it_waits_for_nothing(here):
    first, second = good(), good()
    await send([voiding(first), first])
    await send(second)
    await send(voiding(second))
    assert warnings_of(here, "correction_waits") == []


async def test_a_correction_of_another_orders_event_stays_a_warning(here):
    elsewhere = good(order="WO-2")
    await send(elsewhere)
    await send(voiding(elsewhere))
    await send(good())
    assert len(warnings_of(here, "correction_waits", state="open")) == 1
