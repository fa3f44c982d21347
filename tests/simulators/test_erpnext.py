"""The ERPNext simulator, driven by hand as an integrator would: one whole order, then what it refuses."""

import asyncio
import json
from decimal import Decimal

import httpx
import pytest

from tests.simulators.erpnext import Erpnext
from tests.simulators.harness import PlannedOperation, PlannedOrder

JOB_CARD = "/api/method/erpnext.manufacturing.doctype.job_card.job_card"
WORK_ORDER = "/api/method/erpnext.manufacturing.doctype.work_order.work_order"
OPERATIONS = (
    PlannedOperation("10", "Turn", "LATHE", Decimal(300), Decimal(30)),
    PlannedOperation("20", "Wash", "WASHER", None, Decimal(10)),
)


def bolts(quantity=10, operations=OPERATIONS, **extra):
    return PlannedOrder("BOLT", Decimal(quantity), operations, **extra)


@pytest.fixture
def erp():
    with Erpnext() as running:
        yield running


@pytest.fixture
def client(erp):
    with httpx.Client(base_url=erp.url, headers=erp.headers, timeout=5) as client:
        yield client


def resource(client, doctype, **params):
    params = {name: json.dumps(value) if isinstance(value, list) else value for name, value in params.items()}
    return client.get(f"/api/resource/{doctype}", params=params)


def cards(client, number):
    found = resource(client, "Job Card", filters=[["work_order", "=", number]], order_by="sequence_id asc")
    return [row["name"] for row in found.json()["data"]]


def log(client, card, **args):
    return client.post(
        f"{JOB_CARD}.make_time_log", json={"args": {"job_card_id": card, "employees": [], **args}}
    )


def at(time):
    return f"2026-11-02 {time}"


def work(client, card, quantity, start="08:00:00", end="09:00:00"):
    """Start, complete and submit one job card."""
    log(client, card, start_time=at(start), status="Work In Progress").raise_for_status()
    done = log(client, card, complete_time=at(end), completed_qty=quantity, status="Complete")
    return client.put(f"/api/resource/Job Card/{card}", json={"docstatus": 1}) if done.is_success else done


def goods(client, number, quantity, **finished):
    made = client.post(
        f"{WORK_ORDER}.make_stock_entry",
        json={"work_order_id": number, "purpose": "Manufacture", "qty": quantity},
    )
    if made.is_error:
        return made
    doc = made.json()["message"]
    next(row for row in doc["items"] if row["is_finished_item"]).update(finished)
    return client.post("/api/resource/Stock Entry", json=doc | {"docstatus": 1})


def refused(reply, status, kind):
    assert (reply.status_code, reply.json()["exc_type"]) == (status, kind), reply.text
    assert kind in reply.json()["exception"]


# -- the whole order ------------------------------------------------------------------------------------------


def test_one_order_from_release_to_completion(erp, client):
    number = erp.release(bolts(10, serials=True))
    order = client.get(f"/api/resource/Work Order/{number}").json()["data"]
    assert [(row["operation"], row["sequence_id"]) for row in order["operations"]] == [
        ("Turn", 10),
        ("Wash", 20),
    ]
    assert order["operations"][0]["time_in_mins"] == 10
    turn, wash = cards(client, number)

    log(client, turn, start_time=at("08:00:00"), status="Work In Progress").raise_for_status()
    assert erp.booked(number).operation("10").state == "running"
    log(client, turn, complete_time=at("08:30:00"), completed_qty=4, status="On Hold").raise_for_status()
    assert client.get(f"/api/resource/Job Card/{turn}").json()["data"]["status"] == "On Hold"
    assert erp.booked(number).operation("10").state == "paused"
    log(client, turn, start_time=at("09:00:00"), status="Resume Job").raise_for_status()
    log(client, turn, complete_time=at("09:45:00"), completed_qty=4, status="Complete").raise_for_status()
    scrap = {"scrap_items": [{"item_code": "RAW-MATERIAL", "stock_qty": 2}]}
    assert client.put(f"/api/resource/Job Card/{turn}", json=scrap).status_code == 200
    submitted = client.put(f"/api/resource/Job Card/{turn}", json={"docstatus": 1}).json()["data"]
    assert (submitted["status"], submitted["process_loss_qty"]) == ("Completed", 2)
    assert work(client, wash, 8, "10:00:00", "10:20:00").status_code == 200

    serials = [f"SN-{one}" for one in range(1, 9)]
    posted = goods(client, number, 10, serial_no="\n".join(serials), use_serial_batch_fields=1)
    assert posted.status_code == 200, posted.text
    booked = erp.booked(number)
    assert (booked.state, booked.good, booked.scrap, booked.serials) == ("completed", 8, 2, tuple(serials))
    turned = booked.operation("10")
    assert (turned.good, turned.scrap, turned.run_seconds, turned.reasons) == (
        8,
        2,
        75 * 60,
        ("RAW-MATERIAL",),
    )
    assert turned.rework is None
    assert turned.setup_seconds is None
    assert booked.postings == 3


