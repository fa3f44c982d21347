"""The witness is on trial first: what it counts, refuses and breaks must be so."""

import asyncio

import httpx
import pytest

from tests.fakes.plain_erp import PlainErp

ORDER = "/orders/WO-000001"
RESULT = {"reference": "r-1", "operation": "10", "good": "5", "scrap": "1"}


@pytest.fixture(scope="module")
def running():
    with PlainErp.start(orders=0) as erp:
        yield erp


@pytest.fixture
def erp(running):
    running.reset(orders=25, operations=2)
    return running


@pytest.fixture
def client(erp):
    with httpx.Client(base_url=erp.url, headers={"X-Api-Key": erp.api_key}, timeout=5) as client:
        yield client


def fault(erp, do, match="results", times=1):
    erp.faults(script=[{"match": match, "times": times, "do": do}])


def totals(erp, number="WO-000001"):
    order = erp.report()["orders"][number]
    return {name: order[name] for name in ("good", "scrap", "rework", "seconds")}


def test_the_key_is_wanted(erp):
    assert httpx.get(f"{erp.url}/orders").status_code == 403
    assert httpx.get(f"{erp.url}/orders", headers={"X-Api-Key": "other"}).status_code == 401


def test_pages_hold_every_order_once_though_ten_share_a_time_stamp(client):
    numbers, cursor = [], ""
    while cursor is not None:
        page = client.get("/orders", params={"status": "released", "after": cursor, "limit": 7}).json()
        numbers += [order["number"] for order in page["orders"]]
        cursor = page["next"]
    assert numbers == [f"WO-{n:06}" for n in range(1, 26)]


def test_an_order_carries_its_routing(client):
    order = client.get("/orders", params={"limit": 1}).json()["orders"][0]
    assert order["quantity"] == "10"
    assert [(row["id"], row["seq"], row["run_s"]) for row in order["operations"]] == [
        ("10", 10, "30.5"),
        ("20", 20, "30.5"),
    ]


def test_changed_since_is_inclusive_and_finds_what_the_planner_did(erp, client):
    erp.orders(
        add=[{"number": "NEW-1", "quantity": "2.50"}],
        change=[{"number": "WO-000002", "quantity": "12"}],
        cancel=["WO-000003"],
    )
    since = client.get("/orders/NEW-1").json()["changed_at"]
    found = client.get("/orders", params={"changed_since": since}).json()["orders"]
    assert {(row["number"], row["quantity"], row["status"]) for row in found} == {
        ("NEW-1", "2.50", "released"),
        ("WO-000002", "12", "released"),
        ("WO-000003", "10", "cancelled"),
    }


def test_a_changed_routing_loses_and_gains_operations(erp, client):
    routing = client.get(ORDER).json()["operations"]
    erp.orders(change=[{"number": "WO-000001", "operations": [routing[1], routing[0] | {"id": "15"}]}])
    assert [row["id"] for row in client.get(ORDER).json()["operations"]] == ["20", "15"]
    assert client.post(f"{ORDER}/results", json=RESULT).status_code == 404


def test_open_orders_are_paged_and_leave_out_the_closed(erp, client):
    erp.orders(cancel=["WO-000002"])
    first = client.get("/open-orders", params={"limit": 2}).json()
    assert first == {"numbers": ["WO-000001", "WO-000003"], "next": "WO-000003"}
    rest = client.get("/open-orders", params={"after": "WO-000003", "limit": 100}).json()
    assert len(rest["numbers"]) == 22
    assert rest["next"] is None


def test_an_order_goes_round(erp, client):
    steps = ["start"]
    steps += [
        f"operations/{op}/{verb}" for op in ("10", "20") for verb in ("start", "pause", "resume", "complete")
    ]
    steps += ["complete"]
    assert [client.post(f"{ORDER}/{step}").status_code for step in steps] == [200] * len(steps)
    report = erp.report()["orders"]["WO-000001"]
    assert report["state"] == "completed"
    assert report["history"] == [step.removeprefix("operations/").replace("/", " ") for step in steps]


