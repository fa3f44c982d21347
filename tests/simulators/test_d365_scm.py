"""Dynamics 365 SCM's simulator, driven by hand as an integrator would, and asked what it refuses."""

import json
from decimal import Decimal

import httpx
import pytest

from tests.simulators.d365_scm import D365Scm
from tests.simulators.d365_scm.server import SEND_MESSAGE
from tests.simulators.harness import PlannedOperation, PlannedOrder

ROUTE = (
    PlannedOperation("10", "Saw", "SAW-1", Decimal(1800), Decimal(36)),
    PlannedOperation("20", "Weld", "WELD-1", None, Decimal(90)),
)
RELEASED = "ProductionOrderStatus eq Microsoft.Dynamics.DataEntities.ProdStatus'Released'"
MINE = {"cross-company": "true", "$filter": f"dataAreaId eq 'usmf' and {RELEASED}"}


def planned(quantity=3, **more):
    return PlannedOrder("D0001", Decimal(quantity), ROUTE, **more)


@pytest.fixture
def erp():
    with D365Scm() as simulator:
        yield simulator


def token(erp, **form):
    asked = {
        "grant_type": "client_credentials",
        "client_id": erp.entra.client_id,
        "client_secret": erp.entra.client_secret,
        "scope": f"{erp.url}/.default",
    } | form
    return httpx.post(f"{erp.url}/{erp.entra.tenant}/oauth2/v2.0/token", data=asked)


@pytest.fixture
def http(erp):
    bearer = token(erp).json()["access_token"]
    with httpx.Client(base_url=erp.url, headers={"Authorization": f"Bearer {bearer}"}) as client:
        yield client


def say(http, kind, company="USMF", **content):
    envelope = {
        "_companyId": company,
        "_messageQueue": "JmgMES3P",
        "_messageType": f"ProdProductionOrder{kind}",
        "_messageContent": json.dumps(content),
    }
    return http.post(SEND_MESSAGE, json=envelope)


def orders(http, **options):
    return http.get("/data/ProductionOrderHeaders", params=MINE | options).json()["value"]


# -- the whole story ----------------------------------------------------------------------------------------------


def test_an_order_from_release_to_its_end(erp, http):
    number = erp.release(planned(serials=True))
    (read,) = orders(http, **{"$expand": "ProdutionOrderRouteOperations"})
    assert read["ProductionOrderNumber"] == number
    saw, weld = read["ProdutionOrderRouteOperations"]
    assert (saw["OperationNumber"], saw["SetupTime"], saw["ProcessTime"], saw["NextOperationNumber"]) == (
        10,
        0.5,
        0.01,
        20,
    )

    assert say(http, "Start", ProductionOrderNumber=number).status_code == 200
    cards = [
        {"OperationNumber": 10, "TaskType": "Setup", "Hours": 0.5},
        {
            "OperationNumber": 10,
            "TaskType": "Process",
            "Hours": 0.05,
            "GoodQuantity": 2,
            "ErrorQuantity": 1,
            "ErrorCause": "Machine",
            "OperationCompleted": "Yes",
        },
    ]
    say(http, "RouteCard", ProductionOrderNumber=number, RouteCardLines=cards)
    reports = [
        {"ReportedGoodQuantity": 1, "ProductSerialNumber": "S1", "ReportAsFinishedDate": "2026-11-23"},
        {"ReportedGoodQuantity": 1, "ProductSerialNumber": "S2"},
        {"ReportedErrorQuantity": 1, "ErrorCause": "Material", "EndJob": "Yes"},
    ]
    say(http, "ReportFinished", ProductionOrderNumber=number, ReportFinishedLines=reports)
    say(http, "End", ProductionOrderNumber=number)
    assert erp.booked(number).state == "released"  # accepted is not posted
    erp.process_messages()

    booked = erp.booked(number)
    assert (booked.state, booked.good, booked.scrap, booked.serials) == ("completed", 2, 1, ("S1", "S2"))
    saw = booked.operation("10")
    assert (saw.state, saw.good, saw.scrap, saw.setup_seconds, saw.run_seconds) == (
        "completed",
        2,
        1,
        1800,
        180,
    )
    assert saw.reasons == ("Machine",)
    assert booked.operation("20").state == "pending"
    assert weld["IsOperationStarted"] == "No"
    assert {message.state for message in erp.processor.messages} == {"Processed"}


