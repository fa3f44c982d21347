"""SQL Server: rows a second of each hot path, beside plain fast_executemany of as many rows on the same server.

`TASCUS_TEST_SQLSERVER_URL` names the server; its database is emptied. First how rows can travel at all: one by one,
fast_executemany, OPENJSON; then our paths, each in transactions of its usual size. Run: python -m bench.sqlserver
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pyodbc

from shared.domain.checks import References
from shared.domain.identity import order_key
from shared.domain.message import MessageState, Progress
from shared.domain.pull_report import PullReport
from shared.erp.port import PulledPage
from shared.flows import pull, receive
from shared.store import lanes, leases, outcomes
from shared.store.bulk import insert_tuples
from shared.store.engine import Store
from shared.store.events import COLUMNS
from shared.store.outcomes import Attempt, Entry, Outcome, Release
from shared.store.schema import downgrade, upgrade
from shared.store.tables import execution_event
from tests.unit.floor_words import made, plan

NOW = datetime.now(UTC)
RAW = "(k CHAR(24) NOT NULL PRIMARY KEY, a NVARCHAR(200), b NVARCHAR(200), q DECIMAL(19,6), t DATETIMEOFFSET(3), n INT)"


def raw_rows(count: int, begin: int) -> list[tuple[Any, ...]]:
    at = "2026-11-23T06:00:00.000Z"
    return [(f"{begin + n:024d}", f"source {n}", "some text", Decimal("1.5"), at, n) for n in range(count)]


def raw(connection: Any, rows: Sequence[tuple[Any, ...]], *, fast: bool) -> None:  # noqa: ANN401 - pyodbc
    """Insert into the plain table, row by row or as the driver's array."""
    cursor = connection.cursor()
    cursor.fast_executemany = fast
    kinds = [
        pyodbc.SQL_VARCHAR,
        pyodbc.SQL_WVARCHAR,
        pyodbc.SQL_WVARCHAR,
        pyodbc.SQL_DECIMAL,
        pyodbc.SQL_VARCHAR,
    ]
    sizes = [(kinds[0], 24, 0), (kinds[1], 200, 0), (kinds[2], 200, 0), (kinds[3], 19, 6), (kinds[4], 30, 0)]
    cursor.setinputsizes([*sizes, (pyodbc.SQL_INTEGER, 0, 0)])
    cursor.executemany("INSERT INTO tascus_bench VALUES (?, ?, ?, ?, CAST(? AS DATETIMEOFFSET(3)), ?)", rows)
    connection.commit()


OPENED = """
INSERT INTO tascus_bench SELECT k, a, b, q, t, n FROM OPENJSON(?) WITH (
    k CHAR(24) '$[0]', a NVARCHAR(200) '$[1]', b NVARCHAR(200) '$[2]', q DECIMAL(19,6) '$[3]',
    t DATETIMEOFFSET(3) '$[4]', n INT '$[5]')"""


def by_json(connection: Any, total: int, begin: int) -> None:  # noqa: ANN401
    """Insert the same rows as one JSON parameter a statement."""
    for start in range(0, total, 1000):
        rows = raw_rows(min(1000, total - start), begin + start)
        cursor = connection.cursor()
        cursor.setinputsizes([(pyodbc.SQL_WVARCHAR, 0, 0)])
        cursor.execute(OPENED, orjson.dumps(rows, default=str).decode())
        connection.commit()


def per_second(count: int, work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)


def line(name: str, figure: float, baseline: float) -> None:
    print(f"{name:58} {figure:9.0f} rows/s   {figure / baseline:6.2f} of fast_executemany")


