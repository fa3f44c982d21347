"""What is NetSuite's own: short orders, closed orders, totals of time, locations, fields it would ignore in silence."""

import contextlib
from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.works_order import ErpState
from shared.errors import ErpUnavailable
from shared.profiles.loader import SHIPPED, parse_profile
from tests.profiles.plant import Plant
from tests.profiles.shift import COMPLETED, REPORTED, RUN, SETUP, STARTED, TIMED
from tests.profiles.subjects import netsuite, netsuite_oauth1
from tests.simulators.netsuite import Netsuite

SUBJECT = netsuite.SUBJECT
FIRST, LAST = "10", "20"
LONG_AGO = "2026-11-01T00:00:00Z"


@pytest.fixture
async def running():
    """Start plants with settings of their own; close them all."""
    async with contextlib.AsyncExitStack() as stack:

        def start(settings=None, subject=SUBJECT, **account):
            simulator = stack.enter_context(Netsuite(**account))
            mine = replace(subject, settings=lambda erp: subject.settings(erp) | (settings or {}))
            plant = Plant(mine, simulator)
            stack.push_async_callback(plant.close)
            return plant

        yield start


@pytest.fixture
def plant(running):
    return running()


async def told(floor, kind, operation, **fields):
    """State a fact; everything it means to the ERP is told."""
    outcome = await floor.states(kind, operation, **fields)
    assert all(getattr(end, "finished", True) for end in outcome.ends), outcome.ends
    return outcome


async def made(plant, order, good):
    """Make `good` pieces on both operations and complete them."""
    floor = plant.floor(order)
    for operation in (FIRST, LAST):
        await told(floor, REPORTED, operation, good=Decimal(good))
        outcome = await told(floor, COMPLETED, operation)
    return floor, outcome


# -- the end of an order --------------------------------------------------------------------------------------------


async def test_a_short_order_is_closed_and_then_completed_for_the_pull(plant):
    order = await plant.released()
    await made(plant, order, 9)
    assert plant.booked(order.number).state == "completed"
    assert (await plant.pull(LONG_AGO))[0][order.number].erp_state is ErpState.COMPLETED
    assert order.number not in await plant.open_numbers()


async def test_or_left_open_where_the_accountants_close_orders(running):
    plant = running({"close_orders": False})
    order = await plant.released()
    await made(plant, order, 9)
    assert plant.booked(order.number).state == "started"


async def test_an_order_closed_before_anything_was_built_is_cancelled(plant):
    order = await plant.released()
    books = plant.simulator.books
    books.close(books.record("workOrder", order.erp_ref["id"]), {})
    assert (await plant.pull(LONG_AGO))[0][order.number].erp_state is ErpState.CANCELLED
    outcome = await plant.floor(order).states(REPORTED, FIRST, good=Decimal(1))
    assert "present status" in outcome.parked[-1]


async def test_a_full_order_is_not_closed(plant):
    order = await plant.released()
    await made(plant, order, 10)
    assert not any("workOrderClose" in call for call in plant.simulator.calls)
    assert plant.booked(order.number).state == "completed"


async def test_the_end_of_an_order_is_not_taken_back(plant):
    order = await plant.released()
    floor, outcome = await made(plant, order, 9)
    back = await floor.takes_back(outcome.messages[-1])
    assert ["Work Order Close" in words for words in back.parked] == [True]


# -- operations -----------------------------------------------------------------------------------------------------


async def test_a_late_start_does_not_open_a_completed_operation(plant):
    order = await plant.released()
    await told(plant.floor(order), COMPLETED, FIRST)
    await told(plant.floor(order), STARTED, FIRST)
    assert plant.booked(order.number).operation(FIRST).state == "completed"


async def test_times_add_up_to_the_second_and_come_off_again(plant):
    order = await plant.released()
    floor = plant.floor(order)
    for seconds in (50, 7, 3):
        outcome = await told(floor, TIMED, FIRST, seconds=Decimal(seconds), time_kind=RUN)
    await told(floor, TIMED, FIRST, seconds=Decimal(20), time_kind=SETUP)
    booked = plant.booked(order.number).operation(FIRST)
    assert (round(booked.run_seconds, 3), round(booked.setup_seconds, 3)) == (60, 20)
    assert (await floor.takes_back(outcome.messages[-1])).ends[-1].finished
    assert round(plant.booked(order.number).operation(FIRST).run_seconds, 3) == 57


async def test_a_time_taken_back_to_nothing_is_no_warning(plant):
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, TIMED, FIRST, seconds=Decimal(90), time_kind=RUN)
    wrong = await told(floor, TIMED, FIRST, seconds=Decimal(60), time_kind=SETUP)
    back = await floor.takes_back(wrong.messages[-1])
    assert (back.ends[-1].finished, back.warnings) == (True, [])
    booked = plant.booked(order.number).operation(FIRST)
    assert (booked.setup_seconds, booked.run_seconds) == (0, 90)


