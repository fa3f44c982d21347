"""SAP's own: locks, closed periods, technical completion, activities by number, final confirmations, receipts."""

import contextlib
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from shared.domain.verdict import Verdict
from shared.domain.works_order import ErpState
from shared.profiles.loader import load_profile
from tests.profiles.floor import LOSSY
from tests.profiles.plant import Plant
from tests.profiles.shift import COMPLETED, REPORTED, RUN, SETUP, TIMED
from tests.profiles.subjects.sap_s4hana import SUBJECT
from tests.simulators.sap import Sap

FIRST, LAST = "0010", "0020"
CONFIRMING = "POST /sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2"


@pytest.fixture
async def running():
    """Start plants with settings and a customising of their own; close them all."""
    async with contextlib.AsyncExitStack() as stack:

        def start(settings=None, **customising):
            simulator = stack.enter_context(Sap(**customising))
            mine = replace(SUBJECT, settings=lambda erp: SUBJECT.settings(erp) | (settings or {}))
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


def rows(plant, order):
    """Return the confirmations of an order, oldest first."""
    return [row for row in plant.simulator.books.confirmations if row["OrderID"] == order.number]


# -- what is waited for ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [423, 400])
async def test_an_order_a_planner_has_open_is_waited_for(running, status):
    plant = running(lock_status=status)
    order = await plant.released()
    plant.simulator.lock(order.number)
    advance = await plant.floor(order).once(REPORTED, FIRST, good=Decimal(4))
    assert (advance.decision.verdict, advance.progress.unknown) == (Verdict.RETRY, False)
    assert "already being processed" in advance.decision.reason
    plant.simulator.unlock(order.number)
    await told(plant.floor(order), REPORTED, FIRST, good=Decimal(4))
    assert plant.booked(order.number).operation(FIRST).good == 4


async def test_a_period_not_yet_open_is_asked_again_in_an_hour(plant):
    order = await plant.released()
    plant.simulator.close_period(datetime.now(UTC).date() + timedelta(days=1))
    advance = await plant.floor(order).once(REPORTED, FIRST, good=Decimal(4))
    assert advance.decision.verdict is Verdict.RETRY
    assert advance.decision.after == timedelta(hours=1)
    plant.simulator.close_period(date.min)
    await told(plant.floor(order), REPORTED, FIRST, good=Decimal(4))


# -- states ---------------------------------------------------------------------------------------------------------


async def test_an_order_completed_technically_takes_confirmations(plant):
    order = await plant.released()
    plant.simulator.complete_technically(order.number)
    await told(plant.floor(order), REPORTED, FIRST, good=Decimal(4))
    assert plant.booked(order.number).operation(FIRST).good == 4


async def test_where_a_status_profile_forbids_it_the_confirmation_is_parked(running):
    plant = running(teco_refused=True)
    order = await plant.released()
    plant.simulator.complete_technically(order.number)
    outcome = await plant.floor(order).states(REPORTED, FIRST, good=Decimal(4))
    assert ["technically completed" in words for words in outcome.parked] == [True]


async def test_technical_completion_stops_an_order_unless_all_of_it_is_confirmed(plant):
    stopped, done = await plant.released(), await plant.released()
    floor = plant.floor(done)
    for operation in (FIRST, LAST):
        await told(floor, COMPLETED, operation)
    for order in (stopped, done):
        plant.simulator.complete_technically(order.number)
        plant.simulator.change_quantity(order.number, Decimal(10))
    orders, _ = await plant.pull("2026-11-01T00:00:00Z")
    assert orders[stopped.number].erp_state is ErpState.CANCELLED
    assert orders[done.number].erp_state is ErpState.COMPLETED


