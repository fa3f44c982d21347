"""The NetSuite simulator driven by hand, as an integrator would with an HTTP client; then its tables are read."""

import base64
import hashlib
import hmac
import itertools
import threading
import time
from decimal import Decimal
from urllib.parse import quote, urlsplit

import httpx
import jwt
import pytest

from tests.simulators.harness import PlannedOperation, PlannedOrder
from tests.simulators.netsuite import Netsuite

SUITEQL = "/services/rest/query/v1/suiteql"
RECORD = "/services/rest/record/v1"
TOKEN = "/services/rest/auth/oauth2/v1/token"
NONCES = itertools.count(1)
ORDERS = """select t.id, t.tranid, t.status, BUILTIN.DF(t.status) as shown, tl.quantity, i.itemid,
            TO_CHAR(t.lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') as modified
            from transaction t join transactionline tl on tl.transaction = t.id and tl.mainline = 'T'
            join item i on i.id = tl.item where t.type = 'WorkOrd' {} order by t.lastmodifieddate, t.id"""
TASKS = """select id, operationsequence, completedquantity from manufacturingoperationtask
           where workorder = {} order by id"""


def bolts(quantity=10, **more):
    steps = (
        PlannedOperation("10", "Turn", "LATHE", Decimal(600), Decimal(60)),
        PlannedOperation("20", "Pack", "PACK", Decimal(0), Decimal(30)),
    )
    return PlannedOrder("BOLT", Decimal(quantity), steps, **more)


def enc(text):
    return quote(str(text), safe="")


class Tba(httpx.Auth):
    """OAuth 1.0a, written out as RFC 5849 has it; `changes` spoil a parameter."""

    def __init__(self, erp, **changes):
        self.erp, self.changes = erp, changes

    def auth_flow(self, request):
        tokens = self.erp.tokens
        given = {
            "oauth_consumer_key": tokens.consumer_key,
            "oauth_token": tokens.token_id,
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(time.time())),
            "oauth_nonce": f"nonce{next(NONCES)}",
            "oauth_version": "1.0",
        } | {name: value for name, value in self.changes.items() if name.startswith("oauth")}
        url = urlsplit(str(request.url))
        pairs = [*given.items(), *request.url.params.multi_items()]
        joined = "&".join(f"{n}={v}" for n, v in sorted((enc(n), enc(v)) for n, v in pairs))
        base = "&".join((request.method, enc(f"{url.scheme}://{url.netloc}{url.path}"), enc(joined)))
        key = f"{enc(tokens.consumer_secret)}&{enc(self.changes.get('secret', tokens.token_secret))}"
        given["oauth_signature"] = base64.b64encode(
            hmac.digest(key.encode(), base.encode(), hashlib.sha256)
        ).decode()
        realm = self.changes.get("realm", self.erp.account)
        fields = ", ".join(f'{name}="{enc(value)}"' for name, value in given.items())
        request.headers["authorization"] = f'OAuth realm="{realm}", {fields}'
        yield request


@pytest.fixture
def erp():
    with Netsuite() as simulator:
        yield simulator


@pytest.fixture
def client(erp):
    with httpx.Client(base_url=erp.url, auth=Tba(erp)) as client:
        yield client


def query(client, text, **params):
    return client.post(SUITEQL, params=params, json={"q": text}, headers={"prefer": "transient"})


def rows(client, text):
    return query(client, text).json()["items"]


def order_of(client, number):
    return rows(client, ORDERS.format(f"and t.tranid = '{number}'"))[0]["id"]


def complete(client, order, sequence, quantity, **more):
    tasks = {row["operationsequence"]: row["id"] for row in rows(client, TASKS.format(order))}
    headers = more.pop("headers", {})
    body = {
        "startOperation": {"id": tasks[sequence]},
        "endOperation": {"id": tasks[sequence]},
        "completedQuantity": quantity,
        **more,
    }
    return client.post(
        f"{RECORD}/workOrder/{order}/!transform/workOrderCompletion", json=body, headers=headers
    )


def code(reply):
    return reply.json()["o:errorDetails"][0]["o:errorCode"]


def assertion(erp, algorithm="PS256", **claims):
    now = int(time.time())
    claims = {
        "iss": erp.grants.client_id,
        "scope": "rest_webservices",
        "aud": f"{erp.url}{TOKEN}",
        "iat": now,
        "exp": now + 3000,
    } | claims
    return jwt.encode(claims, erp.grants.private_key, algorithm, headers={"kid": erp.grants.certificate_id})


def exchange(erp, signed):
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed,
    }
    return httpx.post(f"{erp.url}{TOKEN}", data=form)