def test_the_list_pages_by_limit_and_shows_only_what_is_asked(erp, client):
    numbers = [erp.release(bolts()) for _ in range(25)]
    assert resource(client, "Work Order").json()["data"][0] == {"name": numbers[-1]}
    assert len(resource(client, "Work Order").json()["data"]) == 20
    released = [["docstatus", "=", 1], ["status", "in", ["Not Started", "In Process"]]]
    found, start = [], 0
    while page := resource(
        client,
        "Work Order",
        filters=released,
        fields=["name", "qty", "modified"],
        order_by="modified asc, name asc",
        limit_start=start,
        limit_page_length=10,
    ).json()["data"]:
        found += page
        start += 10
    assert [row["name"] for row in found] == numbers
    assert len(resource(client, "Work Order", limit_page_length=0).json()["data"]) == 25
    since = resource(client, "Work Order", filters=[["modified", ">", found[20]["modified"]]])
    assert len(since.json()["data"]) == 4


def test_modified_is_site_local_and_without_zone(erp, client):
    number = erp.release(bolts())
    modified = client.get(f"/api/resource/Work Order/{number}").json()["data"]["modified"]
    assert modified[10] == " "
    assert "+" not in modified
    assert not modified.endswith("Z")
    before = modified
    turn, _ = cards(client, number)
    log(client, turn, start_time=at("08:00:00"), status="Work In Progress")
    assert client.get(f"/api/resource/Work Order/{number}").json()["data"]["modified"] == before
    log(client, turn, complete_time=at("09:00:00"), completed_qty=10, status="Complete")
    client.put(f"/api/resource/Job Card/{turn}", json={"docstatus": 1})
    assert client.get(f"/api/resource/Work Order/{number}").json()["data"]["modified"] > before


def test_child_rows_can_be_filtered_and_listed(erp, client):
    number = erp.release(bolts(2, operations=(), serials=True))
    goods(client, number, 2, serial_no="A\nB", use_serial_batch_fields=1).raise_for_status()
    found = resource(client, "Stock Entry", filters=[["Stock Entry Detail", "serial_no", "like", "%B%"]])
    assert len(found.json()["data"]) == 1
    rows = resource(client, "Work Order", fields=["name", "`tabWork Order Operation`.`operation`"])
    assert rows.json()["data"] == []
    assert client.get("/api/resource/Serial No/A").json()["data"]["work_order"] == number


# -- who may ask ----------------------------------------------------------------------------------------------


def test_credentials(erp, client):
    url = f"{erp.url}/api/resource/Work Order"
    refused(httpx.get(url), 403, "PermissionError")
    refused(httpx.get(url, headers={"Authorization": "token a:b"}), 401, "AuthenticationError")
    refused(httpx.get(url, headers={"Authorization": "token nonsense"}), 401, "AuthenticationError")
    assert httpx.get(url, auth=(erp.key, erp.secret)).status_code == 200
    erp.revoke_credentials()
    refused(client.get("/api/resource/Work Order"), 401, "AuthenticationError")


# -- what is refused ------------------------------------------------------------------------------------------


