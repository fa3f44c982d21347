"""From the first released schema to the newest, with data, and whoever comes first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import select

from shared.domain.warning import Warning_, WarningKind
from shared.store import connections, schema, warnings
from shared.store.schema import NEWEST, current, downgrade, upgrade
from shared.store.tables import metadata
from tests.contract.store.conftest import drop_everything
from tests.contract.store.streams import KEY, NOW, insert_plan, note, outcome, record, release, take
from tests.unit.floor_words import made

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


def test_an_upgrade_from_the_first_release_keeps_every_row(newest_again):
    store = newest_again
    downgrade(store.engine, FIRST)
    assert current(store.engine) == FIRST
    insert_plan(store, "10", "20")
    store.write_now(lambda tx: connections.ensure(tx, ["acme"]))
    record(store, made("a", 0, "1.5", serials=("SN-1", "SN-2"), batch="B"), made("b", 1))
    note(store, take(store)[KEY], outcome(1), release=release(2))
    raised = Warning_("acme", WarningKind.UNKNOWN_UNIT, "A ", "d", KEY, "WO-1", {"nested": [1, None, 'é"\\']})
    store.write_now(lambda tx: warnings.raise_warnings(tx, [raised], NOW))
    before = everything(store)
    upgrade(store.engine)
    assert current(store.engine) == NEWEST
    assert everything(store) == before
    assert sum(map(len, before.values())) > 10


def test_the_newest_revision_can_be_taken_back_and_done_again(newest_again):
    store = newest_again
    record(store, made("a", 0))
    before = everything(store)
    downgrade(store.engine, FIRST)
    assert everything(store) == before
    command.upgrade(schema._config(engine=store.engine), "head")
    assert everything(store) == before


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