def test_a_whole_order_is_read_worked_corrected_and_finished(erp, client):
    number = erp.release(bolts(serials=True))
    row = rows(client, ORDERS.format(""))[0]
    assert (row["tranid"], row["status"], row["shown"], row["quantity"]) == (
        number,
        "B",
        "Work Order : Released",
        "10",
    )
    order = row["id"]
    times = {"items": [{"operationSequence": 10, "laborSetupTime": 10, "laborRunTime": 12.5}]}
    first = complete(client, order, "10", 4, scrapQuantity=1, operation=times, externalId="event-1")
    assert first.status_code == 204
    assert first.headers["location"].startswith(f"{erp.url}{RECORD}/workOrderCompletion/")

    wrong = complete(client, order, "10", 3)
    assert client.delete(wrong.headers["location"]).status_code == 204
    complete(client, order, "10", 6)
    serials = {"items": [{"receiptInventoryNumber": f"SN{n}", "quantity": 1} for n in range(10)]}
    last = complete(client, order, "20", 10, inventoryDetail={"quantity": 10, "inventoryAssignment": serials})
    assert last.status_code == 204

    booked = erp.booked(number)
    assert (booked.state, booked.good, booked.scrap, booked.postings) == ("completed", 10, 1, 3)
    assert booked.serials == tuple(f"SN{n}" for n in range(10))
    turning = booked.operation("10")
    assert (turning.state, turning.good, turning.scrap) == ("completed", 10, 1)
    assert (turning.setup_seconds, turning.run_seconds) == (600, 750)
    assert rows(client, ORDERS.format(""))[0]["status"] == "G"


def test_an_operation_is_started_and_timed_by_its_task(erp, client):
    number = erp.release(bolts())
    task = rows(client, TASKS.format(order_of(client, number)))[0]["id"]
    change = {"status": {"id": "PROGRESS"}, "actualSetupTime": 5, "actualRunTime": 7}
    assert client.patch(f"{RECORD}/manufacturingOperationTask/{task}", json=change).status_code == 204
    turning = erp.booked(number).operation("10")
    assert (turning.state, turning.setup_seconds, turning.run_seconds) == ("running", 300, 420)
    assert client.get(f"{RECORD}/manufacturingOperationTask/{task}").json()["status"]["id"] == "PROGRESS"
    wrong = client.patch(f"{RECORD}/manufacturingOperationTask/{task}", json={"status": {"id": "PAUSED"}})
    assert (wrong.status_code, code(wrong)) == (400, "INVALID_CONTENT")


def test_an_order_without_work_in_process_is_built():
    with Netsuite(wip=False) as erp, httpx.Client(base_url=erp.url, auth=Tba(erp)) as client:
        number = erp.release(bolts(batch=True))
        order = order_of(client, number)
        path = f"{RECORD}/workOrder/{order}/!transform/assemblyBuild"
        assert complete(client, order, "10", 4).status_code == 400
        lots = {"items": [{"receiptInventoryNumber": "L-7", "quantity": 10}]}
        assert code(client.post(path, json={"quantity": 10})) == "USER_ERROR"
        assert code(client.post(path, json={"quantity": 11})) == "USER_ERROR"
        made = client.post(path, json={"quantity": 10, "inventoryDetail": {"inventoryAssignment": lots}})
        assert made.status_code == 204
        booked = erp.booked(number)
        assert (booked.state, booked.good, booked.batches) == ("completed", 10, ("L-7",))


def test_a_list_comes_in_pages_and_an_offset_counts_whole_pages(erp, client):
    numbers = [erp.release(bolts()) for _ in range(5)]
    text, found, offset = ORDERS.format(""), [], 0
    more = True
    while more:
        page = query(client, text, limit=2, offset=offset).json()
        found += [row["tranid"] for row in page["items"]]
        more, offset = page["hasMore"], offset + 2
    assert found == numbers
    assert page["totalResults"] == 5
    assert {"next", "self"} == {link["rel"] for link in query(client, text, limit=2).json()["links"]}
    for wrong in ({"limit": 2, "offset": 3}, {"limit": 1001}, {"limit": 0}):
        reply = query(client, text, **wrong)
        assert (reply.status_code, code(reply)) == (400, "INVALID_PARAMETER")


def test_a_status_is_asked_for_in_full_and_comes_back_as_a_letter(erp, client):
    erp.create(bolts())
    number = erp.release(bolts())
    found = rows(client, ORDERS.format("and t.status in ('WorkOrd:B', 'WorkOrd:D')"))
    assert [(row["tranid"], row["status"]) for row in found] == [(number, "B")]
    assert rows(client, ORDERS.format("and t.status = 'B'")) == []


