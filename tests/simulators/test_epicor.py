"""The Epicor simulator driven by hand, as an integrator would with an HTTP client; then its tables are read."""

from decimal import Decimal

import httpx
import pytest

from tests.simulators.epicor import Epicor
from tests.simulators.harness import PlannedOperation, PlannedOrder

ROOT = "/api/v2/odata/EPIC06"
JOBS, LABOR = f"{ROOT}/Erp.BO.JobEntrySvc", f"{ROOT}/Erp.BO.LaborSvc"


def bolts(quantity=10, **more):
    steps = (
        PlannedOperation("10", "Turn", "LATHE", Decimal(600), Decimal(60)),
        PlannedOperation("20", "Pack", "PACK", Decimal(0), Decimal(30)),
    )
    return PlannedOrder("BOLT", Decimal(quantity), steps, **more)


@pytest.fixture
def erp():
    with Epicor() as simulator:
        yield simulator


@pytest.fixture
def client(erp):
    with logged_in(erp) as client:
        yield client


def logged_in(erp, **headers):
    headers = {"x-api-key": erp.api_key} | headers
    return httpx.Client(base_url=erp.url, auth=(erp.user, erp.password), headers=headers)


def listed(client, path, **options):
    return client.get(path, params={f"${name}": value for name, value in options.items()})


def call(client, name, **given):
    """Call a method with a dataset in it; returns the dataset that comes back."""
    reply = client.post(f"{LABOR}/{name}", json=given)
    reply.raise_for_status()
    return reply.json()["parameters"]["ds"]


def refused(reply):
    return reply.status_code, reply.json()["ErrorMessage"]


def entered(client, job, sequence, start=6.0, end=7.0, **fields):
    """Walk the screen's way to a labour detail that has not been kept yet."""
    day = "2026-11-02T00:00:00"
    ds = call(
        client,
        "GetNewLaborDtlNoHdr",
        ds={},
        EmployeeNum="101",
        ShopFloor=False,
        ClockInDate=day,
        ClockInTime=start,
        ClockOutDate=day,
        ClockOutTime=end,
    )
    ds = call(client, "DefaultJobNum", ds=ds, jobNum=job)
    ds = call(client, "DefaultAssemblySeq", ds=ds, assemblySeq=0)
    ds = call(client, "DefaultOprSeq", ds=ds, oprSeq=sequence)
    ds["LaborDtl"][0].update(fields)
    return ds


def keep(client, ds):
    return client.post(f"{LABOR}/Update", json={"ds": ds})


def marked(ds, mark="U"):
    for row in ds["LaborDtl"]:
        row["RowMod"] = mark
    return ds


def report(client, job, sequence, **fields):
    """Keep a labour detail and submit it; returns its dataset."""
    ds = keep(client, entered(client, job, sequence, **fields)).json()["parameters"]["ds"]
    return call(client, "SubmitForApproval", ds=marked(ds), lWeeklyView=False)


def test_a_whole_job_is_read_worked_corrected_and_finished(erp, client):
    number = erp.release(bolts(batch=True))
    wanted = {"filter": "JobReleased eq true and JobComplete eq false and JobClosed eq false"}
    job = listed(client, f"{JOBS}/JobEntries", expand="JobAsmbls($expand=JobOpers)", **wanted).json()[
        "value"
    ][0]
    assert (job["JobNum"], job["ProdQty"], job["DueDate"]) == (number, 10, "2026-12-01T00:00:00")
    steps = job["JobAsmbls"][0]["JobOpers"]
    assert [(step["OprSeq"], step["PrimaryResourceGrpID"]) for step in steps] == [(10, "LATHE"), (20, "PACK")]
    assert (steps[0]["StdFormat"], steps[0]["ProdStandard"]) == ("MP", 1)

    report(client, number, 10, start=6.0, end=6.5, LaborType="S")
    report(client, number, 10, start=6.5, end=7.5, LaborQty=4, ScrapQty=1, ScrapReasonCode="SCR1")
    wrong = report(client, number, 10, LaborQty=3)
    recalled = call(client, "RecallFromApproval", ds=marked(wrong), lWeeklyView=False)
    assert keep(client, marked(recalled, "D")).status_code == 200
    report(client, number, 10, LaborQty=6, DiscrepQty=1, DiscrpRsnCode="NC1", OpComplete=True, Complete=True)
    report(client, number, 20, LaborQty=10, OpComplete=True, Complete=True, LotNum="L-7")

    booked = erp.booked(number)
    assert (booked.state, booked.good, booked.scrap, booked.batches) == ("completed", 10, 1, ("L-7",))
    assert booked.postings == 4
    turning = booked.operation("10")
    assert (turning.state, turning.good, turning.scrap, turning.rework) == ("completed", 10, 1, 1)
    assert (turning.setup_seconds, turning.run_seconds, turning.reasons) == (1800, 7200, ("SCR1",))
    shown = client.get(f"{JOBS}/JobEntries('EPIC06','{number}')").json()
    assert shown["QtyCompleted"] == 10


