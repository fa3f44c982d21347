"""The SAP simulator driven by hand, as an integrator would with an HTTP client; then its own tables are read."""

import datetime as dt
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest

from tests.simulators.harness import PlannedOperation, PlannedOrder
from tests.simulators.sap import Sap

ROOT = "/sap/opu/odata/sap"
ORDERS = f"{ROOT}/API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2"
CONFIRMATIONS = f"{ROOT}/API_PROD_ORDER_CONFIRMATION_2_SRV"
KEY = "8f14e45f-ceea-467f-a0e6-1c2d3e4f5a6b"


def bolts(quantity=10, **more):
    steps = (
        PlannedOperation("10", "Turn", "LATHE", Decimal(600), Decimal(60)),
        PlannedOperation("20", "Pack", "PACK", Decimal(0), Decimal(30)),
    )
    return PlannedOrder("BOLT", Decimal(quantity), more.pop("operations", steps), **more)


def four_steps():
    return tuple(PlannedOperation(str(n), "Turn", "LATHE", Decimal(0), Decimal(0)) for n in (10, 20, 30, 40))


@pytest.fixture
def sap():
    with Sap() as erp:
        yield erp


@pytest.fixture
def client(sap):
    with logged_in(sap) as client:
        yield client


def logged_in(erp, user="API_USER"):
    headers = {"accept": "application/json"}
    return httpx.Client(base_url=erp.url, auth=(user, "Welcome1"), headers=headers)


def with_token(client):
    reply = client.get(f"{CONFIRMATIONS}/", headers={"X-CSRF-Token": "Fetch"})
    client.headers["X-CSRF-Token"] = reply.headers["x-csrf-token"]
    return client


def confirmation(number, operation="0010", quantity="4", **more):
    return {
        "OrderID": number,
        "Sequence": "0",
        "OrderOperation": operation,
        "ConfirmationYieldQuantity": quantity,
        "ConfirmationUnit": "PC",
        **more,
    }


def confirm(client, *given, **more):
    return client.post(f"{CONFIRMATIONS}/ProdnOrdConf2", json=confirmation(*given, **more))


def message(reply):
    return reply.json()["error"]["code"]


def cancel(client, row, **more):
    keys = {name: f"'{row[name]}'" for name in ("ConfirmationGroup", "ConfirmationCount")}
    return client.post(f"{CONFIRMATIONS}/CancelProdnOrdConf", params={**keys, **more})


def test_a_whole_order_is_read_worked_corrected_and_finished(sap, client):
    number = sap.release(bolts(batch=True))

    order = client.get(f"{ORDERS}('{number}')", params={"$expand": "to_ProductionOrderOperation"}).json()["d"]
    assert (order["OrderIsReleased"], order["TotalQuantity"]) == ("X", "10")
    steps = order["to_ProductionOrderOperation"]["results"]
    assert [step["ManufacturingOrderOperation"] for step in steps] == ["0010", "0020"]

    with_token(client)
    times = {
        "OpConfirmedWorkQuantity1": "10",
        "OpWorkQuantityUnit1": "MIN",
        "OpConfirmedWorkQuantity2": "0.5",
        "OpWorkQuantityUnit2": "H",
        "ConfirmedExecutionStartDate": "/Date(1793577600000)/",
        "ConfirmedExecutionStartTime": "PT08H00M00S",
    }
    first = confirm(client, number, ConfirmationScrapQuantity="1", VarianceReasonCode="0001", **times)
    assert first.status_code == 201
    made = first.json()["d"]
    assert made["ConfirmationCount"] == "00000001"
    assert made["ConfirmedExecutionStartTime"] == "PT08H00M00S"
    assert made["OpConfirmedWorkQuantity2"] == "0.500"

    wrong = confirm(client, number, quantity="3").json()["d"]
    assert cancel(client, wrong).json()["d"]["IsReversal"] is True
    assert confirm(client, number, quantity="6", FinalConfirmationType="X").status_code == 201

    receipt = {
        "OrderItem": "0001",
        "Material": "BOLT",
        "GoodsMovementType": "101",
        "GoodsMovementRefDocType": "F",
        "EntryUnit": "PC",
        "QuantityInEntryUnit": "10",
        "Batch": "B-7",
    }
    last = confirm(
        client,
        number,
        "0020",
        "10",
        IsFinalConfirmation=True,
        to_ProdnOrdConfMatlDocItm={"results": [receipt]},
    )
    assert last.status_code == 201

    booked = sap.booked(number)
    assert (booked.state, booked.good, booked.scrap, booked.batches) == ("completed", 10, 1, ("B-7",))
    assert booked.postings == 5
    turning = booked.operation("10")
    assert (turning.state, turning.good, turning.scrap) == ("completed", 10, 1)
    assert (turning.setup_seconds, turning.run_seconds, turning.reasons) == (600, 1800, ("0001",))
    order = client.get(f"{ORDERS}('{number}')").json()["d"]
    assert (order["OrderIsConfirmed"], order["OrderIsDelivered"]) == ("X", "X")


