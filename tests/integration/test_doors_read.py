"""Reading doors: what they show, how they page, what they refuse. `call` checks every reply against the document."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.http_events import receive_events
from functions.http_health import live, ready
from functions.http_openapi import openapi
from functions.http_orders import completeness, message, messages, order, orders, warning, warnings
from functions.http_pull import pull
from functions.http_review import links, put_links
from shared.domain.identity import message_id, order_key
from shared.store import lanes, leases, outcomes
from shared.store.outcomes import Entry, Outcome, Progress
from tests.integration.kit import NOBODY, call, event, plain_connection, post
from tests.integration.plant import deliver_all, past

ORDER = "WO-000001"


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url), plain_connection("spare", NOBODY)]


@pytest.fixture
async def pulled(here):
    reply = await call(pull, "POST", connection="main")
    assert (reply.status, reply.body["inserted"], reply.body["error"]) == (202, 10, "")
    return here


async def every_page(door, limit, **query):
    items, cursor, pages = [], None, 0
    while True:
        asked = {"limit": str(limit)} | query | ({"cursor": cursor} if cursor else {})
        reply = await call(door, query=asked)
        assert reply.status == 200, reply.body
        items += reply.body["items"]
        pages, cursor = pages + 1, reply.body["next"]
        assert len(reply.body["items"]) <= limit
        if cursor is None:
            return items, pages


async def set_state(here, number, sequence, state, name="main"):
    """Bring a message into a state as a lane would: under the stream's lease."""
    key, now = order_key(name, number), datetime.now(UTC)

    def work(tx):
        lease = lanes.take(tx, [key], "a test", now, now + timedelta(minutes=1))[key]
        outcome = Outcome(sequence, state, 1, Progress(), "because")
        outcomes.record(tx, [Entry(lease, now, (outcome,))], "a test", now)
        outcomes.record(
            tx, [Entry(lease, now, release=outcomes.Release(None, 0, sequence, None))], "a test", now
        )

    await here.store.write(work)


# --- orders ---------------------------------------------------------------------------------------------------


async def test_orders_come_page_by_page_by_number_each_once(pulled):
    items, pages = await every_page(orders, 3)
    assert [item["number"] for item in items] == [f"WO-{number:06}" for number in range(1, 11)]
    assert pages == 4
    _, pages = await every_page(orders, 5)
    assert pages == 2


async def test_an_order_that_only_the_floor_knows_is_listed_without_a_plan(pulled):
    await post(event("operation.started", "A 1/ü"))
    items, _ = await every_page(orders, 4)
    assert len(items) == 11
    assert items[0]["number"] == "A 1/ü"
    assert (items[0]["part"], items[0]["erp_state"], items[0]["status"]) == (None, None, "in_progress")


async def test_orders_are_filtered(pulled):
    await post(
        event("operation.started", "WO-000003"), event("operation.started", "wo-1", connection="spare")
    )

    async def numbers(**query):
        items, _ = await every_page(orders, 50, **query)
        return [item["number"] for item in items]

    assert await numbers(status="in_progress") == ["WO-000003", "wo-1"]
    assert await numbers(status="in_progress", connection="main") == ["WO-000003"]
    assert len(await numbers(status="not_started")) == 9
    assert await numbers(q="WO-00001") == ["WO-000010"]
    assert await numbers(q="wo") == ["wo-1"]
    assert await numbers(q="%") == []
    assert len(await numbers(erp_state="released")) == 10
    assert await numbers(connection="nowhere") == []


async def test_an_order_shows_the_output_of_its_last_operation(pulled):
    await post(
        event("production.reported", ORDER, "10", data={"good": "7", "scrap": "1"}),
        event("production.reported", ORDER, "20", data={"good": "4.5", "scrap": "0.25"}),
    )
    reply = await call(orders, query={"q": ORDER})
    (line,) = reply.body["items"]
    assert (line["good"], line["scrap"], line["status"]) == ("4.5", "0.25", "in_progress")


async def test_one_order_in_full(pulled):
    await post(
        event("production.reported", ORDER, "10", data={"good": "7", "scrap": "1", "rework": "2"}),
        event("time.recorded", ORDER, "10", data={"kind": "setup", "seconds": "90.5"}),
        event("operation.completed", ORDER, "10", minute=3),
        event("operation.started", ORDER, "99", minute=4),
    )
    reply = await call(order, number=ORDER)
    assert reply.status == 200
    first, second, extra = reply.body["operations"]
    assert (first["good"], first["scrap"], first["rework"], first["setup_seconds"]) == ("7", "1", "2", "90.5")
    assert (first["status"], first["completed_at"]) == ("completed", "2026-11-23T06:03:00Z")
    assert first["standard_run_seconds"] is not None
    assert (second["status"], second["good"], second["planned"]) == ("not_started", "0", True)
    assert (extra["operation_id"], extra["planned"], extra["work_centre"]) == ("99", False, None)
    assert [line["kind"] for line in reply.body["warnings"]] == ["unknown_operation"]
    assert reply.body["stream"]["pending"] == len((await every_page(messages, 50))[0])
    assert reply.body["stream"]["due_at"] is not None


