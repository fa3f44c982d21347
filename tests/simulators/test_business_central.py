"""Business Central's simulator, driven by hand as an integrator would, and asked what it refuses."""

from datetime import date
from decimal import Decimal

import httpx
import pytest

from tests.simulators.business_central import BusinessCentral
from tests.simulators.harness import PlannedOperation, PlannedOrder

ROUTE = (
    PlannedOperation("10", "Turn", "LATHE", Decimal(600), Decimal(45)),
    PlannedOperation("20", "Pack", "PACKING", None, Decimal(30)),
)


def planned(quantity=5, **more):
    return PlannedOrder("BOLT", Decimal(quantity), ROUTE, **more)


@pytest.fixture
def erp():
    with BusinessCentral() as simulator:
        yield simulator


def token(erp, **form):
    asked = {
        "grant_type": "client_credentials",
        "client_id": erp.entra.client_id,
        "client_secret": erp.entra.client_secret,
        "scope": "https://api.businesscentral.dynamics.com/.default",
    } | form
    return httpx.post(f"{erp.url}/{erp.entra.tenant}/oauth2/v2.0/token", data=asked)


@pytest.fixture
def http(erp):
    bearer = token(erp).json()["access_token"]
    with httpx.Client(base_url=erp.url + erp.api, headers={"Authorization": f"Bearer {bearer}"}) as client:
        yield client


@pytest.fixture
def odata(erp, http):
    """The published web services of the company."""
    base = f"{erp.url}{erp.base}/ODataV4/Company('CRONUS')"
    with httpx.Client(base_url=base, headers=dict(http.headers)) as client:
        yield client


def line(number, operation="10", **more):
    return {
        "entryType": "Output",
        "postingDate": "2026-11-23",
        "documentNo": number,
        "orderNo": number,
        "itemNo": "BOLT",
        "operationNo": operation,
    } | more


def enter(http, number, operation="10", **more):
    reply = http.post("/itemJournalLines", json=line(number, operation, **more))
    assert reply.status_code == 201, reply.text
    return reply.json()


def post(http, **body):
    (batch,) = http.get("/itemJournalBatches").json()["value"]
    return http.post(f"/itemJournalBatches({batch['id']})/Microsoft.NAV.post", json=body)


def routing_of(http, number):
    options = {"$filter": f"prodOrderNo eq '{number}'", "$orderby": "operationNo"}
    return http.get("/prodOrderRoutingLines", params=options).json()["value"]


def code(reply):
    return reply.status_code, reply.json()["error"]["code"]


# -- the whole story ----------------------------------------------------------------------------------------------


def test_an_order_from_release_to_its_end(erp, http):
    number = erp.release(planned(serials=True))
    options = {"$filter": "status eq 'Released'", "$expand": "prodOrderLines,prodOrderRoutingLines"}
    (order,) = http.get("/productionOrders", params=options).json()["value"]
    assert (order["no"], order["quantity"], order["prodOrderLines"][0]["itemNo"]) == (number, 5, "BOLT")
    turn, pack = order["prodOrderRoutingLines"]
    assert (turn["setupTime"], turn["setupTimeUnitOfMeasCode"]) == (10, "MINUTES")
    assert (turn["runTime"], turn["runTimeUnitOfMeasCode"]) == (45, "SECONDS")
    assert (turn["nextOperationNo"], turn["routingStatus"], pack["nextOperationNo"]) == ("20", "_x0020_", "")

    (turn, _) = routing_of(http, number)
    started = http.patch(
        f"/prodOrderRoutingLines({turn['id']})",
        json={"routingStatus": "In_x0020_Progress"},
        headers={"If-Match": turn["@odata.etag"]},
    )
    assert started.json()["routingStatus"] == "In_x0020_Progress"
    assert erp.booked(number).state == "started"

    enter(
        http,
        number,
        outputQuantity=3,
        scrapQuantity=2,
        scrapCode="DEFECT",
        setupTime=10,
        runTime=4.5,
        finished=True,
        externalDocumentNo="event-1",
    )
    assert erp.booked(number).postings == 0  # an entered line is not posted
    assert post(http).status_code == 204
    for serial in ("S1", "S2", "S3"):
        enter(
            http, number, "20", outputQuantity=1, runTime=0.5, serialNo=serial, externalDocumentNo="event-2"
        )
    assert post(http, documentNo=number).status_code == 204

    booked = erp.booked(number)
    assert (booked.state, booked.good, booked.scrap, booked.serials) == (
        "started",
        3,
        None,
        ("S1", "S2", "S3"),
    )
    turn = booked.operation("10")
    assert (turn.state, turn.good, turn.scrap, turn.setup_seconds, turn.run_seconds) == (
        "completed",
        3,
        2,
        600,
        270,
    )
    assert turn.reasons == ("DEFECT",)
    assert (booked.operation("20").state, booked.operation("20").run_seconds) == ("running", 90)

    (order,) = http.get("/productionOrders").json()["value"]
    assert http.post(f"/productionOrders({order['id']})/Microsoft.NAV.finish").status_code == 204
    (finished,) = http.get("/productionOrders").json()["value"]
    assert (finished["status"], erp.booked(number).state) == ("Finished", "completed")
    assert finished["id"] != order["id"]  # the row moved to another status: another row