def test_what_does_not_exist(erp, client):
    refused(client.get("/api/resource/Work Order/nowhere"), 404, "DoesNotExistError")
    refused(client.get("/api/resource/No Such Doctype"), 404, "DoesNotExistError")
    refused(client.get("/api/elsewhere"), 404, "DoesNotExistError")
    refused(client.post("/api/method/erpnext.nothing", json={}), 417, "ValidationError")
    refused(resource(client, "Work Order", fields=["nosuchcolumn"]), 417, "DataError")
    refused(resource(client, "Work Order", filters=[["nosuchcolumn", "=", 1]]), 417, "DataError")
    refused(resource(client, "Work Order", filters=[["name", "resembles", "x"]]), 417, "ValidationError")


def test_client_mistakes_are_500(erp, client):
    card, _ = cards(client, erp.release(bolts()))
    broken = client.put(
        f"/api/resource/Job Card/{card}", content=b"{", headers={"content-type": "application/json"}
    )
    assert broken.status_code == 500
    assert log(client, card, start_time="2026-11-02T08:00:00Z", status="Work In Progress").status_code == 500
    assert log(client, card, complete_time=at("08:00:00"), status="On Hold").status_code == 500


def test_an_unknown_field_in_a_body_is_dropped_in_silence(erp, client):
    card, _ = cards(client, erp.release(bolts()))
    kept = client.put(f"/api/resource/Job Card/{card}", json={"tascus_id": "e-1", "remarks": "seen"}).json()[
        "data"
    ]
    assert kept["remarks"] == "seen"
    assert "tascus_id" not in kept


def test_a_stale_modified_is_refused(erp, client):
    card, _ = cards(client, erp.release(bolts()))
    stale = client.get(f"/api/resource/Job Card/{card}").json()["data"]["modified"]
    client.put(f"/api/resource/Job Card/{card}", json={"modified": stale, "remarks": "1"}).raise_for_status()
    reply = client.put(f"/api/resource/Job Card/{card}", json={"modified": stale, "remarks": "2"})
    refused(reply, 417, "TimestampMismatchError")


def test_docstatus_moves_one_way(erp, client):
    card, _ = cards(client, erp.release(bolts()))
    url = f"/api/resource/Job Card/{card}"
    refused(client.put(url, json={"docstatus": 2}), 417, "DocstatusTransitionError")
    refused(client.put(url, json={"docstatus": 1}), 417, "ValidationError")  # no time logs
    assert work(client, card, 10).status_code == 200
    assert (
        client.put(url, json={"docstatus": 1}).status_code == 200
    )  # a second submit is a save without change
    refused(client.put(url, json={"docstatus": 0}), 417, "DocstatusTransitionError")
    refused(client.put(url, json={"for_quantity": 5}), 417, "UpdateAfterSubmitError")
    refused(client.put(url, json={"time_logs": []}), 417, "UpdateAfterSubmitError")
    refused(client.delete(url), 417, "ValidationError")
    assert client.put(url, json={"docstatus": 2}).json()["data"]["status"] == "Cancelled"
    refused(client.put(url, json={"remarks": "x"}), 417, "ValidationError")


def test_the_sequence_is_checked_on_the_quantity_not_on_the_start(erp, client):
    number = erp.release(bolts())
    turn, wash = cards(client, number)
    log(client, wash, start_time=at("08:00:00"), status="Work In Progress").raise_for_status()
    early = log(client, wash, complete_time=at("09:00:00"), completed_qty=10, status="Complete")
    refused(early, 417, "OperationSequenceError")
    assert work(client, turn, 8).status_code == 200
    late = log(client, wash, complete_time=at("09:00:00"), completed_qty=9, status="Complete")
    refused(late, 417, "ValidationError")
    assert (
        log(client, wash, complete_time=at("09:00:00"), completed_qty=8, status="Complete").status_code == 200
    )


def test_two_jobs_at_one_workstation_overlap(erp, client):
    first, second = (cards(client, erp.release(bolts()))[0] for _ in range(2))
    work(client, first, 10, "08:00:00", "09:00:00").raise_for_status()
    refused(log(client, second, start_time=at("08:30:00"), status="Work In Progress"), 417, "OverlapError")
    assert log(client, second, start_time=at("09:00:00"), status="Work In Progress").status_code == 200


