"""Several deliver workers on the same streams: one at a time on each, every message once and in its turn."""

from contextlib import ExitStack

import pytest

from tests.integration.kit import event, plain_connection, post
from tests.integration.plant import (
    Worker,
    assert_books_agree,
    drained,
    hosting,
    post_to,
    shift,
    states,
    wait_until,
)

ORDERS = [f"WO-{number:06}" for number in range(1, 11)]


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url)]


@pytest.fixture
async def plant(open_app, connections):
    here = await open_app(connections)
    await here.puller.pull(here.erps["main"])
    return here


@pytest.mark.parametrize("workers", [2, 4])
async def test_workers_never_interleave(plant, plain_erp, tmp_path, workers):
    """All workers go for all streams all the time, while events keep coming in."""
    plain_erp.faults(latency_ms=5)
    stories = [shift(order, ["10", "20"], reports=4) for order in ORDERS]
    with ExitStack() as running:
        team = [running.enter_context(Worker(tmp_path)) for _ in range(workers)]
        for worker in team:
            worker.ready()
        for chapter in zip(*stories, strict=True):
            await post(*chapter)
            wait_until(lambda: states(plant).get("pending", 0) < len(ORDERS), "most of it to be delivered")
        wait_until(lambda: drained(plant), "everything to be delivered")
        logs = [worker.log() for worker in team]
    assert all("attempt connection=main" in log for log in logs)  # each has had its share ...
    assert not any("taken over" in log for log in logs)  # ... and took it from nobody
    assert_books_agree(plant, plain_erp, ORDERS)
    assert plain_erp.report()["overlaps"] == 0
    assert {order["state"] for order in plain_erp.report()["orders"].values()} == {"completed"}


async def test_two_hosts_share_the_queue_and_the_streams(plant, plain_erp, tmp_path):
    """The whole app twice, as the cloud scales it out: doors, wake-ups, sweeps and leases."""
    plain_erp.faults(latency_ms=5)
    stories = [shift(order, ["10", "20"], reports=4) for order in ORDERS]
    with hosting(tmp_path) as one, hosting(tmp_path) as other:
        for number, chapter in enumerate(zip(*stories, strict=True)):
            assert post_to((one, other)[number % 2].url, list(chapter)) == 202
        wait_until(lambda: drained(plant), "everything to be delivered")
        one.stop()
        other.stop()
    assert_books_agree(plant, plain_erp, ORDERS)
    assert plain_erp.report()["overlaps"] == 0


async def test_a_call_that_outlasts_the_lease_keeps_the_stream(plant, plain_erp, tmp_path):
    """The ERP takes longer over one call than a lease lasts: the stream stays with who is waiting for it."""
    order = ORDERS[0]
    plain_erp.faults(latency_ms=2500)
    await post(event("production.reported", order, "10", data={"good": "1"}))
    with Worker(tmp_path, TASCUS_LEASE_SECONDS="1"), Worker(tmp_path, TASCUS_LEASE_SECONDS="1"):
        wait_until(lambda: drained(plant), "everything to be delivered")
    assert_books_agree(plant, plain_erp, [order])
    assert plain_erp.report()["overlaps"] == 0