def test_what_was_posted_can_be_found_by_the_external_document_number(erp, http):
    number = erp.release(planned())
    enter(http, number, "20", outputQuantity=2, externalDocumentNo="a1b2c3")
    asked = {"$filter": f"orderNo eq '{number}' and externalDocumentNo eq 'A1B2C3'"}
    assert len(http.get("/itemJournalLines", params=asked).json()["value"]) == 1
    post(http)
    assert http.get("/itemJournalLines", params=asked).json()["value"] == []
    (capacity,) = http.get("/capacityLedgerEntries", params=asked).json()["value"]
    (item,) = http.get("/itemLedgerEntries", params=asked).json()["value"]
    assert (capacity["outputQuantity"], item["quantity"], item["entryType"]) == (2, 2, "Output")


def test_the_list_comes_in_pages_and_does_not_drift(erp, http):
    numbers = [erp.release(planned()) for _ in range(5)]
    asked, preferring = {"$orderby": "no"}, {"Prefer": "odata.maxpagesize=2"}
    page = http.get("/productionOrders", params=asked, headers=preferring).json()
    seen = page["value"]
    erp.cancel(numbers[0])
    while "@odata.nextLink" in page:
        page = http.get(page["@odata.nextLink"], headers=preferring).json()
        seen += page["value"]
    assert [order["no"] for order in seen] == numbers


def test_posting_moves_the_routing_line_and_not_the_order(erp, http):
    number = erp.release(planned())
    before = http.get("/productionOrders").json()["value"][0]
    routing = routing_of(http, number)[0]
    enter(http, number, runTime=1)
    post(http)
    after = http.get("/productionOrders").json()["value"][0]
    moved = routing_of(http, number)[0]
    assert (after["systemModifiedAt"], after["@odata.etag"]) == (
        before["systemModifiedAt"],
        before["@odata.etag"],
    )
    assert moved["@odata.etag"] != routing["@odata.etag"]
    assert moved["systemModifiedAt"] >= routing["systemModifiedAt"]


def test_standard_pages_can_be_used_as_web_services(erp, odata):
    number = erp.release(planned())
    (order,) = odata.get("/ReleasedProductionOrders", params={"$filter": f"No eq '{number}'"}).json()["value"]
    assert "SystemModifiedAt" not in order
    key = f"/ProdOrderRouting(Status='Released',Prod_Order_No='{number}',Operation_No='10')"
    assert odata.get(key).json()["Run_Time_Unit_of_Meas_Code"] == "SECONDS"
    entered = odata.post(
        "/OutputJournal",
        json={
            "Journal_Template_Name": "OUTPUT",
            "Journal_Batch_Name": "DEFAULT",
            "Posting_Date": "2026-11-23",
            "Document_No": "D1",
            "Order_No": number,
            "Item_No": "BOLT",
            "Operation_No": "20",
            "Output_Quantity": 2,
        },
    )
    assert (entered.status_code, entered.json()["Entry_Type"]) == (201, "Output")
    action = f"{odata.base_url.copy_with(path=erp.base)}/ODataV4/ProductionPosting_PostOutputJournal"
    body = {"journalTemplateName": "OUTPUT", "journalBatchName": "DEFAULT", "documentNo": "D1"}
    assert odata.post(action, params={"company": "CRONUS"}, json=body).status_code == 204
    assert erp.booked(number).good == 2
    assert code(odata.post(action, params={"company": "CRONUS"}, json={})) == (
        400,
        "BadRequest_RequiredParamNotProvided",
    )


