"""The reporting views: a public interface. Their columns are pinned, and every example of the document answers."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from shared.domain.events import Outcome, TimeKind
from shared.domain.message import MessageState
from shared.domain.reference_link import ReferenceLink
from shared.domain.warning import Warning_, WarningKind
from shared.store import connections, links, warnings
from tests.contract.store.streams import KEY, NOW, insert_plan, note, outcome, record, release, take
from tests.unit.floor_words import STARTED, correction, event, made, timed, unit

COLUMNS = {
    "works_order_progress": "connection order_number order_key part part_name quantity unit due_at erp_state status "
    "started_at good scrap rework operations operations_completed vanished_at",
    "operation_actual": "connection order_number order_key operation_id operation_name work_centre status good scrap "
    "rework standard_setup_seconds actual_setup_seconds standard_run_seconds_per_unit actual_run_seconds "
    "actual_run_seconds_per_unit started_at completed_at",
    "production_result": "connection order_number order_key operation_id work_centre operator occurred_at unit good "
    "scrap scrap_reason rework rework_reason outcome batch source event_id",
    "first_pass_yield": "connection order_number order_key operation_id units units_passed_first first_pass_yield",
    "genealogy": "serial batch connection order_number order_key part operation_id work_centre operator occurred_at "
    "event_type outcome source event_id",
    "delivery_health": "connection halted_until halt_reason last_delivery_at last_pull_at last_pull_error "
    "orders_waiting longest_due_at messages_held messages_parked",
    "open_warnings": "warning_id connection kind subject order_number order_key detail occurrences first_seen_at "
    "last_seen_at",
    "completeness": "connection order_number order_key events messages messages_delivered messages_pending "
    "messages_held messages_parked messages_voided messages_exempt",
    "unlinked_quantity": "connection order_number order_key operation_id unit order_unit good scrap rework",
}
DOCUMENT = (Path(__file__).parents[3] / "docs" / "reporting.md").read_text("utf-8")
EXAMPLES = re.findall(r"^## (\w+)\n.*?```sql\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)


def rows(store, statement):
    """What a statement of the document answers on this engine, as dictionaries."""
    if store.engine.dialect.name == "sqlite":
        statement = statement.replace("report.", "report_")

    def read(tx):
        return [dict(row) for row in tx.exec_driver_sql(statement).mappings()]

    return store.read_now(read)


@pytest.fixture
def told(store):
    """A store with a little of everything."""
    insert_plan(store, "10", "20")
    store.write_now(lambda tx: connections.ensure(tx, ["acme"]))
    record(
        store,
        event("s", STARTED, 0),
        made("m1", 1, "4", scrap=Decimal("1.5"), scrap_reason="S1", batch="B-1"),
        made("m2", 2, "3", operation="20"),
        made("gone", 2, "100", operation="20"),
        correction("c", "gone", 3),
        timed("t", 4, seconds=Decimal(110), time_kind=TimeKind.RUN),
        unit("u1", 5, Outcome.FAIL, serials=("SN-7",), good=Decimal(0)),
        unit("u2", 6, Outcome.PASS, serials=("SN-7",)),
        unit("u3", 7, Outcome.PASS, serials=("SN-8", "SN-9")),
        made("x", 8, "2", operation="99"),
    )
    raised = Warning_("acme", WarningKind.UNKNOWN_OPERATION, "WO-1/99", "unknown", KEY, "WO-1")
    store.write_now(lambda tx: warnings.raise_warnings(tx, [raised], NOW))
    return store


def one(found, **wanted):
    """The one row in which these columns have these values."""
    (row,) = [row for row in found if wanted.items() <= row.items()]
    return row


def test_every_view_is_documented_with_an_example():
    assert [name for name, _ in EXAMPLES] == list(COLUMNS)


@pytest.mark.parametrize("view", COLUMNS)
def test_columns_keep_their_names_and_places(store, view):
    def read(tx):
        name = f"report_{view}" if store.engine.dialect.name == "sqlite" else f"report.{view}"
        return list(tx.exec_driver_sql(f"SELECT * FROM {name} WHERE 1 = 0").keys())  # noqa: S608

    assert store.read_now(read) == COLUMNS[view].split()


@pytest.mark.parametrize("view", COLUMNS)
def test_every_column_is_documented(view):
    chapter = DOCUMENT.split(f"\n## {view}\n")[1].split("\n## ")[0]
    assert [name for name in COLUMNS[view].split() if not re.search(rf"\b{name}\b", chapter)] == []


@pytest.mark.parametrize(("view", "example"), EXAMPLES)
def test_every_example_answers(told, view, example):
    record(told, made("in bags", 9, "3", order="WO-9", unit="bag"))
    assert rows(told, example)


def test_progress_counts_what_the_last_operation_made(told):
    row = one(rows(told, "SELECT * FROM report.works_order_progress"), order_number="WO-1")
    assert (row["good"], row["scrap"], row["operations"], row["operations_completed"]) == (3, 1.5, 2, 0)
    assert row["status"] == "in_progress"


def test_operations_show_actual_against_standard(told):
    found = rows(told, "SELECT * FROM report.operation_actual")
    assert {row["operation_id"] for row in found} >= {"10", "20", "99"}
    first = one(found, operation_id="10")
    units = Decimal(str(first["good"])) + Decimal(str(first["scrap"]))
    assert first["actual_run_seconds"] == 110
    assert float(first["actual_run_seconds_per_unit"]) == pytest.approx(110 / float(units), rel=1e-4)
    assert one(found, operation_id="99")["standard_setup_seconds"] is None


UNITS = [
    ReferenceLink("acme", "unit", "box", "pcs", Decimal(12)),
    ReferenceLink("acme", "unit", "half", "pcs", Decimal("0.5")),
    ReferenceLink("acme", "unit", "sack", "kg", Decimal(25)),  # not what this order is in
    ReferenceLink("other", "unit", "bag", "pcs", Decimal(7)),  # not for this connection
]


@pytest.fixture
def in_units(store):
    """An order of 20 pieces, reported in all sorts of units on its last operation, and some on the first."""
    insert_plan(store, "10", "20", order="WO-5")
    reports = [("", "1"), ("pcs", "2"), ("box", "3"), ("half", "5"), ("sack", "6"), ("bag", "7")]
    record(
        store,
        made("first", 0, "4", order="WO-5", unit="box", scrap=Decimal(1), rework=Decimal("0.5")),
        timed("t", 1, seconds=Decimal(120), order="WO-5"),
        *[made(f"r{unit}", 2, good, "20", order="WO-5", unit=unit) for unit, good in reports],
        made("gone", 3, "50", "20", order="WO-5", unit="box"),
        correction("c", "gone", 4, "20", order="WO-5"),
        made("strange", 5, "2", "99", order="WO-5", unit="box"),
        made("whole", 5, "1", "", order="WO-5", unit="box"),
    )
    store.write_now(lambda tx: links.save_links(tx, UNITS))
    return store


def test_quantities_are_in_the_unit_of_the_order(in_units):
    row = one(rows(in_units, "SELECT * FROM report.works_order_progress"), order_number="WO-5")
    assert (row["good"], row["scrap"], row["rework"]) == (1 + 2 + 36 + Decimal("2.5") + 12, 12, 6)
    found = {
        row["operation_id"]: (row["good"], row["scrap"], row["rework"], row["actual_run_seconds_per_unit"])
        for row in rows(in_units, "SELECT * FROM report.operation_actual")
    }
    assert found["10"][:3] == (48, 12, 6)
    assert float(found["10"][3]) == pytest.approx(2)
    assert found["20"] == (Decimal("41.5"), 0, 0, 0)
    assert found["99"][0] == 24
    assert found[""][0] == 12


def test_what_cannot_be_converted_is_shown_apart(in_units):
    found = rows(in_units, "SELECT * FROM report.unlinked_quantity")
    assert {(row["unit"], row["operation_id"], row["order_unit"], row["good"]) for row in found} == {
        ("sack", "20", "pcs", 6),
        ("bag", "20", "pcs", 7),
    }


def test_an_order_without_a_plan_has_no_unit_yet(store):
    record(store, made("other", 9, "3", order="WO-9", unit="bag"), made("plain", 9, "4", order="WO-9"))
    row = one(rows(store, "SELECT * FROM report.unlinked_quantity"))
    assert (row["order_number"], row["unit"], row["order_unit"], row["good"]) == ("WO-9", "bag", None, 3)
    assert one(rows(store, "SELECT * FROM report.operation_actual"))["good"] == 4


def test_a_changed_factor_holds_for_all_that_was_ever_reported(in_units):
    other = ReferenceLink("acme", "unit", "box", "pcs", Decimal(10))
    in_units.write_now(lambda tx: links.save_links(tx, [other]))
    row = one(rows(in_units, "SELECT * FROM report.works_order_progress"), order_number="WO-5")
    assert (row["good"], row["scrap"], row["rework"]) == (1 + 2 + 30 + Decimal("2.5") + 10, 10, 5)


def test_what_was_taken_back_is_nowhere(told):
    assert "gone" not in {row["event_id"] for row in rows(told, "SELECT * FROM report.production_result")}


def test_scrap_has_its_reason(told):
    assert rows(told, dict(EXAMPLES)["production_result"]) == [
        {"scrap_reason": "S1", "scrap": 1.5, "reports": 1}
    ]


def test_the_first_result_of_a_unit_decides(told):
    row = one(rows(told, dict(EXAMPLES)["first_pass_yield"]))
    assert (row["units"], row["units_passed_first"]) == (3, 2)
    assert float(row["first_pass_yield"]) == pytest.approx(2 / 3)


def test_a_unit_and_a_batch_are_found_again(told):
    history = rows(told, dict(EXAMPLES)["genealogy"])
    assert [row["outcome"] for row in history] == ["fail", "pass"]
    (batch,) = rows(told, "SELECT event_id, serial FROM report.genealogy WHERE batch = 'B-1'")
    assert batch == {"event_id": "m1", "serial": None}


def test_health_counts_what_is_stuck(told):
    assert one(rows(told, "SELECT * FROM report.delivery_health"))["orders_waiting"] == 1
    lease = take(told)[KEY]
    note(told, lease, outcome(1, MessageState.PARKED), release=release(2))
    row = one(rows(told, "SELECT * FROM report.delivery_health"))
    assert (row["messages_held"], row["messages_parked"], row["orders_waiting"]) == (0, 1, 0)


def test_completeness_accounts_for_every_message(told):
    row = one(rows(told, "SELECT * FROM report.completeness"))
    states = sum(value for name, value in row.items() if name.startswith("messages_"))
    assert row["events"] == 10
    assert row["messages"] == states > 0


def test_open_warnings_are_open(told):
    assert [row["subject"] for row in rows(told, "SELECT * FROM report.open_warnings")] == ["WO-1/99"]
    store = told
    store.write_now(
        lambda tx: warnings.resolve_subjects(
            tx, "acme", WarningKind.UNKNOWN_OPERATION, ["WO-1/99"], "linked", NOW
        )
    )
    assert rows(told, "SELECT * FROM report.open_warnings") == []
