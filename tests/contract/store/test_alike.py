"""What looks alike stays apart: SQL Server ignores trailing spaces when it compares, and case if it is told to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.domain.identity import order_key
from shared.domain.message import MessageState
from shared.domain.order_view import OrderFilter
from shared.domain.warning import Warning_, WarningKind, WarningState
from shared.domain.warning_view import WarningFilter
from shared.store import accounting, orders, outbox, reading, warnings
from shared.store.reading_warnings import list_warnings
from tests.contract.store.streams import KEY, NOW, insert_plan, note, outcome, record, release, take
from tests.unit.floor_words import STARTED, event, made, plan

ALIKE = ("A1", "a1", "A1 ", "A1  ")


@pytest.mark.parametrize("number", ALIKE)
def test_an_order_is_found_by_its_exact_number(store, number):
    for other in ALIKE:
        insert_plan(store, "10", order=other)
    record(store, *[event(f"s{other}", STARTED, 0, order=other) for other in ALIKE])
    found = store.read_now(lambda tx: reading.order_keys(tx, number))
    assert found == {order_key("acme", number): "acme"}


def test_pages_show_every_order_once(store):
    for number in ALIKE:
        insert_plan(store, "10", order=number)
    shown, position = [], None
    for _ in range(len(ALIKE)):
        page = store.read_now(lambda tx, at=position: reading.list_orders(tx, OrderFilter(), 1, at))
        shown += [line.number for line in page.items]
        position = (shown[-1], order_key("acme", shown[-1]))
    assert sorted(shown) == sorted(ALIKE)


def test_every_work_centre_is_known(store):
    for number, work_centre in enumerate(ALIKE):
        stated = plan("10", order=f"WO-{number}")
        operations = tuple(replace(op, work_centre=work_centre) for op in stated.operations)
        key = order_key("acme", stated.number)
        write = orders.OrderWrite(key, "acme", replace(stated, operations=operations), "0" * 24)
        store.write_now(lambda tx, write=write: orders.insert_orders(tx, [write], NOW))
    assert store.read_now(orders.known_work_centres) == {"acme": frozenset(ALIKE)}


def test_only_the_warning_about_what_arrived_is_closed(store):
    raised = [Warning_("acme", WarningKind.UNKNOWN_UNIT, subject, "d", KEY, "WO-1") for subject in ALIKE]
    store.write_now(lambda tx: warnings.raise_warnings(tx, raised, NOW))
    store.write_now(
        lambda tx: warnings.resolve_subjects(tx, "acme", WarningKind.UNKNOWN_UNIT, ["A1 "], "linked", NOW)
    )
    page = store.read_now(lambda tx: list_warnings(tx, WarningFilter(WarningState.OPEN), None, 10, None))
    assert sorted(line.subject for line in page.items) == sorted(set(ALIKE) - {"A1 "})


@pytest.mark.parametrize("value", ["A1", "A1 "])
def test_only_who_waits_for_exactly_that_is_woken(store, value):
    keys = {}
    for waits in ALIKE:
        order = f"WO-{len(keys)}"
        keys[waits] = order_key("acme", order)
        record(store, made(f"m{len(keys)}", 0, order=order))
        lease = take(store, keys[waits])[keys[waits]]
        held = outcome(1, MessageState.HELD, waits_for_kind="unit", waits_for_value=waits)
        note(store, lease, held, release=release(1))
    woken = store.read_now(lambda tx: outbox.streams_waiting_for(tx, "unit", [value], "acme"))
    assert woken == [keys[value]]


def test_events_of_connections_that_look_alike_are_counted_apart(store):
    record(store, *[replace_connection(event(f"s{name}", STARTED, 0), name) for name in ALIKE])
    fates = store.read_now(accounting.tally).fates
    assert {name: sum(many.values()) for name, many in fates.items()} == dict.fromkeys(ALIKE, 1)


def replace_connection(stated, name):
    return stated._replace(connection=name, order_key=order_key(name, stated.order_number))
