"""A worker dies at every point between the call to the ERP and the commit: nothing is lost, nothing counts twice."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.integration.kit import event, plain_connection, post
from tests.integration.plant import (
    Worker,
    assert_books_agree,
    drained,
    hosting,
    messages,
    post_to,
    recorded_ids,
    shift,
    sql_locked,
    states,
    wait_until,
)

LEASE = {"TASCUS_LEASE_SECONDS": "2"}

# One order a point: where in its stream of messages the worker is to die, as the ERP sees the call.
POINTS = {
    "WO-000001": "WO-000001/start",
    "WO-000002": "WO-000002/operations/10/start",
    "WO-000003": "WO-000003/results",
    "WO-000004": "WO-000004/times",
    "WO-000005": "WO-000005/operations/10/pause",
    "WO-000006": "WO-000006/operations/10/resume",
    "WO-000007": "WO-000007/operations/10/complete",
    "WO-000008": "WO-000008/operations/20/start",
    "WO-000009": "WO-000009/complete",
}


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url)]


@pytest.fixture
async def plant(open_app, connections):
    here = await open_app(connections, **LEASE)
    report = await here.puller.pull(here.erps["main"])
    assert report.inserted == 10
    return here


def finish(here, erp, tmp_path):
    """Let a fresh worker finish whatever the dead ones left behind."""
    erp.faults(script=[], latency_ms=0)
    with Worker(tmp_path) as worker:
        wait_until(lambda: drained(here), f"a fresh worker to finish: {states(here)}")
        assert "Traceback" not in worker.log()


@pytest.mark.parametrize("fault", ["hang_after_effect", "hang"])
async def test_death_while_the_reply_is_outstanding(plant, plain_erp, tmp_path, fault):
    """Every kind of call, with the effect in the ERP or without it: the reply never came, the worker is gone."""
    for order in POINTS:
        await post(*shift(order, ["10", "20"]))
    plain_erp.faults(script=[{"match": f"POST /orders/{call}", "do": fault} for call in POINTS.values()])
    with Worker(tmp_path) as worker:
        wait_until(lambda: all_hit(plain_erp), "every call to hang")
        worker.kill()
    assert states(plant)["pending"] >= len(POINTS)
    finish(plant, plain_erp, tmp_path)
    assert_books_agree(plant, plain_erp, list(POINTS))


def all_hit(erp):
    return all(fault["times"] == 0 for fault in erp.faults()["script"])


async def test_death_between_the_reply_and_the_commit(plant, plain_erp, tmp_path):
    """The reply was read, but SQL would not take the outcome before the worker died."""
    for order in POINTS:
        await post(*shift(order, ["10", "20"])[:1])
    finish(plant, plain_erp, tmp_path)
    before = plain_erp.report()["writes"]
    for order in POINTS:
        await post(event("production.reported", order, "10", 1, data={"good": "3", "scrap": "1"}))
    plain_erp.faults(latency_ms=1000)
    with Worker(
        tmp_path, TASCUS_LEASE_SECONDS="8"
    ) as worker:  # a lane ends with its lease; not what is tried here
        wait_until(lambda: plain_erp.report()["writes"] == before + len(POINTS), "every result in the ERP")
        with sql_locked(tmp_path / "tascus.sqlite"):
            wait_until(
                lambda: worker.log().count("kind=production.reported") == len(POINTS),
                "every reply to be read",
            )
            worker.kill()
    assert states(plant)["pending"] == len(POINTS)
    assert all(row.intent_at is not None for row in messages(plant) if row.state == "pending")
    finish(plant, plain_erp, tmp_path)
    assert_books_agree(plant, plain_erp, list(POINTS))


async def test_deaths_at_random_moments(plant, plain_erp, tmp_path):
    """Kill worker after worker wherever it happens to be."""
    orders = [f"WO-{number:06}" for number in range(1, 11)]
    for order in orders:
        await post(*shift(order, ["10", "20"], reports=8))
    plain_erp.faults(latency_ms=10)
    rng = random.Random(20261123)
    kills = 0

    def goes_on(since):
        return drained(plant) or plain_erp.report()["writes"] > since

    while not drained(plant) and kills < 8:
        with Worker(tmp_path, TASCUS_LEASE_SECONDS="1") as worker:
            wait_until(partial(goes_on, plain_erp.report()["writes"]), "the worker to begin")
            await asyncio.sleep(
                rng.uniform(0, 0.15)
            )  # waits for nothing: the moment of death is thrown by dice
            worker.kill()
            kills += 1
    assert kills >= 4
    finish(plant, plain_erp, tmp_path)
    assert_books_agree(plant, plain_erp, orders)
    assert plain_erp.report()["overlaps"] == 0
    assert {order["state"] for order in plain_erp.report()["orders"].values()} == {"completed"}
    assert len(recorded_ids(plant)) == len(orders) * 2 * (4 + 16)


async def test_death_during_ingest(plant, plain_erp, tmp_path):
    """What was answered with 202 is there; what was not may be sent again. The sweep finds what nobody woke."""
    orders = [f"WO-{number:06}" for number in range(1, 11)]
    requests = [[part] for order in orders for part in shift(order, ["10", "20"], reports=3)]
    rng = random.Random(20261124)
    acknowledged: list[str] = []
    left = requests
    for _ in range(3):
        with hosting(tmp_path) as host, ThreadPoolExecutor(4) as floor:
            answers = [floor.submit(post_to, host.url, request) for request in left]
            enough = rng.randrange(20, 60)
            wait_until(partial(answered, answers, enough), "some of it to be answered")
            host.kill()
            took = [answer.result() == 202 for answer in answers]
        acknowledged += [part["id"] for request, ok in zip(left, took, strict=True) if ok for part in request]
        left = [request for request, ok in zip(left, took, strict=True) if not ok]
        assert sorted(set(acknowledged) - set(recorded_ids(plant))) == []
    assert left
    with hosting(tmp_path) as host:
        assert {post_to(host.url, request) for request in [*left, *requests[:30]]} == {202}
        wait_until(lambda: drained(plant), "the sweep to find everything")
    ids = recorded_ids(plant)
    assert sorted(ids) == sorted(part["id"] for request in requests for part in request)
    assert_books_agree(plant, plain_erp, orders)
    assert plain_erp.report()["overlaps"] == 0


def answered(answers, number):
    return sum(answer.done() for answer in answers) >= number