def test_an_operation_may_be_named_by_its_sequence(erp, client):
    order = order_of(client, number := erp.release(bolts()))
    body = {"startOperation": {"refName": "10"}, "endOperation": {"refName": "20"}, "completedQuantity": 3}
    made = client.post(f"{RECORD}/workOrder/{order}/!transform/workOrderCompletion", json=body)
    assert made.status_code == 204
    assert [step.good for step in erp.booked(number).operations] == [3, 3]
    assert erp.booked(number).good == 3


def test_a_change_is_found_by_its_stamp(erp, client):
    erp.release(bolts())
    number = erp.release(bolts())
    stamp = rows(client, ORDERS.format(""))[-1]["modified"]
    erp.change_quantity(number, Decimal(12))
    since = f"and t.lastmodifieddate > TO_DATE('{stamp}', 'YYYY-MM-DD HH24:MI:SS')"
    changed = rows(client, ORDERS.format(since))
    assert [row["quantity"] for row in changed] == ["12"]
    plain = rows(client, "select lastmodifieddate, externalid from transaction where type = 'WorkOrd'")[0]
    assert plain["lastmodifieddate"] == "11/02/2026"
    assert "externalid" not in plain


@pytest.mark.parametrize(
    "text",
    [
        "select id, statuscode from transaction",
        "select id from workorders",
        "select createdfrom from transaction",
        "delete from transaction",
        "select id from transaction; select 1",
        "select id from transaction limit 5",
        "select id from",
    ],
)
def test_a_query_netsuite_cannot_run_is_refused(erp, client, text):
    reply = query(client, text)
    assert (reply.status_code, code(reply)) == (400, "INVALID_PARAMETER")
    assert reply.json()["o:errorDetails"][0]["o:errorQueryParam"] == "q"


def test_a_query_needs_the_header_that_says_it_is_transient(erp, client):
    reply = client.post(SUITEQL, json={"q": "select id from item"})
    assert (reply.status_code, reply.json()["o:errorDetails"][0]["o:errorHeader"]) == (400, "Prefer")


def test_a_report_is_found_again_by_its_external_id_and_not_made_twice(erp, client):
    order = order_of(client, number := erp.release(bolts()))
    assert complete(client, order, "10", 4, externalId="event-1").status_code == 204
    again = complete(client, order, "10", 4, externalId="event-1")
    assert (again.status_code, code(again)) == (400, "USER_ERROR")
    assert client.get(f"{RECORD}/workOrderCompletion/eid:event-1").json()["completedQuantity"] == 4
    missing = client.get(f"{RECORD}/workOrderCompletion/eid:event-2")
    assert (missing.status_code, code(missing)) == (404, "NONEXISTENT_ID")
    found = rows(client, "select id from transaction where externalid = 'event-1'")
    assert len(found) == 1
    assert erp.booked(number).operation("10").good == 4


def test_an_asynchronous_request_is_done_once_under_its_key(erp, client):
    order = order_of(client, number := erp.release(bolts()))
    headers = {"prefer": "respond-async", "x-netsuite-idempotency-key": "k1"}
    first = complete(client, order, "10", 4, headers=headers)
    assert (first.status_code, first.headers["preference-applied"]) == (202, "respond-async")
    again = complete(client, order, "10", 4, headers=headers)
    assert (again.status_code, code(again)) == (400, "IDEMPOTENCY_ERROR")
    assert again.headers["location"] == first.headers["location"]
    job = first.headers["location"]
    assert [client.get(f"{job}/task/1").json()["progress"] for _ in range(2)] == ["pending", "succeeded"]
    assert client.get(f"{job}/task/1/result").headers["location"].startswith(erp.url)
    assert erp.booked(number).operation("10").good == 4


def test_an_asynchronous_request_that_is_refused_says_so_in_its_result(erp, client):
    order = order_of(client, erp.release(bolts()))
    job = complete(client, order, "10", 40, headers={"prefer": "respond-async"}).headers["location"]
    assert [client.get(job).json()["progress"] for _ in range(2)] == ["pending", "failed"]
    assert client.get(f"{job}/task/1/result").status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "wrong"},
        {"realm": "7654321"},
        {"oauth_token": "another"},
        {"oauth_signature_method": "HMAC-SHA1"},
        {"oauth_timestamp": "1500000000"},
        {"oauth_nonce": "used"},
    ],
)
def test_a_signature_must_be_right_fresh_and_used_once(erp, changes):
    if "oauth_nonce" in changes:
        httpx.get(f"{erp.url}{RECORD}/workOrder", auth=Tba(erp, **changes)).raise_for_status()
    reply = httpx.get(f"{erp.url}{RECORD}/workOrder", auth=Tba(erp, **changes))
    assert (reply.status_code, code(reply)) == (401, "INVALID_LOGIN")


def test_the_query_string_is_part_of_what_is_signed(erp):
    reply = httpx.get(f"{erp.url}{RECORD}/workOrder", params={"limit": "5", "offset": "0"}, auth=Tba(erp))
    assert reply.status_code == 200