def test_the_analytics_api_reads_and_never_writes(erp, http):
    number = erp.release(planned())
    base = f"{erp.url}{erp.base}/api/microsoft/analytics/v1.0/companies({erp.company_id})"
    (routing, _) = http.get(f"{base}/prodOrderRoutingLines").json()["value"]
    assert (routing["prodOrderNo"], routing["runTime"]) == (number, 45)
    assert "runTimeUnitOfMeasCode" not in routing
    assert http.post(f"{base}/capacityLedgerEntries", json={}).status_code == 405


def test_companies_are_listed(erp, http):
    listed = http.get(f"{erp.url}{erp.base}/api/v2.0/companies").json()["value"]
    assert listed == [{"id": erp.company_id, "name": "CRONUS", "displayName": "CRONUS"}]
    other = f"{erp.url}{erp.base}/api/v2.0/companies(00000000-0000-0000-0000-000000000000)"
    assert code(http.get(other)) == (404, "Internal_CompanyNotFound")


# -- entering a line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"orderNo": "999999"}, "Internal_InvalidTableRelation"),
        ({"operationNo": "30"}, "Internal_RecordNotFound"),
        ({"scrapCode": "NOPE"}, "Internal_InvalidTableRelation"),
        ({"capUnitOfMeasureCode": "FORTNIGHT"}, "Internal_InvalidTableRelation"),
        ({"itemNo": "NUT"}, "Internal_InvalidTableRelation"),
        ({"appliesToEntry": 77}, "Internal_InvalidTableRelation"),
        ({"itemNo": ""}, "Application_FieldValidationException"),
        ({"entryType": "Purchase"}, "Application_FieldValidationException"),
        ({"outputQuantity": "5"}, "BadRequest"),
        ({"postingDate": "23.11.2026"}, "BadRequest"),
        ({"colour": "red"}, "BadRequest"),
        ({"workCenterNo": "LATHE"}, "BadRequest_InvalidOperation"),
        ({"externalDocumentNo": "6f9619ff-8b86-d011-b42d-00c04fc964ff"}, "Application_StringExceededLength"),
    ],
)
def test_a_wrong_line_is_refused_when_it_is_entered(erp, http, change, refused):
    number = erp.release(planned())
    reply = http.post("/itemJournalLines", json=line(number) | change)
    assert code(reply) == (400, refused)
    assert "CorrelationId" in reply.json()["error"]["message"]
    assert erp.books.journal.rows == []


def test_a_line_without_a_type_is_a_purchase_on_an_api_page(erp, http):
    number = erp.release(planned())
    without = {name: value for name, value in line(number).items() if name != "entryType"}
    assert code(http.post("/itemJournalLines", json=without)) == (400, "Application_FieldValidationException")


def test_the_order_does_not_give_the_item(erp, http):
    number = erp.release(planned())
    without = {name: value for name, value in line(number).items() if name != "itemNo"}
    reply = http.post("/itemJournalLines", json=without)
    assert "Item No. must have a value" in reply.json()["error"]["message"]
    other = erp.release(PlannedOrder("NUT", Decimal(1), ROUTE))
    reply = http.post("/itemJournalLines", json=line(other))
    assert "not produced on released production order" in reply.json()["error"]["message"]


def test_the_document_number_may_follow_the_order(erp, http):
    number = erp.release(planned())
    without = {name: value for name, value in line(number).items() if name != "documentNo"}
    assert http.post("/itemJournalLines", json=without).json()["documentNo"] == number
    erp.books.document_is_order = False
    assert http.post("/itemJournalLines", json=without).json()["documentNo"] == ""


