"""What is Tryton's own, on a real Tryton: inspections, cycles, what becomes of scrapped and failed pieces."""

from decimal import Decimal

import pytest

from demo.tryton.readback import read_back
from shared.domain.events import Outcome
from tests.profiles.plant import Plant
from tests.profiles.shift import COMPLETED, PAUSED, REPORTED, RESUMED, RUN, SETUP, STARTED, TIMED, tell
from tests.profiles.subjects import tryton

pytestmark = pytest.mark.tryton
OPEN = ("waiting", "assigned", "running")


@pytest.fixture
async def plant(shared_simulators):
    plant = Plant(tryton.SUBJECT, shared_simulators(tryton.SUBJECT))
    yield plant
    await plant.close()


@pytest.fixture
def audited(plant):
    return lambda number: read_back(plant.simulator.server.database)[number]


async def completed(floor, **last_report):
    """Work on every operation, report on the last one, complete all; returns what became of the completion."""
    *_, last = operations = [operation.operation_id for operation in floor.order.operations]
    for ident in operations:
        await tell(floor, STARTED, ident)
    await tell(floor, REPORTED, last, **last_report)
    for ident in operations[:-1]:
        await tell(floor, COMPLETED, ident)
    return await floor.states(COMPLETED, last)


async def test_a_pull_gives_every_open_order_and_none_else(plant):
    books = read_back(plant.simulator.server.database)
    orders, _ = await plant.pull()
    assert sorted(orders) == sorted(number for number, order in books.items() if order["state"] in OPEN)
    assert sorted(await plant.open_numbers()) == sorted(orders)
    assert {order.part_name for order in orders.values()} >= {"Bracket", "Valve body"}


async def test_time_is_on_the_sheet_and_on_the_cycles(plant, audited):
    floor = plant.floor(await plant.released())
    first = floor.order.operations[0].operation_id
    await tell(floor, STARTED, first)
    await tell(floor, TIMED, first, seconds=Decimal(60), time_kind=SETUP, operator="Ann")
    await tell(floor, PAUSED, first)
    await tell(floor, RESUMED, first)
    await tell(floor, TIMED, first, seconds=Decimal("600.5"), time_kind=RUN)
    await tell(floor, COMPLETED, first)
    work = audited(floor.order.number)["works"][0]
    assert work["booked_seconds"] == work["cycle_seconds"] == Decimal("660.5")


async def test_a_proxys_404_does_not_take_a_time_back(plant, audited):
    floor = plant.floor(await plant.released())
    first = floor.order.operations[0].operation_id
    wrong = await floor.states(TIMED, first, seconds=Decimal(60), time_kind=SETUP, operator="Ann")
    plant.simulator.fault("DELETE", "status:404")
    before = len(plant.simulator.calls)
    assert (await floor.takes_back(wrong.messages[-1])).ends[-1].finished
    methods = [line.split(" ")[0] for line in plant.simulator.calls[before:]]
    assert (
        methods.count("DELETE") == 2
    )  # the one the proxy answered, and another once the line was still there
    assert audited(floor.order.number)["works"][0]["booked_seconds"] == 0


async def test_a_passed_inspection_lets_the_order_be_completed(plant, audited):
    floor = plant.floor(await plant.released())
    told = await completed(floor, good=Decimal(2), rework=Decimal(1), outcome=Outcome.PASS)
    assert told.ends[-1].finished
    found = audited(floor.order.number)
    assert (found["state"], found["inspections"]) == ("done", ["passed"])
    assert {work["state"] for work in found["works"]} == {"done"}
    last = int(floor.order.operations[-1].operation_id)
    assert [work["sequence"] for work in found["works"] if work["rework"]] == [9000 + last]


async def test_a_failed_inspection_keeps_the_order_open_and_says_so(plant, audited):
    floor = plant.floor(await plant.released())
    told = await completed(floor, scrap=Decimal(1), outcome=Outcome.FAIL)
    assert ["inspection" in words for words in told.parked] == [True]
    found = audited(floor.order.number)
    assert (found["state"], found["inspections"]) == ("running", ["failed"])


async def test_a_scrapped_piece_is_no_serial_number_in_stock(plant, audited):
    floor = plant.floor(await plant.released(tryton.SUBJECT.serial_order))
    *_, last = [operation.operation_id for operation in floor.order.operations]
    good, scrapped = f"{floor.order.number}-A", f"{floor.order.number}-D"
    await tell(floor, REPORTED, last, good=Decimal(1), serials=(good,))
    await tell(floor, REPORTED, last, scrap=Decimal(1), serials=(scrapped,))
    found = audited(floor.order.number)
    assert (found["good"], found["scrap"], found["serials"]) == (1, 1, [good])