async def test_serial_numbers_taken_back_can_be_reported_again(plant):
    order = await plant.released(SUBJECT.serial_order)
    floor = plant.floor(order)
    await told(floor, REPORTED, FIRST, good=Decimal(3))
    wrong = await told(floor, REPORTED, LAST, good=Decimal(2), serials=("A", "B"))
    assert (await floor.takes_back(wrong.messages[-1])).ends[-1].finished
    await told(floor, REPORTED, LAST, good=Decimal(3), serials=("A", "B", "C"))
    assert plant.booked(order.number).serials == ("A", "B", "C")


async def test_a_tracked_part_without_its_numbers_is_parked(plant):
    order = await plant.released(SUBJECT.serial_order)
    floor = plant.floor(order)
    await told(floor, REPORTED, FIRST, good=Decimal(3))
    outcome = await floor.states(REPORTED, LAST, good=Decimal(2))
    assert ["inventory detail" in words for words in outcome.parked] == [True]


async def test_a_gateways_404_does_not_take_a_quantity_back(plant):
    order = await plant.released()
    floor = plant.floor(order)
    wrong = await told(floor, REPORTED, FIRST, good=Decimal(3))
    plant.simulator.fault("DELETE", "status:404")
    assert len((await floor.takes_back(wrong.messages[-1])).parked) == 1
    assert plant.booked(order.number).operation(FIRST).good == 3


async def test_what_somebody_has_deleted_in_netsuite_is_taken_back_already(plant):
    order = await plant.released()
    floor = plant.floor(order)
    wrong = await told(floor, REPORTED, FIRST, good=Decimal(3))
    [made_by_us] = [
        call for call in plant.simulator.calls if "GET" in call and "workOrderCompletion/eid:" in call
    ]
    plant.simulator.books.delete("workOrderCompletion", made_by_us.rpartition("/")[2])
    assert (await floor.takes_back(wrong.messages[-1])).ends[-1].decision.reason == "found in the ERP"


# -- pull -----------------------------------------------------------------------------------------------------------


async def test_only_orders_of_the_location_are_pulled(running):
    here, elsewhere = running({"location": 1}), running({"location": 2})
    (ours, _), _ = here.release(), elsewhere.release()
    assert list((await here.pull())[0]) == await here.open_numbers() == [ours]
    assert list((await elsewhere.pull())[0]) == await elsewhere.open_numbers() == []


async def test_an_order_without_a_unit_has_the_one_of_the_settings(running):
    plant = running({"unit": "Each"})
    number, _ = plant.release(replace(SUBJECT.order, unit=None))
    assert (await plant.pull())[0][number].unit == "Each"


# -- talking to it --------------------------------------------------------------------------------------------------

CUSTOM = """
extends: netsuite
push:
  production.reported:
    steps:
      complete: {call: {body: {custbody_misspelt: =message.operator}}}
"""


async def test_a_custom_field_that_does_not_exist_is_parked_and_not_lost(running, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(CUSTOM, encoding="utf-8")
    checklist = SHIPPED / "netsuite.checklist.yaml"
    plant = running(subject=replace(SUBJECT, profile=str(file), checklist_file=checklist))
    order = await plant.released()
    outcome = await plant.floor(order).states(REPORTED, FIRST, good=Decimal(1))
    assert ["custbody_misspelt" in words for words in outcome.parked] == [True]


async def test_an_assertion_signed_with_rs256_is_refused(running, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(
        "extends: netsuite\nconnection: {auth: {assertion: {algorithm: RS256}}}\n", encoding="utf-8"
    )
    checklist = SHIPPED / "netsuite.checklist.yaml"
    plant = running(subject=replace(SUBJECT, profile=str(file), checklist_file=checklist))
    with pytest.raises(ErpUnavailable):
        await plant.pull()


async def test_without_work_in_process_scrap_and_early_operations_are_not_told(running):
    plant = running(wip=False)
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, REPORTED, FIRST, good=Decimal(5))
    await told(floor, REPORTED, LAST, good=Decimal(0), scrap=Decimal(1))
    assert plant.simulator.transactions(order.number) == []
    await told(floor, REPORTED, LAST, good=Decimal(4))
    assert [one["type"] for one in plant.simulator.transactions(order.number)] == ["Build"]


async def test_an_order_without_operations_is_built_and_takes_no_times(running):
    plant = running(wip=False)
    order = await plant.released(replace(SUBJECT.order, operations=()))
    assert order.operations == ()
    floor = plant.floor(order)
    await told(floor, REPORTED, "", good=Decimal(4))
    assert plant.booked(order.number).good == 4
    outcome = await floor.states(TIMED, "", seconds=Decimal(60), time_kind=RUN)
    assert ["by operation" in words for words in outcome.parked] == [True]


def test_the_overlay_for_tokens_is_the_one_that_is_documented():
    documented = (SHIPPED / "netsuite.md").read_text(encoding="utf-8")
    tried = (netsuite_oauth1.OVERLAY).read_text(encoding="utf-8")
    assert f"```yaml\n{tried}```" in documented
    assert parse_profile(tried, "ours.yaml").connection.auth.kind == "oauth1"