def test_what_is_blocked_takes_no_line(erp, http):
    number = erp.release(planned())
    for table in (erp.books.orders, erp.books.work_centres):
        table.rows[0]["Blocked"] = True
        assert code(http.post("/itemJournalLines", json=line(number))) == (
            400,
            "Application_FieldValidationException",
        )
        table.rows[0]["Blocked"] = False


def test_times_are_in_the_work_centres_unit_unless_the_line_says_otherwise(erp, http):
    number = erp.release(planned())
    assert enter(http, number, runTime=2)["capUnitOfMeasureCode"] == "MINUTES"
    enter(http, number, runTime=30, capUnitOfMeasureCode="SECONDS")
    post(http)
    assert erp.booked(number).operation("10").run_seconds == 150


def test_scrap_needs_an_operation_with_a_work_centre(erp, http):
    number = erp.release(planned())
    without = line(number, scrapCode="DEFECT") | {"operationNo": ""}
    assert code(http.post("/itemJournalLines", json=without)) == (400, "Application_DialogException")


def test_output_on_a_finished_operation_asks_nobody_and_is_refused(erp, http):
    number = erp.release(planned())
    enter(http, number, outputQuantity=5, finished=True)
    post(http)
    assert code(http.post("/itemJournalLines", json=line(number, outputQuantity=1))) == (
        400,
        "Application_CallbackNotAllowed",
    )
    enter(http, number, runTime=1)  # time alone is taken


def test_an_extension_may_let_late_output_in(http, erp):
    erp.books.late_output = True
    number = erp.release(planned())
    enter(http, number, outputQuantity=5, finished=True)
    post(http)
    enter(http, number, outputQuantity=1, finished=True)
    post(http)
    turn = erp.booked(number).operation("10")
    assert (turn.good, turn.state) == (6, "completed")


def test_an_entry_with_a_serial_number_is_not_applied_to_by_its_number(erp, http):
    number = erp.release(planned(serials=True))
    enter(http, number, "20", outputQuantity=1, serialNo="S1")
    post(http)
    (entry,) = http.get("/itemLedgerEntries").json()["value"]
    back = line(number, "20", outputQuantity=-1, serialNo="S1", appliesToEntry=entry["entryNo"])
    assert code(http.post("/itemJournalLines", json=back)) == (400, "Application_DialogException")
    enter(http, number, "20", outputQuantity=-1, serialNo="S1")
    post(http)
    assert erp.booked(number).good == 0


def test_master_data_can_be_read(erp, http):
    erp.release(planned())
    items, centres, units = (
        http.get(f"/{name}").json()["value"] for name in ("items", "workCenters", "unitsOfMeasure")
    )
    assert [(item["no"], item["baseUnitOfMeasure"]) for item in items] == [("BOLT", "PCS")]
    assert {centre["no"] for centre in centres} == {"LATHE", "PACKING"}
    assert [unit["code"] for unit in units] == ["PCS"]


# -- posting ------------------------------------------------------------------------------------------------------


def test_posting_twice_finds_nothing_and_entering_twice_counts_twice(erp, http):
    number = erp.release(planned())
    enter(http, number, "20", outputQuantity=1, externalDocumentNo="E1")
    assert (post(http).status_code, post(http).status_code) == (204, 204)
    assert erp.booked(number).good == 1
    enter(http, number, "20", outputQuantity=1, externalDocumentNo="E1")
    post(http)
    assert erp.booked(number).good == 2


def test_a_batch_is_posted_whole_or_not_at_all_and_a_document_alone(erp, http):
    first, second = erp.release(planned()), erp.release(planned())
    enter(http, first, "20", outputQuantity=1)
    enter(http, second, "20")  # no quantity, no time
    assert code(post(http)) == (400, "Application_DialogException")
    assert (erp.booked(first).postings, len(erp.books.journal.rows)) == (0, 2)
    assert post(http, documentNo=first).status_code == 204
    assert (erp.booked(first).postings, len(erp.books.journal.rows)) == (1, 1)