def test_a_list_comes_in_pages_that_the_server_cuts():
    with Sap(page_size=2) as erp, logged_in(erp) as client:
        numbers = [erp.release(bolts()) for _ in range(5)]
        wanted = {
            "$filter": "OrderIsReleased eq 'X'",
            "$inlinecount": "allpages",
            "$select": "ManufacturingOrder",
        }
        body = client.get(ORDERS, params=wanted).json()["d"]
        assert body["__count"] == "5"
        read = list(body["results"])
        while "__next" in body:
            body = client.get(body["__next"]).json()["d"]
            read += body["results"]
        assert [row["ManufacturingOrder"] for row in read] == numbers
        assert set(read[0]) == {"__metadata", "ManufacturingOrder"}


def test_a_change_is_found_by_comparing_its_stamp_as_text(sap, client):
    sap.release(bolts())
    later = sap.release(bolts())
    stamp = client.get(ORDERS).json()["d"]["results"][0]["LastChangeDateTime"]
    assert re.fullmatch(r"\d{14}", stamp)
    sap.change_quantity(later, Decimal(12))
    rows = client.get(ORDERS, params={"$filter": f"LastChangeDateTime gt '{stamp}'"}).json()["d"]["results"]
    assert [row["TotalQuantity"] for row in rows] == ["12"]


def test_a_confirmation_leaves_the_orders_stamp_alone(sap, client):
    number = sap.release(bolts())
    before = client.get(f"{ORDERS}('{number}')").json()["d"]["LastChangeDateTime"]
    confirm(with_token(client), number)
    assert client.get(f"{ORDERS}('{number}')").json()["d"]["LastChangeDateTime"] == before


def test_a_confirmation_is_found_again_by_its_external_key(sap, client):
    number = sap.release(bolts())
    confirm(with_token(client), number, ExternalSystemConfirmation=KEY)
    wanted = {"$filter": f"ExternalSystemConfirmation eq guid'{KEY}'"}
    found = client.get(f"{CONFIRMATIONS}/ProdnOrdConf2", params=wanted).json()["d"]["results"]
    assert [row["ConfirmationYieldQuantity"] for row in found] == ["4"]
    wanted = {"$filter": f"ExternalSystemConfirmation eq '{KEY}'"}
    assert client.get(f"{CONFIRMATIONS}/ProdnOrdConf2", params=wanted).status_code == 400


def test_sending_the_same_key_twice_books_twice(sap, client):
    number = sap.release(bolts())
    for _ in range(2):
        assert confirm(with_token(client), number, ExternalSystemConfirmation=KEY).status_code == 201
    assert sap.booked(number).operation("10").good == 8


def test_a_proposal_gives_the_standard_times(sap, client):
    number = sap.release(bolts())
    wanted = {
        "OrderID": f"'{number}'",
        "OrderOperation": "'0010'",
        "Sequence": "'0'",
        "ConfirmationYieldQuantity": "10M",
        "ActivityIsToBeProposed": "true",
    }
    call = f"{CONFIRMATIONS}/GetConfProposal"
    assert client.get(call, params=wanted).status_code == 405
    proposal = with_token(client).post(call, params=wanted).json()["d"]["GetConfProposal"]
    assert (proposal["OpConfirmedWorkQuantity1"], proposal["OpConfirmedWorkQuantity2"]) == (
        "10.000",
        "10.000",
    )
    assert sap.booked(number).postings == 0


