"""After an outage the ERP is told what adds up, in fewer calls: quantities, serials and times to the last digit."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from functions.http_review import dismiss, retry
from shared.domain.identity import message_id, order_key
from shared.store.tables import outbound_message
from tests.integration.kit import call, event, plain_connection, post
from tests.integration.plant import (
    Worker,
    deliver_all,
    drained,
    floor_totals,
    messages,
    sql_locked,
    states,
    stream_of_order,
    wait_until,
    warnings_of,
)
from tests.integration.test_outage import past

PROFILE = str(Path(__file__).parents[1] / "fakes" / "plain_combined.yaml")
ORDER = "WO-000001"
REPORTS = 60
BY = {"actor": "Ada", "note": "looked in the ERP"}


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url) | {"profile": PROFILE}]


@pytest.fixture
async def plant(open_app, connections):
    here = await open_app(connections, TASCUS_LEASE_SECONDS="2")
    await here.puller.pull(here.erps["main"])
    return here


def report(number, operation="10", **data):
    good = {"good": "1.25", "scrap": "0.5"}
    if number % 3 == 0:
        good = {"good": "1", "serials": [f"S-{number}"]}
    return event("production.reported", ORDER, operation, number % 60, id=f"r-{number}", data=good | data)


def day():
    """What the floor says while the ERP is away: reports, times and pauses on one operation, to its end."""
    said = [event("operation.started", ORDER, "10")]
    for number in range(REPORTS):
        said.append(report(number))
        kind = "setup" if number % 10 == 0 else "run"
        said.append(event("time.recorded", ORDER, "10", number, data={"kind": kind, "seconds": "30.125"}))
        if number % 6 == 5:
            said += [at("operation.paused", number, 20), at("operation.resumed", number, 40)]
    return [*said, at("operation.completed", 59, 50), event("operation.started", ORDER, "20", 59)]


def at(kind, minute, second):
    return event(kind, ORDER, "10", time=f"2026-11-23T06:{minute:02}:{second}Z")


def serials(erp):
    """Serials in the ERP's books, corrected postings left out."""
    postings = erp.report()["orders"][ORDER]["postings"]
    return Counter(
        s for each in postings if each["kind"] == "result" and not each["voided"] for s in each["serials"]
    )


def assert_adds_up(here, erp):
    """Floor and ERP say the same, to the last digit, and every message is accounted for."""
    told = erp.report()
    assert told["duplicates"] == 0
    names = ("good", "scrap", "rework", "seconds")
    assert {name: Decimal(told["orders"][ORDER][name]) for name in names} == floor_totals(here, ORDER)
    assert not {"pending", "held"} & states(here).keys()
    for row in messages(here):
        assert (row.state != "done") or row.told_by in (None, row.sequence) or f"-{row.told_by}" in row.reason


async def drain(here, rounds=6):
    for _ in range(rounds):
        await deliver_all(here)
        past(here)
        if drained(here):
            return


async def test_an_outage_is_told_in_few_words(plant, plain_erp):
    plain_erp.stop()
    try:
        await post(*day())
        await deliver_all(plant)
    finally:
        plain_erp.start_again()
    await drain(plant)
    assert_adds_up(plant, plain_erp)
    assert states(plant) == {"done": len(messages(plant))}
    assert serials(plain_erp) == Counter(f"S-{number}" for number in range(0, REPORTS, 3))
    shown = plain_erp.report()
    history = shown["orders"][ORDER]["history"]
    assert len(messages(plant)) > 140
    assert len(history) < 30, history  # of some 140 messages, read 50 at a time
    assert (history[0], history[1], history[-1]) == ("start", "10 start", "10 complete")
    assert {"10 pause", "10 resume"} & set(history) == {"10 resume"} & set(history)
    assert "20 start" in history


@pytest.mark.parametrize("fault", ["drop_after_effect", "drop_before_effect"])
async def test_replies_that_are_lost_double_nothing(plant, plain_erp, fault):
    await post(*day())
    plain_erp.faults(
        script=[{"match": match, "do": fault, "times": 3} for match in ("/results", "/times", "/complete")]
    )
    await drain(plant, 20)
    assert_adds_up(plant, plain_erp)
    assert serials(plain_erp) == Counter(f"S-{number}" for number in range(0, REPORTS, 3))
    assert len(plain_erp.report()["orders"][ORDER]["history"]) < 25