async def test_a_number_with_a_slash_arrives_encoded(here):
    await post(event("operation.started", "A/1%2"))
    assert (await call(order, number="A%2F1%2")).body["order"]["number"] == "A/1%2"


async def test_an_unknown_order_is_not_found(here):
    reply = await call(order, number="nope")
    assert (reply.status, reply.media_type) == (404, "application/problem+json")
    assert "nope" in reply.body["detail"]


async def test_a_number_on_two_connections_needs_the_connection(here):
    await post(event("operation.started", "X"), event("operation.started", "X", connection="spare"))
    reply = await call(order, number="X")
    assert (reply.status, reply.body["errors"][0]["valid"]) == (422, ["main", "spare"])
    reply = await call(order, number="X", query={"connection": "spare"})
    assert reply.body["order"]["connection"] == "spare"


# --- messages -------------------------------------------------------------------------------------------------


async def test_messages_come_in_sequence_and_are_filtered(here):
    for number in ("A", "B"):
        await post(event("operation.started", number), event("operation.completed", number, minute=1))
    items, _ = await every_page(messages, 1)
    assert len(items) == len({item["id"] for item in items}) == 6
    of_a, _ = await every_page(messages, 2, order="A")
    assert [item["kind"] for item in of_a] == ["order.started", "operation.started", "operation.completed"]
    assert {item["order"] for item in of_a} == {"A"}
    assert len((await every_page(messages, 50, kind="order.started"))[0]) == 2
    assert (await every_page(messages, 50, state="parked"))[0] == []
    assert (await every_page(messages, 50, order="C"))[0] == []
    assert (await every_page(messages, 50, connection="spare"))[0] == []


async def test_a_message_shows_every_attempt(pulled, plain_erp):
    plain_erp.faults(script=[{"match": f"{ORDER}/start", "times": 1, "do": "status:503"}])
    await post(event("operation.started", ORDER))
    await deliver_all(pulled)
    first = message_id(order_key("main", ORDER), 1)
    reply = await call(message, message=first)
    assert reply.body["message"]["id"] == first
    assert [(tried["status"], tried["verdict"]) for tried in reply.body["history"]] == [(503, "retry")]
    past(pulled)
    await deliver_all(pulled)
    reply = await call(message, message=first)
    tried = [attempt["status"] for attempt in reply.body["history"]]
    assert (tried[0], tried[-1]) == (503, 200)
    assert reply.body["message"]["state"] == "done"
    assert "plain-key" not in str(reply.body)


@pytest.mark.parametrize(
    "name", ["", "x", "a" * 24, "a" * 24 + "-1", "a" * 24 + "-" + "9" * 4000, "é-1", "-1"]
)
async def test_what_is_no_message_is_not_found(here, name):
    assert (await call(message, message=name)).status == 404


# --- warnings -------------------------------------------------------------------------------------------------


async def test_warnings_come_newest_first_and_are_filtered(here):
    for number in ("A", "B", "C", "D"):
        await post(event("operation.started", number))
    items, pages = await every_page(warnings, 2)
    assert sorted(item["order"] for item in items) == ["A", "B", "C", "D"]
    assert [item["first_seen_at"] for item in items] == sorted(
        (item["first_seen_at"] for item in items), reverse=True
    )
    assert pages == 2
    assert len((await every_page(warnings, 50, kind="unknown_order", order="B"))[0]) == 1
    assert (await every_page(warnings, 50, state="resolved"))[0] == []
    reply = await call(warning, warning=items[0]["id"])
    assert [line["action"] for line in reply.body["audit"]] == ["raised"]
    assert (await call(warning, warning="x" * 24)).status == 404


# --- the account ----------------------------------------------------------------------------------------------