def test_what_was_posted_can_be_read_back(erp, http):
    number = erp.release(planned())
    say(http, "Start", ProductionOrderNumber=number, StartedQuantity=3)
    lines = [{"ReportedGoodQuantity": 2, "ReportAsFinishedDate": "2026-11-22"}]
    say(http, "ReportFinished", ProductionOrderNumber=number, ReportFinishedLines=lines)
    erp.settle()
    options = {"cross-company": "true", "$filter": f"ProductionOrderNumber eq '{number}'"}
    (line,) = http.get("/data/ReportAsFinishedProductionJournalEntries", params=options).json()["value"]
    assert (line["ReportedGoodInventoryQuantity"], line["IsPosted"]) == (2, "Yes")
    assert line["ReportAsFinishedDate"] == "2026-11-22T12:00:00Z"
    key = f"/data/ProductionOrderHeaders(dataAreaId='usmf',ProductionOrderNumber='{number}')"
    header = http.get(key, params={"cross-company": "true"}).json()
    assert (header["ProductionOrderStatus"], header["RemainingReportAsFinishedQuantity"]) == ("StartedUp", 1)
    assert header["EndedDate"] == "1900-01-01T12:00:00Z"


def test_the_unit_stands_on_the_released_product(erp, http):
    erp.release(planned())
    (read,) = orders(http, **{"$expand": "ReleasedProductV2"})
    assert read["ReleasedProductV2"]["InventoryUnitSymbol"] == "pcs"
    (product,) = http.get("/data/ReleasedProductsV2", params={"cross-company": "true"}).json()["value"]
    assert (product["ItemNumber"], product["InventoryUnitSymbol"]) == ("D0001", "pcs")


def test_the_list_comes_in_pages(erp, http):
    numbers = [erp.release(planned()) for _ in range(5)]
    preferring = {"Prefer": "odata.maxpagesize=2"}
    page = http.get("/data/ProductionOrderHeaders", params=MINE, headers=preferring).json()
    seen = page["value"]
    while "@odata.nextLink" in page:
        page = http.get(page["@odata.nextLink"], headers=preferring).json()
        seen += page["value"]
    assert [order["ProductionOrderNumber"] for order in seen] == numbers


def test_another_company_is_seen_only_across_companies(erp, http):
    erp.release(planned())
    erp.release(planned(), company="frsi")
    own = http.get("/data/ProductionOrderHeaders", params={"$filter": RELEASED}).json()["value"]
    every = http.get(
        "/data/ProductionOrderHeaders", params={"$filter": RELEASED, "cross-company": "true"}
    ).json()
    assert own == []  # the integration's user belongs to neither
    assert {order["dataAreaId"] for order in every["value"]} == {"usmf", "frsi"}


# -- what fails later, not in the call -------------------------------------------------------------------------------