@pytest.mark.parametrize("fault", ["hang_after_effect", "hang"])
async def test_a_worker_dies_while_the_reply_is_outstanding(plant, plain_erp, tmp_path, fault):
    """What came in after the worker died is told apart: what was sent as one stays as it was."""
    await post(event("operation.started", ORDER, "10"), *(report(number) for number in range(10)))
    plain_erp.faults(script=[{"match": "/results", "do": fault}])
    with Worker(tmp_path) as worker:
        wait_until(
            lambda: not any(each["times"] for each in plain_erp.faults()["script"]), "the call to hang"
        )
        worker.kill()
    assert [row.told_by for row in messages(plant)].count(3) == 4
    await post(*(report(number) for number in range(10, 20)))
    plain_erp.faults(script=[])
    with Worker(tmp_path) as worker:
        wait_until(lambda: drained(plant), "another worker to finish")
        assert "Traceback" not in worker.log()
    assert_adds_up(plant, plain_erp)
    assert (
        len(plain_erp.report()["orders"][ORDER]["postings"]) == 3
    )  # serials of before and after, and the rest


async def test_a_worker_dies_between_the_reply_and_the_commit(plant, plain_erp, tmp_path):
    await post(event("operation.started", ORDER, "10"))
    await deliver_all(plant)
    await post(*(report(number) for number in range(1, 3)))
    before = plain_erp.writes()
    plain_erp.faults(latency_ms=1000)
    with Worker(tmp_path, TASCUS_LEASE_SECONDS="8") as worker:
        wait_until(lambda: plain_erp.writes() == before + 1, "the result in the ERP")
        with sql_locked(tmp_path / "tascus.sqlite"):
            wait_until(lambda: "kind=production.reported" in worker.log(), "the reply to be read")
            worker.kill()
    assert [(row.state, row.told_by) for row in messages(plant)][2:] == [("pending", 3), ("pending", 3)]
    plain_erp.faults(latency_ms=0)
    with Worker(tmp_path) as worker:
        wait_until(lambda: drained(plant), "another worker to finish")
    assert_adds_up(plant, plain_erp)
    assert plain_erp.writes() == before + 1


async def test_workers_die_wherever_they_are_while_more_comes_in(plant, plain_erp, tmp_path):
    said = day()
    await post(*said[:30])
    plain_erp.faults(latency_ms=30)
    rng = random.Random(20261125)
    left = [said[start : start + 20] for start in range(30, len(said), 20)]
    while left:
        before = plain_erp.writes()
        with Worker(tmp_path, TASCUS_LEASE_SECONDS="1") as worker:
            wait_until(partial(goes_on, plant, plain_erp, before), "the worker to begin")
            await post(*left.pop(0))
            await asyncio.sleep(
                rng.uniform(0, 0.1)
            )  # waits for nothing: the moment of death is thrown by dice
            worker.kill()
    plain_erp.faults(latency_ms=0)
    with Worker(tmp_path) as worker:
        wait_until(lambda: drained(plant), "another worker to finish")
        assert "Traceback" not in worker.log()
    assert_adds_up(plant, plain_erp)
    assert serials(plain_erp) == Counter(f"S-{number}" for number in range(0, REPORTS, 3))


def goes_on(here, erp, since):
    return drained(here) or erp.writes() > since


async def test_what_never_left_the_house_may_still_be_corrected_and_added_to(plant, plain_erp):
    """The call was refused before it left: nothing is settled yet, neither what goes together nor what is true."""
    await post(event("operation.started", ORDER, "10"))
    await deliver_all(plant)
    await post(report(1), report(2))
    plain_erp.stop()
    try:
        await deliver_all(plant)
        assert {row.told_by for row in messages(plant)} == {None}
        await post(report(4), event("correction", ORDER, "10", 30, data={"id": "r-1"}))
    finally:
        plain_erp.start_again()
    past(plant)
    await drain(plant)
    assert_adds_up(plant, plain_erp)
    (posting,) = plain_erp.report()["orders"][ORDER]["postings"]
    assert posting["good"] == "2.5"


async def test_a_status_is_not_left_out_for_one_the_erp_has_no_place_for(open_app, plain_erp, tmp_path):
    (tmp_path / "plain.yaml").write_text(
        f"extends: {PROFILE}\npush:\n  operation.resumed: {{combine: null, steps: null, exempt: nobody asks}}\n",
        encoding="utf-8",
    )
    profile = {"profile": str(tmp_path / "plain.yaml")}
    here = await open_app([plain_connection("main", plain_erp.url) | profile])
    await here.puller.pull(here.erps["main"])
    said = [event("operation.started", ORDER, "10"), event("operation.paused", ORDER, "10", 1)]
    await post(*said, event("operation.resumed", ORDER, "10", 2))
    await deliver_all(here)
    assert plain_erp.report()["orders"][ORDER]["history"] == ["start", "10 start", "10 pause"]
    assert states(here) == {"done": 3, "exempt": 1}


