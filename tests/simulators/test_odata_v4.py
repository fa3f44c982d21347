"""The plain OData V4 service, driven by hand as an integrator would, and asked what it refuses."""

from decimal import Decimal

import httpx
import pytest

from tests.simulators.harness import PlannedOperation, PlannedOrder
from tests.simulators.odata_v4 import ODataV4

ROUTE = (
    PlannedOperation("10", "Cut", "SAW", Decimal(300), Decimal(20)),
    PlannedOperation("10.10", "Fold", "BENCH", None, Decimal(40)),
)
RELEASED = {"$filter": "Status eq Shop.OrderStatus'Released'"}


def planned(quantity=4, **more):
    return PlannedOrder("BOX", Decimal(quantity), ROUTE, **more)


@pytest.fixture
def erp():
    with ODataV4(page_size=2) as simulator:
        yield simulator


@pytest.fixture
def http(erp):
    base = f"{erp.url}/odata/v4"
    with httpx.Client(base_url=base, auth=(erp.user, erp.password)) as client:
        yield client


def act(http, what, action, **headers):
    return http.post(f"/{what}/Shop.{action}", headers=headers)


def start(http, number):
    assert act(http, f"Orders('{number}')", "Start").status_code == 204
    return number


def report(http, number, operation="10", **more):
    return http.post("/Reports", json={"OrderNumber": number, "Operation": operation} | more)


def code(reply):
    return reply.status_code, reply.json()["error"]["code"]


def test_an_order_from_release_to_its_end(erp, http):
    number = erp.release(planned(serials=True))
    (order,) = http.get("/Orders", params=RELEASED | {"$expand": "Operations($orderby=Sequence)"}).json()[
        "value"
    ]
    assert (order["Number"], order["Quantity"], order["DueDate"]) == (number, 4, "2026-12-01")
    assert [step["Sequence"] for step in order["Operations"]] == ["10", "10.10"]
    assert (order["Operations"][0]["SetupSeconds"], order["Operations"][1]["SetupSeconds"]) == (300, None)
    start(http, number)
    for sequence, facts in (
        ("10", {"Good": 3, "Scrap": 1, "Reason": "Machine", "SetupSeconds": 290, "RunSeconds": 61.5}),
        ("10.10", {"Good": 2, "Rework": 1, "Serials": ["A1", "A2"], "At": "2026-11-23T08:00:00+01:00"}),
    ):
        step = f"Operations(OrderNumber='{number}',Sequence='{sequence}')"
        for action in ("Start", "Pause", "Start"):
            assert act(http, step, action).status_code == 204
        assert report(http, number, sequence, **facts).status_code == 201
        assert act(http, step, "Complete").status_code == 204
    assert act(http, f"Orders('{number}')", "Complete").status_code == 204
    booked = erp.booked(number)
    assert (booked.state, booked.good, booked.scrap, booked.serials) == ("completed", 2, 1, ("A1", "A2"))
    cut, fold = booked.operations
    assert (cut.state, cut.good, cut.scrap, cut.setup_seconds, cut.run_seconds) == (
        "completed",
        3,
        1,
        290,
        Decimal("61.5"),
    )
    assert (cut.reasons, fold.rework, booked.postings) == (("Machine",), 1, 2)


def test_pages_follow_links_that_do_not_drift(erp, http):
    numbers = [erp.release(planned()) for _ in range(5)]
    page = http.get("/Orders", params=RELEASED | {"$orderby": "Number", "$count": "true"}).json()
    seen = page["value"]
    assert (len(seen), page["@odata.count"]) == (2, 5)
    erp.cancel(numbers[0])
    while "@odata.nextLink" in page:
        page = http.get(page["@odata.nextLink"]).json()
        seen += page["value"]
    assert [order["Number"] for order in seen] == numbers


def test_what_changed_since_can_be_asked(erp, http):
    first, second = erp.release(planned()), erp.release(planned())
    before = http.get(f"/Orders('{second}')").json()["ModifiedAt"]
    start(http, first)
    changed = http.get("/Orders", params={"$filter": f"ModifiedAt gt {before}"}).json()["value"]
    assert [order["Number"] for order in changed] == [first]


def test_a_report_counts_once_by_its_external_identity(erp, http):
    number = start(http, erp.release(planned()))
    first = report(http, number, ExternalId="e-1", Good=2)
    assert (first.status_code, first.headers["location"]) == (201, f"{erp.url}/odata/v4/Reports(1)")
    assert code(report(http, number, ExternalId="e-1", Good=2)) == (409, "AlreadyReported")
    found = http.get("/Reports", params={"$filter": "ExternalId eq 'e-1'"}).json()["value"]
    assert [row["Id"] for row in found] == [1]


def test_a_client_may_want_no_body_back(erp, http):
    number = start(http, erp.release(planned()))
    body = {"OrderNumber": number, "Operation": "10", "Good": 1}
    reply = http.post("/Reports", json=body, headers={"Prefer": "return=minimal"})
    assert (reply.status_code, reply.content, reply.headers["preference-applied"]) == (
        204,
        b"",
        "return=minimal",
    )
    assert reply.headers["odata-entityid"].endswith("Reports(1)")