def test_an_activity_is_started_and_ended_on_the_shop_floor(erp, client):
    number = erp.release(bolts())
    client.post(
        f"{ROOT}/Erp.BO.EmpBasicSvc/ClockIn", json={"employeeID": "101", "shift": 1}
    ).raise_for_status()
    active = client.post(f"{LABOR}/GetActiveLaborDtl", json={"employeeNum": "101"}).json()["returnObj"]
    header = active["LaborHed"][0]["LaborHedSeq"]
    ds = call(client, "StartActivity", LaborHedSeq=header, StartType="P", ds=active)
    ds = call(client, "DefaultJobNum", ds=ds, jobNum=number)
    ds = call(client, "DefaultOprSeq", ds=ds, oprSeq=10)
    assert keep(client, ds).status_code == 200
    assert erp.booked(number).operation("10").state == "running"
    assert erp.booked(number).postings == 0

    ds = client.post(f"{LABOR}/GetByID", json={"laborHedSeq": header}).json()["returnObj"]
    ds["LaborDtl"][0] |= {"LaborQty": 10, "OpComplete": True, "RowMod": "U"}
    ds = call(client, "EndActivity", ds=ds)
    assert keep(client, ds).status_code == 200
    turning = erp.booked(number).operation("10")
    assert (turning.state, turning.good) == ("completed", 10)
    assert turning.run_seconds > 0
    out = client.post(f"{ROOT}/Erp.BO.EmpBasicSvc/ClockOut", json={"employeeID": "101"})
    assert out.status_code == 200


def test_time_counts_only_when_it_is_submitted(erp, client):
    number = erp.release(bolts())
    ds = keep(client, entered(client, number, 10, LaborQty=4)).json()["parameters"]["ds"]
    assert ds["LaborDtl"][0]["TimeStatus"] == "E"
    assert erp.booked(number).operation("10").good == 0
    call(client, "SubmitForApproval", ds=marked(ds), lWeeklyView=False)
    assert erp.booked(number).operation("10").good == 4
    keep(client, entered(client, number, 10, LaborQty=2, TimeAutoSubmit=True)).raise_for_status()
    assert erp.booked(number).operation("10").good == 6


def test_where_time_is_approved_it_waits_for_the_supervisor():
    with Epicor(approval_required=True) as erp, logged_in(erp) as client:
        number = erp.release(bolts())
        ds = report(client, number, 10, LaborQty=4)
        assert ds["LaborDtl"][0]["TimeStatus"] == "S"
        assert erp.booked(number).operation("10").good == 0
        erp.approve_all()
        assert erp.booked(number).operation("10").good == 4


def test_a_list_ends_at_a_hundred_rows_unless_more_are_asked_for(erp, client):
    numbers = [erp.release(bolts()) for _ in range(103)]
    body = listed(client, f"{JOBS}/JobEntries", count="true", select="JobNum").json()
    assert (len(body["value"]), body["@odata.count"]) == (100, 103)
    assert "@odata.nextLink" not in body
    found, page = [], None
    while page is None or page:
        options = {"top": 50, "skip": len(found), "orderby": "JobNum", "select": "JobNum"}
        page = listed(client, f"{JOBS}/JobEntries", **options).json()["value"]
        found += [row["JobNum"] for row in page]
    assert found == numbers


