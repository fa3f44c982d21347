"""Deciding doors: what a person decides happens, is noted, and frees what it should."""

import pytest

from functions.http_orders import completeness, message, order, orders, warning, warnings
from functions.http_pull import pull
from functions.http_review import change, dismiss, put_links, resolve, retry
from shared.domain.identity import message_id, order_key
from tests.integration.kit import call, event, plain_connection, post, woken
from tests.integration.plant import assert_books_agree, deliver_all

ORDER = "WO-000001"
KEY = order_key("main", ORDER)
BY = {"actor": "Ada", "note": "seen on the floor"}


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url)]


@pytest.fixture
async def plant(here):
    assert (await call(pull, "POST", connection="main")).body["inserted"] == 10
    return here


@pytest.fixture
async def parked(plant, plain_erp, azurite):
    """The order's start is parked, and what comes after it waits."""
    plain_erp.faults(script=[{"match": f"{ORDER}/start", "times": 1, "do": "status:422"}])
    await post(event("production.reported", ORDER, data={"good": "2"}))
    await deliver_all(plant)
    assert await state_of(1) == "parked"
    woken(azurite.connection_string)
    return message_id(KEY, 1)


async def state_of(sequence):
    return (await call(message, message=message_id(KEY, sequence))).body["message"]["state"]


async def open_kinds():
    return sorted(line["kind"] for line in (await call(warnings)).body["items"])


async def actions(kind):
    reply = await call(warnings, query={"kind": kind, "state": "resolved"})
    (line,) = reply.body["items"]
    audit = (await call(warning, warning=line["id"])).body["audit"]
    return [(entry["actor"], entry["action"], entry["note"]) for entry in audit]


async def test_a_parked_message_that_is_retried_goes_out_with_all_it_kept_waiting(
    plant, parked, plain_erp, azurite
):
    reply = await call(retry, "POST", message=parked, body=BY)
    assert reply.status == 202
    assert woken(azurite.connection_string) == [KEY]
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [ORDER])
    assert (await call(completeness)).body["complete"] is True
    assert await open_kinds() == []
    assert await actions("message_parked") == [("system", "raised", ""), ("Ada", "retried", BY["note"])]


async def test_a_retry_needs_no_name(plant, parked):
    assert (await call(retry, "POST", message=parked)).status == 202
    assert (await actions("message_parked"))[-1] == ("unnamed", "retried", "")


async def test_a_dismissed_message_stays_out_and_bars_nothing_any_more(plant, parked, azurite):
    assert (await call(dismiss, "POST", message=parked, body=BY)).status == 202
    assert woken(azurite.connection_string) == [KEY]
    await deliver_all(plant)
    found = (await call(message, message=parked)).body["message"]
    assert (found["state"], found["reason"]) == ("voided", "dismissed by Ada: seen on the floor")
    assert (await call(message, message=message_id(KEY, 2))).body["history"], "what it barred was not tried"
    assert (await actions("message_parked"))[-1] == ("Ada", "dismissed", BY["note"])


@pytest.mark.parametrize("door", [retry, dismiss])
async def test_only_what_is_parked_can_be_decided(plant, parked, door):
    reply = await call(door, "POST", message=message_id(KEY, 2), body=BY)
    assert reply.status == 409
    assert (await call(door, "POST", message=message_id(KEY, 77), body=BY)).status == 404
    assert (await call(door, "POST", message="nonsense", body=BY)).status == 404
    assert await state_of(1) == "parked"


async def test_a_warning_is_resolved_once(plant):
    await post(event("operation.started", "nobody-knows-me"))
    (line,) = (await call(warnings)).body["items"]
    assert (await call(resolve, "POST", warning=line["id"], body=BY)).status == 200
    assert (await call(resolve, "POST", warning=line["id"], body=BY)).status == 409
    assert (await call(resolve, "POST", warning="f" * 24, body=BY)).status == 404
    assert (await actions("unknown_order"))[-1] == ("Ada", "resolved", BY["note"])


# --- changes of plan ------------------------------------------------------------------------------------------


@pytest.fixture
async def changed(plant, plain_erp):
    """The planner has changed quantity and due date of an order under way."""
    await post(event("production.reported", ORDER, data={"good": "2"}))
    await deliver_all(plant)
    plain_erp.orders(change=[{"number": ORDER, "quantity": "12.5", "due": "2027-01-02T03:04:05Z"}])
    assert (await call(pull, "POST", connection="main")).body["proposed"] == 1
    return plant


async def line_of_order():
    (line,) = (await call(orders, query={"q": ORDER})).body["items"]
    return line


async def test_a_change_in_mid_flight_is_shown_with_before_and_after(changed):
    line = await line_of_order()
    assert (line["quantity"], line["proposed"]["quantity"]) == ("10", ["10", "12.5"])
    assert set(line["proposed"]) == {"quantity", "due_at"}
    assert await open_kinds() == ["order_changed"]


async def test_an_accepted_change_becomes_the_plan_and_is_not_shown_again(changed, plain_erp):
    reply = await call(change, "POST", number=ORDER, body=BY | {"decision": "accept"})
    assert reply.status == 202
    line = await line_of_order()
    assert (line["quantity"], line["due_at"], line["proposed"]) == ("12.5", "2027-01-02T03:04:05Z", None)
    assert await open_kinds() == []
    assert (await actions("order_changed"))[-1] == ("Ada", "accepted", BY["note"])
    assert (await call(pull, "POST", connection="main")).body["proposed"] == 0
    first, _ = (await call(order, number=ORDER)).body["operations"]
    assert first["good"] == "2"


