"""The migrations make exactly the tables the code works with, once, whoever comes first."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, event, text
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.errors import StoreUnavailable
from shared.store.engine import Store, make_engine
from shared.store.limits import Limits
from shared.store.schema import MIGRATIONS, NEWEST, current, upgrade
from shared.store.tables import metadata

ROOT = Path(__file__).parents[3]


@pytest.fixture
def migrated(tmp_path):
    """A fresh SQLite database, migrated."""
    engine = make_engine(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    upgrade(engine)
    yield engine
    engine.dispose()


def ddl_of(engine):
    """Every statement that SQLite says it would take to make the schema, but for Alembic's own table."""
    statement = text(
        "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' AND sql IS NOT NULL AND type <> 'view'"
    )
    with engine.connect() as connection:
        return {row.name: " ".join(row.sql.split()) for row in connection.execute(statement)}


def test_the_newest_migration_is_the_one_the_code_needs(migrated):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]
    assert current(migrated) == NEWEST


def test_alembic_finds_nothing_to_change(migrated):
    without_schema = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.tables.values():
        table.to_metadata(without_schema, schema=None)
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, without_schema) == []


def test_the_migrated_schema_is_word_for_word_that_of_the_code(migrated, tmp_path):
    made = make_engine(f"sqlite:///{tmp_path / 'made.sqlite'}")
    metadata.create_all(made)
    assert ddl_of(migrated) == ddl_of(made)
    made.dispose()


def test_migrating_again_changes_nothing(migrated):
    before = ddl_of(migrated)
    upgrade(migrated)
    assert ddl_of(migrated) == before


def test_all_migrations_are_one_transaction(tmp_path):
    """Or an instance that starts at the same time would begin with the second one while we are about to."""
    engine = make_engine(f"sqlite:///{tmp_path / 'at_once.sqlite'}")
    commits = []
    event.listen(engine, "commit", commits.append)
    upgrade(engine)
    engine.dispose()
    assert len(commits) == 1


def test_everything_can_be_dropped(migrated):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = migrated
    command.downgrade(config, "base")
    assert ddl_of(migrated) == {}
    assert current(migrated) is None


def test_sql_server_gets_the_same_tables():
    """Printed without a connection: every statement the code's own tables would take is there."""
    printed = io.StringIO()
    config = Config(output_buffer=printed)
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["dialect"] = "mssql"
    command.upgrade(config, "head", sql=True)
    script = " ".join(printed.getvalue().split())
    for table in metadata.tables.values():
        for made in (CreateTable(table), *map(CreateIndex, table.indexes)):
            assert " ".join(str(made.compile(dialect=mssql.dialect())).split()) in script
    assert script.count("CREATE TABLE") == len(metadata.tables) + 1
    assert "IDENTITY" in script
    assert "COLLATE Latin1_General_100_BIN2" in script


def test_two_processes_that_start_at_once_both_find_a_ready_database(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    script = (
        "import sys; from shared.store.engine import Store; from shared.store.schema import upgrade; "
        "from tests.contract.store.streams import record; from tests.unit.floor_words import made; "
        "store = Store(sys.argv[1], 30, lambda store: upgrade(store.engine)); record(store, made(sys.argv[2], 0))"
    )
    starting = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", script, url, name], cwd=ROOT) for name in "abc"
    ]
    assert [process.wait(60) for process in starting] == [0, 0, 0]


def test_a_database_that_cannot_be_prepared_is_away_until_it_can_be(tmp_path):
    path = tmp_path / "not yet" / "tascus.sqlite"
    at_once = Limits(rest_seconds=0)
    store = Store(f"sqlite:///{path}", prepare=lambda store: upgrade(store.engine), limits=at_once)
    with pytest.raises(StoreUnavailable):
        store.read_now(lambda tx: tx.execute(text("SELECT * FROM stream")).all())
    path.parent.mkdir()
    assert store.read_now(lambda tx: tx.execute(text("SELECT * FROM stream")).all()) == []
    store.close()
