"""What the shared suite does not ask of Odoo: goods, scrap and lots when the order is closed, and what comes after."""

from dataclasses import replace
from decimal import Decimal

import pytest
from starlette.responses import JSONResponse

from shared.domain.verdict import Verdict
from tests.profiles.floor import LOSSY, NO_FAULT
from tests.profiles.plant import Plant
from tests.profiles.shift import COMPLETED, REPORTED, RUN, STARTED, TIMED, differences
from tests.profiles.subjects import odoo17, odoo19
from tests.simulators.odoo import Odoo
from tests.simulators.odoo.database import PRODUCTION

SUBJECTS = {17: odoo17.SUBJECT, 19: odoo19.SUBJECT}
FAULTS = [NO_FAULT, LOSSY, "drop_after_effect"]
FEW = replace(odoo17.SUBJECT.order, quantity=Decimal(3))


@pytest.fixture(params=SUBJECTS)
async def plant(request):
    with SUBJECTS[request.param].simulator() as simulator:
        plant = Plant(SUBJECTS[request.param], simulator)
        yield plant
        await plant.close()


async def made(plant, order, reports, *, completes=True, fault=NO_FAULT):
    """Work off `order`, the last operation with `reports`; returns the floor and the reasons of what was parked."""
    floor = plant.floor(await plant.released(order), fault)
    *before, last = [operation.operation_id for operation in floor.order.operations]
    told = []
    for ident in before:
        told += [await floor.states(STARTED, ident)]
        told += [await floor.states(REPORTED, ident, good=order.quantity)]
        told += [await floor.states(COMPLETED, ident)]
    told += [await floor.states(STARTED, last)]
    told += [await floor.states(REPORTED, last, **report) for report in reports]
    told += [await floor.states(COMPLETED, last)] if completes else []
    return floor, [words for one in told for words in one.parked]


def moves(plant, order, side):
    """Return (quantity, state) of the stock moves of an order."""
    ident = order.erp_ref["id"]
    return [
        (row["quantity"], row["state"])
        for row in plant.simulator.database.records.where("stock.move", **{side: ident})
    ]


async def test_scrap_is_received_and_then_scrapped_and_its_components_are_gone(plant):
    floor, parked = await made(
        plant, FEW, [{"good": Decimal(2)}, {"good": Decimal(0), "scrap": Decimal(1), "scrap_reason": "S1"}]
    )
    assert parked == []
    assert differences(floor, plant.booked(floor.order.number)) == []
    assert moves(plant, floor.order, "production_id") == [(3, "done")]
    assert moves(plant, floor.order, "raw_material_production_id") == [(3, "done")]
    assert sum(plant.simulator.database.stock.held.values()) == 2


async def test_no_backorder_is_made_and_the_number_stays(plant):
    floor, parked = await made(plant, FEW, [{"good": Decimal(1)}])
    assert parked == []
    orders = plant.simulator.database.records.where(PRODUCTION)
    assert [(row["name"], row["state"]) for row in orders] == [(floor.order.number, "done")]
    assert moves(plant, floor.order, "raw_material_production_id") == [(1, "done")]


@pytest.mark.parametrize("fault", FAULTS)
async def test_serial_numbers_are_received_with_the_goods(fault):
    with Odoo(version=19) as simulator:
        plant = Plant(odoo19.SUBJECT, simulator)
        reports = [{"good": Decimal(2), "serials": ("A", "B")}, {"scrap": Decimal(1), "serials": ("C",)}]
        floor, parked = await made(plant, odoo19.SUBJECT.serial_order, reports, fault=fault)
        assert parked == []
        booked = plant.booked(floor.order.number)
        await plant.close()
    assert (booked.state, booked.good, booked.scrap, booked.serials) == ("completed", 2, 1, ("A", "B"))


async def test_a_missing_serial_number_is_parked_with_the_count():
    with Odoo(version=19) as simulator:
        plant = Plant(odoo19.SUBJECT, simulator)
        floor, parked = await made(
            plant, odoo19.SUBJECT.serial_order, [{"good": Decimal(2), "serials": ("A",)}]
        )
        booked = plant.booked(floor.order.number)
        await plant.close()
    assert [words for words in parked if "serial numbers are missing" in words], parked
    assert booked.state == "started"


@pytest.mark.parametrize(("pieces", "arrived"), [(1, ("A",)), (2, ("A",))])
async def test_version_17_takes_one_serial_number_an_order(pieces, arrived):
    order = replace(FEW, part="PUMP", quantity=Decimal(pieces), serials=True)
    with Odoo(version=17) as simulator:
        plant = Plant(odoo17.SUBJECT, simulator)
        reports = [{"good": Decimal(1), "serials": (name,)} for name in "AB"[:pieces]]
        floor, parked = await made(plant, order, reports)
        booked = plant.booked(floor.order.number)
        await plant.close()
    assert booked.serials == arrived
    assert bool(parked) == (pieces > 1)
    assert booked.state == ("completed" if pieces == 1 else "started")


async def test_a_second_batch_is_parked(plant):
    order = replace(FEW, part="PAINT", batch=True)
    floor, parked = await made(
        plant, order, [{"good": Decimal(1), "batch": name} for name in ("B-1", "B-2")], completes=False
    )
    assert len(parked) == 1
    assert plant.booked(floor.order.number).batches == ("B-1",)