async def test_an_operation_out_of_turn_is_parked_where_the_plant_checks_it(running):
    plant = running(sequence_checked=True)
    order = await plant.released()
    outcome = await plant.floor(order).states(REPORTED, LAST, good=Decimal(4))
    assert ["confirm operation 0010 first" in words for words in outcome.parked] == [True]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(REPORTED, {"good": Decimal(4)}), (TIMED, {"seconds": Decimal(60), "time_kind": RUN})],
)
async def test_what_names_no_operation_never_confirms_the_whole_order(plant, kind, fields):
    order = await plant.released()
    outcome = await plant.floor(order).states(kind, "", **fields)
    assert ["by operation" in words for words in outcome.parked] == [True]
    assert rows(plant, order) == []


# -- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "shown"), [("S", "1234"), ("MIN", "20.567"), ("H", "0.343")])
async def test_times_go_to_the_activities_of_the_settings(running, unit, shown):
    plant = running({"setup_activity": "3", "run_activity": "6", "time_unit": unit})
    order = await plant.released()
    floor = plant.floor(order)
    await told(floor, TIMED, FIRST, seconds=Decimal(1234), time_kind=SETUP, operator="Ann of the night shift")
    await told(floor, TIMED, FIRST, seconds=Decimal(1234), time_kind=RUN, operator="Ann of the night shift")
    setup, run = rows(plant, order)
    assert (setup["OpConfirmedWorkQuantity3"], setup["OpWorkQuantityUnit3"]) == (Decimal(shown), unit)
    assert (run["OpConfirmedWorkQuantity6"], run["OpWorkQuantityUnit6"]) == (Decimal(shown), unit)
    assert setup["EnteredByExternalUser"] == "Ann of the n"


async def test_execution_and_posting_are_in_the_plants_time(running):
    plant = running({"zone": "Pacific/Auckland"})
    order = await plant.released()
    floor = plant.floor(order)
    floor.now = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    await told(floor, TIMED, FIRST, seconds=Decimal(7200), time_kind=RUN)  # ends at 12:31 UTC
    [row] = rows(plant, order)
    assert row["PostingDate"] == date(2026, 11, 23)
    assert (row["ConfirmedExecutionStartDate"], row["ConfirmedExecutionStartTime"]) == (
        date(2026, 11, 22),
        time(23, 31),
    )
    assert (row["ConfirmedExecutionEndDate"], row["ConfirmedExecutionEndTime"]) == (
        date(2026, 11, 23),
        time(1, 31),
    )


async def test_standard_times_follow_the_activities_of_the_settings(running):
    order = await running({"setup_activity": "2", "run_activity": "4"}).released()
    assert [(one.setup_seconds, one.run_seconds) for one in order.operations] == [(3600, None), (7200, None)]


@pytest.mark.parametrize(
    ("day", "clock", "due"),
    [
        ("2026-03-29", "PT14H00M00S", "2026-03-29T12:00:00Z"),  # clocks go forward that night
        ("2026-10-25", "PT14H00M00S", "2026-10-25T13:00:00Z"),  # and back that night
        ("2026-10-25", "PT24H00M00S", "2026-10-25T23:00:00Z"),
        ("2026-11-30", "PT00H00M00S", "2026-11-29T23:00:00Z"),
        ("2026-11-30", None, "2026-11-29T23:00:00Z"),  # a date alone is its first moment
        (None, None, None),
    ],
)
def test_an_order_is_due_at_that_time_on_the_plants_clock(day, clock, due):
    midnight = day and int(datetime.fromisoformat(f"{day}T00:00:00Z").timestamp()) * 1000
    record = {
        "MfgOrderPlannedEndDate": day and f"/Date({midnight})/",
        "MfgOrderPlannedEndTime": clock,
        "settings": {"zone": "Europe/Berlin"},
    }
    assert load_profile("sap_s4hana").pull.orders.map.due_at(record) == due


# -- what is stored ---------------------------------------------------------------------------------------------------