REPORT = [{"ReportedGoodQuantity": 1}]
CARD = [{"OperationNumber": 10, "Hours": 1}]


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        (
            "ReportFinished",
            {"ReportFinishedLines": REPORT, "ProductionOrderNumber": "P999999"},
            "does not exist",
        ),
        ("ReportFinished", {"ReportFinishedLines": []}, "at least one line"),
        ("ReportFinished", {"ReportFinishedLines": [{"ErrorCause": "Tool"}]}, "valid: None, Material"),
        ("ReportFinished", {"ReportFinishedLines": [{"EndJob": True}]}, "valid: No, Yes"),
        ("ReportFinished", {"ReportFinishedLines": [{"ItemNumber": "D9999"}]}, "not produced"),
        ("ReportFinished", {"ReportFinishedLines": [{"ReportedGoodQuantity": -1}]}, "negative"),
        ("RouteCard", {"RouteCardLines": [{"OperationNumber": 30}]}, "Operation 30 does not exist"),
        ("RouteCard", {"RouteCardLines": [{"OperationNumber": 10, "TaskType": "Run"}]}, "valid: QueueBefore"),
        ("RouteCard", {"RouteCardLines": [{"Hours": 1}]}, "mandatory"),
        ("End", {}, "its status is StartedUp"),
        ("Cancel", {}, "no processor"),
    ],
)
def test_a_wrong_message_is_accepted_and_fails_after_three_tries(erp, http, kind, content, why):
    number = erp.release(planned())
    say(http, "Start", ProductionOrderNumber=number)
    erp.settle()
    assert say(http, kind, **{"ProductionOrderNumber": number} | content).status_code == 200
    message = erp.processor.messages[-1]
    erp.process_messages()
    assert (message.state, message.tries) == ("Queued", 1)
    erp.process_messages(runs=2)
    assert (message.state, message.tries, len(message.log)) == ("Failed", 3, 3)
    assert why in message.log[0]
    assert erp.booked(number).postings == 0


def test_a_message_waits_behind_a_failing_one_of_the_same_order(erp, http):
    first, second = erp.release(planned()), erp.release(planned())
    say(http, "RouteCard", ProductionOrderNumber=first, RouteCardLines=CARD)  # not started: fails
    say(http, "Start", ProductionOrderNumber=first)
    say(http, "Start", ProductionOrderNumber=second)
    erp.process_messages()
    assert (erp.booked(first).state, erp.booked(second).state) == ("released", "started")
    erp.settle()
    assert erp.booked(first).state == "started"
    assert [message.state for message in erp.processor.messages] == ["Failed", "Processed", "Processed"]


def test_the_same_report_twice_counts_twice(erp, http):
    number = erp.release(planned())
    for _ in range(2):
        say(http, "ReportFinished", ProductionOrderNumber=number, ReportFinishedLines=REPORT)
    erp.settle()
    assert erp.booked(number).good == 2  # there is no message identity of the caller's


def test_a_lost_reply_does_not_say_whether_the_message_was_taken(erp, http):
    number = erp.release(planned())
    for fault in ("drop_before_effect", "drop_after_effect"):
        erp.fault("SendMessage", fault)
        with pytest.raises(httpx.HTTPError):
            say(http, "ReportFinished", ProductionOrderNumber=number, ReportFinishedLines=REPORT)
    erp.settle()
    options = {"cross-company": "true", "$filter": f"ProductionOrderNumber eq '{number}'"}
    posted = http.get("/data/ReportAsFinishedProductionJournalEntries", params=options).json()["value"]
    assert len(posted) == 1  # only the journals tell


def test_a_serial_number_is_needed_and_only_once(erp, http):
    number = erp.release(planned(serials=True))
    for line in ({"ReportedGoodQuantity": 1}, {"ReportedGoodQuantity": 2, "ProductSerialNumber": "S1"}):
        say(http, "ReportFinished", ProductionOrderNumber=number, ReportFinishedLines=[line])
    once = [{"ReportedGoodQuantity": 1, "ProductSerialNumber": "S1"}]
    for _ in range(2):
        say(http, "ReportFinished", ProductionOrderNumber=number, ReportFinishedLines=once)
    erp.settle()
    assert [message.state for message in erp.processor.messages] == [
        "Failed",
        "Failed",
        "Processed",
        "Failed",
    ]
    assert erp.booked(number).serials == ("S1",)


def test_an_ended_order_takes_nothing_more(erp, http):
    number = erp.release(planned())
    say(http, "Start", ProductionOrderNumber=number)
    say(http, "End", ProductionOrderNumber=number, AutoReportAsFinished="Yes")
    say(http, "ReportFinished", ProductionOrderNumber=number, ReportFinishedLines=REPORT)
    erp.settle()
    assert [message.state for message in erp.processor.messages] == ["Processed", "Processed", "Failed"]