async def test_every_event_is_accounted_for_in_one_class(here):
    await post(
        event("operation.started", "A", id="a1"),
        event("operation.started", "A", id="a1", minute=9),  # a duplicate is no event
        event("operation.started", "B", id="b1"),
        event("operation.started", "C", id="c1"),
        event("operation.started", "D", id="d1"),
        event("operation.started", "E", id="e1"),
        event("operation.paused", "E", id="e2", minute=2),
        event("operation.resumed", "E", id="e3", minute=1),  # late: nothing to tell
        event("correction", "F", id="f1", data={"id": "gone"}),
        event("operation.started", "S", id="s1", connection="spare"),
    )
    for sequence in (1, 2):
        await set_state(here, "A", sequence, "done")
        await set_state(here, "C", sequence, "exempt")
    await set_state(here, "B", 1, "done")
    await set_state(here, "B", 2, "parked")
    await set_state(here, "D", 1, "held")
    reply = await call(completeness)
    found = reply.body
    assert found["classes"] == {
        "delivered": 1,
        "exempt": 1,
        "voided": 0,
        "nothing_to_tell": 2,
        "pending": 3,
        "held": 1,
        "parked": 1,
    }
    assert (found["events"], sum(found["classes"].values()), found["unaccounted"]) == (9, 9, 0)
    assert found["messages"] == {"pending": 6, "held": 1, "done": 3, "parked": 1, "voided": 0, "exempt": 2}
    assert [(each["connection"], each["events"]) for each in found["connections"]] == [
        ("main", 8),
        ("spare", 1),
    ]
    assert found["complete"] is False


async def test_the_account_of_one_order(here):
    await post(event("operation.started", "A"), event("operation.started", "B"))
    for sequence in (1, 2):
        await set_state(here, "A", sequence, "done")
    reply = await call(completeness, query={"order": "A"})
    assert (reply.body["events"], reply.body["complete"], reply.body["buffered"]) == (1, True, None)
    assert (await call(completeness, query={"order": "B"})).body["complete"] is False
    assert (await call(completeness, query={"order": "nope"})).status == 404


async def test_it_is_complete_when_the_erp_has_everything(pulled, azurite):
    assert (await call(completeness)).body["complete"] is True
    await post(event("production.reported", ORDER, data={"good": "1"}))
    assert (await call(completeness)).body["complete"] is False
    await deliver_all(pulled)
    found = (await call(completeness)).body
    assert (found["complete"], found["classes"]["delivered"], found["buffered"]) == (True, 1, 0)


async def test_what_is_taken_back_unsent_is_voided(here):
    await post(event("production.reported", "A", id="wrong", data={"good": "1"}))
    await post(event("correction", "A", id="right", data={"id": "wrong"}))
    found = (await call(completeness)).body
    assert (found["classes"]["voided"], found["classes"]["nothing_to_tell"]) == (1, 1)
    assert found["complete"] is True


async def test_events_that_wait_in_the_buffer_are_not_complete(open_app, connections, tmp_path):
    here = await open_app(connections, TASCUS_SQL_URL=f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}")
    reply = await post(event("operation.started", "A"))
    assert reply.body["events"][0]["disposition"] == "buffered"
    await here.close()
    await open_app(connections)
    found = (await call(completeness)).body
    assert (found["complete"], found["events"], found["buffered"]) == (False, 0, 1)


# --- pull -----------------------------------------------------------------------------------------------------


async def test_pulling_what_is_not_configured_names_what_is(here):
    reply = await call(pull, "POST", connection="nope")
    assert (reply.status, reply.body["errors"][0]["valid"]) == (404, ["main", "spare"])


async def test_a_pull_reports_that_the_erp_is_away(here):
    reply = await call(pull, "POST", connection="spare")
    assert reply.status == 202
    assert reply.body["error"]


async def test_only_one_pulls_at_a_time(here):
    now = datetime.now(UTC)
    await here.store.write(
        lambda tx: leases.take(tx, "pull:main", "another", now, now + timedelta(minutes=1))
    )
    assert (await call(pull, "POST", connection="main")).status == 409


async def test_reconciling_finds_what_was_deleted(pulled, plain_erp):
    plain_erp.reset(orders=9, operations=2)
    reply = await call(pull, "POST", connection="main", query={"reconcile": "true"})
    assert (reply.status, reply.body["vanished"]) == (202, 1)


# --- health ---------------------------------------------------------------------------------------------------


async def test_it_is_alive_even_if_nothing_else_is(open_app, connections, tmp_path):
    nothing = f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}"
    await open_app(connections, TASCUS_SQL_URL=nothing, AzureWebJobsStorage=no_queue())
    assert (await call(live)).body == {"status": "alive"}
    reply = await call(ready)
    assert (reply.status, reply.body["status"], len(reply.body["reasons"])) == (503, "unavailable", 2)
    assert reply.headers["Retry-After"]
    assert str(tmp_path) not in str(reply.body)


