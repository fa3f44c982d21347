"""What the ERP or the links do not know yet is accepted, shown and held; when it arrives, it goes out by itself."""

import asyncio

import pytest

from functions.http_review import put_links
from shared.domain.identity import order_key
from shared.flows.sweep import sweep
from tests.fakes.plain_erp_books import make_operation, make_record
from tests.integration.kit import PLAIN_PROFILE, call, event, plain_connection, post, woken
from tests.integration.plant import (
    assert_books_agree,
    deliver_all,
    eventually,
    messages,
    shift,
    states,
    wake_ups_sent,
    warnings_of,
)

LINKED = "=link('scrap_reason', message.scrap_reason)"
ORDER, NEW = "WO-000001", "WO-900000"


@pytest.fixture
def profile(tmp_path):
    """The plain ERP's profile, with scrap reasons that have to be linked."""
    (tmp_path / "plain.yaml").write_text(f"""
extends: {PLAIN_PROFILE}
push:
  production.reported:
    values: {{reason: "{LINKED}"}}
    steps: {{report: {{call: {{body: {{"reason?": =values.reason}}}}}}}}
""")
    return str(tmp_path / "plain.yaml")


@pytest.fixture
def connections(plain_erp, profile):
    return [plain_connection("main", plain_erp.url) | {"profile": profile}]


@pytest.fixture
async def plant(here, azurite):
    await here.puller.pull(here.erps["main"])
    return here


async def deliver_woken(here, azurite):
    """Deliver just the streams somebody has woken; return them. Nothing else makes a held message go out."""
    await wake_ups_sent(here)
    streams = woken(azurite.connection_string)
    await asyncio.gather(*(here.deliverer.deliver(key) for key in streams))
    return streams


def held(here):
    return {(row.waits_for_kind, row.waits_for_value) for row in messages(here) if row.state == "held"}


async def link(kind, tascus, erp, factor=None):
    body = {"links": [{"kind": kind, "tascus_value": tascus, "erp_value": erp, "factor": factor}]}
    reply = await call(put_links, "PUT", connection="main", body=body)
    assert reply.status == 200
    return reply.body


async def test_unknown_order_waits_for_the_pull_that_brings_it(plant, plain_erp, azurite):
    reply = await post(*shift(NEW, ["10", "20"]))
    assert "unknown_order" in reply.body["events"][0]["warnings"]
    await deliver_woken(plant, azurite)
    assert held(plant) == {("order", NEW)}
    plain_erp.orders(add=[make_record({"number": NEW}, 1, 2)])
    await plant.puller.pull(plant.erps["main"])
    assert await deliver_woken(plant, azurite) == [order_key("main", NEW)]
    assert_books_agree(plant, plain_erp, [NEW])
    assert plain_erp.report()["orders"][NEW]["state"] == "completed"
    assert {row.state for row in warnings_of(plant, "unknown_order")} == {"resolved"}


async def test_unknown_operation_waits_for_the_pull_that_brings_it(plant, plain_erp, azurite):
    """The order is under way already: the operation that is new to it is what the recorded work waited for."""
    reply = await post(event("operation.started", ORDER, "10"), event("operation.started", ORDER, "99", 1))
    assert "unknown_operation" in reply.body["events"][1]["warnings"]
    await deliver_woken(plant, azurite)
    assert held(plant) == {("operation", "99")}
    assert plain_erp.report()["orders"][ORDER]["history"] == ["start", "10 start"]
    routing = [make_operation(1), make_operation(2), make_operation(3) | {"id": "99"}]
    plain_erp.orders(change=[{"number": ORDER, "operations": routing}])
    await plant.puller.pull(plant.erps["main"])
    await deliver_woken(plant, azurite)
    assert_books_agree(plant, plain_erp, [ORDER])
    assert plain_erp.report()["orders"][ORDER]["history"] == ["start", "10 start", "99 start"]
    assert {row.state for row in warnings_of(plant, "unknown_operation")} == {"resolved"}