async def test_a_kept_plan_stays_until_the_erp_changes_its_own_again(changed, plain_erp):
    assert (await call(change, "POST", number=ORDER, body=BY | {"decision": "keep"})).status == 202
    assert (await call(pull, "POST", connection="main")).body["proposed"] == 0
    line = await line_of_order()
    assert (line["quantity"], line["proposed"]) == ("10", None)
    assert (await actions("order_changed"))[-1] == ("Ada", "kept", BY["note"])
    plain_erp.orders(change=[{"number": ORDER, "quantity": "13"}])
    assert (await call(pull, "POST", connection="main")).body["proposed"] == 1
    assert (await line_of_order())["proposed"]["quantity"] == ["10", "13"]


async def test_a_warning_behind_which_a_change_waits_is_not_just_closed(changed):
    (line,) = (await call(warnings)).body["items"]
    reply = await call(resolve, "POST", warning=line["id"], body=BY)
    assert (reply.status, "change" in reply.body["detail"]) == (409, True)


async def test_an_accepted_routing_lets_held_work_go(plant, plain_erp, azurite):
    await post(event("production.reported", ORDER, "10", data={"good": "1"}))
    await deliver_all(plant)
    planned = plain_erp.order(ORDER)["operations"]
    operations = [*planned, planned[-1] | {"id": "30", "seq": 30}]
    plain_erp.orders(change=[{"number": ORDER, "operations": operations}])
    assert (await call(pull, "POST", connection="main")).body["proposed"] == 1
    await post(event("production.reported", ORDER, "30", minute=5, data={"good": "1"}))
    await deliver_all(plant)
    assert (await call(completeness)).body["classes"]["held"] == 1
    woken(azurite.connection_string)
    assert (await call(change, "POST", number=ORDER, body=BY | {"decision": "accept"})).status == 202
    assert woken(azurite.connection_string) == [KEY]
    await deliver_all(plant)
    assert (await call(completeness)).body["complete"] is True


async def test_where_nothing_is_proposed_there_is_nothing_to_decide(plant):
    accept = BY | {"decision": "accept"}
    assert (await call(change, "POST", number=ORDER, body=accept)).status == 409
    assert (await call(change, "POST", number="nope", body=accept)).status == 404


# --- links ----------------------------------------------------------------------------------------------------


async def test_a_unit_that_is_linked_lets_its_messages_go(plant, plain_erp, azurite):
    await post(event("production.reported", ORDER, data={"good": "2", "unit": "box"}))
    await deliver_all(plant)
    assert await open_kinds() == ["unknown_unit"]
    woken(azurite.connection_string)
    unit = (await line_of_order())["unit"]
    links = [{"kind": "unit", "tascus_value": "box", "erp_value": unit, "factor": "1.5"}]
    reply = await call(put_links, "PUT", connection="main", body={"links": links})
    assert reply.body == {"saved": 1, "released": 1}
    assert woken(azurite.connection_string) == [KEY]
    assert await open_kinds() == []
    await deliver_all(plant)
    assert (await call(completeness)).body["complete"] is True
    assert plain_erp.report()["orders"][ORDER]["good"] == "3"


# --- refusals -------------------------------------------------------------------------------------------------

LINK = {"kind": "unit", "tascus_value": "a", "erp_value": "x"}
BAD_BODIES = [
    (dismiss, {}, ["/actor", "/note"]),
    (dismiss, {"actor": " ", "note": "x"}, ["/actor"]),
    (resolve, {"actor": "Ada", "note": 7}, ["/note"]),
    (resolve, [], [""]),
    (change, BY | {"decision": "perhaps"}, ["/decision"]),
    (retry, {"actor": {}}, ["/actor"]),
    (put_links, {"links": [LINK | {"kind": "Unit"}]}, ["/links/0/kind"]),
    (put_links, {"links": [LINK, LINK | {"tascus_value": ""}]}, ["/links/1/tascus_value"]),
    (put_links, {"links": [LINK | {"kind": "part", "factor": "2"}]}, ["/links/0"]),
    (put_links, {"links": [LINK | {"factor": "NaN"}]}, ["/links/0/factor"]),
    (put_links, {"links": [LINK | {"factor": "0"}]}, ["/links/0/factor"]),
]


@pytest.mark.parametrize(("door", "body", "pointers"), BAD_BODIES)
async def test_a_body_that_will_not_do_is_refused_by_field(here, door, body, pointers):
    where = {"message": message_id(KEY, 1), "warning": "w", "number": ORDER, "connection": "main"}
    reply = await call(door, "POST", body=body, **where)
    assert reply.status == 422
    assert [fault["pointer"] for fault in reply.body["errors"]] == pointers


@pytest.mark.parametrize("door", [retry, dismiss, resolve, change, put_links])
async def test_what_is_no_json_is_refused(here, door):
    where = {"message": message_id(KEY, 1), "warning": "w", "number": ORDER, "connection": "main"}
    assert (await call(door, "POST", body=b"{", **where)).status == 400
    assert (await call(door, "POST", body=b"\xff", **where)).status == 400
    assert (await call(door, "POST", body=b'"' + b"x" * 1_100_000 + b'"', **where)).status == 413


async def test_a_decision_names_what_is_valid(here):
    reply = await call(change, "POST", number=ORDER, body=BY | {"decision": "perhaps"})
    assert reply.body["errors"][0]["valid"] == ["accept", "keep"]
