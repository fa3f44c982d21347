"""A worker dies at every point between the call to the ERP and the commit: nothing is lost, nothing counts twice."""

import random
import time

import pytest

from tests.integration.kit import event, plain_connection, post
from tests.integration.plant import (
    Worker,
    assert_books_agree,
    drained,
    messages,
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
    with Worker(tmp_path) as worker:
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
    while not drained(plant) and kills < 8:
        with Worker(tmp_path, TASCUS_LEASE_SECONDS="1") as worker:
            begun = plain_erp.report()["writes"]
            wait_until(lambda: drained(plant) or plain_erp.report()["writes"] > begun, "the worker to begin")
            time.sleep(
                rng.uniform(0, 0.15)
            )  # not to wait for anything: the moment of death is the test's dice
            worker.kill()
            kills += 1
    assert kills >= 4
    finish(plant, plain_erp, tmp_path)
    assert_books_agree(plant, plain_erp, orders)
    assert plain_erp.report()["overlaps"] == 0
    assert {order["state"] for order in plain_erp.report()["orders"].values()} == {"completed"}
    assert len(recorded_ids(plant)) == len(orders) * 2 * (4 + 16)