def test_a_change_is_found_by_the_revision_of_its_row(erp, client):
    number, other = erp.release(bolts()), erp.release(bolts())
    seen = max(row["SysRevID"] for row in listed(client, f"{JOBS}/JobEntries").json()["value"])
    erp.change_quantity(number, Decimal(12))
    changed = listed(client, f"{JOBS}/JobEntries", filter=f"SysRevID gt {seen}").json()["value"]
    assert [(row["JobNum"], row["ProdQty"]) for row in changed] == [(number, 12)]
    report(client, other, 10, LaborQty=1)
    changed = listed(
        client, f"{JOBS}/JobEntries", filter=f"SysRevID gt {changed[0]['SysRevID'] + 100}"
    ).json()
    assert changed["value"] == []


def test_a_report_is_found_again_by_its_note(erp, client):
    number = erp.release(bolts())
    report(client, number, 10, LaborQty=4, LaborNote="event-1")
    found = listed(client, f"{LABOR}/LaborDtls", filter="LaborNote eq 'event-1'").json()["value"]
    assert [(row["JobNum"], row["LaborQty"]) for row in found] == [(number, 4)]


def test_rows_that_do_not_say_they_changed_are_passed_over(erp, client):
    number = erp.release(bolts())
    ds = keep(client, entered(client, number, 10, LaborQty=4, TimeAutoSubmit=False)).json()["parameters"][
        "ds"
    ]
    ds["LaborDtl"][0]["LaborQty"] = 9
    assert ds["LaborDtl"][0]["RowMod"] == ""
    assert keep(client, ds).status_code == 200
    row = listed(client, f"{LABOR}/LaborDtls").json()["value"][0]
    assert row["LaborQty"] == 4


def test_a_row_somebody_else_changed_is_not_written(erp, client):
    number = erp.release(bolts())
    ds = keep(client, entered(client, number, 10, LaborQty=4)).json()["parameters"]["ds"]
    erp.touch(ds["LaborDtl"][0]["LaborDtlSeq"])
    status, text = refused(keep(client, marked(ds)))
    assert status == 409
    assert "modified by another user" in text


def test_approved_time_is_recalled_before_it_is_changed(erp, client):
    number = erp.release(bolts())
    ds = report(client, number, 10, LaborQty=4)
    for mark in ("U", "D"):
        assert refused(keep(client, marked(ds, mark)))[0] == 400
    ds = call(client, "RecallFromApproval", ds=marked(ds), lWeeklyView=False)
    ds["LaborDtl"][0] |= {"LaborQty": 5, "TimeAutoSubmit": True}
    assert keep(client, marked(ds)).status_code == 200
    assert erp.booked(number).operation("10").good == 5


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"ScrapQty": 1}, "Reason Code is required."),
        ({"ScrapQty": 1, "ScrapReasonCode": "NC1"}, "Reason Code is not valid."),
        ({"DiscrepQty": 1}, "Reason Code is required."),
        ({"LaborQty": -1}, "Labor Quantity cannot be negative."),
        ({"LaborQty": 1, "LaborType": "S"}, "Labor Quantity is not allowed for setup."),
        ({"JobNum": "J999999"}, "Job Number is not valid."),
        ({"OprSeq": 30}, "Operation is not valid for this job."),
    ],
)
def test_what_a_labour_detail_may_not_say(erp, client, fields, text):
    number = erp.release(bolts())
    reply = keep(client, entered(client, number, 10, **fields))
    assert refused(reply) == (400, text)
    body = reply.json()
    assert (body["ErrorType"], body["ErrorDetails"][0]["Table"]) == (
        "Ice.Common.BusinessObjectException",
        "LaborDtl",
    )
    assert listed(client, f"{LABOR}/Labors").json()["value"] == []