def _no_document(books):
    books.journal.rows[0]["Document No."] = ""


@pytest.mark.parametrize(
    ("more", "spoil", "refused"),
    [
        ({"postingDate": "2026-10-31"}, lambda books: None, "range of allowed posting dates"),
        (
            {},
            lambda books: books.items.rows[0].update({"Blocked": True}),
            "You cannot choose Item BOLT",
        ),
        ({}, lambda books: books.orders.rows[0].update({"Blocked": True}), "'No' in Production Order"),
        ({}, lambda books: books.work_centres.rows[0].update({"Blocked": True}), "'No' in Work Center"),
        (
            {"documentNo": "", "outputQuantity": 0, "runTime": 1},
            _no_document,
            "Document No. must have a value",
        ),
        ({"operationNo": ""}, lambda books: None, "Operation No. must have a value"),
    ],
)
def test_what_only_posting_notices(erp, http, more, spoil, refused):
    erp.books.allow_posting_from = date(2026, 11, 1)
    number = erp.release(planned())
    entered = line(number, outputQuantity=1) | more
    assert http.post("/itemJournalLines", json=entered).status_code == 201
    spoil(erp.books)
    reply = post(http)
    assert reply.status_code == 400
    assert refused in reply.json()["error"]["message"]
    assert erp.booked(number).postings == 0


def test_an_empty_line_is_passed_over(erp, http):
    assert http.post("/itemJournalLines", json={"entryType": "Output"}).status_code == 201
    assert post(http).status_code == 204
    assert (erp.books.journal.rows, erp.books.capacity.rows) == ([], [])


def test_a_finished_order_takes_no_output(erp, http):
    number = erp.release(planned())
    enter(http, number, "20", outputQuantity=5)
    post(http)
    enter(http, number, "20", outputQuantity=-1, appliesToEntry=1)
    erp.books.finish(number)
    assert code(post(http)) == (400, "Internal_RecordNotFound")
    assert code(http.post("/itemJournalLines", json=line(number))) == (400, "Internal_InvalidTableRelation")


def test_an_order_with_time_and_no_output_cannot_be_finished(erp, http):
    number = erp.release(planned())
    enter(http, number, runTime=3)
    post(http)
    (order,) = http.get("/productionOrders").json()["value"]
    reply = http.post(f"/productionOrders({order['id']})/Microsoft.NAV.finish")
    assert "no output" in reply.json()["error"]["message"]
    assert erp.booked(number).state == "started"


def test_more_than_planned_may_be_reported(erp, http):
    number = erp.release(planned())
    enter(http, number, "20", outputQuantity=8)
    assert post(http).status_code == 204
    (read,) = http.get("/prodOrderLines").json()["value"]
    assert (read["finishedQuantity"], read["remainingQuantity"]) == (8, 0)


def test_serial_numbers_are_checked_at_the_last_operation(erp, http):
    number = erp.release(planned(serials=True))
    enter(http, number, outputQuantity=2)  # not the last operation: none needed
    assert post(http).status_code == 204
    wrong = (
        {"outputQuantity": 1},
        {"outputQuantity": 2, "serialNo": "S1"},
    )
    for part in wrong:
        entered = enter(http, number, "20", **part)
        assert code(post(http)) == (400, "Application_DialogException")
        assert http.delete(f"/itemJournalLines({entered['id']})").status_code == 204
    enter(http, number, "20", outputQuantity=1, serialNo="S1")
    enter(http, number, "20", outputQuantity=1, serialNo="S1")
    assert "already on inventory" in post(http).json()["error"]["message"]
    assert erp.booked(number).serials == ()