def test_who_is_not_known_does_not_enter(sap):
    with logged_in(sap, "NOBODY") as client:
        reply = client.get(ORDERS)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Basic")


def test_a_write_needs_the_token_and_the_cookie_of_one_session(sap, client):
    number = sap.release(bolts())
    refused = confirm(client, number)
    assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
    with_token(client).cookies.clear()
    assert confirm(client, number).status_code == 403
    assert confirm(with_token(client), number).status_code == 201


def test_an_expired_session_asks_for_a_new_token_not_for_a_new_password(sap, client):
    number = sap.release(bolts())
    with_token(client)
    sap.expire_credentials()
    assert confirm(client, number).status_code == 403
    assert confirm(with_token(client), number).status_code == 201
    sap.revoke_credentials()
    assert confirm(client, number).status_code == 401


def test_an_order_number_without_its_zeros_is_unknown(sap, client):
    number = sap.release(bolts())
    assert len(number) == 12
    assert client.get(f"{ORDERS}('{number.lstrip('0')}')").status_code == 404
    assert confirm(with_token(client), number.lstrip("0")).status_code == 400


def test_a_system_that_converts_numbers_shows_them_short_and_takes_both():
    with Sap(converted_numbers=True) as erp, logged_in(erp) as client:
        number = erp.release(bolts())
        assert number == "1000001"
        for key in (number, number.zfill(12)):
            assert client.get(f"{ORDERS}('{key}')").json()["d"]["ManufacturingOrder"] == number
        made = confirm(with_token(client), number.zfill(12)).json()["d"]
        assert (made["OrderID"], made["ConfirmationCount"]) == (number, "1")
        found = client.get(f"{CONFIRMATIONS}/ProdnOrdConf2", params={"$filter": f"OrderID eq '{number}'"})
        assert len(found.json()["d"]["results"]) == 1
        assert cancel(client, made).status_code == 200
        assert erp.booked(number).good == 0


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"ConfirmationYieldQuantity": 4}, 400, "CX_SXML_PARSE_ERROR/001560AA0E081DEB8CA398CC1690D406"),
        ({"ConfirmationYieldQuantity": "4.0001"}, 400, "/IWBEP/CM_MGW_RT/177"),
        ({"ConfirmationYieldQty": "4"}, 400, "/IWBEP/CM_MGW_RT/176"),
        ({"ConfirmationUnit": "KG"}, 400, "RU/029"),
        ({"ConfirmationYieldQuantity": "-1"}, 400, "RU/026"),
        ({"VarianceReasonCode": "9999"}, 400, "RU/035"),
        ({"OrderOperation": "10"}, 400, "RU/011"),
        ({"OrderOperation": "0030"}, 400, "RU/011"),
        ({"WorkCenter": "NOWHERE"}, 400, "CR/016"),
        ({"OpConfirmedWorkQuantity1": "5", "OpWorkQuantityUnit1": "PC"}, 400, "RU/029"),
    ],
)
def test_what_a_confirmation_may_not_say(sap, client, given, status, code):
    number = sap.release(bolts())
    reply = (
        confirm(with_token(client), number, **given)
        if "OrderOperation" not in given
        else client.post(
            f"{CONFIRMATIONS}/ProdnOrdConf2",
            json=confirmation(number) | given,
            headers=with_token(client).headers,
        )
    )
    assert (reply.status_code, message(reply)) == (status, code)
    assert reply.json()["error"]["innererror"]["errordetails"][0]["severity"] == "error"
    assert sap.booked(number).postings == 0


def test_a_batch_managed_part_is_not_received_without_its_batch(sap, client):
    number = sap.release(bolts(batch=True))
    receipt = {"GoodsMovementType": "101", "GoodsMovementRefDocType": "F", "QuantityInEntryUnit": "4"}
    reply = confirm(with_token(client), number, to_ProdnOrdConfMatlDocItm=[receipt])
    assert (reply.status_code, message(reply)) == (400, "M7/018")


