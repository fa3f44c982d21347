"""The same rows without us: what SQLite alone takes for what we have written, no HTTP, no rule, no Python in between.

The bare side writes one narrow row where we write several indexed ones, so its rate mixes two costs. This is the other
one: a store of the same tables and indexes, filled by executemany in as many transactions, on the same disk.
"""

import sqlite3
import tempfile
import time
from collections.abc import Sequence
from itertools import batched
from pathlib import Path

from bench.bare.figures import Figures, show

type Rows = list[tuple[object, ...]]


def run_same_rows(name: str, written: Path, tables: Sequence[str], group: int) -> Figures:
    """Write the rows of `tables` once more; the first one's rows are what is counted, `group` of them a transaction."""
    with sqlite3.connect(written) as source, tempfile.TemporaryDirectory() as folder:
        rows = {table: everything(source, table) for table in tables}
        target = empty_copy(source, Path(folder) / "same.sqlite", tables)
        seconds = fill(target, rows, len(rows[tables[0]]) / group)
        target.close()
    return Figures(f"the same rows alone, {name}", len(rows[tables[0]]), seconds, note=f"{', '.join(tables)}")


def everything(source: sqlite3.Connection, table: str) -> Rows:
    """Read a whole table."""
    return source.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own table names


def empty_copy(source: sqlite3.Connection, path: Path, tables: Sequence[str]) -> sqlite3.Connection:
    """Return a new store with the same tables and indexes, as durable as ours."""
    target = sqlite3.connect(path, isolation_level=None)
    target.execute("pragma journal_mode=wal")
    target.execute("pragma synchronous=full")
    for table in tables:
        made = source.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL", (table,)
        )
        for (statement,) in made.fetchall():
            target.execute(statement)
    return target


def fill(target: sqlite3.Connection, rows: dict[str, Rows], transactions: float) -> float:
    """Insert everything in about so many transactions; return the seconds it took."""
    parts = {table: groups(all_, transactions) for table, all_ in rows.items()}
    inserts = {table: insert_into(table, len(all_[0])) for table, all_ in rows.items()}
    begin = time.perf_counter()
    for at in range(max(map(len, parts.values()))):
        target.execute("begin immediate")
        for table, mine in parts.items():
            if at < len(mine):
                target.executemany(inserts[table], mine[at])
        target.execute("commit")
    return time.perf_counter() - begin


def groups(rows: Rows, count: float) -> list[tuple[tuple[object, ...], ...]]:
    """Split `rows` into about `count` groups."""
    return list(batched(rows, max(1, round(len(rows) / count)), strict=False))


def insert_into(table: str, columns: int) -> str:
    """Return the statement for one row."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - our own table names


def show_share(ours: Figures, alone: Figures) -> None:
    """Print the rows alone, and ours as a share of them: what all the rest of the work leaves."""
    show(alone)
    share = ours.rate / alone.rate if alone.rate else 0.0
    print(f"{'':<44} {share:>10.2f} of the same rows alone")