def test_a_workstation_with_room_takes_two():
    with Erpnext(production_capacity=2) as erp, httpx.Client(base_url=erp.url, headers=erp.headers) as client:
        first, second, third = (cards(client, erp.release(bolts()))[0] for _ in range(3))
        work(client, first, 10).raise_for_status()
        work(client, second, 10).raise_for_status()
        assert work(client, third, 10).json()["exc_type"] == "OverlapError"


def test_an_employee_is_at_one_place_at_a_time(erp, client):
    who = [{"employee": erp.add_employee("Ada")}]
    number = erp.release(bolts())
    turn, wash = cards(client, number)
    log(client, turn, start_time=at("08:00:00"), status="Work In Progress", employees=who).raise_for_status()
    log(client, turn, complete_time=at("09:00:00"), completed_qty=10, status="Complete").raise_for_status()
    nobody = [{"employee": "HR-EMP-99999"}]
    unknown = log(client, wash, start_time=at("10:00:00"), status="Work In Progress", employees=nobody)
    refused(unknown, 417, "LinkValidationError")


def test_a_started_card_started_again_counts_its_time_twice(erp, client):
    number = erp.release(bolts())
    card, _ = cards(client, number)
    for _ in range(2):
        log(client, card, start_time=at("08:00:00"), status="Work In Progress").raise_for_status()
    log(client, card, complete_time=at("09:00:00"), completed_qty=10, status="Complete").raise_for_status()
    assert erp.booked(number).operation("10").run_seconds == 7200


def test_over_production(erp, client):
    number = erp.release(bolts())
    card, _ = cards(client, number)
    refused(work(client, card, 11), 417, "ValidationError")
    more = client.put(f"/api/resource/Job Card/{card}", json={"for_quantity": 11})
    refused(more, 417, "ValidationError")


def test_over_production_within_the_allowance():
    alone = OPERATIONS[:1]
    with (
        Erpnext(overproduction_percent=10) as erp,
        httpx.Client(base_url=erp.url, headers=erp.headers) as client,
    ):
        number = erp.release(bolts(10, alone))
        (card,) = cards(client, number)
        client.put(f"/api/resource/Job Card/{card}", json={"for_quantity": 11}).raise_for_status()
        assert work(client, card, 11).status_code == 200
        assert goods(client, number, 11).status_code == 200
        assert erp.booked(number).good == 11


def test_goods_wait_for_their_operations(erp, client):
    number = erp.release(bolts())
    turn, wash = cards(client, number)
    work(client, turn, 10)
    refused(goods(client, number, 10), 417, "OperationsNotCompleteError")
    work(client, wash, 10)
    assert goods(client, number, 10).status_code == 200
    refused(goods(client, number, 1), 417, "OperationsNotCompleteError")


def test_goods_of_an_order_without_operations_are_entered_once(erp, client):
    number = erp.release(bolts(10, ()))
    refused(goods(client, number, 11), 417, "ValidationError")
    assert goods(client, number, 4).status_code == 200
    assert client.get(f"/api/resource/Work Order/{number}").json()["data"]["status"] == "In Process"
    refused(goods(client, number, 7), 417, "StockOverProductionError")
    assert goods(client, number, 6).status_code == 200
    refused(goods(client, number, 1), 417, "DuplicateEntryForWorkOrderError")
    assert (erp.booked(number).good, erp.booked(number).state) == (10, "completed")


def test_process_loss_is_taken_off_every_partial_entry(erp, client):
    number = erp.release(bolts(10, OPERATIONS[:1]))
    (card,) = cards(client, number)
    work(client, card, 8).raise_for_status()
    posted = goods(client, number, 5).json()["data"]
    assert next(row["qty"] for row in posted["items"] if row["is_finished_item"]) == 3
    assert erp.booked(number).good == 3