def test_the_batch_job_may_run_by_itself(erp, http):
    erp.runs_after_reads = 2
    number = erp.release(planned())
    say(http, "Start", ProductionOrderNumber=number)
    assert len(orders(http)) == 1
    assert len(orders(http)) == 1
    assert orders(http) == []
    assert erp.booked(number).state == "started"


# -- what the call itself refuses ----------------------------------------------------------------------------------


def test_wrong_credentials_get_no_token(erp):
    assert token(erp, client_secret="guess").json()["error"] == "invalid_client"
    assert token(erp, client_secret="guess").status_code == 401
    assert token(erp, scope="https://elsewhere/.default").json()["error"] == "invalid_scope"
    assert token(erp, grant_type="password").json()["error"] == "unsupported_grant_type"


def test_an_expired_token_is_refused_and_a_new_one_works(erp, http):
    erp.expire_credentials()
    assert http.get("/data/ProductionOrderHeaders").status_code == 401
    http.headers["Authorization"] = f"Bearer {token(erp).json()['access_token']}"
    assert http.get("/data/ProductionOrderHeaders").status_code == 200
    erp.revoke_credentials()
    assert http.get("/data/ProductionOrderHeaders").status_code == 401


@pytest.mark.parametrize(
    "filtering",
    [
        "ProductionOrderStatus eq 'Released'",
        "ProductionOrderStatus eq Microsoft.Dynamics.DataEntities.ProdStatus'Ended'",
        "ProductionOrderStatus eq ProdStatus'Released'",
        "ProductionOrderStatus gt Microsoft.Dynamics.DataEntities.ProdStatus'Created'",
        "ProductionOrderNumber in ('P000001')",
        "startswith(ProductionOrderNumber,'P')",
        "ModifiedDateTime gt 2026-01-01T00:00:00Z",
    ],
)
def test_a_query_the_service_does_not_take_is_refused(erp, http, filtering):
    reply = http.get("/data/ProductionOrderHeaders", params={"$filter": filtering})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("The query specified in the URI is not valid.")


def test_a_key_must_be_whole_and_a_set_must_exist(erp, http):
    erp.release(planned())
    assert http.get("/data/ProductionOrderHeaders('P000001')").status_code == 400
    assert http.get("/data/ProductionOrders").status_code == 404


def test_an_envelope_that_cannot_be_read_is_refused(erp, http):
    whole = {"_companyId": "USMF", "_messageQueue": "JmgMES3P", "_messageType": "X", "_messageContent": "{}"}
    wrong = (
        {"_messageContent": {"ProductionOrderNumber": "P000001"}},
        {"_companyId": "NONE"},
        {"_messageQueue": "Nope"},
    )
    for part in wrong:
        reply = http.post(SEND_MESSAGE, json=whole | part)
        assert reply.status_code == 500
        assert reply.json()["Message"].startswith("An exception occured when invoking the operation")
    assert http.post(SEND_MESSAGE, json={"_companyId": "USMF"}).status_code == 500
    assert erp.processor.messages == []


def test_the_metadata_names_entities_and_enumerations(erp, http):
    text = http.get("/data/$metadata").text
    assert '<EnumType Name="ProdStatus">' in text
    assert 'EntitySet Name="ProductionOrderHeaders"' in text


def test_throttling_says_when_to_come_back(erp, http):
    erp.throttle(times=1, retry_after=7)
    reply = http.get("/data/ProductionOrderHeaders")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert http.get("/data/ProductionOrderHeaders").status_code == 200


# -- the planner ---------------------------------------------------------------------------------------------------


def test_the_planner_changes_and_cancels(erp, http):
    first, second = erp.release(planned()), erp.release(planned())
    erp.change_quantity(first, Decimal(7))
    erp.cancel(second)
    (read,) = orders(http)
    assert (read["ProductionOrderNumber"], read["ScheduledQuantity"]) == (first, 7)
    assert erp.booked(second).state == "cancelled"
    say(http, "Start", ProductionOrderNumber=first)
    erp.settle()
    erp.cancel(first)
    assert orders(http) == []
