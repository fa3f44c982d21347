"""Bare pull: aiohttp reads pages, sqlite upserts orders and operations, one transaction a page.

It keeps what vanished: an operation the planner removed stays in its table. The note counts those stale rows.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from bench.bare.figures import Figures, show
from tests.fakes.plain_erp import PlainErp

TABLES = """
pragma journal_mode=wal;
pragma synchronous=full;
create table works_order (
    number text primary key, part text, part_name text, quantity text, unit text, due text, status text,
    changed_at text
) without rowid;
create table operation (
    number text, id text, seq integer, name text, work_centre text, setup_s text, run_s text,
    primary key (number, id)
) without rowid;
"""
UPSERT_ORDER = """
insert into works_order
    values (:number, :part, :part_name, :quantity, :unit, :due, :status, :changed_at)
on conflict (number) do update set
    part=excluded.part, part_name=excluded.part_name, quantity=excluded.quantity,
    unit=excluded.unit, due=excluded.due, status=excluded.status, changed_at=excluded.changed_at
"""
UPSERT_OPERATION = """
insert into operation values (?, ?, ?, ?, ?, ?, ?)
on conflict (number, id) do update set seq=excluded.seq, name=excluded.name, work_centre=excluded.work_centre,
    setup_s=excluded.setup_s, run_s=excluded.run_s
"""
OPERATION_FIELDS = ("id", "seq", "name", "work_centre", "setup_s", "run_s")


def opened(database: Path) -> sqlite3.Connection:
    """Make the tables in a new database."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.executescript(TABLES)
    return connection


def upsert(connection: sqlite3.Connection, orders: list[dict[str, Any]]) -> None:
    """Store one page in one transaction."""
    rows = [
        (order["number"], *(operation[name] for name in OPERATION_FIELDS))
        for order in orders
        for operation in order["operations"]
    ]
    connection.execute("begin immediate")
    connection.executemany(UPSERT_ORDER, orders)
    connection.executemany(UPSERT_OPERATION, rows)
    connection.execute("commit")


async def pull(erp: PlainErp, connection: sqlite3.Connection, since: str, limit: int) -> tuple[int, str]:
    """Read every order changed since the watermark; returns how many and the new watermark."""
    pulled, watermark, after = 0, since, ""
    async with aiohttp.ClientSession(headers={"X-Api-Key": erp.api_key}) as session:
        while after is not None:
            asked = {"status": "released", "changed_since": since, "after": after, "limit": str(limit)}
            async with session.get(f"{erp.url}/orders", params=asked) as answer:
                answer.raise_for_status()
                page = orjson.loads(await answer.read())
            upsert(connection, page["orders"])
            pulled += len(page["orders"])
            watermark = page["orders"][-1]["changed_at"] if page["orders"] else watermark
            after = page["next"]
    return pulled, watermark


def change_some(erp: PlainErp, count: int) -> int:
    """Give the first `count` orders a new quantity and one operation less; returns the operations removed."""
    numbers = list(erp.report()["orders"])[:count]
    shown = [erp.order(number) for number in numbers]
    erp.orders(
        change=[
            {"number": order["number"], "quantity": "12", "operations": order["operations"][:-1]}
            for order in shown
        ]
    )
    return len(shown)


def timed_pull(
    name: str, erp: PlainErp, connection: sqlite3.Connection, since: str, limit: int
) -> tuple[Figures, str]:
    """Pull once; returns its figures and the new watermark."""
    begin = time.perf_counter()
    pulled, watermark = asyncio.run(pull(erp, connection, since, limit))
    return Figures(name, pulled, time.perf_counter() - begin), watermark


def run_bare_pull(orders: int = 10_000, operations: int = 8, limit: int = 500) -> tuple[Figures, Figures]:
    """Pull everything, then what changed after the planner touched 1 %; returns both figures."""
    with tempfile.TemporaryDirectory() as folder, PlainErp.start(orders, operations) as erp:
        connection = opened(Path(folder, "bare.sqlite"))
        try:
            full, watermark = timed_pull("bare pull, full", erp, connection, "", limit)
            removed = change_some(erp, orders // 100)
            changed, _ = timed_pull("bare pull, 1 % changed", erp, connection, watermark, limit)
            kept = connection.execute("select count(*) from operation").fetchone()[0]
        finally:
            connection.close()
    stale = kept - (orders * operations - removed)
    note = f"{changed.count} orders in {changed.seconds * 1000:.0f} ms, {stale} vanished operations kept"
    return full, Figures(changed.name, changed.count, changed.seconds, note=note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=500)
    given = parser.parse_args()
    for figures in run_bare_pull(given.orders, limit=given.limit):
        show(figures)


if __name__ == "__main__":
    main()
