"""From the first released schema to the newest, with data, and whoever comes first."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from shared.domain.units import Made
from shared.domain.warning import Warning_, WarningKind
from shared.store import connections, floor, warnings
from shared.store.schema import NEWEST, current, downgrade, upgrade
from shared.store.tables import metadata, operation_state
from tests.contract.store.conftest import drop_everything
from tests.contract.store.streams import KEY, NOW, insert_plan, note, outcome, record, release, take
from tests.unit.floor_words import correction, made

ROOT = Path(__file__).parents[3]
FIRST = "0001"


def everything(store):
    """Every row of every table."""

    def read(tx):
        return {
            table.name: sorted(map(repr, tx.execute(select(table)).all())) for table in metadata.sorted_tables
        }

    return store.read_now(read)


@pytest.fixture
def newest_again(store):
    """Whatever a test does to the schema, the next one finds it as it should be."""
    yield store
    if store.engine.dialect.name != "sqlite" and current(store.engine) is None:
        store.write_now(drop_everything)
    upgrade(store.engine)


@pytest.fixture
def filled(newest_again):
    """A store with rows in it, of reports in units of their own as well."""
    store = newest_again
    insert_plan(store, "10", "20")
    store.write_now(lambda tx: connections.ensure(tx, ["acme"]))
    record(store, made("a", 0, "1.5", serials=("SN-1", "SN-2"), batch="B"), made("b", 1))
    record(store, made("own", 2, "1", unit="pcs"), made("not planned", 2, "2", order="WO-2", unit="pcs"))
    record(store, made("c", 2, "3", unit="box"), made("d", 3, "4", unit="box ", rework=Decimal(1)))
    record(
        store, made("e", 4, "5", "20", unit="box"), made("gone", 5, "9", unit="box"), correction("f", "gone")
    )
    note(store, take(store)[KEY], outcome(1), release=release(2))
    raised = Warning_("acme", WarningKind.UNKNOWN_UNIT, "A ", "d", KEY, "WO-1", {"nested": [1, None, 'é"\\']})
    store.write_now(lambda tx: warnings.raise_warnings(tx, [raised], NOW))
    return store


def totals(store):
    """The floor's totals, read as another process would."""
    floor._recent.clear()
    return store.read_now(lambda tx: floor.load_states(tx, [KEY]))[KEY]


def test_an_upgrade_from_the_first_release_keeps_every_row(filled):
    before, sums = everything(filled), totals(filled)
    downgrade(filled.engine, FIRST)
    assert current(filled.engine) == FIRST
    upgrade(filled.engine)
    assert current(filled.engine) == NEWEST
    after = everything(filled)
    for changed in ("operation_in_unit", "stream"):  # keys of rows; versions
        assert len(after.pop(changed)) == len(before.pop(changed)) > 0
    assert after == before
    assert totals(filled) == sums
    assert sum(map(len, before.values())) > 10


def test_totals_that_were_moved_go_on_to_grow(filled):
    """The rows the migration made are the ones that later events add to, and corrections empty."""
    downgrade(filled.engine, FIRST)
    old = select(operation_state.c.good).where(
        operation_state.c.order_key == KEY, operation_state.c.operation_id == "10"
    )
    before = filled.read_now(lambda tx: tx.scalar(old))
    assert before == Decimal("10.5")  # as it was counted: whatever the unit
    upgrade(filled.engine)
    record(filled, made("g", 6, "1", unit="box"), correction("h", "d"))
    assert totals(filled)["10"].good == Decimal("3.5")
    assert totals(filled)["10"].named == {"box": Made(Decimal(4))}
    assert totals(filled)["20"].named == {"box": Made(Decimal(5))}


START = (
    "import sys; from shared.store.engine import Store; from shared.store.schema import upgrade; "
    "from tests.contract.store.streams import record; from tests.unit.floor_words import made; "
    "store = Store(sys.argv[1], 30, lambda store: upgrade(store.engine)); record(store, made(sys.argv[2], 0)); "
    "store.close()"
)


def test_instances_that_start_at_once_migrate_once(newest_again, sql_url):
    """From an empty database; each of them records an event as soon as it is ready."""
    store = newest_again
    downgrade(store.engine)
    starting = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", START, sql_url, name],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    told = [(process.communicate(timeout=180)[1], process.returncode) for process in starting]
    assert [code for _, code in told] == [0, 0, 0], told
    assert current(store.engine) == NEWEST
    assert len(everything(store)["execution_event"]) == 3