def test_a_report_is_reversed_once(erp, http):
    number = start(http, erp.release(planned()))
    report(http, number, "10.10", Good=2, RunSeconds=80)
    assert act(http, "Reports(1)", "Reverse").status_code == 204
    booked = erp.booked(number)
    assert (booked.good, booked.operation("10.10").run_seconds, booked.postings) == (0, 0, 2)
    assert code(act(http, "Reports(1)", "Reverse")) == (409, "AlreadyReversed")


@pytest.mark.parametrize(
    ("body", "refused", "target"),
    [
        ({"OrderNumber": "W-99999"}, (400, "UnknownOrder"), "OrderNumber"),
        ({"Operation": "99"}, (400, "UnknownOperation"), "Operation"),
        ({"Reason": "Weather"}, (400, "UnknownReason"), "Reason"),
        ({"Good": "2"}, (400, "WrongType"), "Good"),
        ({"Good": -1}, (400, "Negative"), "Good"),
        ({"At": "2026-11-23T08:00:00"}, (400, "WrongType"), "At"),
        ({"Colour": "red"}, (400, "UnknownProperty"), "Colour"),
        ({"Operation": "10.10", "Good": 1}, (400, "SerialsMissing"), "Serials"),
        ({"Operation": "10.10", "Good": 2, "Serials": ["A", "A"]}, (409, "SerialExists"), "Serials"),
    ],
)
def test_a_wrong_report_is_refused(erp, http, body, refused, target):
    number = start(http, erp.release(planned(serials=True)))
    reply = report(http, number, **body)
    assert code(reply) == refused
    assert reply.json()["error"]["target"] == target
    assert erp.booked(number).postings == 0


def test_states_hold(erp, http):
    number = erp.release(planned(batch=True))
    step = f"Operations(OrderNumber='{number}',Sequence='10')"
    assert code(act(http, step, "Start")) == (409, "WrongState")
    assert code(report(http, number)) == (409, "WrongState")
    start(http, number)
    assert code(act(http, f"Orders('{number}')", "Start")) == (409, "WrongState")
    assert code(act(http, f"Orders('{number}')", "Complete")) == (409, "OperationsOpen")
    assert code(act(http, step, "Complete")) == (409, "WrongState")
    assert code(report(http, number, "10.10", Good=1)) == (400, "BatchMissing")


def test_a_change_needs_the_version_it_was_read_in(erp, http):
    number = erp.release(planned())
    where = f"/Orders('{number}')"
    tag = http.get(where).headers["etag"]
    assert http.get(where, headers={"If-None-Match": tag}).status_code == 304
    assert code(http.patch(where, json={"Quantity": 9})) == (428, "PreconditionRequired")
    assert http.patch(where, json={"Quantity": 9}, headers={"If-Match": tag}).json()["Quantity"] == 9
    assert code(http.patch(where, json={"Quantity": 8}, headers={"If-Match": tag})) == (
        412,
        "PreconditionFailed",
    )
    assert act(http, f"Orders('{number}')", "Start", **{"If-Match": tag}).status_code == 412
    assert act(http, f"Orders('{number}')", "Start", **{"If-Match": "*"}).status_code == 204


@pytest.mark.parametrize(
    "options",
    [
        {"$filter": "Status eq 'Released'"},
        {"$filter": "Nope eq 1"},
        {"$select": "Nope"},
        {"$expand": "Nope"},
        {"$top": "-1"},
        {"$skiptoken": "x"},
        {"$apply": "aggregate($count as N)"},
    ],
)
def test_a_query_that_cannot_be_read_is_refused(erp, http, options):
    assert code(http.get("/Orders", params=options)) == (400, "BadQuery")


def test_a_wrong_place_or_way_is_refused(erp, http):
    assert code(http.get("/Machines")) == (404, "NotFound")
    assert code(http.get("/Orders('none')")) == (404, "NotFound")
    assert code(http.delete("/Orders")) == (405, "MethodNotAllowed")
    assert code(http.post("/Reports", content=b"{}", headers={"content-type": "text/plain"})) == (
        415,
        "UnsupportedMediaType",
    )
    assert code(http.post("/Reports", content=b"[]", headers={"content-type": "application/json"})) == (
        400,
        "BadBody",
    )


def test_signing_in(erp, http):
    assert httpx.get(f"{erp.url}/odata/v4/Orders").status_code == 401
    token = httpx.post(f"{erp.url}/token", auth=(erp.user, erp.password)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{erp.url}/odata/v4/Orders", headers=bearer).headers["odata-version"] == "4.0"
    erp.expire_credentials()
    assert httpx.get(f"{erp.url}/odata/v4/Orders", headers=bearer).status_code == 401
    assert http.get("/Orders").status_code == 200
    erp.revoke_credentials()
    assert http.get("/Orders").status_code == 401


def test_the_service_describes_itself(erp, http):
    assert {entry["name"] for entry in http.get("/").json()["value"]} == {"Orders", "Operations", "Reports"}
    text = http.get("/$metadata").text
    assert '<EntityType Name="Order"><Key><PropertyRef Name="Number"/></Key>' in text
    assert '<Member Name="Released" Value="1"/>' in text


def test_the_planner_changes_and_cancels(erp, http):
    number = erp.release(planned())
    erp.change_quantity(number, Decimal(6))
    assert http.get(f"/Orders('{number}')").json()["Quantity"] == 6
    erp.cancel(number)
    assert http.get("/Orders", params=RELEASED).json()["value"] == []
    assert erp.booked(number).state == "cancelled"