@pytest.mark.parametrize(
    ("before", "path", "status", "reason"),
    [
        (["start"], "start", 409, "already started"),
        ([], "complete", 409, "not started"),
        (["start"], "complete", 409, "operations open"),
        ([], "operations/10/start", 409, "order released, not started"),
        (["start"], "operations/10/resume", 409, "already pending, cannot resume"),
        (["start", "operations/10/start"], "operations/10/start", 409, "already running, cannot start"),
        (["start"], "operations/99/start", 404, "unknown operation 99"),
        (["start"], "operations/10/explode", 404, "no such path"),
    ],
)
def test_wrong_transitions_are_refused_and_leave_no_trace(erp, client, before, path, status, reason):
    for step in before:
        assert client.post(f"{ORDER}/{step}").status_code == 200
    answer = client.post(f"{ORDER}/{path}")
    assert (answer.status_code, answer.json()["error"]) == (status, reason)
    assert len(erp.report()["orders"]["WO-000001"]["history"]) == len(before)
    assert erp.report()["refused"] == 1


@pytest.mark.parametrize(
    ("change", "status", "named"),
    [
        ({"operation": "99"}, 404, "unknown operation 99"),
        ({"good": "five"}, 400, "good"),
        ({"good": "-1"}, 400, "good"),
        ({"good": 0.5}, 400, "good"),
        ({"good": "NaN"}, 400, "good"),
        ({"reference": ""}, 400, "reference"),
    ],
)
def test_wrong_postings_are_refused_and_count_nothing(erp, client, change, status, named):
    answer = client.post(f"{ORDER}/results", json=RESULT | change)
    assert answer.status_code == status
    assert named in answer.json()["error"]
    assert totals(erp)["good"] == "0"


def test_nothing_is_posted_on_unknown_or_cancelled_orders(erp, client):
    erp.orders(cancel=["WO-000001"])
    assert client.post("/orders/WO-9/results", json=RESULT).status_code == 404
    assert client.post(f"{ORDER}/results", json=RESULT).status_code == 409
    assert client.post(f"{ORDER}/results", content=b"{").status_code == 400


def test_posting_twice_counts_twice_and_is_told(erp, client):
    postings = [client.post(f"{ORDER}/results", json=RESULT).json()["posting"] for _ in range(2)]
    assert postings == [1, 2]
    assert totals(erp) == {"good": "10", "scrap": "2", "rework": "0", "seconds": "0"}
    assert erp.report()["duplicates"] == 1
    assert len(client.get("/postings", params={"reference": "r-1"}).json()["postings"]) == 2


def test_a_result_and_a_time_may_share_a_reference(erp, client):
    client.post(f"{ORDER}/results", json=RESULT)
    client.post(
        f"{ORDER}/times", json={"reference": "r-1", "operation": "10", "kind": "run", "seconds": "12.5"}
    )
    assert totals(erp) == {"good": "5", "scrap": "1", "rework": "0", "seconds": "12.5"}
    assert erp.report()["duplicates"] == 0


def test_a_correction_takes_a_posting_back_once(erp, client):
    client.post(f"{ORDER}/results", json=RESULT)
    voiding = {"reference": "c-1", "voids": "r-1"}
    answers = [client.post(f"{ORDER}/corrections", json=voiding).status_code for _ in range(2)]
    assert answers == [201, 409]
    assert totals(erp)["good"] == "0"
    assert client.post(f"{ORDER}/corrections", json={"reference": "c-2", "voids": "none"}).status_code == 404


def test_postings_keep_the_order_in_which_they_came(erp, client):
    for number in range(20):
        client.post(f"{ORDER}/results", json=RESULT | {"reference": f"r-{number}"})
    kept = [posting["reference"] for posting in erp.report()["orders"]["WO-000001"]["postings"]]
    assert kept == [f"r-{number}" for number in range(20)]


def test_drop_after_effect_counts_and_breaks_the_connection(erp, client):
    fault(erp, "drop_after_effect")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post(f"{ORDER}/results", json=RESULT)
    assert totals(erp)["good"] == "5"
    assert client.post(f"{ORDER}/results", json=RESULT).status_code == 201


def test_drop_before_effect_breaks_the_connection_and_counts_nothing(erp, client):
    fault(erp, "drop_before_effect")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post(f"{ORDER}/results", json=RESULT)
    assert totals(erp)["good"] == "0"