def test_output_is_taken_back_by_applying_to_its_entry(erp, http):
    number = erp.release(planned())
    enter(http, number, "20", outputQuantity=3, runTime=2)
    post(http)
    entered = enter(http, number, "20", outputQuantity=-3, runTime=-2)
    assert code(post(http)) == (400, "Application_FieldValidationException")  # applied to nothing
    http.patch(f"/itemJournalLines({entered['id']})", json={"appliesToEntry": 1}, headers={"If-Match": "*"})
    assert post(http).status_code == 204
    booked = erp.booked(number)
    assert (booked.good, booked.operation("20").run_seconds, booked.postings) == (0, 0, 2)
    enter(http, number, "20", outputQuantity=-1, appliesToEntry=1)
    assert "too low" in post(http).json()["error"]["message"]


def reverse(http, entries, entry):
    (row,) = http.get(f"/{entries}", params={"$filter": f"entryNo eq {entry}"}).json()["value"]
    return http.post(f"/{entries}({row['id']})/Microsoft.NAV.reverse")


def test_posted_entries_are_reversed_by_an_action(erp, http):
    number = erp.release(planned(serials=True))
    enter(
        http,
        number,
        outputQuantity=2,
        scrapQuantity=1,
        scrapCode="TOOL",
        setupTime=5,
        runTime=2,
        finished=True,
    )
    enter(http, number, "20", outputQuantity=1, runTime=1, finished=True, serialNo="S1")
    post(http)
    last = reverse(http, "capacityLedgerEntries", 2)
    assert "only be performed from the Item Ledger Entry" in last.json()["error"]["message"]
    assert reverse(http, "itemLedgerEntries", 1).status_code == 204
    assert reverse(http, "capacityLedgerEntries", 1).status_code == 204
    booked = erp.booked(number)
    assert (booked.good, booked.serials, booked.postings) == (0, (), 4)
    for operation in booked.operations:
        assert (operation.state, operation.good, operation.scrap) == ("running", 0, 0)
        assert (operation.setup_seconds, operation.run_seconds) == (0, 0)
    assert "reversed" in reverse(http, "capacityLedgerEntries", 1).json()["error"]["message"]
    assert code(reverse(http, "itemLedgerEntries", 1)) == (400, "Application_FieldValidationException")


def test_nothing_is_reversed_on_a_finished_order(erp, http):
    number = erp.release(planned())
    enter(http, number, "20", outputQuantity=1)
    post(http)
    erp.books.finish(number)
    assert "already Finished" in reverse(http, "itemLedgerEntries", 1).json()["error"]["message"]


def test_a_lost_reply_leaves_a_line_that_can_be_found(erp, http):
    number = erp.release(planned())
    erp.fault("POST /v2.0", "drop_after_effect")
    with pytest.raises(httpx.HTTPError):
        http.post("/itemJournalLines", json=line(number, "20", outputQuantity=1, externalDocumentNo="E1"))
    asked = {"$filter": "externalDocumentNo eq 'E1'"}
    assert len(http.get("/itemJournalLines", params=asked).json()["value"]) == 1


# -- refusals of the platform -----------------------------------------------------------------------------------


def test_wrong_credentials_get_no_token(erp):
    assert (token(erp, client_secret="guess").status_code, token(erp, scope="other").status_code) == (
        401,
        400,
    )
    reply = httpx.get(f"{erp.url}{erp.api}/productionOrders", headers={"Authorization": "Bearer made-up"})
    assert code(reply) == (401, "Authentication_InvalidCredentials")


def test_an_expired_token_is_refused_and_a_new_one_works(erp, http):
    erp.expire_credentials()
    assert http.get("/productionOrders").status_code == 401
    http.headers["Authorization"] = f"Bearer {token(erp).json()['access_token']}"
    assert http.get("/productionOrders").status_code == 200
    erp.revoke_credentials()
    assert token(erp, client_secret="secret-of-the-simulator").status_code == 401


def test_a_change_needs_the_etag_it_was_read_with(erp, http):
    number = erp.release(planned())
    turn, _ = routing_of(http, number)
    where, body = f"/prodOrderRoutingLines({turn['id']})", {"routingStatus": "In_x0020_Progress"}
    assert code(http.patch(where, json=body)) == (400, "BadRequest_InvalidToken")
    assert http.patch(where, json=body, headers={"If-Match": turn["@odata.etag"]}).status_code == 200
    stale = http.patch(where, json=body, headers={"If-Match": turn["@odata.etag"]})
    assert code(stale) == (409, "Request_EntityChanged")
    assert http.patch(where, json=body, headers={"If-Match": "*"}).status_code == 200


