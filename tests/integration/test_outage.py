"""The ERP, SQL and the queue go away in turn: nothing is lost, nothing counts twice, all resumes by itself."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from devhost.azurite import Azurite
from functions.http_events import receive_events
from functions.queue_triggers import record_floor_events
from shared.domain.identity import order_key
from shared.domain.stream_rules import SILENT_TRIES
from shared.flows.sweep import sweep
from shared.queues.envelope import FLOOR_QUEUE
from shared.store import outbox
from shared.store.tables import connection_state, delivery_attempt, execution_event
from tests.integration.kit import call, event, plain_connection, post, texts_on
from tests.integration.plant import (
    assert_books_agree,
    deliver_all,
    drained,
    impatient,
    messages,
    past,
    recorded_ids,
    shift,
    sql_locked,
    states,
    stream_of_order,
    warnings_of,
)

ORDER = "WO-000001"
ORDERS = [f"WO-{number:06}" for number in range(1, 11)]


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url)]


@pytest.fixture
async def plant(open_app, connections):
    """The plant, with every order known."""
    here = impatient(await open_app(connections))
    await here.puller.pull(here.erps["main"])
    return here


def report(order=ORDER, minute=0, **data):
    return event("production.reported", order, "10", minute, data={"good": "1"} | data)


def attempts(here):
    return here.store.read_now(
        lambda tx: tx.execute(select(delivery_attempt).order_by(delivery_attempt.c.attempt_id)).all()
    )


def halt_of(here):
    return here.store.read_now(lambda tx: tx.execute(select(connection_state)).one())


# --- the ERP ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop_after_effect", "drop_before_effect"])
async def test_a_dropped_connection_is_looked_up_before_it_is_sent_again(plant, plain_erp, fault):
    await post(*shift(ORDER, ["10", "20"]))
    script = [{"match": f"POST /orders/{ORDER}", "do": "", "times": 0}]
    for call_ in ("/start", "operations/10/start", "results", "times", "pause", "resume", "complete"):
        script.append({"match": f"{ORDER}/{call_}".replace("//", "/"), "do": fault})
        if call_ in ("pause", "resume", "complete"):
            script[-1]["match"] = f"operations/10/{call_}"
    plain_erp.faults(script=script[1:])
    for _ in range(len(script)):
        await deliver_all(plant)
        past(plant)
    assert drained(plant)
    assert_books_agree(plant, plain_erp, [ORDER])
    assert plain_erp.report()["orders"][ORDER]["state"] == "completed"
    looked = [row for row in attempts(plant) if row.step.endswith(".find")]
    assert len(looked) >= len(script) - 1
    assert {row.attempts for row in messages(plant)} == {1}  # nobody's message was at fault


async def test_429_waits_as_long_as_the_erp_asks(plant, plain_erp):
    plain_erp.faults(script=[{"match": f"{ORDER}/start", "do": "status:429:40"}])
    await post(report())
    before = datetime.now(UTC)
    await deliver_all(plant)
    assert stream_of_order(plant, ORDER).due_at >= before + timedelta(seconds=40)
    assert {(row.state, row.attempts) for row in messages(plant)} == {
        ("pending", 0)
    }  # being busy is no fault
    plain_erp.faults(script=[])
    before = plain_erp.report()["calls"]
    await deliver_all(plant)  # a wake-up that comes twice, or too early
    assert plain_erp.report()["calls"] == before
    past(plant)
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [ORDER])


async def test_a_message_that_is_never_answered_is_parked_in_the_end(plant, plain_erp):
    """The ERP answers everybody else: this one may always take longer than we wait, and a person must look."""
    silent = {"match": f"{ORDER}/results", "do": "drop_before_effect", "times": 1000}
    plain_erp.faults(script=[silent])
    await post(report(), *(report(order) for order in ORDERS[1:]))
    for number in range(SILENT_TRIES):
        assert states(plant, ORDER)["pending"] > 0, number
        await post(report(ORDERS[1], number))  # somebody else is answered in between
        await deliver_all(plant)
        past(plant)
    (parked,) = [row for row in messages(plant, ORDER) if row.state == "parked"]
    assert (parked.kind, parked.attempts) == ("production.reported", 0)
    assert f"{SILENT_TRIES} tries without an answer" in parked.reason
    (shown,) = warnings_of(plant, "message_parked")
    assert shown.order_number == ORDER
    assert states(plant, ORDERS[1]) == {"done": 2 + 1 + SILENT_TRIES}


async def test_503_is_tried_again_after_a_look(plant, plain_erp):
    plain_erp.faults(script=[{"match": "results", "do": "status:503", "times": 2}])
    await post(report())
    for _ in range(3):
        await deliver_all(plant)
        past(plant)
    assert_books_agree(plant, plain_erp, [ORDER])


async def test_a_refused_key_halts_the_connection_and_nobody_pays_for_it(plant, plain_erp):
    """Many streams fail at once: no attempt is spent, one warning is raised, the halt is a short one."""
    plain_erp.faults(script=[{"match": "POST /orders", "do": "status:401", "times": 1000}], latency_ms=50)
    await post(*(report(order) for order in ORDERS))
    await deliver_all(plant)
    assert {(row.state, row.attempts) for row in messages(plant)} == {("pending", 0)}
    halt = halt_of(plant)
    assert halt.failures == 1
    assert halt.halted_until < datetime.now(UTC) + timedelta(seconds=5)
    (shown,) = warnings_of(plant, "connection_halted")
    assert shown.state == "open"


async def test_one_probe_at_a_time_then_all_resumes_by_itself(plant, plain_erp):
    plain_erp.faults(script=[{"match": "POST /orders", "do": "status:401", "times": 1000}])
    await post(*(report(order) for order in ORDERS))
    await deliver_all(plant)
    past(plant)
    before = plain_erp.report()["calls"]
    plain_erp.faults(latency_ms=50)
    await deliver_all(plant)
    # A refused key is asked for anew and, being the same, not tried again: one probe is one call.
    assert plain_erp.report()["calls"] == before + 1
    plain_erp.faults(script=[], latency_ms=0)
    await deliver_all(plant)
    assert plain_erp.report()["calls"] == before + 1  # the halt still lasts
    past(plant)
    await deliver_all(plant)  # one probes and succeeds, which the others have waited for
    assert_books_agree(plant, plain_erp, ORDERS)
    assert {row.state for row in warnings_of(plant, "connection_halted")} == {"resolved"}
    assert halt_of(plant).halted_until is None


async def test_a_probe_that_is_parked_proves_that_the_connection_works(plant, plain_erp):
    """The ERP answers again, though it does not like this one message: nobody need wait any longer."""
    plain_erp.faults(script=[{"match": "POST /orders", "do": "status:401", "times": 1}])
    await post(report())
    await deliver_all(plant)
    assert halt_of(plant).halted_until is not None
    plain_erp.faults(script=[{"match": f"{ORDER}/start", "do": "status:422"}])
    past(plant)
    await deliver_all(plant)
    assert states(plant)["parked"] == 1
    assert halt_of(plant).halted_until is None


async def test_an_erp_that_is_down_halts_and_the_backlog_drains(plant, plain_erp):
    for order in ORDERS:
        await post(*shift(order, ["10", "20"]))
    plain_erp.stop()
    try:
        await deliver_all(plant)
        assert halt_of(plant).halted_until is not None
        assert {row.attempts for row in messages(plant)} == {0}
    finally:
        plain_erp.start_again()
    for _ in range(2):
        past(plant)
        await deliver_all(plant)
    assert_books_agree(plant, plain_erp, ORDERS)


@pytest.mark.parametrize("fault", ["error_200", "status:422"])
async def test_a_refused_message_is_parked_with_its_evidence_and_others_go_on(plant, plain_erp, fault):
    plain_erp.faults(script=[{"match": "results", "do": fault}])
    await post(*shift(ORDER, ["10", "20"]))
    await deliver_all(plant)
    by_kind = {(row.kind, row.operation_id): row for row in messages(plant)}
    parked = by_kind["production.reported", "10"]
    assert (parked.state, parked.attempts) == ("parked", 1)
    assert "scripted" in parked.reason
    (evidence,) = [row for row in attempts(plant) if row.verdict == "park"]
    assert '"good":"2"' in evidence.request.replace(" ", "")
    assert "scripted" in evidence.reply
    (shown,) = warnings_of(plant, "message_parked")
    assert shown.order_number == ORDER
    # All the rest of the order has gone out, but its completion waits for the person.
    assert by_kind["order.completed", ""].state == "held"
    others = {
        row.state for key, row in by_kind.items() if key != ("order.completed", "") and row is not parked
    }
    assert others == {"done"}
    assert plain_erp.report()["orders"][ORDER]["state"] == "started"


async def test_a_message_that_cannot_be_translated_is_parked_and_others_go_on(plant, plain_erp):
    """Whatever goes wrong inside: shown to a person, not tried for ever where nobody sees it."""
    await post(event("time.recorded", ORDER, "10", data={"kind": "run", "seconds": "60"}), report(minute=1))
    absurd = update(execution_event).where(execution_event.c.seconds > 0).values(seconds=Decimal(10**12))
    plant.store.write_now(lambda tx: tx.execute(absurd))
    await deliver_all(plant)
    by_kind = {row.kind: row for row in messages(plant)}
    assert by_kind["time.recorded"].state == "parked"
    assert by_kind["time.recorded"].reason == "cannot be translated: OverflowError: date value out of range"
    assert by_kind["production.reported"].state == "done"


async def test_a_profile_that_cannot_be_used_halts_its_connection_and_nobody_pays_for_it(
    open_app, plain_erp, tmp_path
):
    broken = tmp_path / "ours.yaml"
    broken.write_text("extends: plain_rest\nconnection: {limitz: 3}\n")
    here = impatient(await open_app([plain_connection("main", plain_erp.url) | {"profile": str(broken)}]))
    await post(*shift(ORDER, ["10", "20"]))
    await deliver_all(here)
    assert {(row.state, row.attempts) for row in messages(here)} == {("pending", 0)}
    (shown,) = warnings_of(here, "connection_halted")
    assert "ours.yaml:2:14: connection.limitz" in shown.detail
    assert halt_of(here).halted_until is not None


ROUND = """
extends: plain_rest
push:
  production.reported:
    steps:
      - {name: look, call: "GET /orders/{order.number}", capture: {number: =reply.body.number}}
      - {name: touch, when: =captured.number, back_to: look, call: "POST /orders/{order.number}/touch",
         verified: {status: the ERP's page says so}, on_unknown: park,
         rules: [{status: [404], when: =reply.status == `404`, verdict: done, reason: nothing to touch}]}
"""


async def test_a_profile_that_goes_round_in_circles_comes_to_an_end(
    open_app, plain_erp, tmp_path, monkeypatch
):
    monkeypatch.setattr("shared.flows.lane.MOST_STEPS", 20)
    ours = tmp_path / "ours.yaml"
    ours.write_text(ROUND)
    here = impatient(await open_app([plain_connection("main", plain_erp.url) | {"profile": str(ours)}]))
    await here.puller.pull(here.erps["main"])
    await post(report())
    await deliver_all(here)
    (parked,) = [row for row in messages(here) if row.kind == "production.reported"]
    assert (parked.state, parked.reason) == ("parked", "goes round in circles: 20 steps, and no end")


async def test_a_parked_start_bars_its_own_operation_only(plant, plain_erp):
    plain_erp.faults(script=[{"match": "operations/10/start", "do": "status:422"}])
    await post(event("operation.started", ORDER, "10"), report(minute=1))
    await deliver_all(plant)
    assert [row.state for row in messages(plant)] == ["done", "parked", "held"]


async def test_a_parked_message_sent_again_goes_out_with_all_it_kept(plant, plain_erp):
    plain_erp.faults(script=[{"match": "operations/10/start", "do": "status:422"}])
    await post(*shift(ORDER, ["10", "20"]))
    await deliver_all(plant)
    (parked,) = [row for row in messages(plant) if row.state == "parked"]
    key, now = order_key("main", ORDER), datetime.now(UTC)
    assert plant.store.write_now(lambda tx: outbox.retry_parked(tx, key, parked.sequence, now))
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [ORDER])
    assert plain_erp.report()["orders"][ORDER]["state"] == "completed"


# --- SQL ----------------------------------------------------------------------------------------------------


async def record_buffered(azurite):
    """Run the queue door over what waits in the buffer, as the host does."""
    import azure.functions as func

    class Message(func.QueueMessage):
        """What the host hands to the door."""

    texts = texts_on(azurite.connection_string, FLOOR_QUEUE)
    for text in texts:
        await record_floor_events.build().get_user_function()(Message(body=text.encode()))
    return len(texts)


async def test_sql_locked_events_are_buffered_and_recorded_later(plant, plain_erp, azurite, tmp_path):
    first, second = shift(ORDER, ["10", "20"]), shift(ORDERS[1], ["10", "20"])
    await post(*first)
    with sql_locked(tmp_path / "tascus.sqlite"):
        reply = await call(receive_events, "POST", body=second)
    assert reply.status == 202
    assert {line["disposition"] for line in reply.body["events"]} == {"buffered"}
    assert len(recorded_ids(plant)) == len(first)
    assert await record_buffered(azurite) == 1
    assert sorted(recorded_ids(plant)) == sorted(each["id"] for each in first + second)
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, ORDERS[:2])


async def test_sql_still_away_buffered_events_wait_on(plant, azurite, tmp_path):
    with sql_locked(tmp_path / "tascus.sqlite"):
        assert (await call(receive_events, "POST", body=report())).status == 202
        assert await record_buffered(azurite) == 1
    assert recorded_ids(plant) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.flows.queued.LATER", timedelta(0))
        with sql_locked(tmp_path / "tascus.sqlite"):
            assert (await call(receive_events, "POST", body=report(minute=1))).status == 202
            assert await record_buffered(azurite) == 1
        assert await record_buffered(azurite) == 1
    assert len(recorded_ids(plant)) == 1


async def test_exact_numbers_survive_the_buffer(plant, azurite, tmp_path):
    """A number with more digits than a binary float holds is buffered and recorded to the last digit."""
    body = (
        b'{"source":"l","id":"long","type":"production.reported","time":"2026-11-23T06:00:00Z",'
        b'"order":"WO-000001","operation":"10","data":{"good":1234567890.123456}}'
    )
    with sql_locked(tmp_path / "tascus.sqlite"):
        reply = await call(receive_events, "POST", body=body)
    assert reply.status == 202
    await record_buffered(azurite)
    from tests.integration.plant import floor_totals

    assert str(floor_totals(plant, ORDER)["good"]) == "1234567890.123456"


async def test_what_is_not_known_is_not_buffered(plant, azurite, tmp_path):
    """Nesting that can be read and not written again must not keep the event out of the buffer."""
    odd = report() | {"extra": json.loads("[" * 900 + "]" * 900)}
    with sql_locked(tmp_path / "tascus.sqlite"):
        assert (await call(receive_events, "POST", body=json.dumps(odd).encode())).status == 202
    assert await record_buffered(azurite) == 1
    assert recorded_ids(plant) == [odd["id"]]


async def test_sql_away_in_the_middle_of_delivery_loses_nothing(plant, plain_erp, tmp_path):
    await post(*shift(ORDER, ["10", "20"]))
    from shared.errors import StoreUnavailable

    with sql_locked(tmp_path / "tascus.sqlite"), pytest.raises(StoreUnavailable):
        await deliver_all(plant)
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [ORDER])


# --- the queue ----------------------------------------------------------------------------------------------


@pytest.fixture
async def own_azurite(tmp_path):
    """A queue service that the test may stop."""
    folder = tmp_path / "azurite"
    folder.mkdir()
    with Azurite(folder) as storage:
        yield storage


async def test_queue_down_events_are_recorded_and_swept(open_app, own_azurite, connections, plain_erp):
    here = await open_app(connections, AzureWebJobsStorage=own_azurite.connection_string)
    await here.puller.pull(here.erps["main"])
    own_azurite.stop()
    reply = await call(receive_events, "POST", body=shift(ORDER, ["10", "20"]))
    assert reply.status == 202
    assert {line["disposition"] for line in reply.body["events"]} == {"recorded"}
    past(here)
    assert await sweep(here.store, here.queues, here.deliverer) == 1
    assert_books_agree(here, plain_erp, [ORDER])


async def test_both_down_is_503_and_sending_again_is_safe(
    open_app, own_azurite, connections, plain_erp, tmp_path
):
    here = impatient(await open_app(connections, AzureWebJobsStorage=own_azurite.connection_string))
    await here.puller.pull(here.erps["main"])
    own_azurite.stop()
    events = shift(ORDER, ["10", "20"])
    with sql_locked(tmp_path / "tascus.sqlite"):
        reply = await call(receive_events, "POST", body=events)
    assert reply.status == 503
    assert reply.media_type == "application/problem+json"
    assert int(reply.headers["Retry-After"]) > 0
    assert recorded_ids(here) == []
    own_azurite.start()
    for expected in ("recorded", "duplicate"):
        reply = await call(receive_events, "POST", body=events)
        assert {line["disposition"] for line in reply.body["events"]} == {expected}
    await deliver_all(here)
    assert_books_agree(here, plain_erp, [ORDER])
