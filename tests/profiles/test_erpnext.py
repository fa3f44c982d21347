"""ERPNext's own ways with losses, sequences, times and refusals: what no other ERP shares."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.domain.verdict import ReplyKind, Verdict
from shared.erp.client import HttpReply
from shared.erp.reply import ReplyFacts, judged
from shared.mapping.conversions import NO_TABLES
from shared.profiles.loader import load_profile
from tests.profiles.floor import LOSSY, NO_FAULT
from tests.profiles.plant import Plant
from tests.profiles.shift import COMPLETED, REPORTED, RUN, STARTED, TIMED, differences
from tests.profiles.subjects.erpnext import SUBJECT
from tests.profiles.test_scenarios import STORED, TOLD, misread
from tests.simulators.erpnext import Erpnext


@pytest.fixture
async def plant():
    with SUBJECT.simulator() as erp:
        plant = Plant(SUBJECT, erp)
        yield plant
        await plant.close()


def cards(plant, number, **wanted):
    return plant.simulator.site.tables.select("Job Card", work_order=number, **wanted)


async def make(floor, operation, *reports):
    """Start an operation, report on it and complete it; returns what became of each report."""
    await floor.states(STARTED, operation)
    told = [await floor.states(REPORTED, operation, **report) for report in reports]
    await floor.states(COMPLETED, operation)
    return told


def good(pieces):
    return {"good": Decimal(pieces)}


def scrap(pieces):
    return {"scrap": Decimal(pieces), "scrap_reason": "S1"}


@pytest.mark.parametrize("fault", [NO_FAULT, LOSSY])
async def test_scrap_alone_waits_for_the_next_good_pieces(plant, fault):
    floor = plant.floor(await plant.released(), fault)
    await floor.states(STARTED, "1")
    await floor.states(REPORTED, "1", **scrap(2))
    await floor.states(REPORTED, "1", **scrap(1))
    assert [card["remarks"] for card in cards(plant, floor.order.number, sequence_id=1)] == ["lost 3"]
    await make(floor, "1", good(7))
    await make(floor, "2", good(7))
    booked = plant.booked(floor.order.number)
    assert differences(floor, booked) == []
    assert (booked.good, booked.scrap, booked.state) == (7, 3, "completed")


async def test_a_loss_that_erpnext_counts_twice_is_a_warning(plant):
    floor = plant.floor(await plant.released())
    await make(floor, "1", good(8) | scrap(2))
    first, second = await make(floor, "2", good(5), good(3))
    assert first.warnings == []
    assert second.warnings == ["loss of the order: the ERP has 4.0, the floor has 2.0"]
    assert plant.booked(floor.order.number).good == 8


async def test_a_job_card_that_is_found_is_compared_as_well(plant):
    floor = plant.floor(await plant.released(replace(SUBJECT.order, quantity=Decimal(9000))), LOSSY)
    await floor.states(STARTED, "1")
    plant.simulator.app = misread(plant.simulator.app)
    told = await floor.states(REPORTED, "1", **good(TOLD))
    assert told.parked == []
    assert f"good: the ERP has {STORED}.0, the floor has {TOLD}" in told.warnings


async def test_operations_may_overlap_piece_by_piece(plant):
    floor = plant.floor(await plant.released())
    await floor.states(STARTED, "1")
    await floor.states(REPORTED, "1", **good(4))
    await floor.states(STARTED, "2")
    await floor.states(REPORTED, "2", **good(3))
    assert plant.booked(floor.order.number).good == 3
    assert differences(floor, plant.booked(floor.order.number)) == []
    assert plant.booked(floor.order.number).operations[0].state == "running"


async def test_the_card_for_the_rest_is_not_taken_for_the_report(plant):
    floor = plant.floor(await plant.released())
    (wrong,) = await make(floor, "1", good(6))
    told = await floor.takes_back(next(one for one in wrong.messages if one.kind == "production.reported"))
    assert told.parked == []
    assert plant.booked(floor.order.number).operations[0].good == 0


async def test_what_is_refused_leaves_the_job_card_as_it_was(plant):
    floor = plant.floor(await plant.released())
    told = await floor.states(REPORTED, "2", **good(3))
    assert "complete the operation Turn before the operation Mill" in told.parked[0]
    (card,) = cards(plant, floor.order.number, sequence_id=2)
    assert (card["docstatus"], card["for_quantity"], card["total_completed_qty"]) == (0, 10, 0)


async def test_an_operation_that_ends_short_is_a_warning_and_the_order_is_closed(plant):
    floor = plant.floor(await plant.released())
    await make(floor, "1", good(9))
    await floor.states(STARTED, "2")
    await floor.states(REPORTED, "2", **good(9))
    told = await floor.states(COMPLETED, "2")
    assert any("is not complete in ERPNext" in warning for warning in told.warnings)
    assert told.parked == []
    assert plant.simulator.site.tables.get("Work Order", floor.order.number)["status"] == "Closed"


async def test_a_quantity_is_taken_back_after_its_operation_was_completed(plant):
    floor = plant.floor(await plant.released())
    _, wrong = await make(floor, "1", good(6), good(4))
    told = await floor.takes_back(next(one for one in wrong.messages if one.kind == "production.reported"))
    assert told.parked == []
    assert plant.booked(floor.order.number).operations[0].good == 6
    (left,) = cards(plant, floor.order.number, sequence_id=1, docstatus=0)
    assert left["for_quantity"] == 4


async def test_a_card_that_holds_other_losses_is_not_taken_back(plant):
    floor = plant.floor(await plant.released())
    _, lost, wrong = await make(floor, "1", good(5), scrap(1), good(4))
    alone = await floor.takes_back(lost.messages[-1])
    together = await floor.takes_back(
        next(one for one in wrong.messages if one.kind == "production.reported")
    )
    assert "scrap alone" in alone.parked[0]
    assert "pieces lost elsewhere" in together.parked[0]


async def test_times_of_two_orders_on_a_workstation_with_room_for_one_are_parked():
    subject = replace(SUBJECT, simulator=Erpnext)
    with subject.simulator() as erp:
        plant = Plant(subject, erp)
        first, second = plant.floor(await plant.released()), plant.floor(await plant.released())
        await first.states(TIMED, "1", seconds=Decimal(3600), time_kind=RUN)
        told = await second.states(TIMED, "1", seconds=Decimal(3600), time_kind=RUN)
        assert "is overlapping with" in told.parked[0]
        await plant.close()


def refusal(status, kind, *messages):
    """Return a refusal as Frappe writes it: JSON texts in a JSON text, the words in HTML."""
    body = {"exc_type": kind, "exception": f"frappe.exceptions.{kind}: in words"}
    if messages:
        body["_server_messages"] = json.dumps([json.dumps({"message": words}) for words in messages])
    return HttpReply(ReplyKind.ANSWERED, status, {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (refusal(417, "TimestampMismatchError", "modified"), Verdict.RETRY, "saving the same document"),
        (refusal(500, "QueryDeadlockError"), Verdict.RETRY, "QueryDeadlockError"),
        (refusal(500, "TypeError"), Verdict.PARK, "TypeError frappe.exceptions.TypeError: in words"),
        (refusal(500, "OperationalError"), Verdict.RETRY, "OperationalError"),
        (
            refusal(417, "ValidationError", "an alert", "Job <strong>PO-JOB1</strong><br>is <b>full</b>"),
            Verdict.PARK,
            "Job PO-JOB1 is full",
        ),
        (refusal(404, "DoesNotExistError"), Verdict.PARK, "DoesNotExistError"),
        (refusal(403, "PermissionError", "not yours"), Verdict.HALT, "PermissionError"),
    ],
)
def test_frappes_refusals_are_read_as_they_are_meant(reply, verdict, reason):
    rules = load_profile("erpnext").connection.rules
    decision = judged(ReplyFacts(reply, str), rules, {}, NO_TABLES, datetime.now(UTC))
    assert decision.verdict is verdict
    assert reason in decision.reason