async def test_it_is_ready_while_an_erp_is_away(pulled):
    await call(pull, "POST", connection="spare")
    reply = await call(ready)
    assert (reply.status, reply.body["status"], reply.body["reasons"]) == (200, "ready", [])
    main, spare = reply.body["connections"]
    assert (main["last_pull_failed"], spare["last_pull_failed"]) == (False, True)
    assert (main["last_pull_at"] is None, spare["last_pull_at"]) == (False, None)


async def test_either_sql_or_the_queue_is_enough(open_app, connections, tmp_path):
    nothing = f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}"
    await open_app(connections, TASCUS_SQL_URL=nothing)
    reply = await call(ready)
    assert (reply.status, reply.body["status"]) == (200, "degraded")
    await open_app(connections, AzureWebJobsStorage=no_queue())
    reply = await call(ready)
    assert (reply.status, reply.body["status"]) == (200, "degraded")


def no_queue():
    return "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;QueueEndpoint=http://127.0.0.1:9/a;"


# --- refusals -------------------------------------------------------------------------------------------------

BAD_QUERIES = [
    (orders, {"limit": "0"}, "/limit"),
    (orders, {"limit": "501"}, "/limit"),
    (orders, {"limit": "9" * 5000}, "/limit"),
    (orders, {"limit": "ten"}, "/limit"),
    (orders, {"cursor": "nonsense"}, "/cursor"),
    (orders, {"cursor": "é"}, "/cursor"),
    (orders, {"cursor": "WzEsMl0"}, "/cursor"),
    (orders, {"status": "broken"}, "/status"),
    (orders, {"colour": "red"}, "/colour"),
    (messages, {"state": "lost"}, "/state"),
    (messages, {"cursor": "WyJhIiw5OTk5OTk5OTk5OTk5OTk5OTk5XQ"}, "/cursor"),
    (messages, {"kind": "order.eaten"}, "/kind"),
    (warnings, {"kind": "odd"}, "/kind"),
    (warnings, {"state": "shut"}, "/state"),
    (warnings, {"cursor": "WyJ5ZXN0ZXJkYXkiLCAieCJd"}, "/cursor/0"),
    (pull, {"reconcile": "perhaps"}, "/reconcile"),
]


@pytest.mark.parametrize(("door", "query", "pointer"), BAD_QUERIES)
async def test_a_query_that_will_not_do_is_refused_by_name(here, door, query, pointer):
    reply = await call(door, query=query, connection="main")
    assert (reply.status, reply.media_type) == (422, "application/problem+json")
    assert [fault["pointer"] for fault in reply.body["errors"]] == [pointer]
    assert "Value error" not in reply.body["errors"][0]["detail"]


async def test_refusals_list_what_is_valid(here):
    reply = await call(messages, query={"state": "lost"})
    assert reply.body["errors"][0]["valid"] == ["pending", "held", "done", "parked", "voided", "exempt"]
    reply = await call(warnings, query={"colour": "red"})
    assert reply.body["errors"][0]["valid"] == ["connection", "cursor", "kind", "limit", "order", "state"]


async def test_the_hosts_own_key_in_the_query_is_no_filter(here):
    assert (await call(orders, query={"code": "a-functions-key"})).status == 200


async def test_without_sql_readers_are_asked_to_come_back(open_app, connections, tmp_path):
    await open_app(connections, TASCUS_SQL_URL=f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}")
    for door in (orders, messages, warnings, completeness, links):
        reply = await call(door, connection="main")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


async def test_links_are_listed_as_they_were_put(here):
    stated = [
        {"kind": "unit", "tascus_value": "box", "erp_value": "pcs", "factor": "12.5"},
        {"kind": "scrap_reason", "tascus_value": "S1", "erp_value": "SCR-01", "factor": None},
    ]
    reply = await call(put_links, "PUT", connection="main", body={"links": stated})
    assert reply.body == {"saved": 2, "released": 0}
    assert (await call(links, connection="main")).body == {"links": stated[::-1]}
    assert (await call(links, connection="spare")).body == {"links": []}
    assert (await call(links, connection="nope")).status == 404


async def test_the_document_is_served(here):
    reply = await call(openapi)
    assert reply.body["openapi"].startswith("3.1")


async def test_a_refused_batch_is_described_too(here):
    reply = await call(receive_events, "POST", body=[event("operation.started", "A"), {"type": "odd"}])
    assert (reply.status, reply.body["rejected"]) == (207, 1)
    assert (await call(receive_events, "POST", body=b"{")).status == 400
    assert (await call(receive_events, "POST", body=[])).status == 422
    assert (await call(receive_events, "POST", body=b" " * 2_000_000)).status == 413