def test_serials_and_batches(erp, client):
    number = erp.release(PlannedOrder("GEAR", Decimal(2), (), serials=True))
    refused(goods(client, number, 2), 417, "ValidationError")
    refused(goods(client, number, 2, serial_no="S-1", use_serial_batch_fields=1), 417, "ValidationError")
    assert goods(client, number, 1, serial_no="S-1", use_serial_batch_fields=1).status_code == 200
    again = goods(client, number, 1, serial_no="S-1", use_serial_batch_fields=1)
    refused(again, 417, "SerialNoDuplicateError")

    number = erp.release(PlannedOrder("OIL", Decimal(2), (), batch=True))
    unknown = goods(client, number, 2, batch_no="B-1", use_serial_batch_fields=1)
    refused(unknown, 417, "LinkValidationError")
    batch = {"batch_id": "B-1", "item": "OIL"}
    assert client.post("/api/resource/Batch", json=batch).status_code == 200
    refused(client.post("/api/resource/Batch", json=batch), 409, "DuplicateEntryError")
    assert goods(client, number, 2, batch_no="B-1", use_serial_batch_fields=1).status_code == 200
    assert erp.booked(number).batches == ("B-1",)


def test_missing_material_is_negative_stock():
    with Erpnext(component_stock=5) as erp, httpx.Client(base_url=erp.url, headers=erp.headers) as client:
        number = erp.release(bolts(10, ()))
        refused(goods(client, number, 6), 417, "NegativeStockError")
        assert erp.booked(number).postings == 0
        assert goods(client, number, 5).status_code == 200


def test_an_entry_can_be_cancelled_and_posted_anew(erp, client):
    number = erp.release(bolts(10, OPERATIONS[:1]))
    (card,) = cards(client, number)
    work(client, card, 10)
    entry = goods(client, number, 10).json()["data"]["name"]
    refused(client.put(f"/api/resource/Job Card/{card}", json={"docstatus": 2}), 417, "JobCardCancelError")
    cancelled = client.put(f"/api/resource/Stock Entry/{entry}", json={"docstatus": 2})
    assert cancelled.json()["data"]["docstatus"] == 2
    assert erp.booked(number).good == 0
    assert goods(client, number, 9).status_code == 200
    assert (erp.booked(number).good, erp.booked(number).postings) == (9, 4)


def test_a_card_can_be_split_for_a_true_partial(erp, client):
    number = erp.release(bolts(10, OPERATIONS[:1]))
    (card,) = cards(client, number)
    client.put(f"/api/resource/Job Card/{card}", json={"for_quantity": 4}).raise_for_status()
    work(client, card, 4).raise_for_status()
    row = client.get(f"/api/resource/Work Order/{number}").json()["data"]["operations"][0]
    rest = row | {"qty": 6, "pending_qty": 6}
    over = client.post(
        f"{WORK_ORDER}.make_job_card", json={"work_order": number, "operations": [rest | {"qty": 7}]}
    )
    refused(over, 417, "ValidationError")
    asked = {"work_order": number, "operations": [rest]}
    client.post(f"{WORK_ORDER}.make_job_card", json=asked).raise_for_status()
    second = next(name for name in cards(client, number) if name != card)
    work(client, second, 6, "10:00:00", "11:00:00").raise_for_status()
    assert erp.booked(number).operation("10").good == 10
    assert erp.booked(number).operation("10").scrap == 0


def test_a_unique_custom_field_is_an_external_reference(erp, client):
    field = {"dt": "Stock Entry", "fieldname": "tascus_ref", "fieldtype": "Data", "unique": 1}
    client.post("/api/resource/Custom Field", json=field).raise_for_status()
    number = erp.release(bolts(10, ()))
    made = {"work_order_id": number, "purpose": "Manufacture", "qty": 2}
    doc = client.post(f"{WORK_ORDER}.make_stock_entry", json=made).json()["message"]
    doc |= {"docstatus": 1, "tascus_ref": "e-1"}
    assert client.post("/api/resource/Stock Entry", json=doc).status_code == 200
    refused(client.post("/api/resource/Stock Entry", json=doc), 417, "UniqueValidationError")
    found = resource(client, "Stock Entry", filters=[["tascus_ref", "=", "e-1"]])
    assert len(found.json()["data"]) == 1


def test_a_get_changes_nothing(erp, client):
    number = erp.release(bolts())
    card, _ = cards(client, number)
    args = {"job_card_id": card, "start_time": at("08:00:00"), "status": "Work In Progress"}
    assert client.get(f"{JOB_CARD}.make_time_log", params={"args": json.dumps(args)}).status_code == 200
    assert erp.booked(number).operation("10").state == "pending"


