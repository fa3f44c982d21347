"""What is Business Central's own: entering is not posting, finished operations, tracked items, several lines."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from shared.mapping.message_body import context_of, message_of
from shared.profiles.loader import parse_profile
from tests.profiles.plant import Plant
from tests.profiles.shift import COMPLETED, REPORTED, RUN, STARTED, TIMED
from tests.profiles.subjects.business_central import SUBJECT

FIRST, LAST = "10", "20"
ENTER = 2  # number of the step: read, taken, enter


@pytest.fixture
async def plant():
    with SUBJECT.simulator() as simulator:
        plant = Plant(SUBJECT, simulator)
        yield plant
        await plant.close()


async def told(floor, kind, operation, **fields):
    """State a fact; everything it means to the ERP is told."""
    outcome = await floor.states(kind, operation, **fields)
    assert all(getattr(end, "finished", True) for end in outcome.ends), outcome.ends
    return outcome


def ledger(plant, number):
    return plant.simulator.books.capacity.where(order=number)


async def stopped_after_entering(plant, floor, order):
    """Tell a quantity up to the entered line, then crash; returns the plan and the progress that was stored."""
    told = await floor.states(
        REPORTED, LAST, good=Decimal(0), scrap=Decimal(0), seconds=Decimal(60), time_kind=RUN
    )
    queued = another(told.messages[-1])
    plan = plant.erp.plan(message_of(queued, order, {}), context_of(queued, order, SUBJECT.links))
    progress = Progress()
    while not plant.simulator.books.journal.rows:
        progress = (await plant.erp.advance(plan, progress, 0)).progress
    return plan, progress


def another(queued):
    """Return one more message like `queued`."""
    return queued._replace(sequence=queued.sequence + 1)


async def to_the_end(erp, plan, progress):
    while True:
        advance = await erp.advance(plan, progress, 0)
        if advance.finished or advance.decision.verdict is not Verdict.DONE:
            return advance
        progress = advance.progress


@pytest.mark.parametrize("step_back", [0, 1])
async def test_a_crash_between_entering_and_posting_neither_doubles_nor_loses(plant, step_back):
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, STARTED, LAST)
    plan, progress = await stopped_after_entering(plant, floor, order)
    before = len(ledger(plant, order.number))
    assert len(plant.simulator.books.journal.rows) == 1
    stored = progress if not step_back else Progress(ENTER, unknown=True, captured=progress.captured)
    advance = await to_the_end(plant.erp, plan, stored)
    assert advance.finished
    assert plant.simulator.books.journal.rows == []
    assert len(ledger(plant, order.number)) == before + 1


async def test_posting_a_second_time_posts_nothing(plant):
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, STARTED, LAST)
    plan, progress = await stopped_after_entering(plant, floor, order)
    assert (await to_the_end(plant.erp, plan, progress)).finished
    before = len(ledger(plant, order.number))
    again = await to_the_end(plant.erp, plan, replace(progress, unknown=True))
    assert again.finished
    assert len(ledger(plant, order.number)) == before


async def test_a_line_that_comes_late_beside_its_repetition_is_not_posted_twice(plant):
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, STARTED, LAST)
    plan, progress = await stopped_after_entering(plant, floor, order)
    books = plant.simulator.books
    before = len(ledger(plant, order.number))
    books.journal.insert(books.journal.rows[0] | {"Line No.": 20000})
    parked = await to_the_end(plant.erp, plan, progress)
    assert "holds a line twice" in parked.decision.reason
    assert len(ledger(plant, order.number)) == before
    books.journal.delete(books.journal.rows[0])
    assert (await to_the_end(plant.erp, plan, parked.progress)).finished
    assert len(ledger(plant, order.number)) == before + 1


async def test_what_cannot_be_posted_stays_apart_and_is_posted_when_a_person_says_so(plant):
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, STARTED, LAST)
    books = plant.simulator.books
    books.allow_posting_from = datetime.now(UTC).date().replace(year=2099)
    refused = await floor.states(REPORTED, LAST, good=Decimal(3))
    assert "range of allowed posting dates" in refused.parked[0]
    assert len(books.journal.rows) == 1
    books.allow_posting_from = books.allow_posting_from.replace(year=2000)
    await told(floor, REPORTED, LAST, good=Decimal(2))
    assert plant.booked(order.number).good == 2
    queued, end = refused.messages[-1], refused.ends[-1]
    plan = plant.erp.plan(message_of(queued, order, {}), context_of(queued, order, SUBJECT.links))
    assert (await to_the_end(plant.erp, plan, end.progress)).finished
    assert plant.booked(order.number).good == 5
    assert books.journal.rows == []


async def test_output_reported_late_leaves_a_finished_operation_finished(plant):
    order = await plant.released()
    floor = plant.floor(order)
    for kind, fields in (
        (STARTED, {}),
        (REPORTED, {"good": Decimal(4)}),
        (COMPLETED, {}),
        (REPORTED, {"good": Decimal(1)}),
    ):
        await told(floor, kind, FIRST, **fields)
    booked = plant.booked(order.number).operation(FIRST)
    assert (booked.state, booked.good) == ("completed", 5)


async def test_a_finished_operation_can_be_corrected(plant):
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, STARTED, FIRST)
    wrong = await told(floor, REPORTED, FIRST, good=Decimal(7), scrap=Decimal(2), scrap_reason="S1")
    late = await told(floor, TIMED, FIRST, seconds=Decimal(90), time_kind=RUN)
    await told(floor, COMPLETED, FIRST)
    for message in (wrong, late):
        assert (await floor.takes_back(message.messages[-1])).ends[-1].finished
    booked = plant.booked(order.number).operation(FIRST)
    assert (booked.state, booked.good, booked.scrap, booked.run_seconds) == ("completed", 0, 0, 0)


async def test_serial_numbers_are_taken_back_one_by_one(plant):
    order = await plant.released(SUBJECT.serial_order)
    floor = plant.floor(order)
    await told(floor, STARTED, LAST)
    wrong = await told(floor, REPORTED, LAST, good=Decimal(2), scrap=Decimal(1), serials=("a-1", "a-2"))
    await told(floor, REPORTED, LAST, good=Decimal(1), serials=("a-3",))
    assert (await floor.takes_back(wrong.messages[-1])).ends[-1].finished
    booked = plant.booked(order.number)
    assert (booked.good, booked.serials, booked.operation(LAST).scrap) == (1, ("A-3",), 0)


@pytest.mark.parametrize(("reports", "parked"), [(1, False), (2, True)])
async def test_a_lot_is_taken_back_where_one_entry_made_it(plant, reports, parked):
    order = await plant.released(SUBJECT.batch_order)
    floor = plant.floor(order)
    await told(floor, STARTED, LAST)
    made = [await told(floor, REPORTED, LAST, good=Decimal(3), batch="L-1") for _ in range(reports)]
    outcome = await floor.takes_back(made[-1].messages[-1])
    assert bool(outcome.parked) is parked
    assert plant.booked(order.number).good == (6 if parked else 0)


async def test_an_order_of_several_lines_is_finished_with_the_last(plant):
    number, _ = plant.release()
    books = plant.simulator.books
    second = {**books.line_of(number), "Line No.": 20000, "Routing Reference No.": 20000}
    books.lines.insert(second)
    for routing in books.routing_of(number):
        books.routing.rows.append(
            {**routing, "Routing Reference No.": 20000, "SystemId": f"{routing['SystemId']}-2"}
        )
    orders, _ = await plant.pull()
    assert sorted(orders) == [number, f"{number}-20000"]
    assert [one.operation_id for one in orders[f"{number}-20000"].operations] == [FIRST, LAST]
    floor = plant.floor(orders[number])
    for operation in (FIRST, LAST):
        for kind, fields in ((STARTED, {}), (REPORTED, {"good": Decimal(10)}), (COMPLETED, {})):
            await told(floor, kind, operation, **fields)
    assert books.orders.get(number=number)["Status"] == "Released"


async def test_a_unit_of_time_nobody_knows_gives_no_standard_time(plant):
    number, _ = plant.release()
    for row in plant.simulator.books.routing_of(number):
        row["Run Time Unit of Meas. Code"] = "100/HOUR"
    orders, _ = await plant.pull()
    assert [(one.setup_seconds, one.run_seconds) for one in orders[number].operations] == [
        (360, None),
        (720, None),
    ]


OVERLAY = """
extends: business_central
settings:
  location: {help: "location that receives the output"}
groups:
  enter:
    enter: {call: {body: {locationCode: =settings.location}}}
"""


def test_a_field_of_ones_own_goes_onto_the_journal_line():
    profile = parse_profile(OVERLAY, "ours.yaml")
    (enter,) = profile.groups["enter"]
    assert enter.call.body.source["locationCode"] == "=settings.location"
    assert enter.call.body.source["operationNo"] == "=operation.operation_id"
