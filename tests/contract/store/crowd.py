"""One of a crowd that works on one database: `python -m tests.contract.store.crowd <role> <number> <url> <folder>`.

Roles: `ingest` records the same events as everybody else and some of its own; `deliver` sends what is in the streams
to an ERP that remembers everything; `pull` writes changed plans; `kill` cuts connections. All but the first go on
until the file `stop` appears. What goes wrong ends the process with an error: nothing may surface but SQL away.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyodbc

from shared.domain.message import MessageState
from shared.domain.pull_report import PullReport
from shared.erp.port import PulledPage
from shared.errors import LeaseLost, StoreUnavailable
from shared.flows import pull
from shared.store import lanes, leases, outcomes
from shared.store.engine import Store
from shared.store.limits import Limits
from shared.store.outcomes import Attempt, Entry, Recorded, Release
from shared.store.sqlserver.address import read_address
from shared.store.sqlserver.connect import connector
from tests.contract.store.streams import record
from tests.unit.floor_words import made, plan

ORDERS = [f"WO-{number}" for number in range(6)]
ROUNDS = 8
LEASE = timedelta(seconds=20)
MANY = 20  # messages taken at a time
SENDING, SENT = (
    "INSERT INTO sent VALUES (?, ?)",
    "SELECT COUNT(*) FROM sent WHERE stream = ? AND sequence = ?",
)


def make_erp(folder):
    """An ERP that takes a message once and complains about the second time."""
    with closing(sqlite3.connect(folder / "erp.sqlite")) as erp:
        erp.execute("PRAGMA journal_mode=WAL")
        erp.execute("CREATE TABLE sent (stream TEXT, sequence INT, UNIQUE (stream, sequence))")


def events_of(name, number):
    """What ingest process `name` says in its round `number`: of every order one event all say, and one of its own."""
    ours = [made(f"all-{number}-{order}", number, order=order) for order in ORDERS]
    mine = [made(f"{name}-{number}-{order}", number, order=order) for order in ORDERS]
    return random.sample(ours + mine, len(ours + mine))


def patiently(work):
    """Do what the floor queue does: come back while SQL is away."""
    while True:
        try:
            return work()
        except StoreUnavailable as error:
            sys.stderr.write(f"away: {error}\n")
            time.sleep(0.1)


def ingest(name, store, _folder):
    for number in range(ROUNDS):
        said = events_of(name, number)
        patiently(lambda said=said: record(store, *said, now=datetime.now(UTC)))


def deliver(name, store, folder):
    with closing(sqlite3.connect(folder / "erp.sqlite", timeout=30, isolation_level=None)) as erp:
        turns = 0
        while not (folder / "stop").exists():
            turns += 1
            now = datetime.now(UTC)
            try:
                due = store.read_now(lambda tx, now=now: lanes.due_streams(tx, now, 3))
                if not due:
                    time.sleep(0.05)
                    continue
                work_off(store, erp, random.choice(due), f"{name}:{turns}")
            except (StoreUnavailable, LeaseLost) as error:
                sys.stderr.write(f"again: {error}\n")


def work_off(store, erp, key, owner):
    """Take one stream and send what is in it, looking first where the last word is missing."""
    now = datetime.now(UTC)
    lease = store.write_now(lambda tx: lanes.take(tx, [key], owner, now, now + LEASE)).get(key)
    if lease is None:
        return
    waiting = store.read_now(lambda tx: lanes.backlog(tx, [key], MANY))[key]
    done = []
    for queued in waiting.messages:
        if write(store, lease, done, intent=queued.sequence) is Recorded.VOIDED:
            continue
        looked = queued.progress.unknown and erp.execute(SENT, (key, queued.sequence)).fetchone()[0]
        if not looked:
            erp.execute(SENDING, (key, queued.sequence))  # the second time is an error, and ends this process
        done = [outcomes.Outcome(queued.sequence, MessageState.DONE, 1, queued.progress)]
    head = waiting.messages[-1].sequence + 1 if waiting.messages else waiting.next_sequence
    more = len(waiting.messages) == MANY
    rest = (
        Release(datetime.now(UTC), 0, head, None) if more else Release(None, 0, head, waiting.next_sequence)
    )
    if write(store, lease, done, release=rest) is Recorded.MORE:
        write(store, lease, [], release=Release(datetime.now(UTC), 0, head, None))


def write(store, lease, done, intent=None, release=None):
    now = datetime.now(UTC)
    tried = [
        Attempt(each.sequence, 1, "s", now, 1, "POST", "/", 200, "done", "", "{}", "{}") for each in done
    ]
    entry = Entry(lease, now + LEASE, done, intent, tried, release)
    return store.write_now(lambda tx: outcomes.record(tx, [entry], "crowd", now))[0]


def pull_plans(name, store, folder):
    quantity = 100
    while not (folder / "stop").exists():
        quantity += 1
        page = PulledPage(
            tuple(replace(plan("10", order=order), quantity=Decimal(quantity)) for order in ORDERS), (), None
        )
        patiently(lambda page=page: pull_once(name, store, page))
        time.sleep(0.05)


def pull_once(name, store, page):
    now = datetime.now(UTC)
    token = store.write_now(lambda tx: leases.take(tx, "pull:acme", name, now, now + LEASE))
    if token is None:
        return
    try:
        store.write_now(lambda tx: pull.write_page(tx, "acme", token, page, PullReport("acme")))
    except LeaseLost:
        return
    store.write_now(lambda tx: leases.release(tx, "pull:acme", token))


OTHERS = """
SELECT session_id FROM sys.dm_exec_sessions
 WHERE program_name = 'tascus-erp' AND session_id <> @@SPID
   AND host_process_id IN (SELECT CAST(value AS INT) FROM STRING_SPLIT(?, ','))"""


def kill(_name, url, folder):
    """Cut the connection of somebody in the crowd, again and again."""
    connection = connector(read_address(url), Limits(), snapshot=False)()
    connection.autocommit = True
    killed = 0
    while not (folder / "stop").exists():
        time.sleep(random.uniform(1, 3))  # some servers need seconds to warm up a new connection
        crowd = ",".join(path.name for path in (folder / "pids").iterdir())
        sessions = [row[0] for row in connection.execute(OTHERS, crowd).fetchall()]
        if sessions:
            try:
                connection.execute(f"KILL {int(random.choice(sessions))}")
            except pyodbc.Error as error:  # it has gone by itself
                sys.stderr.write(f"not killed: {error}\n")
            else:
                killed += 1
    sys.stdout.write(str(killed))


ROLES = {"ingest": ingest, "deliver": deliver, "pull": pull_plans}


def main(role, number, url, folder):
    folder = Path(folder)
    if role == "kill":
        kill(number, url, folder)
        return
    (folder / "pids" / str(os.getpid())).touch()
    store = Store(url, busy_seconds=30)
    try:
        ROLES[role](f"{role}{number}", store, folder)
    finally:
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