def test_the_action_finishes_an_operation_and_finds_it_finished(erp, http):
    number = erp.release(planned())
    turn, _ = routing_of(http, number)
    where = f"/prodOrderRoutingLines({turn['id']})/Microsoft.NAV.finish"
    assert [http.post(where, json={}).status_code for _ in range(2)] == [204, 204]
    assert erp.booked(number).operation("10").state == "completed"


def test_an_operation_is_not_finished_by_changing_its_status(erp, http):
    number = erp.release(planned())
    turn, _ = routing_of(http, number)
    where = f"/prodOrderRoutingLines({turn['id']})"
    reply = http.patch(where, json={"routingStatus": "Finished"}, headers={"If-Match": "*"})
    assert code(reply) == (400, "Application_DialogException")
    enter(http, number, outputQuantity=1, finished=True)
    post(http)
    back = http.patch(where, json={"routingStatus": "Planned"}, headers={"If-Match": "*"})
    assert "from Finished" in back.json()["error"]["message"]
    only = http.patch(where, json={"runTime": 3}, headers={"If-Match": "*"})
    assert code(only) == (400, "BadRequest_InvalidOperation")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"$filter": "no eq '1' or status eq 'Released'"},
            "'OR' operator is not supported on distinct fields",
        ),
        ({"$filter": "no in ('1','2')"}, "'in'"),
        ({"$filter": "quantity eq 'five'"}, "incompatible types"),
        ({"$filter": "number eq '1'"}, "Could not find a property named 'number'"),
        ({"$expand": "components"}, "Could not find a property named 'components'"),
    ],
)
def test_a_query_the_service_does_not_take_is_refused(erp, http, options, why):
    reply = http.get("/productionOrders", params=options)
    assert reply.status_code == 400
    assert why in reply.json()["error"]["message"]


def test_a_newer_schema_version_takes_more(erp, http):
    number = erp.release(planned())
    asked = {"$filter": f"no in ('{number}','2')", "$schemaversion": "2.1"}
    assert len(http.get("/productionOrders", params=asked).json()["value"]) == 1


def test_what_is_not_there_is_not_found(erp, http):
    assert code(http.get("/workOrders")) == (404, "BadRequest_ResourceNotFound")
    missing = http.get("/productionOrders(00000000-0000-0000-0000-000000000000)")
    assert code(missing) == (404, "BadRequest_NotFound")
    assert code(http.post("/productionOrders", json={})) == (405, "BadRequest_MethodNotAllowed")


def test_the_metadata_names_the_pages(erp, http):
    text = http.get(f"{erp.url}{erp.base}/api/tascus/manufacturing/v1.0/$metadata").text
    assert 'EntitySet Name="productionOrders"' in text
    assert 'Name="setupTimeUnitOfMeasCode"' in text
    assert "Prod_Order_No" in http.get(f"{erp.url}{erp.base}/ODataV4/$metadata").text
    assert http.get(f"{erp.url}{erp.base}/api/nobody/$metadata").status_code == 404


def test_too_many_requests_are_refused(erp, http):
    erp.requests_in_window = 2
    assert [http.get("/productionOrders").status_code for _ in range(3)] == [200, 200, 429]


# -- the planner ---------------------------------------------------------------------------------------------------


def test_the_planner_changes_deletes_and_finishes(erp, http):
    first, second = erp.release(planned()), erp.release(planned())
    enter(http, first, "20", outputQuantity=4)
    post(http)
    erp.change_quantity(first, Decimal(3))
    (read,) = http.get("/prodOrderLines", params={"$filter": f"prodOrderNo eq '{first}'"}).json()["value"]
    assert (read["quantity"], read["remainingQuantity"]) == (3, 0)
    erp.cancel(first)
    erp.cancel(second)
    assert (erp.booked(first).state, erp.booked(second).state) == ("completed", "cancelled")
    assert routing_of(http, second) == []
