"""Workers die while a real Tryton books a shift: its own books, read by another way, agree with the floor's."""

import asyncio
import random
from decimal import Decimal
from pathlib import Path

import pytest

from demo.tryton.environment import prepare
from demo.tryton.readback import read_back
from demo.tryton.server import running_tryton
from shared.domain.identity import order_key
from shared.store.orders import load_orders
from tests.integration.kit import event, post
from tests.integration.plant import Worker, drained, messages, states, wait_until

pytestmark = pytest.mark.tryton
ROOT = Path(__file__).parents[2]
SETTINGS = ("company", "employee", "storage_location", "scrap_location", "quality_control")
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def tryton(tmp_path_factory):
    with running_tryton(prepare(ROOT / ".cache" / "tryton"), tmp_path_factory.mktemp("tryton")) as server:
        yield server


@pytest.fixture
async def plant(open_app, tryton):
    given = {name: tryton.seeded.facts[name] for name in SETTINGS}
    given |= {"base_url": tryton.rest_url, "api_key": "tryton"}
    here = await open_app(
        [{"name": "main", "profile": "tryton", "settings": given}],
        TASCUS_LEASE_SECONDS="2",
        TASCUS_SECRET_TRYTON=tryton.seeded.facts["api_key"],
    )
    report = await here.puller.pull(here.erps["main"])
    assert report.inserted > 0, report
    return here


def routing_of(here, number):
    key = order_key("main", number)
    found = here.store.read_now(lambda tx: load_orders(tx, [key]))
    return [operation.operation_id for operation in found[key].plan.operations]


async def play(here, number):
    """Play one order from its start to its end; return what Tryton must have booked in the end."""
    operations = routing_of(here, number)
    serial = number.endswith(("0", "5"))
    for place, operation in enumerate(operations):
        last = operation == operations[-1]
        minute = iter(range(place * 10, 60))
        story = [
            event("operation.started", number, operation, next(minute)),
            event("time.recorded", number, operation, next(minute), data={"kind": "run", "seconds": "90"}),
        ]
        for piece in range(3 if last else 0):
            data = {"good": "1", "serials": [f"{number}-{piece}"] if serial else []}
            story.append(event("production.reported", number, operation, next(minute), data=data))
        if last and not serial:
            data = {"scrap": "2"}
            story.append(event("production.reported", number, operation, next(minute), data=data))
        story.append(event("operation.completed", number, operation, next(minute)))
        await post(*story)
    return {
        "good": Decimal(3),
        "scrap": Decimal(0 if serial else 2),
        "seconds": Decimal(90 * len(operations)),
    }


def assert_books_agree(here, tryton, expected):
    assert states(here).keys() <= {"done", "exempt"}, [row for row in messages(here) if row.state == "parked"]
    books = read_back(tryton.database)
    for number, wanted in expected.items():
        order = books[number]
        seconds = sum((work["booked_seconds"] for work in order["works"]), Decimal(0))
        assert {"good": order["good"], "scrap": order["scrap"], "seconds": seconds} == wanted, number
        assert order["state"] == "done"
        assert len(order["serials"]) == len(set(order["serials"]))


def finish(here, folder):
    with Worker(folder) as worker:
        wait_until(lambda: drained(here), "a fresh worker to finish", PATIENCE_SECONDS)
        assert "Traceback" not in worker.log()


async def test_deaths_at_random_moments(plant, tryton, tmp_path):
    expected = {number: await play(plant, number) for number in ("WO-00001", "WO-00002", "WO-00005")}
    rng = random.Random(20261125)
    kills = 0
    while not drained(plant) and kills < 6:
        done = states(plant).get("done", 0)
        with Worker(tmp_path) as worker:
            wait_until(
                lambda done=done: drained(plant) or states(plant).get("done", 0) > done, "some progress"
            )
            await asyncio.sleep(
                rng.uniform(0, 0.3)
            )  # waits for nothing: the moment of death is thrown by dice
            worker.kill()
        kills += 1
    assert kills >= 3
    finish(plant, tmp_path)
    assert_books_agree(plant, tryton, expected)


async def test_replies_nobody_read(plant, tryton, tmp_path):
    """Tryton stands still with a call in its hands, the worker dies, Tryton goes on and carries the call out."""
    expected = {number: await play(plant, number) for number in ("WO-00003", "WO-00010")}
    for _ in range(4):
        done = states(plant).get("done", 0)
        with Worker(tmp_path) as worker:
            wait_until(
                lambda done=done: drained(plant) or states(plant).get("done", 0) > done, "some progress"
            )
            tryton.freeze()
            try:
                wait_until(lambda: drained(plant) or in_flight(plant), "a call to be under way")
                worker.kill()
            finally:
                tryton.thaw()
    finish(plant, tmp_path)
    assert_books_agree(plant, tryton, expected)


def in_flight(here):
    return any(row.intent_at is not None for row in messages(here) if row.state == "pending")