def test_an_order_takes_confirmations_only_between_release_and_completion(sap, client):
    with_token(client)
    waiting, done, closed, gone = (
        sap.create(bolts()),
        sap.release(bolts()),
        sap.release(bolts()),
        sap.release(bolts()),
    )
    sap.complete_technically(done)
    sap.close(closed)
    sap.cancel(gone)
    codes = [message(confirm(client, number)) for number in (waiting, closed, gone)]
    assert codes == ["RU/018", "RU/494", "RU/494"]
    assert confirm(client, done).status_code == 201
    shown = client.get(f"{ORDERS}('{gone}')").json()["d"]
    assert (shown["OrderIsReleased"], shown["OrderIsMarkedForDeletion"]) == ("", "X")
    assert sap.booked(gone).state == "cancelled"


def test_an_order_open_in_a_planners_hands_is_locked(sap, client):
    number = sap.release(bolts())
    sap.lock(number)
    reply = confirm(with_token(client), number)
    assert (reply.status_code, message(reply)) == (423, "CO/469")
    sap.unlock(number)
    assert confirm(client, number).status_code == 201


def test_while_one_confirmation_is_booked_the_order_is_locked_for_another(sap, client):
    number = sap.release(bolts())
    with_token(client)
    sap.latency_ms = 400
    with ThreadPoolExecutor(2) as both:
        replies = list(both.map(lambda _: confirm(client, number, quantity="1"), range(2)))
    assert sorted(reply.status_code for reply in replies) == [201, 423]
    assert sap.overlaps == 1


def test_a_confirmation_is_reversed_once_and_its_goods_go_back(sap, client):
    number = sap.release(bolts())
    receipt = {
        "GoodsMovementType": "101",
        "GoodsMovementRefDocType": "F",
        "QuantityInEntryUnit": "4",
        "Batch": "B-1",
    }
    row = confirm(with_token(client), number, to_ProdnOrdConfMatlDocItm=[receipt]).json()["d"]
    reply = cancel(
        client, row, PostingDate="datetime'2026-11-20T00:00:00'", ConfirmationText="'counted wrong'"
    )
    assert reply.status_code == 200
    assert reply.json()["d"]["ConfirmationCount"] == "00000002"
    assert message(cancel(client, row)) == "RU/117"
    assert message(cancel(client, reply.json()["d"])) == "RU/117"
    key = f"ConfirmationGroup='{row['ConfirmationGroup']}',ConfirmationCount='{row['ConfirmationCount']}'"
    assert client.get(f"{CONFIRMATIONS}/ProdnOrdConf2({key})").json()["d"]["IsReversed"] is True
    booked = sap.booked(number)
    assert (booked.state, booked.good, booked.batches, booked.postings) == ("released", 0, (), 2)


def test_a_closed_period_takes_no_posting(sap, client):
    number = sap.release(bolts())
    sap.close_period(dt.date(2026, 10, 31))
    late = confirm(with_token(client), number, PostingDate="2026-10-30T00:00:00")
    assert (late.status_code, message(late)) == (400, "M7/053")
    assert confirm(client, number, PostingDate="2026-11-03T00:00:00").status_code == 201


def test_the_whole_order_and_its_operations_are_not_confirmed_both(sap, client):
    number, other = sap.release(bolts()), sap.release(bolts())
    with_token(client)
    whole = {"ConfirmationYieldQuantity": "10", "FinalConfirmationType": "1"}
    assert client.post(f"{CONFIRMATIONS}/ProdnOrdConf2", json={"OrderID": other, **whole}).status_code == 201
    assert confirm(client, other).status_code == 400
    confirm(client, number)
    assert client.post(f"{CONFIRMATIONS}/ProdnOrdConf2", json={"OrderID": number, **whole}).status_code == 400
    assert sap.booked(other).state == "completed"
    assert [(step.state, step.good) for step in sap.booked(other).operations] == [("completed", 10)] * 2


def test_by_default_more_than_ordered_and_out_of_sequence_is_booked(sap, client):
    number = sap.release(bolts())
    with_token(client)
    assert confirm(client, number, "0020", "12").status_code == 201
    assert sap.booked(number).good == 12


