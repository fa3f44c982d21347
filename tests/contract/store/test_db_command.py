"""`tascus-erp db`: what an operator and a DBA use."""

from __future__ import annotations

import re

import pytest

from cli.__main__ import main
from cli.db import script
from shared.store.schema import NEWEST
from shared.store.tables import metadata
from tests.contract.store.test_reporting import COLUMNS


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty database, named by the environment."""
    monkeypatch.setenv("TASCUS_SQL_URL", f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    monkeypatch.chdir(tmp_path)


def test_a_database_is_checked_upgraded_and_checked_again(fresh, capsys):
    said = []
    for what, code in (
        ("check", 1),
        ("current", 0),
        ("upgrade", 0),
        ("upgrade", 0),
        ("check", 0),
        ("current", 0),
    ):
        assert main(["db", what]) == code
        said.append(capsys.readouterr().out.strip())
    assert said == [
        f"revision none; the app needs {NEWEST}",
        "empty",
        f"empty -> {NEWEST}",
        f"{NEWEST} -> {NEWEST}",
        f"revision {NEWEST}, all as it should be",
        NEWEST,
    ]


def test_a_database_out_of_reach_is_said_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TASCUS_SQL_URL", f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}")
    monkeypatch.chdir(tmp_path)
    assert main(["db", "current"]) == 1
    assert capsys.readouterr().err.startswith("tascus-erp: SQL cannot be used now")


def batches(text):
    return [batch.strip() for batch in re.split(r"^GO$", text, flags=re.MULTILINE) if batch.strip()]


def test_the_script_has_all_a_dba_needs_in_order():
    told = script()
    places = [
        told.index(words)
        for words in (
            "SET QUOTED_IDENTIFIER ON",
            "READ_COMMITTED_SNAPSHOT ON",
            "ALLOW_SNAPSHOT_ISOLATION ON",
            "CREATE SCHEMA tascus",
            "CREATE TABLE tascus.works_order",
            "CREATE SCHEMA report",
            "CREATE VIEW report.",
            f"version_num='{NEWEST}'",
            "CREATE ROLE app_rw",
            "GRANT SELECT ON SCHEMA::report TO report_ro",
        )
    ]
    assert places == sorted(places)
    assert all(f"CREATE TABLE {table.fullname} " in told for table in metadata.sorted_tables)
    assert all(f"CREATE VIEW report.{view} " in told for view in COLUMNS)


def test_a_view_begins_its_batch_as_sql_server_demands():
    views = [batch for batch in batches(script()) if "CREATE VIEW report." in batch]
    made = []
    for batch in views:
        said = "\n".join(line for line in batch.splitlines() if line and not line.startswith("--"))
        assert said.startswith("CREATE VIEW")
        made.append(said.split()[2])
    assert set(made) == {f"report.{view}" for view in COLUMNS}


def test_the_script_can_begin_where_a_database_is():
    told = script("0001")
    assert "CREATE TABLE tascus.works_order " not in told
    assert "CREATE VIEW report." in told


def test_no_right_on_tables_is_given_to_analysts():
    granted = [line for line in script().splitlines() if line.startswith("GRANT") and "report_ro" in line]
    assert granted == ["GRANT SELECT ON SCHEMA::report TO report_ro;"]