def test_labour_is_entered_only_on_a_released_and_open_job(erp, client):
    waiting, closed, gone = erp.create(bolts()), erp.release(bolts()), erp.release(bolts())
    report(client, closed, 10, LaborQty=1)
    erp.cancel(closed)
    erp.cancel(gone)
    ds = entered(client, erp.release(bolts()), 10)
    texts = [
        client.post(f"{LABOR}/DefaultJobNum", json={"ds": ds, "jobNum": number}).json()["ErrorMessage"]
        for number in (waiting, closed, gone)
    ]
    assert texts == [
        "Job has not been released. Labor cannot be entered.",
        "Job is closed. Labor cannot be entered.",
        "Job Number is not valid.",
    ]
    assert [erp.booked(number).state for number in (closed, gone)] == ["cancelled", "cancelled"]


def test_more_than_ordered_is_a_warning_not_an_error(erp, client):
    number = erp.release(bolts())
    ds = entered(client, number, 10)
    reply = client.post(f"{LABOR}/DefaultLaborQty", json={"ds": ds, "laborQty": 12}).json()["parameters"]
    assert reply["vMessage"]
    assert keep(client, reply["ds"]).status_code == 200


def test_an_activity_ends_only_in_a_row_that_says_it_changed(erp, client):
    client.post(f"{ROOT}/Erp.BO.EmpBasicSvc/ClockIn", json={"employeeID": "101", "shift": 1})
    again = client.post(f"{ROOT}/Erp.BO.EmpBasicSvc/ClockIn", json={"employeeID": "101", "shift": 1})
    assert again.status_code == 400
    ds = call(client, "StartActivity", LaborHedSeq=1, StartType="P", ds={})
    ds = call(client, "DefaultJobNum", ds=ds, jobNum=erp.release(bolts()))
    ds = call(client, "DefaultOprSeq", ds=ds, oprSeq=10)
    keep(client, ds)
    ds = client.get(f"{LABOR}/GetByID", params={"laborHedSeq": 1}).json()["returnObj"]
    assert client.post(f"{LABOR}/EndActivity", json={"ds": ds}).status_code == 400
    out = client.post(f"{ROOT}/Erp.BO.EmpBasicSvc/ClockOut", json={"employeeID": "101"})
    assert out.status_code == 400


def test_both_the_password_and_the_key_are_asked_for(erp, client):
    with logged_in(erp, **{"x-api-key": "another"}) as stranger:
        assert stranger.get(f"{JOBS}/JobEntries").status_code == 401
    assert client.get(f"{JOBS}/JobEntries").status_code == 200
    assert client.get("/api/v2/odata/OTHER/Erp.BO.JobEntrySvc/JobEntries").status_code == 404
    erp.revoke_credentials()
    assert client.get(f"{JOBS}/JobEntries").status_code == 401


def test_a_method_names_the_parameter_it_misses(erp, client):
    reply = client.post(f"{LABOR}/DefaultOprSeq", json={"ds": {}, "OprSeq": 10})
    assert refused(reply) == (400, "Parameter oprSeq is not found in the input object")
    assert reply.json()["ErrorType"] == "Epicor.RESTApi.ErrorHandling.ApiException"


@pytest.mark.parametrize(
    "options",
    [
        {"filter": "jobreleased eq true"},
        {"filter": "JobReleased eq 'true'"},
        {"filter": "SysRevID gt 'x'"},
        {"select": "JobNumber"},
        {"expand": "JobOpers"},
    ],
)
def test_what_a_query_may_not_say(erp, client, options):
    assert listed(client, f"{JOBS}/JobEntries", **options).status_code == 400


def test_operations_and_reasons_are_read_by_themselves(erp, client):
    number = erp.release(bolts())
    steps = listed(client, f"{JOBS}/JobOpers", filter=f"JobNum eq '{number}'", orderby="OprSeq").json()[
        "value"
    ]
    assert [step["OprSeq"] for step in steps] == [10, 20]
    reasons = listed(client, f"{ROOT}/Erp.BO.ReasonSvc/Reasons", filter="ReasonType eq 'S'").json()["value"]
    assert [row["ReasonCode"] for row in reasons] == ["SCR1", "SCR2"]
