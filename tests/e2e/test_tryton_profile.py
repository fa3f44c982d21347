"""The Tryton profile on a real Tryton: each test works on orders of its own, read back by another way."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from demo.tryton.environment import prepare
from demo.tryton.planner import Planner
from demo.tryton.readback import read_back
from demo.tryton.server import TrytonServer
from shared.domain.message import Message, MessageKind, Progress
from shared.domain.verdict import Verdict
from shared.domain.works_order import ErpState
from shared.erp.engine import build
from shared.erp.port import PushContext
from shared.errors import ErpUnavailable
from shared.profiles.loader import load_profile

pytestmark = pytest.mark.tryton
ROOT = Path(__file__).parents[2]
SETTINGS = ("company", "employee", "storage_location", "scrap_location", "quality_control")
FIRST, LAST = "10", "last"


@pytest.fixture(scope="module")
def seeded():
    return prepare(ROOT / ".cache" / "tryton")


@pytest.fixture(scope="module")
def server(seeded, tmp_path_factory):
    server = TrytonServer(seeded, tmp_path_factory.mktemp("tryton"))
    server.start()
    yield server
    server.stop()


def connected(server, api_key=None, **settings):
    async def resolve(_name):
        return api_key or server.seeded.facts["api_key"]

    given = {name: server.seeded.facts[name] for name in SETTINGS}
    given |= {"base_url": server.rest_url, "api_key": "vault"} | settings
    return build(load_profile("tryton"), given, resolve, lambda: datetime.now(UTC))


@pytest.fixture
async def erp(server):
    erp = connected(server)
    yield erp
    await erp.close()


async def orders_of(erp, since=None):
    return {order.number: order async for page in erp.pull(since) for order in page.orders}


@dataclass
class Floor:
    """Pushes messages of one order. `lossy`: every call is made, its outcome lost, and made up for."""

    erp: object
    order: object
    lossy: bool = False
    numbers: object = field(default_factory=count)

    async def tell(self, kind, operation="", **body):
        """Push to the end, or to the first verdict that is not done; returns (advance, message)."""
        ident = f"{self.order.number}-{next(self.numbers)}"
        body = {"occurred_at": "2026-11-20T10:00:00.000Z", "last_operation": True} | body
        message = Message(ident, self.order.number, 1, kind, operation, body)
        routing = {"operation_id": operation} if operation else {}
        plan = self.erp.plan(message, PushContext({"number": self.order.number}, routing))
        progress = Progress()
        while True:
            if self.lossy:
                await self.erp.advance(plan, progress, 0)
            intent = Progress(progress.step, self.lossy, progress.captured)
            advance = await self.erp.advance(plan, intent, 0)
            if advance.finished or advance.decision.verdict is not Verdict.DONE:
                return advance, message
            progress = advance.progress

    async def told(self, kind, operation="", **body):
        advance, message = await self.tell(kind, operation, **body)
        assert advance.finished, advance
        return message


async def test_a_pull_gives_every_released_order_with_its_routing(server, erp):
    orders = await orders_of(erp)
    assert sorted(orders) == sorted(server.seeded.facts["released"])
    order = orders["WO-00002"]
    assert (order.part, order.part_name, order.quantity, order.unit) == ("P-00011", "Bracket", 10, "u")
    assert order.erp_state is ErpState.RELEASED
    assert [(op.operation_id, op.name, op.work_centre) for op in order.operations] == [
        ("10", "Cut to length", "Saw 1"),
        ("20", "Mill", "Mill 1"),
        ("30", "Drill", "Mill 1"),
        ("40", "Wash", "Wash 1"),
    ]
    numbers = [number async for page in erp.open_orders() for number in page]
    assert sorted(numbers) == sorted(orders)


async def test_small_pages_read_the_same(server, erp):
    everything = await orders_of(erp)
    profile = load_profile("tryton")
    limits = profile.connection.limits.model_copy(update={"page_size": 7})
    small = profile.model_copy(
        update={"connection": profile.connection.model_copy(update={"limits": limits})}
    )
    erp._puller._caller.connection = small.connection
    assert await orders_of(erp) == everything


async def test_reference_data_is_listed(server, erp):
    assert set(erp.reference_kinds()) == {"part", "operation", "work_centre", "unit"}
    listed = {
        kind: {value.code: value async for page in erp.reference(kind) for value in page}
        for kind in erp.reference_kinds()
    }
    assert (listed["part"]["P-00011"].name, listed["part"]["P-00011"].unit) == ("Bracket", "u")
    assert {"Cut to length", "Mill", "Drill", "Wash"} <= set(listed["operation"])
    assert {"Saw 1", "Mill 1"} <= set(listed["work_centre"])
    assert "u" in listed["unit"]


SERIAL_ORDERS = {False: "WO-00005", True: "WO-00010"}
PLAIN_ORDERS = {False: "WO-00001", True: "WO-00006"}


@pytest.mark.parametrize("lossy", [False, True])
async def test_a_whole_order_has_every_effect_once(server, erp, lossy):
    number = PLAIN_ORDERS[lossy]
    floor = Floor(erp, (await orders_of(erp))[number], lossy)
    kinds = MessageKind
    last = floor.order.operations[-1].operation_id
    await floor.told(kinds.ORDER_STARTED)
    await floor.told(kinds.OPERATION_STARTED, FIRST)
    await floor.told(kinds.TIME_RECORDED, FIRST, time_kind="setup", seconds="60", operator="Ann")
    await floor.told(kinds.OPERATION_PAUSED, FIRST)
    await floor.told(kinds.OPERATION_RESUMED, FIRST)
    await floor.told(kinds.TIME_RECORDED, FIRST, time_kind="run", seconds="600.5")
    await floor.told(kinds.PRODUCTION_REPORTED, FIRST, good="6", scrap="1", last_operation=False)
    await floor.told(kinds.OPERATION_COMPLETED, FIRST)
    for operation in floor.order.operations[1:]:
        await floor.told(kinds.OPERATION_STARTED, operation.operation_id)
    await floor.told(kinds.PRODUCTION_REPORTED, last, good="3", scrap="1", rework="1", outcome="pass")
    await floor.told(kinds.PRODUCTION_REPORTED, last, good="2", batch="B-7")
    for operation in floor.order.operations[1:]:
        await floor.told(kinds.OPERATION_COMPLETED, operation.operation_id)
    await floor.told(kinds.ORDER_COMPLETED)
    result = read_back(server.database)[number]
    assert (result["state"], result["good"], result["scrap"]) == ("done", 5, 2)
    assert result["serials"] == ["B-7"]
    assert result["inspections"] == ["passed"]
    cut = result["works"][0]
    assert (cut["state"], cut["booked_seconds"]) == ("done", Decimal("660.5"))
    assert cut["cycle_seconds"] == Decimal("660.5")
    assert [work["sequence"] for work in result["works"] if work["rework"]] == [9000 + int(last)]
    assert {work["state"] for work in result["works"]} == {"done"}
    assert [op.operation_id for op in floor.order.operations] == ["10", "20", "30"]


@pytest.mark.parametrize("lossy", [False, True])
async def test_serials_and_corrections(server, erp, lossy):
    number = SERIAL_ORDERS[lossy]
    floor = Floor(erp, (await orders_of(erp))[number], lossy)
    kinds = MessageKind
    last = floor.order.operations[-1].operation_id
    serials = [f"{number}-A", f"{number}-B"]
    await floor.told(kinds.ORDER_STARTED)
    await floor.told(kinds.PRODUCTION_REPORTED, last, good="2", serials=serials)
    wrong = await floor.told(kinds.PRODUCTION_REPORTED, last, good="1", serials=[f"{number}-C"])
    failed = {"good": "0", "scrap": "1", "serials": [f"{number}-D"], "outcome": "fail"}
    await floor.told(kinds.PRODUCTION_REPORTED, FIRST, **(failed | {"outcome": None}))
    time = await floor.told(kinds.TIME_RECORDED, last, time_kind="run", seconds="99")
    kept = await floor.told(kinds.TIME_RECORDED, last, time_kind="run", seconds="11")
    for voided in (wrong, time):
        voids = {"message_id": voided.message_id, "kind": str(voided.kind), "body": dict(voided.body)}
        await floor.told(kinds.CORRECTION, last, voids=voids)
    await floor.told(kinds.ORDER_COMPLETED)
    result = read_back(server.database)[number]
    assert (result["state"], result["good"], result["scrap"]) == ("done", 2, 1)
    assert result["serials"] == serials
    assert result["works"][-1]["booked_seconds"] == Decimal(kept.body["seconds"])


async def test_what_cannot_be_taken_back_is_parked(erp):
    floor = Floor(erp, (await orders_of(erp))["WO-00003"])
    voids = {"message_id": "m", "kind": "operation.started", "body": {}}
    advance, _ = await floor.tell(MessageKind.CORRECTION, FIRST, voids=voids)
    assert (advance.decision.verdict, advance.decision.reason) == (
        Verdict.PARK,
        "Tryton cannot take back operation.started",
    )


async def test_an_operation_tryton_does_not_have_is_parked(erp):
    floor = Floor(erp, (await orders_of(erp))["WO-00003"])
    advance, _ = await floor.tell(MessageKind.OPERATION_STARTED, "77")
    assert advance.decision.verdict is Verdict.PARK
    assert "no operation 77" in advance.decision.reason


async def test_a_failed_inspection_keeps_the_order_open_and_says_so(server, erp):
    floor = Floor(erp, (await orders_of(erp))["WO-00008"])
    await floor.told(MessageKind.ORDER_STARTED)
    await floor.told(MessageKind.PRODUCTION_REPORTED, FIRST, scrap="1", outcome="fail")
    advance, _ = await floor.tell(MessageKind.ORDER_COMPLETED)
    assert advance.decision.verdict is Verdict.PARK
    assert "inspection" in advance.decision.reason
    result = read_back(server.database)["WO-00008"]
    assert (result["state"], result["inspections"]) == ("running", ["failed"])


async def test_a_planner_changes_a_started_order(server, erp):
    number = "WO-00011"
    floor = Floor(erp, (await orders_of(erp))[number])
    kinds = MessageKind
    await floor.told(kinds.ORDER_STARTED)
    await floor.told(kinds.OPERATION_STARTED, FIRST)
    await floor.told(kinds.OPERATION_COMPLETED, FIRST)
    pages = [page async for page in erp.pull(None)]
    Planner(server).change_quantity(number, Decimal(77))
    changed = (await orders_of(erp, pages[-1].watermark))[number]
    assert changed.quantity == 77
    assert [op.operation_id for op in changed.operations] == [
        op.operation_id for op in floor.order.operations
    ]
    await floor.told(kinds.OPERATION_STARTED, "20")
    await floor.told(kinds.OPERATION_COMPLETED, "20")
    await floor.told(kinds.PRODUCTION_REPORTED, "30", good="75")
    await floor.told(kinds.ORDER_COMPLETED)
    result = read_back(server.database)[number]
    assert (result["state"], result["planned"], result["good"]) == ("done", 77, 75)


async def test_a_planner_cancels_an_order(server, erp):
    number = "WO-00012"
    pages = [page async for page in erp.pull(None)]
    Planner(server).cancel(number)
    changed = await orders_of(erp, pages[-1].watermark)
    assert changed[number].erp_state is ErpState.CANCELLED
    assert number not in [one async for page in erp.open_orders() for one in page]
    advance, _ = await Floor(erp, changed[number]).tell(MessageKind.ORDER_STARTED)
    assert advance.decision.verdict is Verdict.PARK
    assert "cancelled" in advance.decision.reason


async def test_a_wrong_key_halts(server):
    erp = connected(server, api_key="wrong")
    assert "401" in await erp.probe()
    with pytest.raises(ErpUnavailable):
        await orders_of(erp)
    plan = erp.plan(
        Message("m", "s", 1, MessageKind.ORDER_STARTED, "", {}), PushContext({"number": "WO-00003"}, {})
    )
    assert (await erp.advance(plan, Progress(), 0)).decision.verdict is Verdict.HALT
    await erp.close()


async def test_a_stopped_server_is_waited_for(server, erp):
    order = (await orders_of(erp))["WO-00003"]
    await erp.close()
    server.stop()
    try:
        advance, _ = await Floor(erp, order).tell(MessageKind.ORDER_STARTED)
        assert (advance.decision.verdict, advance.progress) == (Verdict.RETRY, Progress())
        assert not advance.decision.spends_attempt
        assert await erp.probe()
    finally:
        server.start()
    assert await erp.probe() is None