# -- the planner in between -----------------------------------------------------------------------------------


def test_the_planner_cancels_an_untouched_order_with_its_cards(erp, client):
    number = erp.release(bolts())
    card, _ = cards(client, number)
    log(client, card, start_time=at("08:00:00"), status="Work In Progress").raise_for_status()
    erp.cancel(number)
    assert erp.booked(number).state == "cancelled"
    gone = log(client, card, complete_time=at("09:00:00"), completed_qty=1, status="Complete")
    refused(gone, 404, "DoesNotExistError")


def test_the_planner_stops_an_order_with_submitted_work(erp, client):
    number = erp.release(bolts())
    turn, wash = cards(client, number)
    work(client, turn, 10).raise_for_status()
    refused(client.put(f"/api/resource/Work Order/{number}", json={"docstatus": 2}), 417, "ValidationError")
    erp.cancel(number)
    assert client.get(f"/api/resource/Work Order/{number}").json()["data"]["status"] == "Stopped"
    refused(work(client, wash, 10), 417, "ValidationError")


def test_the_planner_changes_a_quantity_by_amending(erp, client):
    number = erp.release(bolts())
    refused(client.put(f"/api/resource/Work Order/{number}", json={"qty": 12}), 417, "UpdateAfterSubmitError")
    amended = erp.change_quantity(number, Decimal(12))
    assert amended == f"{number}-1"
    assert erp.booked(number).state == "cancelled"
    assert client.get(f"/api/resource/Work Order/{amended}").json()["data"]["qty"] == 12
    assert erp.booked(amended).operation("10").state == "pending"


# -- two at once ----------------------------------------------------------------------------------------------


async def test_parallel_entries_of_one_order_lose_an_update(erp):
    erp.web.commit_seconds = 0.2
    number = erp.release(bolts(10, ()))
    async with httpx.AsyncClient(base_url=erp.url, headers=erp.headers, timeout=5) as client:
        made = {"work_order_id": number, "purpose": "Manufacture", "qty": 8}
        doc = (await client.post(f"{WORK_ORDER}.make_stock_entry", json=made)).json()["message"]
        doc["docstatus"] = 1
        replies = await asyncio.gather(
            *(client.post("/api/resource/Stock Entry", json=doc) for _ in range(2))
        )
    assert [reply.status_code for reply in replies] == [200, 200]
    assert erp.booked(number).good == 8
    assert erp.booked(number).postings == 2
    assert erp.overlaps == 1


async def test_a_late_commit_carries_an_early_modified(erp):
    erp.web.commit_seconds = 0.3
    slow, quick = (erp.release(bolts(10, ())) for _ in range(2))
    async with httpx.AsyncClient(base_url=erp.url, headers=erp.headers, timeout=5) as client:
        writing = asyncio.create_task(
            client.put(f"/api/resource/Work Order/{slow}", json={"expected_delivery_date": "2026-12-24"})
        )
        await asyncio.sleep(0.1)
        with erp.site.transaction():
            erp.site.orders.stop_unstop(quick, "Stopped")
        await writing
        both = await client.get("/api/resource/Work Order", params={"order_by": "modified desc"})
    assert [row["name"] for row in both.json()["data"]] == [quick, slow]


def test_times_may_be_entered_as_rows(erp, client):
    number = erp.release(bolts(10, OPERATIONS[:1]))
    (card,) = cards(client, number)
    rows = [{"from_time": at("08:00:00"), "to_time": at("08:30:00"), "completed_qty": 10}]
    client.put(f"/api/resource/Job Card/{card}", json={"time_logs": rows, "docstatus": 1}).raise_for_status()
    assert erp.booked(number).operation("10").run_seconds == 1800
    assert erp.booked(number).operation("10").state == "completed"


def test_a_dropped_reply_leaves_its_effect(erp, client):
    number = erp.release(bolts())
    card, _ = cards(client, number)
    erp.fault("make_time_log", "drop_after_effect")
    with pytest.raises(httpx.RemoteProtocolError):
        log(client, card, start_time=at("08:00:00"), status="Work In Progress")
    assert erp.booked(number).operation("10").state == "running"