@pytest.mark.parametrize(("do", "good"), [("hang", "0"), ("hang_after_effect", "5")])
def test_a_hanging_call_is_never_answered(erp, client, do, good):
    fault(erp, do)
    with pytest.raises(httpx.ReadTimeout):
        client.post(f"{ORDER}/results", json=RESULT, timeout=0.3)
    assert totals(erp)["good"] == good


def test_a_caller_who_gave_up_is_no_longer_writing(erp, client):
    fault(erp, "hang")
    with pytest.raises(httpx.ReadTimeout):
        client.post(f"{ORDER}/results", json=RESULT, timeout=0.3)
    assert client.post(f"{ORDER}/results", json=RESULT).status_code == 201
    assert erp.report()["overlaps"] == 0


@pytest.mark.parametrize(
    ("do", "status", "retry_after"),
    [
        ("status:503", 503, None),
        ("status:429:2", 429, "2"),
        ("status:401", 401, None),
        ("error_200", 200, None),
    ],
)
def test_scripted_replies_count_nothing(erp, client, do, status, retry_after):
    fault(erp, do)
    answer = client.post(f"{ORDER}/results", json=RESULT)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert "scripted" in answer.json()["error"]
    assert totals(erp)["good"] == "0"


def test_a_fault_strikes_only_what_it_matches_and_only_so_often(erp, client):
    fault(erp, "status:503", match="WO-000002/results", times=2)
    assert client.post(f"{ORDER}/results", json=RESULT).status_code == 201
    other = [client.post("/orders/WO-000002/results", json=RESULT).status_code for _ in range(3)]
    assert other == [503, 503, 201]


def test_an_unknown_fault_is_refused_with_the_known_ones(erp):
    with pytest.raises(ValueError, match="drop_after_effect"):
        fault(erp, "explode")


async def post_together(erp, paths):
    async with httpx.AsyncClient(base_url=erp.url, headers={"X-Api-Key": erp.api_key}) as client:
        return await asyncio.gather(*(client.post(path, json=RESULT) for path in paths))


async def test_two_writes_at_once_on_one_order_overlap(erp):
    erp.faults(latency_ms=300)
    await post_together(erp, [f"{ORDER}/results"] * 2)
    assert erp.report()["overlaps"] == 1


async def until_called(erp):
    while not erp.report()["calls"]:  # noqa: ASYNC110 - the event happens in another process
        await asyncio.sleep(0.02)


async def test_a_write_beside_a_hanging_one_overlaps(erp):
    fault(erp, "hang")
    headers = {"X-Api-Key": erp.api_key}
    async with httpx.AsyncClient(base_url=erp.url, headers=headers, timeout=1) as client:
        hanging = asyncio.create_task(client.post(f"{ORDER}/results", json=RESULT))
        await until_called(erp)
        assert (await client.post(f"{ORDER}/results", json=RESULT)).status_code == 201
        with pytest.raises(httpx.ReadTimeout):
            await hanging
    assert erp.report()["overlaps"] == 1


async def test_two_writes_at_once_on_two_orders_do_not(erp):
    erp.faults(latency_ms=300)
    await post_together(erp, [f"{ORDER}/results", "/orders/WO-000002/results"])
    assert erp.report()["overlaps"] == 0


def test_one_write_after_the_other_does_not_overlap(erp, client):
    for _ in range(3):
        client.post(f"{ORDER}/results", json=RESULT)
    assert erp.report()["overlaps"] == 0
    assert erp.report()["calls"] == erp.report()["writes"] == 3


def test_an_outage_keeps_the_port_and_the_books():
    with PlainErp.start(orders=3) as erp:
        headers = {"X-Api-Key": erp.api_key}
        assert httpx.post(f"{erp.url}{ORDER}/results", json=RESULT, headers=headers).status_code == 201
        url = erp.url
        erp.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/orders", headers=headers)
        erp.start_again()
        assert erp.url == url
        assert totals(erp)["good"] == "5"
        assert httpx.post(f"{url}{ORDER}/results", json=RESULT, headers=headers).json() == {"posting": 2}
        assert erp.report()["duplicates"] == 1
