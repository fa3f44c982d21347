"""What every `Erp` keeps, whoever answers: today the engine with the plain profile on the plain ERP."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain.message import Message, MessageKind, Progress
from shared.domain.verdict import Verdict
from shared.domain.works_order import ErpState
from shared.erp.engine import build
from shared.erp.port import PushContext
from shared.errors import ErpUnavailable
from shared.profiles.loader import load_profile
from tests.fakes.plain_erp import PlainErp

PROFILE = str(Path(__file__).parents[1] / "fakes" / "plain.yaml")
ORDER = "WO-000001"


@pytest.fixture(scope="module")
def running():
    with PlainErp.start(orders=25, operations=2) as plain:
        yield plain


@pytest.fixture
def plain(running):
    running.reset(orders=25, operations=2)
    return running


async def connected(plain, key="plain-key"):
    async def resolve(_name):
        return key

    settings = {"base_url": plain.url, "api_key": "vault", "page_size": 10}
    return build(load_profile(PROFILE), settings, resolve, lambda: datetime.now(UTC))


@pytest.fixture
async def erp(plain):
    erp = await connected(plain)
    yield erp
    await erp.close()


async def pulled(erp, since=None):
    pages = [page async for page in erp.pull(since)]
    return [order for page in pages for order in page.orders], pages[-1].watermark


async def pushed(erp, kind, operation="10", ident="m-1", progress=None, **body):
    """Push one message to its end, or to the first verdict that is not done."""
    routing = {"operation_id": operation} if operation else {}
    plan = erp.plan(Message(ident, ORDER, 1, kind, operation, body), PushContext({"number": ORDER}, routing))
    advance = await erp.advance(plan, progress or Progress(), 0)
    while advance.decision.verdict is Verdict.DONE and not advance.finished:
        advance = await erp.advance(plan, advance.progress, 0)
    return advance


async def started(erp):
    await pushed(erp, MessageKind.ORDER_STARTED, operation="", ident="start")


async def test_a_pull_gives_every_released_order_with_its_routing_once(erp):
    orders, watermark = await pulled(erp)
    assert sorted(order.number for order in orders) == [f"WO-{number:06}" for number in range(1, 26)]
    assert [operation.operation_id for operation in orders[0].operations] == ["10", "20"]
    assert watermark


async def test_a_pull_since_a_watermark_tells_of_a_cancelled_order(plain, erp):
    _, watermark = await pulled(erp)
    plain.orders(cancel=[ORDER])
    changed, _ = await pulled(erp, watermark)
    assert {order.number: order.erp_state for order in changed}[ORDER] is ErpState.CANCELLED


async def test_open_orders_are_all_that_can_still_be_worked_on(plain, erp):
    plain.orders(cancel=[ORDER])
    numbers = [number async for page in erp.open_orders() for number in page]
    assert numbers == [f"WO-{number:06}" for number in range(2, 26)]


STORY = [
    (MessageKind.OPERATION_STARTED, {}),
    (MessageKind.OPERATION_PAUSED, {}),
    (MessageKind.OPERATION_RESUMED, {}),
    (MessageKind.PRODUCTION_REPORTED, {"good": "4", "scrap": "1"}),
    (MessageKind.TIME_RECORDED, {"time_kind": "run", "seconds": "12.5"}),
    (
        MessageKind.CORRECTION,
        {"voids": {"message_id": "m-3", "kind": "production.reported", "body": {"good": "4"}}},
    ),
    (MessageKind.OPERATION_COMPLETED, {}),
]


@pytest.mark.parametrize("fault", [None, "drop_after_effect", "drop_before_effect", "status:503"])
async def test_a_whole_order_has_every_effect_once_whatever_happens(plain, erp, fault):
    await started(erp)
    for number, (kind, body) in enumerate(STORY):
        plain.faults(script=[{"match": "POST", "times": 1, "do": fault}] if fault else [])
        advance = await pushed(erp, kind, ident=f"m-{number}", **body)
        if fault:
            assert (advance.decision.verdict, advance.progress.unknown) == (Verdict.RETRY, True)
            advance = await pushed(erp, kind, ident=f"m-{number}", progress=advance.progress, **body)
        assert advance.finished, advance
    report = plain.report()
    order = report["orders"][ORDER]
    assert order["history"] == [
        "start",
        "10 start",
        "10 pause",
        "10 resume",
        "result m-3",
        "time m-4",
        "correction m-5",
        "10 complete",
    ]
    assert (order["good"], order["scrap"], order["seconds"]) == ("0", "0", "12.5")
    assert (report["duplicates"], report["refused"]) == (0, 0)


async def test_an_error_in_disguise_is_parked_with_its_words(plain, erp):
    await started(erp)
    plain.faults(script=[{"match": "results", "times": 1, "do": "error_200"}])
    advance = await pushed(erp, MessageKind.PRODUCTION_REPORTED, good="1")
    assert (advance.decision.verdict, advance.decision.reason) == (
        Verdict.PARK,
        "the ERP says: scripted error",
    )


async def test_an_erp_that_asks_for_patience_gets_it(plain, erp):
    await started(erp)
    plain.faults(script=[{"match": "results", "times": 1, "do": "status:429:2"}])
    advance = await pushed(erp, MessageKind.PRODUCTION_REPORTED, good="1")
    assert (advance.decision.verdict, advance.progress.unknown) == (Verdict.RETRY, False)
    assert advance.decision.after.total_seconds() == 2


async def test_wrong_credentials_halt_and_say_so(plain):
    erp = await connected(plain, key="wrong")
    assert "401" in await erp.probe()
    assert (await pushed(erp, MessageKind.OPERATION_STARTED)).decision.verdict is Verdict.HALT
    with pytest.raises(ErpUnavailable, match="401"):
        await pulled(erp)
    await erp.close()


async def test_a_stopped_erp_is_waited_for_without_spending_attempts(plain):
    plain.stop()
    try:
        erp = await connected(plain)
        advance = await pushed(erp, MessageKind.OPERATION_STARTED)
        assert (advance.decision.verdict, advance.progress.unknown) == (Verdict.RETRY, False)
        assert not advance.decision.spends_attempt
        assert await erp.probe()
        with pytest.raises(ErpUnavailable):
            await pulled(erp)
        await erp.close()
    finally:
        plain.start_again()


async def test_every_exchange_is_evidence(erp):
    await started(erp)
    (exchange,) = (await pushed(erp, MessageKind.PRODUCTION_REPORTED, good="1")).exchanges
    assert (exchange.step, exchange.method, exchange.status) == ("report", "POST", 201)
    assert '"good":"1"' in exchange.request
    assert "posting" in exchange.reply