def test_a_signed_assertion_is_exchanged_for_a_token_that_ends(erp):
    token = exchange(erp, assertion(erp)).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{erp.url}{RECORD}/workOrder", headers=headers).status_code == 200
    erp.expire_credentials()
    reply = httpx.get(f"{erp.url}{RECORD}/workOrder", headers=headers)
    assert (reply.status_code, code(reply)) == (401, "INVALID_LOGIN")
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    erp.revoke_credentials()
    assert exchange(erp, assertion(erp)).status_code == 400


def test_an_assertion_must_be_signed_and_meant_for_this_account(erp):
    late = int(time.time()) + 7200
    spoilt = [
        assertion(erp, "RS256"),
        assertion(erp, aud="https://elsewhere/token"),
        assertion(erp, iss="another"),
        assertion(erp, exp=late),
        assertion(erp, scope="restlets"),
        assertion(erp)[:-4] + "AAAA",
    ]
    assert [exchange(erp, signed).status_code for signed in spoilt] == [400] * 6


def test_no_more_than_five_requests_are_answered_at_once(erp):
    erp.latency_ms = 400
    statuses = []

    def ask():
        reply = httpx.get(f"{erp.url}{RECORD}/workOrder", auth=Tba(erp))
        statuses.append((reply.status_code, reply.json().get("status")))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {(200, None), (429, 429)}


def test_what_a_completion_may_not_say(erp, client):
    order = order_of(client, number := erp.release(bolts()))
    refused = [
        complete(client, order, "10", 11),
        complete(client, order, "20", 1),
        complete(client, order, "10", 0),
        complete(client, order, "10", "4"),
        complete(client, order, "10", -1),
        complete(client, order, "10", 4, endOperation={"id": "99999"}),
        client.post(
            f"{RECORD}/workOrder/{order}/!transform/workOrderCompletion", json={"completedQuantity": 4}
        ),
        client.post(f"{RECORD}/workOrder/99999/!transform/workOrderCompletion", json={}),
    ]
    codes = [code(reply) for reply in refused]
    assert codes == ["USER_ERROR"] * 3 + [
        "INVALID_CONTENT",
        "USER_ERROR",
        "INVALID_CONTENT",
        "USER_ERROR",
        "NONEXISTENT_ID",
    ]
    assert erp.booked(number).postings == 0


def test_serials_must_be_as_many_as_pieces_and_new(erp, client):
    order = order_of(client, erp.release(bolts(serials=True)))
    complete(client, order, "10", 10)
    bare = complete(client, order, "20", 2)
    assert "inventory detail" in bare.json()["o:errorDetails"][0]["detail"]
    numbers = {"items": [{"receiptInventoryNumber": "S1", "quantity": 1}]}
    assert (
        complete(client, order, "20", 1, inventoryDetail={"inventoryAssignment": numbers}).status_code == 204
    )
    assert (
        complete(client, order, "20", 1, inventoryDetail={"inventoryAssignment": numbers}).status_code == 400
    )


def test_a_misspelt_field_is_passed_over_unless_the_caller_is_strict(erp, client):
    order = order_of(client, number := erp.release(bolts()))
    assert complete(client, order, "10", 4, scrapQty=2).status_code == 204
    assert erp.booked(number).scrap == 0
    strict = {"x-netsuite-propertynamevalidation": "Error"}
    assert code(complete(client, order, "10", 4, scrapQty=2, headers=strict)) == "INVALID_CONTENT"


def test_only_a_released_order_is_reported_on(erp, client):
    planned, closed, gone = erp.create(bolts()), erp.release(bolts()), erp.release(bolts())
    ids = [order_of(client, number) for number in (planned, closed, gone)]
    complete(client, ids[1], "10", 1)
    client.post(f"{RECORD}/workOrder/{ids[1]}/!transform/workOrderClose", json={})
    erp.cancel(gone)
    assert [complete(client, key, "10", 1).status_code for key in ids[:2]] == [400, 400]
    assert client.get(f"{RECORD}/workOrder/{ids[2]}").status_code == 404
    assert [erp.booked(number).state for number in (closed, gone)] == ["cancelled", "cancelled"]


def test_the_times_of_a_completion_may_be_put_right(erp, client):
    order = order_of(client, number := erp.release(bolts()))
    made = complete(client, order, "10", 4).headers["location"]
    assert client.patch(f"{made}/operation/10", json={"laborRunTime": 20}).status_code == 204
    shown = client.get(made, params={"expandSubResources": "true"}).json()
    assert shown["operation"]["items"][0]["laborRunTime"] == 20
    assert erp.booked(number).operation("10").run_seconds == 1200
    assert client.patch(f"{made}/operation/30", json={"laborRunTime": 20}).status_code == 404
