"""A crowd on one database: many processes record, deliver and pull at once while connections are cut."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from shared.domain.identity import order_key
from shared.store import connections, floor
from shared.store.tables import execution_event, outbound_message, stream
from tests.contract.store.crowd import ORDERS, ROUNDS, make_erp
from tests.contract.store.streams import messages, row_of

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 300
CROWDS = {
    "sqlite": {"ingest": 2, "deliver": 2, "pull": 1},  # one writer at a time: more would only queue
    "mssql": {"ingest": 8, "deliver": 8, "pull": 1, "kill": 1},
}


def begin(role, number, url, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract.store.crowd", role, str(number), url, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    """Wait for the process; return what it printed. Whatever surfaced in it surfaces here."""
    told, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, errors[-3000:]
    return told


def waiting(store):
    open_ones = select(func.count()).select_from(outbound_message)
    return store.read_now(lambda tx: tx.scalar(open_ones.where(outbound_message.c.state == "pending")))


def until_delivered(store, others):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while waiting(store):
        for process in others:
            if process.poll() is not None:
                end(process)  # none of them ends before it is told to
        assert time.monotonic() < deadline, f"{waiting(store)} messages still wait"
        time.sleep(0.2)


@pytest.fixture
def crowd(store, sql_url, tmp_path):
    """Everybody has done their work; yields how many of each there were, and how many connections were cut."""
    (tmp_path / "pids").mkdir()
    make_erp(tmp_path)
    store.write_now(lambda tx: connections.ensure(tx, ["acme"]))
    many = CROWDS[store.engine.dialect.name]
    team = {role: [begin(role, n, sql_url, tmp_path) for n in range(size)] for role, size in many.items()}
    try:
        for process in team["ingest"]:
            end(process)
        others = [process for role, processes in team.items() if role != "ingest" for process in processes]
        until_delivered(store, others)
        (tmp_path / "stop").touch()
        told = [end(process) for process in others]
    finally:
        (tmp_path / "stop").touch()
        for process in (process for processes in team.values() for process in processes):
            with process:
                process.kill()  # of those that have ended nothing is left to kill
    return many, sum(int(line) for line in told if line.strip())


def test_nothing_is_lost_nothing_is_double_and_nothing_surfaces(crowd, store, tmp_path):
    many, killed = crowd
    said = ROUNDS * (1 + many["ingest"])  # events per order: one that all say, and one of each
    count = select(func.count()).select_from(execution_event)
    assert store.read_now(lambda tx: tx.scalar(count)) == said * len(ORDERS)
    for order in ORDERS:
        key = order_key("acme", order)
        state = store.write_now(lambda tx, k=key: floor.lock(tx, {k: ("acme", "")}))[key].operations["10"]
        found = messages(store, key)
        assert state.good == said
        assert list(found) == list(range(1, row_of(store, key).next_sequence))
        assert {row.state for row in found.values()} == {"done"}
    with closing(sqlite3.connect(tmp_path / "erp.sqlite")) as erp:
        sent = erp.execute("SELECT stream, sequence FROM sent ORDER BY rowid").fetchall()
    streams = {key for key, _ in sent}
    assert len(streams) == len(ORDERS)
    for key in streams:
        mine = [sequence for each, sequence in sent if each == key]
        assert mine == list(range(1, len(mine) + 1))  # once, and in their turn
    total = store.read_now(lambda tx: tx.scalar(select(func.count()).select_from(outbound_message)))
    assert len(sent) == total
    assert ("kill" in many) == (killed > 0)
    held = select(func.count()).select_from(stream).where(stream.c.due_at.is_not(None))
    print(f"{many}: {said * len(ORDERS)} events, {total} messages, {killed} connections cut")  # noqa: T201
    assert store.read_now(lambda tx: tx.scalar(held)) <= len(ORDERS)