def test_a_stricter_plant_refuses_both():
    with Sap(overdelivery_refused=True, sequence_checked=True) as erp, logged_in(erp) as client:
        number = erp.release(bolts())
        with_token(client)
        assert message(confirm(client, number, "0020", "1")) == "RU/081"
        assert message(confirm(client, number, "0010", "11")) == "RU/158"


def test_a_milestone_confirms_what_stands_before_it():
    with Sap(milestones=("20",)) as erp, logged_in(erp) as client:
        number = erp.release(bolts())
        confirm(with_token(client), number, "0020", "10", IsFinalConfirmation=True)
        assert [step.good for step in erp.booked(number).operations] == [10, 10]
        assert erp.booked(number).state == "completed"


def test_milestones_come_in_order_and_reach_back_to_one_another():
    with Sap(milestones=("20", "40")) as erp, logged_in(erp) as client:
        with_token(client)
        number = erp.release(bolts(operations=four_steps()))
        assert message(confirm(client, number, "0040", "4")) == "RU/081"
        for _ in range(2):
            confirm(client, number, "0020", "4")
        confirm(client, number, "0040", "8")
        assert [step.good for step in erp.booked(number).operations] == [8, 8, 8, 8]


def test_reversing_a_milestone_reverses_what_it_confirmed_but_nothing_entered_by_hand():
    with Sap(milestones=("40",)) as erp, logged_in(erp) as client:
        with_token(client)
        number = erp.release(bolts(operations=four_steps()))
        confirm(client, number, "0020", "6")
        row = confirm(client, number, "0040", "4").json()["d"]
        assert [step.good for step in erp.booked(number).operations] == [4, 6, 4, 4]
        cancel(client, row)
        assert [step.good for step in erp.booked(number).operations] == [0, 6, 0, 0]


def test_a_status_profile_may_forbid_postings_on_completed_orders():
    with Sap(teco_refused=True) as erp, logged_in(erp) as client:
        number = erp.release(bolts())
        erp.complete_technically(number)
        assert message(confirm(with_token(client), number)) == "RU/495"


def test_a_confirmation_is_never_changed(sap, client):
    row = confirm(with_token(client), sap.release(bolts())).json()["d"]
    key = f"ConfirmationGroup='{row['ConfirmationGroup']}',ConfirmationCount='{row['ConfirmationCount']}'"
    reply = client.patch(f"{CONFIRMATIONS}/ProdnOrdConf2({key})", json={"ConfirmationYieldQuantity": "5"})
    assert reply.status_code == 405


@pytest.mark.parametrize(
    "options",
    [
        {"$filter": "OrderIsReleased eq true"},
        {"$filter": "TotalQuantity eq '10'"},
        {"$filter": "Status eq 'X'"},
        {"$select": "Number"},
        {"$expand": "to_Operations"},
        {"$count": "true"},
    ],
)
def test_what_a_query_may_not_say(sap, client, options):
    reply = client.get(ORDERS, params=options)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]["value"]


def test_json_comes_only_to_those_who_ask_for_it(sap, client):
    sap.release(bolts())
    reply = client.get(ORDERS, headers={"accept": "*/*"})
    assert reply.headers["content-type"].startswith("application/atom+xml")
    reply = client.get(ORDERS, params={"$format": "json"}, headers={"accept": "*/*"})
    assert reply.json()["d"]["results"]


def test_the_metadata_names_every_property_it_serves(sap, client):
    sap.release(bolts())
    document = client.get(f"{ROOT}/API_PRODUCTION_ORDER_2_SRV/$metadata").text
    row = client.get(ORDERS).json()["d"]["results"][0]
    for name in set(row) - {"__metadata"}:
        assert f'Name="{name}"' in document


def test_what_happened_without_an_answer_is_found_again(sap, client):
    number = sap.release(bolts())
    with_token(client)
    sap.fault("POST /sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2", "drop_after_effect")
    with pytest.raises(httpx.RemoteProtocolError):
        confirm(client, number, ExternalSystemConfirmation=KEY)
    wanted = {"$filter": f"ExternalSystemConfirmation eq guid'{KEY}'"}
    assert len(client.get(f"{CONFIRMATIONS}/ProdnOrdConf2", params=wanted).json()["d"]["results"]) == 1
    assert sap.booked(number).operation("10").good == 4