async def test_unknown_scrap_reason_waits_for_its_link(plant, plain_erp, azurite):
    await link("scrap_reason", "known", "K")
    scrapped = {"scrap": "1", "scrap_reason": "odd"}
    reply = await post(event("production.reported", ORDER, "10", data=scrapped))
    assert reply.body["events"][0]["warnings"] == ["unknown_code"]
    await deliver_woken(plant, azurite)
    assert held(plant) == {("scrap_reason", "odd")}
    assert (await link("scrap_reason", "odd", "ODD-1"))["released"] == 1
    await deliver_woken(plant, azurite)
    assert_books_agree(plant, plain_erp, [ORDER])
    (posting,) = plain_erp.report()["orders"][ORDER]["postings"]
    assert posting["reason"] == "ODD-1"
    assert {row.state for row in warnings_of(plant, "unknown_code")} == {"resolved"}


async def test_unknown_unit_waits_for_its_link_and_is_converted(plant, plain_erp, azurite):
    reply = await post(event("production.reported", ORDER, "10", data={"good": "2", "unit": "box"}))
    assert reply.body["events"][0]["warnings"] == ["unknown_unit"]
    await deliver_woken(plant, azurite)
    assert held(plant) == {("unit", "box")}
    await link("unit", "box", "pcs", "2.5")
    await deliver_woken(plant, azurite)
    assert states(plant) == {"done": 3}
    assert plain_erp.report()["orders"][ORDER]["good"] == "5"
    assert {row.state for row in warnings_of(plant, "unknown_unit")} == {"resolved"}


async def test_unknown_work_centre_is_shown_and_holds_nothing(plant, plain_erp, azurite):
    reply = await post(event("operation.started", ORDER, "10", work_centre="nowhere"))
    assert reply.body["events"][0]["warnings"] == ["unknown_work_centre"]
    await deliver_woken(plant, azurite)
    assert_books_agree(plant, plain_erp, [ORDER])
    await link("work_centre", "nowhere", "WC-1")
    assert {row.state for row in warnings_of(plant, "unknown_work_centre")} == {"resolved"}


async def test_what_arrives_while_a_worker_is_at_the_stream_is_seen(plant, plain_erp, azurite):
    """The worker took the stream with the old plan in hand; before it holds the message it looks again."""
    await post(event("operation.started", ORDER, "10"), event("operation.started", ORDER, "99", 1))
    await wake_ups_sent(plant)
    plain_erp.faults(latency_ms=3000)
    worker = asyncio.create_task(deliver_woken(plant, azurite))
    await eventually(
        lambda: plain_erp.report()["orders"][ORDER]["history"] == ["start"], "the worker to begin"
    )
    plain_erp.faults(latency_ms=0)  # the call under way still takes its time
    routing = [make_operation(1), make_operation(2), make_operation(3) | {"id": "99"}]
    plain_erp.orders(change=[{"number": ORDER, "operations": routing}])
    await plant.puller.pull(plant.erps["main"])
    assert held(plant) == set()
    await worker
    assert states(plant) == {"done": 3}
    assert plain_erp.report()["orders"][ORDER]["history"] == ["start", "10 start", "99 start"]


async def test_a_link_saved_by_another_instance_is_seen(plant, open_app, connections, plain_erp, azurite):
    """The other instance's links are seconds old, its wake-up comes at once: it must not hold what may go."""
    other = await open_app(connections)  # the one whose doors are used from here on
    await post(event("production.reported", ORDER, "10", data={"good": "2", "unit": "box"}))
    await wake_ups_sent(other)
    await deliver_woken(plant, azurite)
    assert held(plant) == {("unit", "box")}
    await link("unit", "box", "pcs", "2")
    await wake_ups_sent(other)
    await deliver_woken(plant, azurite)
    assert states(plant) == {"done": 3}
    assert plain_erp.report()["orders"][ORDER]["good"] == "4"


async def test_a_held_message_is_shown_once_however_often_it_is_tried(plant, azurite):
    await post(event("operation.started", NEW, "10"))
    await deliver_woken(plant, azurite)
    seen = warnings_of(plant, "unknown_order")[0].occurrences
    for _ in range(3):
        await deliver_all(plant)
    assert warnings_of(plant, "unknown_order")[0].occurrences == seen
    assert {row.attempts for row in messages(plant)} == {0}
    assert await sweep(plant.store, plant.queues, plant.deliverer) == 0
