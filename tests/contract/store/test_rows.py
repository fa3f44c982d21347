"""What goes in comes out: exactly, once, and in few statements."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as listen
from sqlalchemy import func, select, update

from shared.domain.events import EventType, Outcome, TimeKind
from shared.domain.identity import order_key
from shared.domain.warning import Warning_, WarningKind
from shared.domain.works_order import ErpState
from shared.flows.receive import Disposition
from shared.store import connections, events, floor, links, orders, warnings
from shared.store.batch import ask
from shared.store.bulk import insert_rows, keys_of, update_rows
from shared.store.engine import Store
from shared.store.links import ReferenceLink
from shared.store.orders import OrderWrite
from shared.store.tables import (
    execution_event,
    operation,
    operation_state,
    outbound_message,
    stream,
    warning,
    warning_audit,
)
from shared.store.warnings import Closing
from tests.contract.store.streams import KEY, NOW, insert_plan, messages, record, row_of
from tests.unit.floor_words import STARTED, at, correction, event, made, plan, timed, unit

ROOT = Path(__file__).parents[3]
ALIKE = ["A1", "a1", "A1 ", " A1", "000123", "123", "10.10", "10.1", "Ä1", "ä1", "ss", "ß"]


def test_identifiers_that_look_alike_stay_apart(store):
    record(store, *[event(f"e{number}", STARTED, 0, number, number) for number in ALIKE])
    record(store, *[event(number, STARTED, 0, order="WO-9") for number in ALIKE])
    assert len(set(store.read_now(lambda tx: tx.scalars(select(stream.c.order_number)).all()))) == 13
    for number in ALIKE:
        held = store.write_now(lambda tx, n=number: floor.lock(tx, {order_key("acme", n): ("acme", n)}))
        assert [(order.number, list(order.operations)) for order in held.values()] == [(number, [number])]


def test_a_statement_finds_exactly_the_keys_it_was_given(store):
    write = ReferenceLink("acme", "unit", "A1", "x")
    store.write_now(lambda tx: links.save_links(tx, [write]))
    table = links.reference_link
    for value in ALIKE:
        found = store.read_now(
            lambda tx, value=value: tx.scalars(
                select(table.c.tascus_value).join(
                    wanted := keys_of(tx, [value], table.c.tascus_value.type),
                    table.c.tascus_value == wanted.c.value,
                )
            ).all()
        )
        assert found == ([value] if value == "A1" else [])


QUANTITIES = st.decimals(0, 10**12, allow_nan=False, allow_infinity=False, places=6)
WALL_CLOCKS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis wants them naive; the test gives each an offset
    datetime(2200, 1, 1),  # noqa: DTZ001
)
slow = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slow
@given(QUANTITIES, QUANTITIES, WALL_CLOCKS, st.integers(-14, 14))
def test_decimals_and_instants_come_back_as_they_were(store, one, other, wall, hours):
    instant = wall.replace(
        microsecond=wall.microsecond // 1000 * 1000, tzinfo=timezone(timedelta(hours=hours))
    )
    link = ReferenceLink("acme", "unit", "box", "pcs", one)
    store.write_now(lambda tx: links.save_links(tx, [link]))
    store.write_now(lambda tx: links.save_links(tx, [replace(link, factor=other)]))
    assert store.read_now(links.load_links)[0].factor == other
    store.write_now(lambda tx: connections.ensure(tx, ["acme"]))
    store.write_now(lambda tx: connections.halt(tx, "acme", instant, "why", 1))
    kept = store.read_now(connections.load)["acme"].halted_until
    assert (kept, kept.tzinfo) == (instant, UTC)


def test_quantities_come_back_plain_and_sum_up_exactly(store):
    record(store, *[made(f"e{n}", 0, "0.1") for n in range(30)], made("big", 0, "100"))
    kept = select(operation_state.c.good, operation_state.c.scrap)
    good, scrap = store.read_now(lambda tx: tx.execute(kept).one())
    assert (good, str(good), str(scrap)) == (Decimal(103), "103", "0")


def test_every_field_of_an_event_comes_back(store):
    full = unit(
        "full",
        0,
        Outcome.FAIL,
        work_centre="WC ß",
        operator="Ö\n'\"",
        unit="box",
        good=Decimal("1.5"),
        scrap=Decimal("0.000001"),
        rework=Decimal(999_999_999_999),
        scrap_reason="S1",
        rework_reason="R1",
        serials=("1", "🙂"),
        batch="L\u2028",
        time_kind=TimeKind.SETUP,
        seconds=Decimal("754.5"),
        reason="r" * 400,
    )
    plain = event("plain", STARTED, 1)
    record(store, full, plain, correction("c", "never came", 2))
    history = store.read_now(lambda tx: events.history(tx, [KEY]))[KEY]
    assert history == [full, plain, correction("c", "never came", 2)]


def test_instants_sort_as_they_happened(store):
    stated = [
        event(f"e{n}", STARTED, 0, occurred_at=at(0) + timedelta(milliseconds=n)) for n in (2, 0, 999, 1, 10)
    ]
    record(store, *stated)
    history = store.read_now(lambda tx: events.history(tx, [KEY]))[KEY]
    assert [found.event_id for found in history] == ["e0", "e1", "e2", "e10", "e999"]


def test_bulk_insert_and_update_keep_null_text_and_json(store):
    row = {
        "warning_id": "w" * 24,
        "connection": "acme",
        "kind": "unknown_unit",
        "subject": "s",
        "order_key": None,
        "order_number": "",
        "detail": "long 'quoted' \\ text\n" * 5000,
        "evidence": {"nested": [1, None, {"deep": "é"}], "true": True},
        "state": "open",
        "occurrences": 1,
        "first_seen_at": NOW,
        "last_seen_at": NOW,
    }
    store.write_now(lambda tx: insert_rows(tx, warning, [row]))
    changed = {**row, "evidence": {"new": "🙂"}, "detail": "ß" * 9000, "occurrences": 2**31 - 1}
    for states, found in ((["resolved"], row), (["open"], changed)):
        store.write_now(lambda tx, s=states: update_rows(tx, warning, ["warning_id"], [changed], "state", s))
        assert dict(store.read_now(lambda tx: tx.execute(select(warning)).mappings().one())) == found


def test_the_same_event_counts_once_however_it_arrives(store):
    one, two = made("a", 0), made("b", 0)
    again = one._replace()
    receipts = record(store, one, two, again).receipts
    assert [r.disposition for r in receipts] == [
        Disposition.RECORDED,
        Disposition.RECORDED,
        Disposition.DUPLICATE,
    ]
    receipts = record(store, two._replace(), made("c", 0)).receipts
    assert [r.disposition for r in receipts] == [Disposition.DUPLICATE, Disposition.RECORDED]
    state = store.write_now(lambda tx: floor.lock(tx, {KEY: ("acme", "WO-1")}))[KEY].operations["10"]
    assert state.good == 3


def stored_plan(store, key=KEY):
    return store.read_now(lambda tx: orders.load_orders(tx, [key]))[key]


def rewrite(store, stated, **fields):
    write = OrderWrite(KEY, "acme", stated, "1" * 24, **fields)
    store.write_now(lambda tx: orders.update_orders(tx, [write], orders.load_orders(tx, [KEY]), NOW))


def test_an_order_comes_back_as_the_erp_stated_it(store):
    stated = plan(
        "10", "20", due_at=at(0), part_name='Wheel, 8"', erp_ref={"id": 7, "lines": [1, {"a": None}]}
    )
    insert_plan(store, "10", "20", due_at=at(0), part_name='Wheel, 8"', erp_ref=dict(stated.erp_ref))
    found = stored_plan(store)
    assert (found.plan, found.fingerprint, found.proposed, found.vanished_at) == (
        stated,
        "0" * 24,
        None,
        None,
    )
    rewrite(store, stated, proposed={"quantity": ["10", "12"]})
    assert stored_plan(store).proposed == {"quantity": ["10", "12"]}


def test_operations_vanish_come_and_return_as_the_same_row(store):
    insert_plan(store, "10", "20", "30")
    for routing in (("10", "30"), ("10", "30", "40"), ("10", "20", "40"), ("20",)):
        rewrite(store, plan(*routing))
        assert [op.operation_id for op in stored_plan(store).plan.operations] == list(routing)
    assert stored_plan(store).plan == plan("20")
    assert store.read_now(lambda tx: tx.scalar(select(func.count()).select_from(operation))) == 4


def test_an_order_that_vanished_and_returns_is_open_again(store):
    insert_plan(store, "10")
    assert store.read_now(lambda tx: orders.open_orders(tx, "acme")) == {KEY: "WO-1"}
    store.write_now(lambda tx: orders.mark_vanished(tx, [KEY], NOW))
    assert store.read_now(lambda tx: orders.open_orders(tx, "acme")) == {}
    rows = store.read_now(lambda tx: ask(tx, orders.fingerprints_step(tx, [KEY]))[0].all())
    assert orders.fingerprints(rows) == {KEY: ""}
    rewrite(store, plan("10"))
    assert store.read_now(lambda tx: orders.open_orders(tx, "acme")) == {KEY: "WO-1"}
    assert stored_plan(store).vanished_at is None
    rewrite(store, plan("10", erp_state=ErpState.COMPLETED))
    assert store.read_now(lambda tx: orders.open_orders(tx, "acme")) == {}


def test_links_are_added_and_pointed_elsewhere(store):
    first = [
        ReferenceLink("acme", "unit", name, "pcs", Decimal(number)) for number, name in enumerate(ALIKE, 1)
    ]
    store.write_now(lambda tx: links.save_links(tx, first))
    store.write_now(lambda tx: links.save_links(tx, [ReferenceLink("acme", "unit", "A1", "kg")]))
    found = {link.tascus_value: (link.erp_value, link.factor) for link in store.read_now(links.load_links)}
    assert found["A1"] == ("kg", None)
    assert (len(found), found["a1"]) == (len(ALIKE), ("pcs", 2))


def said(subject, detail="d"):
    return Warning_("acme", WarningKind.UNKNOWN_UNIT, subject, detail, KEY, "WO-1")


def test_a_warning_raised_again_is_counted_and_one_resolved_reopens(store):
    def rows():
        table = warning
        columns = select(table.c.subject, table.c.detail, table.c.state, table.c.occurrences)
        return [
            tuple(row)
            for row in store.read_now(lambda tx: tx.execute(columns.order_by(table.c.subject)).all())
        ]

    store.write_now(lambda tx: warnings.raise_warnings(tx, [said("A"), said("A", "new"), said("a")], NOW))
    assert rows() == [("A", "new", "open", 2), ("a", "d", "open", 1)]
    kinds = [WarningKind.UNKNOWN_UNIT]
    store.write_now(
        lambda tx: warnings.resolve_subjects(tx, "acme", kinds[0], ["A"], "linked", NOW + timedelta(hours=1))
    )
    assert [row[2] for row in rows()] == ["resolved", "open"]
    store.write_now(lambda tx: warnings.raise_warnings(tx, [said("A")], NOW))
    assert rows()[0] == ("A", "d", "open", 3)
    store.write_now(lambda tx: warnings.resolve_for_orders(tx, [Closing([KEY], kinds, "gone")], NOW))
    assert [row[2] for row in rows()] == ["resolved", "resolved"]
    actions = store.read_now(lambda tx: tx.scalars(select(warning_audit.c.action)).all())
    assert sorted(actions) == ["raised"] * 2 + ["reopened"] + ["resolved"] * 3


def test_a_connection_halts_probes_and_resumes(store):
    until, then = NOW + timedelta(seconds=2), NOW + timedelta(seconds=60)
    store.write_now(lambda tx: connections.ensure(tx, ["acme", "acme"]))
    record(store, event("a", STARTED, 0))
    store.write_now(lambda tx: connections.halt(tx, "acme", until, "401", 3))
    state = store.read_now(connections.load)["acme"]
    assert (state.halted_until, state.halt_reason, state.failures, row_of(store).due_at) == (
        until,
        "401",
        3,
        until,
    )
    claims = [store.write_now(lambda tx: connections.claim_probe(tx, "acme", until, then)) for _ in range(2)]
    assert claims == [True, False]
    assert store.write_now(lambda tx: connections.resume(tx, "acme", NOW))
    assert not store.write_now(lambda tx: connections.resume(tx, "acme", NOW))
    assert row_of(store).due_at == NOW
    assert store.read_now(lambda tx: connections.waiting_streams(tx, "acme", NOW)) == [KEY]


def shift(number):
    """Ten events of one order: whatever a shift brings."""
    name, order = f"{number}", f"WO-{number}"
    facts = [
        event(f"{name}s", STARTED, 0, order=order),
        event(f"{name}c", EventType.OPERATION_COMPLETED, 9, order=order),
    ]
    reports = [made(f"{name}m{n}", n, order=order) for n in range(5)]
    units = [unit(f"{name}u", 3, Outcome.PASS, good=Decimal(1), order=order)]
    return [
        *facts,
        *reports,
        *units,
        timed(f"{name}t", 4, order=order),
        made(f"{name}z", 1, operation="20", order=order),
    ]


def statements_of(store, stated):
    seen = []

    def note(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    listen.listen(store.engine, "before_cursor_execute", note)
    record(store, *stated)
    listen.remove(store.engine, "before_cursor_execute", note)
    return [statement for statement in seen if not statement.startswith("BEGIN")]


@pytest.mark.parametrize("known", [True, False])
def test_a_batch_costs_the_same_handful_of_statements_whatever_its_size(store, known):
    if known:
        for number in range(200):
            insert_plan(store, "10", "20", order=f"WO-{number}")
    one = statements_of(store, shift(0)[:1])
    ten = statements_of(store, shift(1))
    hundred = statements_of(store, [shift(number)[0] for number in range(2, 102)])
    thousand = statements_of(
        store, [stated for number in range(102, 202 if not known else 200) for stated in shift(number)]
    )
    counts = [len(found) for found in (one, ten, hundred, thousand)]
    print(f"statements for 1, 10, 100 and 1000 events: {counts}")  # noqa: T201 - the figure itself
    assert len(ten) <= 16
    assert counts == [counts[0]] * 4
    again = statements_of(store, shift(1))
    assert len(again) <= 4


def test_writers_at_the_same_time_leave_no_gap_and_lose_nothing(sql_url, store):
    """Six writers, each with a store of its own, write to the same three orders."""
    failures = []

    def write(name):
        own = Store(sql_url, busy_seconds=30)
        try:
            for number in range(8):
                record(
                    own, *[made(f"{name}-{number}-{order}", number, order=order) for order in ("X", "Y", "Z")]
                )
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for order in ("X", "Y", "Z"):
        key = order_key("acme", order)
        found = messages(store, key)
        assert list(found) == list(range(1, 51))
        assert row_of(store, key).next_sequence == 51
        assert (
            store.write_now(lambda tx, k=key: floor.lock(tx, {k: ("acme", "")}))[key].operations["10"].good
            == 48
        )


def test_two_processes_record_the_same_events_once(sql_url, store):
    """Both send the same forty events; one of them is told `duplicate` for each."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.contract.store.writer", sql_url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    counts = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sum(counts) == 40
    assert store.read_now(lambda tx: tx.scalar(select(func.count()).select_from(execution_event))) == 40
    for order in ("X", "Y"):
        found = messages(store, order_key("acme", order))
        assert list(found) == list(range(1, 23))


def test_what_fails_half_way_leaves_nothing_behind(store):
    def half_way(tx):
        tx.execute(update(stream).values(next_sequence=99))
        raise ValueError

    record(store, made("a", 0))
    before = row_of(store)
    with pytest.raises(ValueError, match=r"^$"):
        store.write_now(half_way)
    assert row_of(store) == before
    count = store.read_now(lambda tx: tx.scalar(select(func.count()).select_from(outbound_message)))
    assert count == 3
