"""Writes that wait and reads asked together: what a transaction sees and leaves is as if nothing had waited."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from shared.errors import ConfigurationError
from shared.settings import read_connections
from shared.store.batch import Step, ask, later
from shared.store.tables import lease, watermark
from tests.contract.store.streams import NOW

COUNT = select(func.count()).select_from(lease)


def taken(name, token=0):
    return Step(insert(lease).values(name=name, token=token), {})


def count(store):
    return store.read_now(lambda tx: tx.scalar(COUNT))


def test_a_read_sees_the_writes_before_it(store):
    def work(tx):
        later(tx, taken("a"))
        later(tx, taken("b"))
        (asked,) = ask(tx, Step(COUNT, {}))
        later(tx, Step(delete(lease).where(lease.c.name == "a"), {}))
        return asked.scalar_one(), tx.scalar(COUNT), tx.scalars(select(lease.c.name)).all()

    assert store.write_now(work) == (2, 1, ["b"])


def test_several_reads_answer_each_for_itself(store):
    def work(tx):
        later(tx, taken("a", 7))
        names, none, tokens = ask(
            tx,
            Step(select(lease.c.name, lease.c.until), {}),
            Step(select(watermark.c.value), {}),
            Step(select(lease.c.token.label("token")).where(lease.c.name == "a"), {}),
        )
        return [tuple(row) for row in names], none.all(), [row["token"] for row in tokens.mappings()]

    assert store.write_now(work) == ([("a", None)], [], [7])


def test_what_waits_is_done_with_the_commit(store):
    store.write_now(lambda tx: later(tx, taken("a")))
    assert count(store) == 1


def test_what_waits_goes_with_what_fails(store):
    def work(tx):
        later(tx, taken("a"))
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        store.write_now(work)
    assert count(store) == 0
    store.write_now(lambda tx: later(tx, taken("b")))
    assert count(store) == 1


@pytest.mark.parametrize("asked", [True, False], ids=["before a read", "before the commit"])
def test_an_error_in_what_waited_comes_up_and_undoes_everything(store, asked):
    tries = []

    def work(tx):
        tries.append(1)
        later(tx, taken("first"))
        later(tx, taken("twice"))
        later(tx, taken("twice"))
        later(tx, Step(update(lease).values(until=NOW), {}))
        if asked:
            ask(tx, Step(COUNT, {}))

    with pytest.raises(IntegrityError):
        store.write_now(work)
    assert len(tries) > 1  # it might have been a race
    assert count(store) == 0


def test_a_transaction_that_reads_sees_one_moment(store):
    def look(tx):
        before = tx.scalar(COUNT)
        with ThreadPoolExecutor(1) as other:
            other.submit(store.write_now, lambda tx: later(tx, taken("a"))).result(30)
        return before, tx.scalar(COUNT)

    assert store.read_now(look) == (0, 0)
    assert count(store) == 1


@pytest.mark.parametrize("name", ["", " acme", "acme "])
def test_a_connection_has_a_name_that_no_server_mistakes(name):
    with pytest.raises(ConfigurationError, match="connection 1: "):
        read_connections(f'[{{"name": "{name}", "profile": "plain"}}]')