async def test_a_confirmation_that_is_found_is_compared_as_well(plant, monkeypatch):
    order = await plant.released()
    confirm = plant.simulator.confirming.confirm

    def misheard(given, items, **named):
        return confirm(given | {"ConfirmationScrapQuantity": Decimal(2)}, items, **named)

    monkeypatch.setattr(plant.simulator.confirming, "confirm", misheard)
    outcome = await told(plant.floor(order, LOSSY), REPORTED, FIRST, good=Decimal(4), scrap=Decimal(1))
    assert len(rows(plant, order)) == 1
    assert outcome.ends[-1].decision.reason == "found in the ERP"
    assert outcome.warnings == ["scrap: the ERP has 2, the floor has 1"]


# -- the end of an order --------------------------------------------------------------------------------------------


async def finished_without_the_first(plant):
    """Complete an order whose first operation the floor has never heard of; returns it and what was told at the end."""
    order = await plant.released()
    known = replace(order, operations=order.operations[1:])
    return order, await told(plant.floor(known), COMPLETED, LAST)


async def test_an_operation_the_floor_does_not_know_is_left_open_with_a_warning(plant):
    order, outcome = await finished_without_the_first(plant)
    assert plant.booked(order.number).operation(FIRST).state == "pending"
    assert outcome.warnings == ["operations without a final confirmation: the ERP has 1, the floor has 0"]


async def test_or_it_is_closed_with_no_quantity(running):
    plant = running({"close_operations": True})
    order, outcome = await finished_without_the_first(plant)
    booked = plant.booked(order.number)
    assert (booked.operation(FIRST).state, booked.operation(FIRST).good) == ("completed", 0)
    assert booked.state == "completed"
    assert outcome.warnings == []


async def test_one_that_does_not_become_confirmed_is_told_once(running):
    plant = running({"close_operations": True})
    plant.simulator.books.is_done = lambda order, operation: False
    order, outcome = await finished_without_the_first(plant)
    assert [row["OrderOperation"] for row in rows(plant, order)] == [LAST, FIRST]
    assert outcome.warnings == ["operations without a final confirmation: the ERP has 2, the floor has 0"]


async def test_a_completion_taken_back_opens_its_operation(plant):
    order = await plant.released()
    floor = plant.floor(order)
    outcome = await told(floor, COMPLETED, FIRST)
    assert plant.booked(order.number).operation(FIRST).state == "completed"
    back = await floor.takes_back(outcome.messages[-1])
    assert back.ends[-1].finished
    assert plant.booked(order.number).operation(FIRST).state == "pending"


async def test_what_sap_has_reversed_already_is_not_reversed_again(plant):
    order = await plant.released()
    floor = plant.floor(order)
    outcome = await told(floor, REPORTED, FIRST, good=Decimal(4))
    [row] = rows(plant, order)
    plant.simulator.confirming.reverse(row["ConfirmationGroup"], row["ConfirmationCount"], {})
    back = await floor.takes_back(outcome.messages[-1])
    assert back.ends[-1].finished
    assert len(rows(plant, order)) == 2


async def test_what_never_arrived_cannot_be_taken_back(plant):
    order = await plant.released()
    floor = plant.floor(order)
    outcome = await told(floor, REPORTED, FIRST, good=Decimal(4))
    plant.simulator.books.confirmations.clear()
    back = await floor.takes_back(outcome.messages[-1])
    assert back.parked == ["SAP has no confirmation of what is to be taken back"]


# -- receipts -------------------------------------------------------------------------------------------------------


async def test_a_batch_is_received_and_given_back(plant):
    order = await plant.released(SUBJECT.batch_order)
    floor = plant.floor(order)
    outcome = await told(floor, REPORTED, LAST, good=Decimal(4), batch="B-7")
    planned = plant.simulator.books.orders[order.number]
    assert plant.simulator.books.received(planned) == 4
    await floor.takes_back(outcome.messages[-1])
    assert plant.simulator.books.received(planned) == 0


async def test_receipts_can_be_left_to_sap(running):
    plant = running({"receive_batches": False})
    order = await plant.released()
    await told(plant.floor(order), REPORTED, LAST, good=Decimal(4), batch="B-7")
    assert plant.simulator.books.movements == []
