"""The seeded ERP is there, is always the same, and is found again instead of made again."""

import sqlite3
from contextlib import closing

import pytest

from demo.tryton.environment import TrytonPreparationError, _run, prepare
from demo.tryton.readback import read_back
from tests.tryton_erp.conftest import ROOT

pytestmark = pytest.mark.tryton


def test_a_second_preparation_finds_the_first(seeded):
    said = []
    assert prepare(ROOT / ".cache" / "tryton", said.append) == seeded
    assert said == []


def test_the_template_is_one_file_without_a_journal(seeded):
    left = [path.name for path in seeded.database_template.parent.glob("*.sqlite*")]
    assert left == [seeded.database_template.name]


def test_forty_orders_are_released_and_five_are_not(seeded):
    with closing(sqlite3.connect(f"file:{seeded.database_template}?mode=ro", uri=True)) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM production GROUP BY state").fetchall())
    assert states == {"waiting": 30, "assigned": 10, "draft": 4, "cancelled": 1}


def test_the_facts_name_the_released_orders(seeded):
    released = [number for number, order in read_back(seeded.database_template).items() if order["works"]]
    assert released == seeded.facts["released"]


def test_nothing_is_booked_yet(seeded):
    for order in read_back(seeded.database_template).values():
        assert (order["good"], order["scrap"], order["serials"], order["inspections"]) == (0, 0, [], [])
        assert not any(work["rework"] or work["booked_seconds"] for work in order["works"])


def test_a_failing_step_says_what_it_printed(seeded):
    with pytest.raises(TrytonPreparationError, match="no such thing"):
        _run([seeded.python, "-c", "raise SystemExit('no such thing')"])