def travel(store: Store, total: int) -> float:
    """Print how rows can travel; return the baseline."""
    connection = store.engine.raw_connection()
    inner: Any = connection.dbapi_connection
    inner.execute("IF OBJECT_ID('tascus_bench') IS NOT NULL DROP TABLE tascus_bench")
    inner.execute(f"CREATE TABLE tascus_bench {RAW}")
    inner.commit()
    raw(
        inner, raw_rows(100, 90_000_000), fast=True
    )  # the first statement of a connection is not like the others
    baseline = per_second(total, lambda: chunks(inner, total, fast=True))
    line("fast_executemany, 1000 rows a commit", baseline, baseline)
    slow = max(1, total // 20)
    singly = per_second(slow, lambda: chunks(inner, slow, 50_000_000, fast=False))
    line("executemany, one row a journey", singly, baseline)
    by_json(inner, 100, 91_000_000)
    packed = per_second(total, lambda: by_json(inner, total, 60_000_000))
    line("OPENJSON, 1000 rows a statement and commit", packed, baseline)
    inner.execute("DROP TABLE tascus_bench")
    inner.commit()
    connection.close()
    return baseline


def chunks(connection: Any, total: int, begin: int = 0, *, fast: bool) -> None:  # noqa: ANN401
    for start in range(0, total, 1000):
        raw(connection, raw_rows(min(1000, total - start), begin + start), fast=fast)


def known(_connection: str) -> References:
    return References()


def events(batch: int, number: int) -> list[Any]:
    """One batch: ten orders, told of by turns."""
    return [made(f"b{number}-{n}", n % 50, order=f"WO-{n % 10}") for n in range(batch)]


def insert_only(store: Store, total: int) -> None:
    """Event rows alone, 1000 to a statement, by OPENJSON."""
    for number, _ in enumerate(range(0, total, 1000)):
        rows = [(*event, NOW, None) for event in events(1000, 1_000_000 + number)]
        store.write_now(lambda tx, rows=rows: insert_tuples(tx, execution_event, COLUMNS, rows))


def ingest(store: Store, total: int, begin: int = 10_000) -> None:
    """Batches of a hundred events, as the events door records them."""
    for number in range(begin, begin + total // 100):
        said = events(100, number)
        store.write_now(lambda tx, said=said: receive.record(tx, said, known, NOW))


def pages(store: Store, total: int, round_: int) -> None:
    token = store.write_now(
        lambda tx: leases.take(tx, "pull:acme", f"bench{round_}", NOW, NOW + timedelta(hours=1))
    )
    if token is None:
        raise SystemExit("another pull holds the lease")
    for number in range(total // 500):
        orders = [
            replace(plan("10", "20", "30", "40", order=f"P-{number}-{n}"), quantity=Decimal(10 + round_))
            for n in range(500)
        ]
        page = PulledPage(tuple(orders), (), None)
        store.write_now(lambda tx, page=page: pull.write_page(tx, "acme", token, page, PullReport("acme")))
    store.write_now(lambda tx: leases.release(tx, "pull:acme", token))


def deliver(store: Store) -> int:
    """Take the ten streams together and finish what is in them, one message of each to a commit; return how many."""
    keys = [order_key("acme", f"WO-{n}") for n in range(10)]
    sent = 0
    while True:
        now = datetime.now(UTC)
        until = now + timedelta(minutes=5)
        held = store.write_now(
            lambda tx, who=f"bench{sent}", now=now, until=until: lanes.take(tx, keys, who, now, until)
        )
        backlogs = store.read_now(lambda tx: lanes.backlog(tx, keys, 50))
        for turn in zip(*(each.messages for each in backlogs.values()), strict=False):
            entries = [entry_of(held[queued.stream_key], queued.sequence) for queued in turn]
            store.write_now(lambda tx, entries=entries: outcomes.record(tx, entries, "bench", NOW))
            sent += len(entries)
        left = any(each.messages for each in backlogs.values())
        ends = [Entry(lease, release=Release(now, 0, 1, None)) for lease in held.values()]
        store.write_now(lambda tx, ends=ends: outcomes.record(tx, ends, "bench", NOW))
        if not left:
            return sent


def entry_of(lease: lanes.Lease, sequence: int) -> Entry:
    done = Outcome(sequence, MessageState.DONE, 1, Progress())
    tried = Attempt(sequence, 1, "report", NOW, 12, "POST", "/x", 200, "done", "", '{"a": 1}', '{"b": 2}')
    return Entry(lease, None, (done,), None, (tried,))


def look(store: Store, times: int) -> None:
    """Ask what is due, as the sweep does."""
    for _ in range(times):
        store.read_now(lambda tx: lanes.due_streams(tx, datetime.now(UTC), 1000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=os.environ.get("TASCUS_TEST_SQLSERVER_URL", ""))
    parser.add_argument("--rows", type=int, default=10_000)
    given = parser.parse_args()
    if not given.url:
        raise SystemExit("TASCUS_TEST_SQLSERVER_URL is not set: see docs/sql-server.md")
    store = Store(given.url, busy_seconds=30)
    downgrade(store.engine)
    upgrade(store.engine)
    baseline = travel(store, given.rows)
    ingest(store, 200, 0)  # warm
    alone = per_second(given.rows, lambda: insert_only(store, given.rows))
    line("event rows alone by OPENJSON, 1000 a statement", alone, baseline)
    folded = per_second(given.rows, lambda: ingest(store, given.rows))
    line("ingest: events folded, messages derived, 100 a batch", folded, baseline)
    rows = given.rows // 2  # an order and its four operations are five rows
    orders = max(500, rows // 5 // 500 * 500)
    for round_, what in enumerate(("new", "changed", "unchanged")):
        figure = per_second(orders * 5, lambda r=round_: pages(store, orders, min(r, 1)))
        line(f"pull: page of 500 {what} orders with 4 operations", figure, baseline)
    begun = time.perf_counter()
    sent = deliver(store)
    line(
        "delivery: outcome, evidence, lease; 10 streams a commit",
        sent / (time.perf_counter() - begun),
        baseline,
    )
    line("due scan (scans/s)", per_second(50, lambda: look(store, 50)), baseline)
    store.close()


if __name__ == "__main__":
    main()
