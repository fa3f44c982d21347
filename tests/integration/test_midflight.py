"""The ERP changes its plan under running work: recorded work stays, a person sees before and after."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from shared.domain.identity import order_key
from shared.flows.pull import ALL
from shared.store import leases, orders
from shared.store.tables import operation
from tests.fakes.plain_erp_books import make_operation, make_record
from tests.integration.kit import event, plain_connection, post
from tests.integration.plant import assert_books_agree, deliver_all, floor_totals, shift, warnings_of

STARTED, WAITING = "WO-000001", "WO-000002"


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url)]


@pytest.fixture
async def plant(here):
    """One order is under way, the others are not."""
    await pull(here)
    await post(event("production.reported", STARTED, "10", data={"good": "3", "scrap": "1"}))
    await deliver_all(here)
    return here


async def pull(here):
    report = await here.puller.pull(here.erps["main"])
    assert not report.error
    return report


def stored(here, number):
    key = order_key("main", number)
    return here.store.read_now(lambda tx: orders.load_orders(tx, [key])).get(key)


def quantity(here, number):
    return str(stored(here, number).plan.quantity)


def routing(here, number):
    return [op.operation_id for op in stored(here, number).plan.operations]


async def test_quantity_of_a_started_order(plant, plain_erp):
    before = floor_totals(plant, STARTED)
    plain_erp.orders(change=[{"number": STARTED, "quantity": "25"}, {"number": WAITING, "quantity": "25"}])
    report = await pull(plant)
    assert (report.proposed, quantity(plant, STARTED), quantity(plant, WAITING)) == (1, "10", "25")
    (shown,) = warnings_of(plant, "order_changed")
    assert shown.evidence == {"quantity": ["10", "25"]}
    assert (shown.order_number, shown.state) == (STARTED, "open")
    assert stored(plant, STARTED).proposed is not None
    assert floor_totals(plant, STARTED) == before


async def test_the_erp_takes_its_change_back(plant, plain_erp):
    for changed in ("25", "10"):
        plain_erp.orders(change=[{"number": STARTED, "quantity": changed}])
        await pull(plant)
    (shown,) = warnings_of(plant, "order_changed")
    assert shown.state == "resolved"
    assert stored(plant, STARTED).proposed is None


async def test_cancelled_after_the_start(plant, plain_erp):
    plain_erp.orders(cancel=[STARTED, WAITING])
    await pull(plant)
    (shown,) = warnings_of(plant, "order_cancelled")
    assert shown.subject == STARTED
    assert shown.evidence["erp_state"] == ["released", "cancelled"]
    assert stored(plant, STARTED).plan.erp_state == "released"  # until a person has decided
    assert stored(plant, WAITING).plan.erp_state == "cancelled"
    reply = await post(
        event("production.reported", STARTED, "10", 5, data={"good": "1"}),
        event("operation.started", WAITING, "10", 5),
    )
    assert reply.body["events"][1]["warnings"] == ["order_cancelled"]
    assert str(floor_totals(plant, STARTED)["good"]) == "4"
    assert {row.state for row in warnings_of(plant, "order_cancelled")} == {"open"}


async def test_operation_added(plant, plain_erp):
    longer = [make_operation(step) for step in (1, 2, 3)]
    plain_erp.orders(change=[{"number": number, "operations": longer} for number in (STARTED, WAITING)])
    await pull(plant)
    assert routing(plant, STARTED) == ["10", "20"]
    assert routing(plant, WAITING) == ["10", "20", "30"]
    (shown,) = warnings_of(plant, "routing_changed")
    assert list(shown.evidence) == ["operation 30"]
    assert shown.evidence["operation 30"][0] is None


async def test_operation_removed(plant, plain_erp):
    shorter = [make_operation(1)]
    plain_erp.orders(change=[{"number": number, "operations": shorter} for number in (STARTED, WAITING)])
    await pull(plant)
    assert routing(plant, STARTED) == ["10", "20"]
    assert routing(plant, WAITING) == ["10"]
    key = order_key("main", WAITING)
    gone = plant.store.read_now(
        lambda tx: tx.execute(select(operation).where(operation.c.order_key == key)).all()
    )
    assert {row.operation_id: row.vanished_at is not None for row in gone} == {"10": False, "20": True}
    plain_erp.orders(change=[{"number": WAITING, "operations": [make_operation(1), make_operation(2)]}])
    await pull(plant)
    assert routing(plant, WAITING) == ["10", "20"]


async def test_reconciling_finds_what_was_deleted(plant, plain_erp):
    """A deleted order leaves no trace in a pull."""
    await post(event("operation.started", WAITING, "10"))
    plain_erp.reset(orders=1, operations=2)
    await pull(plant)
    assert stored(plant, WAITING).vanished_at is None
    report = await plant.puller.reconcile(plant.erps["main"])
    assert report.vanished == 9
    assert stored(plant, WAITING).vanished_at is not None
    assert stored(plant, STARTED).vanished_at is None
    (shown,) = warnings_of(plant, "order_vanished")  # only where work was recorded
    assert shown.subject == WAITING
    again = await plant.puller.reconcile(plant.erps["main"])
    assert again.vanished == 0


async def test_reconciling_finds_what_no_watermark_showed(plant, plain_erp):
    """An order the ERP made visible only after the watermark had passed its change time, as a late commit does."""
    plain_erp.orders(add=[make_record({"number": "WO-LATE"}, 1, 2)])
    far = datetime.now(UTC) + timedelta(minutes=10)
    plant.store.write_now(lambda tx: leases.move_watermark(tx, "main", "orders", far.isoformat(), far))
    assert (await pull(plant)).read == 0
    await plant.puller.reconcile(plant.erps["main"])
    await pull(plant)
    assert stored(plant, "WO-LATE") is not None


async def test_a_record_nobody_can_read_is_not_missed_for_ever(plant, plain_erp):
    """It is a warning; reading everything anew at every reconciliation would not mend it."""
    plain_erp.orders(add=[make_record({"number": "WO-ODD", "quantity": "some"}, 1, 2)])
    await pull(plant)
    assert [row.subject for row in warnings_of(plant, "record_rejected")] == ["WO-ODD"]
    await plant.puller.reconcile(plant.erps["main"], rest=timedelta(hours=1))
    assert plant.store.read_now(lambda tx: leases.read_watermark(tx, "main", ALL)) is not None


async def test_the_watermark_moves_only_when_everything_is_written(open_app, plain_erp):
    """The ERP dies in the middle of a pull: the next one reads all of it again."""
    connection = plain_connection("main", plain_erp.url)
    connection["settings"]["page_size"] = 3
    here = await open_app([connection])

    def watermark():
        return here.store.read_now(lambda tx: leases.read_watermark(tx, "main", "orders"))

    erp = await here.erps["main"].erp()
    original, seen = type(erp).pull, 0

    async def dies(self, since):
        """Read on as always; what is taken away on the third page is the ERP."""
        nonlocal seen
        async for page in original(self, since):
            seen += 1
            if seen == 3:
                plain_erp.faults(script=[{"match": "GET /orders", "times": 99, "do": "drop_before_effect"}])
            yield page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(erp), "pull", dies)
        report = await here.puller.pull(here.erps["main"])
    assert report.error
    assert report.inserted == 9
    assert watermark() is None
    plain_erp.faults(script=[])
    report = await here.puller.pull(here.erps["main"])
    assert (report.read, report.inserted, report.error) == (10, 1, "")
    assert watermark() is not None


async def test_our_own_progress_in_the_erp_is_no_change_of_plan(plant, plain_erp):
    await post(*shift(WAITING, ["10", "20"]))
    await deliver_all(plant)
    report = await pull(plant)
    assert report.proposed == 0
    assert warnings_of(plant, "order_changed", "routing_changed", "order_cancelled") == []
    assert_books_agree(plant, plain_erp, [STARTED, WAITING])
