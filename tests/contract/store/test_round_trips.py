"""How often a unit of work goes to the server and back. Each promise is a number, whatever the size of the batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.identity import order_key
from shared.domain.message import MessageState
from shared.domain.pull_report import PullReport
from shared.erp.port import PulledPage
from shared.flows import pull
from shared.store import floor, lanes, leases, orders, outcomes
from shared.store.outcomes import Attempt, Entry
from tests.contract.store.round_trips import counted
from tests.contract.store.streams import KEY, LATER, NOW, insert_plan, known, outcome, record, release, take
from tests.contract.store.test_rows import shift
from tests.unit.floor_words import STARTED, event, made, plan

PAGE = 500
TOKENS = iter(range(1, 1_000_000))


def pulled(store, page):
    """Have a pull write `page`; return the journeys that took."""
    name, now = "acme", datetime.now(UTC)
    lease = store.write_now(
        lambda tx: leases.take(tx, f"pull:{name}", f"test-{next(TOKENS)}", now + timedelta(hours=1), now)
    )
    with counted(store) as journeys:
        store.write_now(lambda tx: pull.write_page(tx, name, lease, page, PullReport(name)))
    return journeys


def page_of(*stated):
    return PulledPage(tuple(stated), (), None)


def shown(what, journeys):
    print(f"{what}: {journeys.count} journeys")  # noqa: T201 - the figure itself
    return journeys


def test_a_hundred_events_of_known_orders(store):
    for number in range(10):
        insert_plan(store, "10", "20", order=f"WO-{number}")
    batch = [stated for number in range(10) for stated in shift(number)]
    with counted(store) as journeys:
        record(store, *batch)
    assert shown("100 events", journeys).count <= 8, journeys.sent


@pytest.mark.parametrize("remembered", [True, False])
def test_a_hundred_events_in_units_of_their_own(store, remembered):
    """First in one unit, then in another beside it: rows are added and changed."""
    for number in range(10):
        insert_plan(store, "10", "20", order=f"WO-{number}")
    for unit in ("box", "crate"):
        if not remembered:
            floor._recent.clear()
        batch = [
            made(f"{unit}{number}", number % 10, order=f"WO-{number % 10}", unit=("box", unit)[number % 2])
            for number in range(100)
        ]
        with counted(store) as journeys:
            record(store, *batch)
        assert shown(f"100 events in {unit}", journeys).count <= 8, journeys.sent


def test_a_hundred_events_without_a_unit_are_the_same_statements_as_ever(store):
    """Nothing is asked or written about units while no event names one."""
    insert_plan(store, "10", "20")
    record(store, *shift(1))
    with counted(store) as journeys:
        record(store, *[made(f"e{number}", number, order="WO-1") for number in range(100)])
    assert not [statement for statement in journeys.sent if "operation_in_unit" in statement]


def test_a_hundred_events_each_of_an_order_nobody_knows(store):
    with counted(store) as journeys:
        record(store, *[shift(number)[0] for number in range(100)])
    assert shown("100 unknown orders", journeys).count <= 8, journeys.sent


def test_a_hundred_events_that_are_known_already(store):
    batch = [stated for number in range(10) for stated in shift(number)]
    record(store, *batch)
    with counted(store) as journeys:
        record(store, *batch)
    assert shown("100 duplicates", journeys).count <= 8, journeys.sent


def test_a_page_of_new_orders(store):
    page = page_of(*[plan("10", "20", order=f"WO-{number}") for number in range(PAGE)])
    assert shown("500 new orders", pulled(store, page)).count <= 10


def test_a_page_without_change(store):
    page = page_of(*[plan("10", "20", order=f"WO-{number}") for number in range(PAGE)])
    pulled(store, page)
    assert shown("500 unchanged orders", pulled(store, page)).count <= 10


def test_a_page_of_changed_orders_some_of_them_under_way(store):
    stated = [plan("10", "20", order=f"WO-{number}") for number in range(PAGE)]
    pulled(store, page_of(*stated))
    record(store, *[event(f"s{number}", STARTED, 0, order=f"WO-{number}") for number in range(50)])
    changed = [replace(order, quantity=order.quantity + 1) for order in plans_with(stated, "10", "30")]
    orders._recent.clear()  # as in another process
    journeys = pulled(store, page_of(*changed))
    assert shown("500 changed orders, 50 under way", journeys).count <= 10, journeys.sent


def plans_with(stated, *operations):
    return [plan(*operations, order=order.number) for order in stated]


@pytest.mark.parametrize("length", [20])
def test_a_stream_of_twenty_messages(store, length):
    insert_plan(store, "10")
    record(store, *[made(f"e{number}", number) for number in range(length - 2)])  # and two of the order's own
    orders._recent.clear()
    with counted(store) as journeys:
        lease = take(store)[KEY]
        waiting = backlog_of(store)
        for place, queued in enumerate(waiting.messages):
            said = [done(waiting.messages[place - 1].sequence)] if place else []
            write(store, lease, said, intent=queued.sequence)
        last = waiting.messages[-1].sequence
        write(store, lease, [done(last)], release=release(last + 1, seen=waiting.next_sequence))
    assert len(waiting.messages) == length
    assert shown(f"{length} messages", journeys).count <= 3 * length, journeys.sent


def done(sequence):
    return outcome(sequence, MessageState.DONE)


def backlog_of(store):
    def read(tx):
        found = lanes.backlog(tx, [KEY], 50)[KEY]
        orders.load_orders(tx, [KEY])
        return found

    return store.write_now(read)


def write(store, lease, said, intent=None, **fields):
    """Record as a lane does: the outcome of one message with its evidence, and the intent of the next."""
    tried = [
        Attempt(each.sequence, 1, "report", NOW, 12, "POST", "/x", 200, "done", "", "{}", "{}")
        for each in said
    ]
    entry = Entry(lease, LATER if intent == 1 else None, said, intent, tried, **fields)
    store.write_now(lambda tx: outcomes.record(tx, [entry], "worker", NOW))


def test_the_count_notices_a_statement_too_many(store):
    with counted(store) as journeys:
        store.write_now(lambda tx: [known(tx), orders.load_orders(tx, [order_key("acme", "WO-1")])])
        store.write_now(lambda tx: [leases.read_watermark(tx, "acme", "orders") for _ in range(3)])
    assert journeys.count == 1 + 1 + 3 + 1
