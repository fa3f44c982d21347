"""While SQL is away one caller looks and all others are told at once; when it is back, everybody may."""

import sqlite3
import threading
import time

import pytest
from sqlalchemy import text

from shared.errors import StoreUnavailable
from shared.store.absence import Absence
from shared.store.engine import Store
from shared.store.limits import Limits


@pytest.fixture
def path(tmp_path):
    return tmp_path / "away.sqlite"


@pytest.fixture
def store(path):
    opened = Store(f"sqlite:///{path}", busy_seconds=0.05, limits=Limits(busy_seconds=0.05, rest_seconds=300))
    opened.write_now(lambda tx: tx.execute(text("CREATE TABLE told (what)")))
    yield opened
    opened.close()


@pytest.fixture
def locked(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def tell(tx):
    tx.execute(text("INSERT INTO told VALUES (1)"))


def test_after_one_has_waited_in_vain_nobody_else_tries(store, locked):
    with pytest.raises(StoreUnavailable, match="locked"):
        store.write_now(tell)
    locked.rollback()
    with pytest.raises(
        StoreUnavailable, match="locked"
    ):  # although it would work again: that is not asked yet
        store.write_now(tell)
    with pytest.raises(StoreUnavailable, match="locked"):
        store.read_now(tell)


def test_the_first_who_finds_it_there_again_tells_all(store, locked):
    store.absence.rest_seconds = 0
    with pytest.raises(StoreUnavailable):
        store.write_now(tell)
    locked.rollback()
    store.write_now(tell)
    store.absence.rest_seconds = 300
    store.write_now(tell)
    assert store.read_now(lambda tx: tx.scalar(text("SELECT count(*) FROM told"))) == 2


def test_a_defect_of_the_work_is_no_absence(store):
    def broken(_tx):
        raise LookupError("ours")

    with pytest.raises(LookupError):
        store.write_now(broken)
    store.write_now(tell)


def test_a_look_that_ends_in_a_defect_of_the_work_has_found_sql(store, locked):
    store.absence.rest_seconds = 0
    with pytest.raises(StoreUnavailable):
        store.write_now(tell)
    locked.rollback()
    with pytest.raises(ZeroDivisionError):
        store.write_now(lambda _tx: 1 / 0)
    in_another_thread(lambda: store.write_now(tell))


def test_while_one_looks_the_others_do_not_wait_for_him():
    absence = Absence(0)
    absence.noted("away")
    absence.check()  # this thread looks
    with pytest.raises(StoreUnavailable, match="away"):
        in_another_thread(absence.check)
    absence.check()  # what it does within its look is part of it
    absence.over()
    in_another_thread(absence.check)


def test_a_preparation_that_fails_is_not_tried_by_everybody(path):
    tries = []

    def prepare(store):
        tries.append(time.monotonic())
        store.write_now(tell)

    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE told (what)")
    other.execute("BEGIN IMMEDIATE")
    limits = Limits(busy_seconds=0.05, rest_seconds=300)
    store = Store(f"sqlite:///{path}", prepare=prepare, limits=limits)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.write_now(tell)
    assert len(tries) == 1
    other.close()
    store.close()


def in_another_thread(work):
    """Run `work` and raise what it raises."""
    raised = []

    def run():
        try:
            work()
        except StoreUnavailable as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
