"""One odd record spoils no pull, whatever is raised gives the lease back, reconciling finds what was missed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.identity import order_key
from shared.errors import ErpUnavailable, StoreUnavailable
from shared.flows.pull import ALL
from shared.store import connections as connection_store
from shared.store import leases, orders
from tests.fakes.plain_erp_books import make_operation, make_record
from tests.integration.kit import plain_connection
from tests.integration.plant import warnings_of


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url)]


def stored(here, number):
    key = order_key("main", number)
    return here.store.read_now(lambda tx: orders.load_orders(tx, [key])).get(key)


def watermark(here, subject="orders"):
    return here.store.read_now(lambda tx: leases.read_watermark(tx, "main", subject))


async def pulled(here):
    report = await here.puller.pull(here.erps["main"])
    assert (report.ran, report.error) == (True, "")
    return report


def operation(**changes):
    return [make_operation(1) | changes]


@pytest.mark.parametrize(
    "odd",
    [
        {"quantity": "1e400"},
        {"quantity": "99999999999999"},
        {"part": "p" * 201},
        {"part_name": "x" * 401},
        {"unit": "u" * 51},
        {"due": "9999-12-31T23:59:59-05:00"},
        {"operations": operation(seq=2**31)},
        {"operations": operation(setup_s="1e30")},
        {"operations": operation(run_s="-1e12")},
        {"operations": operation(work_centre="w" * 201)},
        {"operations": operation(name="\u00e9" * 401)},
    ],
    ids=str,
)
async def test_one_odd_record_is_shown_and_the_others_are_used(here, plain_erp, odd):
    plain_erp.orders(
        add=[make_record({"number": "WO-ODD"} | odd, 1, 2), make_record({"number": "WO-X"}, 2, 2)]
    )
    report = await pulled(here)
    assert (report.inserted, report.rejected) == (11, 1)
    assert stored(here, "WO-X") is not None
    assert stored(here, "WO-ODD") is None
    assert [row.subject for row in warnings_of(here, "record_rejected")] == ["WO-ODD"]
    assert watermark(here) is not None


async def test_a_number_that_is_too_long_is_shown_by_its_beginning(here, plain_erp):
    plain_erp.orders(add=[make_record({"number": "N" * 300}, 1, 2)])
    assert (await pulled(here)).rejected == 1
    assert [row.subject for row in warnings_of(here, "record_rejected")] == ["N" * 200]


class DefectError(Exception):
    """What nobody has thought of."""


@pytest.mark.parametrize(
    "raised", [DefectError("boom"), OverflowError(), asyncio.CancelledError(), StoreUnavailable("away")]
)
async def test_whatever_a_pull_is_ended_by_the_next_one_may_begin(here, monkeypatch, raised):
    erp = await here.erps["main"].erp()

    async def pull(self, since):
        raise raised
        yield

    with monkeypatch.context() as patch:
        patch.setattr(type(erp), "pull", pull)
        with pytest.raises(type(raised)):
            await here.puller.pull(here.erps["main"])
    states = here.store.read_now(connection_store.load)
    assert type(raised).__name__ in str(states["main"])
    assert (await pulled(here)).read == 10


async def test_an_erp_whose_words_nobody_can_write_down_gives_the_lease_back(here, monkeypatch):
    erp = await here.erps["main"].erp()

    async def pull(self, since):
        raise ErpUnavailable("the ERP says \ud800")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(type(erp), "pull", pull)
        report = await here.puller.pull(here.erps["main"])
    assert report.error == "the ERP says ?"
    assert (await pulled(here)).read == 10


def ahead(here, minutes):
    """Move the watermark to where a wrong clock would have: what changes now is not seen by a pull."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    here.store.write_now(lambda tx: leases.move_watermark(tx, "main", "orders", at.isoformat(), at))


async def test_reconciling_finds_what_a_watermark_has_missed_on_a_known_order(here, plain_erp):
    await pulled(here)
    ahead(here, minutes=10)
    plain_erp.orders(change=[{"number": "WO-000002", "quantity": "77"}])
    assert (await pulled(here)).read == 0
    report = await here.puller.reconcile(here.erps["main"])
    assert (report.error, report.vanished) == ("", 0)
    report = await pulled(here)
    assert (report.read, report.updated, report.inserted) == (10, 1, 0)
    assert str(stored(here, "WO-000002").plan.quantity) == "77"
    assert (await pulled(here)).read == 0  # once is enough


async def test_a_watermark_in_the_future_is_not_believed(here, plain_erp):
    await pulled(here)
    ahead(here, minutes=60 * 24 * 365)
    plain_erp.orders(change=[{"number": "WO-000002", "quantity": "77"}])
    assert (await pulled(here)).updated == 1
    assert datetime.fromisoformat(watermark(here)) < datetime.now(UTC) + timedelta(minutes=1)


async def test_reading_anew_does_not_hide_what_was_cancelled_meanwhile(here, plain_erp):
    """Reading all that is released shows nobody what is cancelled: the changes are read beside it."""
    await pulled(here)
    plain_erp.orders(cancel=["WO-000002"], add=[make_record({"number": "WO-NEW"}, 1, 2)])
    assert (await here.puller.reconcile(here.erps["main"])).vanished == 1
    await pulled(here)
    assert stored(here, "WO-NEW") is not None
    cancelled = stored(here, "WO-000002")
    assert (cancelled.plan.erp_state, cancelled.vanished_at) == ("cancelled", None)


async def test_all_is_read_anew_no_more_often_than_asked(here, plain_erp):
    await pulled(here)
    await here.puller.reconcile(here.erps["main"], rest=timedelta(hours=1))
    assert watermark(here, ALL) is not None
    await here.puller.reconcile(here.erps["main"], rest=timedelta())
    assert watermark(here, ALL) is None
    await pulled(here)
    ahead(here, minutes=10)
    plain_erp.orders(add=[make_record({"number": "WO-LATE"}, 1, 2)])
    await here.puller.reconcile(here.erps["main"], rest=timedelta(hours=1))  # one is missing: no rest
    await pulled(here)
    assert stored(here, "WO-LATE") is not None


async def test_reading_anew_is_done_again_if_it_did_not_come_to_its_end(here, plain_erp):
    await pulled(here)
    await here.puller.reconcile(here.erps["main"])
    plain_erp.faults(script=[{"match": "GET /orders", "times": 99, "do": "drop_before_effect"}])
    assert (await here.puller.pull(here.erps["main"])).error
    plain_erp.faults(script=[])
    assert watermark(here, ALL) is None
    assert (await pulled(here)).read == 20  # those of the overlap, and all of them
    assert watermark(here, ALL) is not None


async def test_reconciling_tells_of_an_erp_that_does_not_answer(here, plain_erp):
    await pulled(here)
    plain_erp.faults(script=[{"match": "GET /open-orders", "times": 99, "do": "drop_before_effect"}])
    report = await here.puller.reconcile(here.erps["main"])
    plain_erp.faults(script=[])
    assert report.error
    assert report.vanished == 0