async def test_scrap_without_a_batch_is_of_the_orders_lot(plant):
    reports = [{"good": Decimal(2), "batch": "B-1"}, {"good": Decimal(0), "scrap": Decimal(1)}]
    _, parked = await made(plant, replace(FEW, part="PAINT", batch=True), reports)
    assert parked == []
    records = plant.simulator.database.records
    (scrap,) = records.where("stock.scrap")
    (lot,) = records.where("stock.lot", name="B-1")
    assert (scrap["lot_id"], scrap["state"]) == (lot["id"], "done")


@pytest.mark.parametrize("fault", FAULTS)
async def test_goods_of_a_completed_order_are_taken_back_by_an_unbuild_order(plant, fault):
    floor, _ = await made(plant, FEW, [{"good": Decimal(2)}, {"good": Decimal(1)}])
    wrong = next(sent for sent in reversed(floor.sent) if sent.event.good == 1)
    floor.fault = fault
    told = await floor.takes_back(wrong)
    assert told.ends[-1].finished, told.ends[-1]
    booked = plant.booked(floor.order.number)
    assert (booked.state, booked.good, booked.postings) == ("completed", 2, 2)


@pytest.mark.parametrize("fault", FAULTS)
async def test_scrap_is_taken_back_until_the_order_is_completed(plant, fault):
    reports = [{"good": Decimal(3)}, {"scrap": Decimal(1), "scrap_reason": "S1"}]
    floor, parked = await made(plant, FEW, reports, completes=False)
    wrong = next(sent for sent in reversed(floor.sent) if sent.event.scrap)
    floor.fault = fault
    told = await floor.takes_back(wrong)
    assert told.ends[-1].finished, told.ends[-1]
    ends = await floor.states(COMPLETED, floor.order.operations[-1].operation_id)
    assert parked + ends.parked == []
    booked = plant.booked(floor.order.number)
    assert (booked.state, booked.good, booked.scrap) == ("completed", 3, 0)


async def test_scrap_of_a_completed_order_stays(plant):
    floor, _ = await made(plant, FEW, [{"good": Decimal(2), "scrap": Decimal(1), "scrap_reason": "S1"}])
    told = await floor.takes_back(next(sent for sent in reversed(floor.sent) if sent.event.scrap))
    assert told.parked
    assert plant.booked(floor.order.number).scrap == 1


async def test_an_operation_that_made_nothing_but_scrap_is_not_finished_as_good(plant):
    floor, parked = await made(plant, FEW, [{"scrap": Decimal(3), "scrap_reason": "S1"}])
    assert parked
    assert plant.booked(floor.order.number).good == 0


async def test_time_is_booked_when_it_was_spent(plant):
    floor = plant.floor(await plant.released(FEW))
    ident = floor.order.operations[0].operation_id
    await floor.states(STARTED, ident)
    await floor.states(TIMED, ident, seconds=Decimal(90), time_kind=RUN, operator="Ann")
    lines = plant.simulator.database.records.where("mrp.workcenter.productivity")
    (line,) = [row for row in lines if "Ann" in row["description"]]
    assert (line["date_end"] - line["date_start"]).total_seconds() == 90
    assert abs((line["date_end"] - floor.now.replace(tzinfo=None)).total_seconds()) < 1


@pytest.mark.parametrize("name", ["psycopg2.errors.SerializationFailure", "builtins.ValueError"])
async def test_only_the_database_is_asked_again(plant, name):
    order = await plant.released(FEW)
    app = plant.simulator.app
    plant.simulator.app = failing(app, plant.simulator.version, name)
    advance = await plant.floor(order).once(STARTED, order.operations[0].operation_id)
    plant.simulator.app = app
    database = "psycopg2" in name
    assert advance.decision.verdict is (Verdict.RETRY if database else Verdict.PARK)
    assert not advance.progress.unknown


def failing(app, version, name):
    """Let every call fail in Odoo with the exception `name`."""
    said = {"name": name, "message": "could not do it", "arguments": [], "context": {}, "debug": ""}
    bodies = {
        17: {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": 200, "message": "Odoo Server Error", "data": said},
        },
        19: said,
    }
    answer = JSONResponse(bodies[version], status_code={17: 200, 19: 500}[version])

    async def refusing(scope, receive, send):
        await (app if b"common" in scope["query_string"] else answer)(scope, receive, send)

    return refusing


async def test_what_odoo_asks_first_is_parked_with_its_question(plant):
    floor, _ = await made(plant, FEW, [{"good": Decimal(2)}], completes=False)
    database = plant.simulator.database
    mark_done = database.methods[PRODUCTION, "button_mark_done"]
    database.methods[PRODUCTION, "button_mark_done"] = lambda idents, context: mark_done(idents, {})
    told = await floor.states(COMPLETED, floor.order.operations[-1].operation_id)
    assert [words for words in told.parked if "You produced less than initial demand" in words], told.parked


async def test_an_order_without_work_orders_is_parked(plant):
    number = plant.simulator.release(replace(FEW, operations=()))
    orders, _ = await plant.pull()
    told = await plant.floor(orders[number]).states(REPORTED, "", good=Decimal(1))
    assert ["no work orders" in words for words in told.parked] == [True]