async def test_what_is_carried_waits_for_what_carries_it(plant, plain_erp):
    """Its carrier may be on its way back in this very moment: told alone it would count twice."""
    await post(event("operation.started", ORDER, "10"), report(1))
    key = order_key("main", ORDER)
    mine = outbound_message.c.sequence == 3
    plant.store.write_now(lambda tx: tx.execute(update(outbound_message).values(told_by=99).where(mine)))
    await deliver_all(plant)
    assert states(plant) == {"done": 2, "pending": 1}
    row = stream_of_order(plant, ORDER)
    assert (row.stream_key, row.lease_owner, row.head) == (key, None, 3)
    assert row.due_at > datetime.now(UTC)


async def test_a_correction_of_what_was_told_with_others_is_a_persons(plant, plain_erp):
    await post(event("operation.started", ORDER, "10"), *(report(number) for number in (1, 2, 4)))
    await deliver_all(plant)
    before = plain_erp.report()["orders"][ORDER]["history"]
    await post(event("correction", ORDER, "10", 30, data={"id": "r-2"}), report(5), report(7, "20"))
    await deliver_all(plant)
    (aside,) = [row for row in messages(plant) if row.state == "parked"]
    assert aside.kind == "correction"
    assert "told together with 2 others" in aside.reason
    (shown,) = warnings_of(plant, "message_parked", state="open")
    assert shown.detail == aside.reason
    assert (
        len(plain_erp.report()["orders"][ORDER]["history"]) == len(before) + 3
    )  # report, start of 20, report
    assert states(plant)["parked"] == 1
    assert drained(plant)
    place = message_id(aside.stream_key, aside.sequence)
    assert (await call(dismiss, "POST", message=place, body=BY)).status == 202
    assert warnings_of(plant, "message_parked", state="open") == []


async def test_a_correction_of_what_went_alone_goes_out_by_itself(plant, plain_erp):
    await post(event("operation.started", ORDER, "10"), report(1))
    await deliver_all(plant)
    await post(event("correction", ORDER, "10", 30, data={"id": "r-1"}))
    await deliver_all(plant)
    assert_adds_up(plant, plain_erp)
    assert floor_totals(plant, ORDER)["good"] == 0


async def test_one_refused_as_one_goes_out_message_by_message(plant, plain_erp):
    """Not all need be at fault: only what is refused on its own is parked."""
    plain_erp.faults(script=[{"match": "/results", "do": "status:422", "times": 2}])
    await post(event("operation.started", ORDER, "10"), *(report(number) for number in (1, 2, 4)))
    await deliver_all(plant)
    parked = [row for row in messages(plant) if row.state == "parked"]
    assert [row.sequence for row in parked] == [3]
    assert len(warnings_of(plant, "message_parked", state="open")) == 1
    assert [each["good"] for each in plain_erp.report()["orders"][ORDER]["postings"]] == ["1.25", "1.25"]
    assert {row.told_by for row in messages(plant)} == {None}
    place = message_id(parked[0].stream_key, parked[0].sequence)
    assert (await call(retry, "POST", message=place, body=BY)).status == 202
    await deliver_all(plant)
    assert_adds_up(plant, plain_erp)


@pytest.fixture
async def parked_together(plant, plain_erp):
    """Three reports sent as one, the reply unknown, and the ERP's list of postings refuses to be looked at."""
    await post(event("operation.started", ORDER, "10"), *(report(number) for number in (1, 2, 4)))
    script = [
        {"match": "/results", "do": "drop_after_effect"},
        {"match": "GET /postings", "do": "status:422"},
    ]
    plain_erp.faults(script=script)
    for _ in range(2):
        await deliver_all(plant)
        past(plant)
    assert [row.state for row in messages(plant)] == ["done", "done", "parked", "parked", "parked"]
    rows = [row for row in messages(plant) if row.state == "parked"]
    return [message_id(row.stream_key, row.sequence) for row in rows]


@pytest.mark.parametrize("door", [retry, dismiss])
async def test_what_is_parked_together_is_decided_together(plant, plain_erp, parked_together, door):
    carrier, *carried = parked_together
    (shown,) = warnings_of(plant, "message_parked", state="open")
    assert "2 others" in shown.detail
    reasons = [row.reason for row in messages(plant) if row.told_by not in (None, row.sequence)]
    assert reasons == [f"told with message {carrier}, which is parked"] * 2
    for message in carried:
        refused = await call(door, "POST", message=message, body=BY)
        assert refused.status == 409
        assert "decide about that one" in refused.body["detail"]
    assert (await call(door, "POST", message=carrier, body=BY)).status == 202
    assert warnings_of(plant, "message_parked", state="open") == []
    await deliver_all(plant)
    assert len(plain_erp.report()["orders"][ORDER]["postings"]) == 1
    assert states(plant) == ({"done": 5} if door is retry else {"done": 2, "voided": 3})
