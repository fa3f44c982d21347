"""Reporting views on a million events: every example of docs/reporting.md, timed against reading all events once.

The store is filled by SQL itself, so that filling takes a fraction of what posting would. `--url` takes a SQL Server
whose database may be emptied; by default a SQLite file is made and thrown away. Run: python -m bench.reporting
"""

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine

from shared.store.engine import Store
from shared.store.schema import downgrade, upgrade

DOCUMENT = Path(__file__).parents[1] / "docs" / "reporting.md"
EXAMPLE = re.compile(r"^## (\w+)\n.*?```sql\n(.*?)```", re.MULTILINE | re.DOTALL)
BIG = ("execution_event", "event_serial", "outbound_message")
PER_ORDER, OPERATIONS = 100, 4
DIGITS = " UNION ALL ".join(f"SELECT {digit} AS n" for digit in range(10))
AT = "'2026-11-{day}T{hour}:00:00.000Z'"


class Words:
    """What the two engines say differently."""

    def __init__(self, engine: Engine) -> None:
        self.sqlite = engine.dialect.name == "sqlite"
        self.schema = "" if self.sqlite else "tascus."
        self.million = 1_000_000 if self.sqlite else 1  # how a quantity of one is stored

    def padded(self, number: str, length: int = 24) -> str:
        """A number as text of fixed length."""
        if self.sqlite:
            return f"printf('%0{length}d', {number})"
        return f"RIGHT(REPLICATE('0', {length}) + CAST({number} AS VARCHAR(24)), {length})"

    def text(self, *parts: str) -> str:
        """Parts as one text."""
        return " || ".join(parts) if self.sqlite else f"CONCAT({', '.join(parts)}, '')"

    def whole(self, one: str, other: str) -> str:
        """Divide, without the rest."""
        return f"({one} / {other})"

    def instant(self, number: str) -> str:
        """An instant in November 2026 that moves on with the number."""
        day, hour = self.padded(f"1 + {number} % 28", 2), self.padded(f"({number} / 28) % 24", 2)
        said = self.text("'2026-11-'", day, "'T'", hour, "':00:00.000Z'")
        return said if self.sqlite else f"CAST({said} AS DATETIMEOFFSET(3))"


def numbers(count: int) -> str:
    """A derived table with one column `n`: 0 to count - 1."""
    places = len(str(count - 1))
    tables = ", ".join(f"({DIGITS}) d{place}" for place in range(places))
    summed = " + ".join(f"d{place}.n * {10**place}" for place in range(places))
    return f"(SELECT {summed} AS n FROM {tables}) numbers WHERE n < {count}"  # noqa: S608 - our own words


def fill(tx: Connection, words: Words, events: int) -> None:
    """Make orders of a hundred events each: reports, units with serials, batches, all delivered."""
    orders, w = max(1, events // PER_ORDER), words
    order_of, nothing = w.whole("n", str(PER_ORDER)), "''"
    key, number = w.padded("n"), w.text("'WO-'", "n" if w.sqlite else "CAST(n AS VARCHAR(24))")
    whose = w.padded(order_of)
    name = w.text("'WO-'", order_of if w.sqlite else f"CAST({order_of} AS VARCHAR(24))")
    op = f"CAST(10 * (1 + n % {OPERATIONS}) AS {'TEXT' if w.sqlite else 'VARCHAR(10)'})"
    op_order = w.padded(w.whole("n", str(OPERATIONS)))
    op_key = w.padded("n + 500000000")
    one, at = str(w.million), w.instant("n")
    unit = "n % 10 = 0"
    put(tx, w, "works_order", {
        "order_key": key, "connection": "'acme'", "number": number, "part": "'P-1'", "part_name": nothing,
        "quantity": f"100 * {one}", "unit": "'u'", "erp_state": "'released'", "erp_ref": "'{}'",
        "fingerprint": key, "version": key, "pulled_at": at, "changed_at": at,
    }, orders)  # fmt: skip
    put(tx, w, "stream", {
        "stream_key": key, "connection": "'acme'", "order_number": number, "status": "'in_progress'",
        "started_at": at, "head": "101", "next_sequence": "101", "failures": "0", "lease_token": "0",
        "version": nothing,
    }, orders)  # fmt: skip
    put(tx, w, "operation", {
        "operation_key": op_key, "order_key": op_order, "operation_id": op, "position": f"n % {OPERATIONS}",
        "name": "'Turn'", "work_centre": "'Lathe 1'", "setup_seconds": f"60 * {one}",
        "run_seconds": f"30 * {one}", "erp_ref": "'{}'",
    }, orders * OPERATIONS)  # fmt: skip
    put(tx, w, "operation_state", {
        "operation_key": op_key, "order_key": op_order, "operation_id": op, "status": "'in_progress'",
        "good": f"25 * {one}", "scrap": one, "rework": "0", "setup_seconds": f"61 * {one}",
        "run_seconds": f"800 * {one}", "units_passed": "2", "units_failed": "1", "last_rank": "0",
    }, orders * OPERATIONS)  # fmt: skip
    put(tx, w, "execution_event", {
        "event_key": w.padded("n"), "source": "'line'", "event_id": w.padded("n"),
        "type": f"CASE WHEN {unit} THEN 'unit.completed' ELSE 'production.reported' END",
        "connection": "'acme'", "order_key": whose, "order_number": name,
        "operation_id": f"CAST(10 * (1 + n % {OPERATIONS}) AS {'TEXT' if w.sqlite else 'VARCHAR(10)'})",
        "occurred_at": at, "recorded_at": at, "work_centre": "'Lathe 1'", "operator": "'O'", "unit": "'u'",
        "good": one, "scrap": f"CASE WHEN n % 51 = 1 THEN {one} ELSE 0 END", "rework": "0",
        "scrap_reason": "CASE WHEN n % 51 = 1 THEN 'S1' ELSE '' END", "rework_reason": nothing,
        "outcome": f"CASE WHEN {unit} THEN 'pass' END", "batch": f"CASE WHEN n % 100 = 5 THEN 'B-1' ELSE {nothing} END",
        "seconds": "0", "reason": nothing,
    }, events)  # fmt: skip
    put(tx, w, "event_serial", {
        "event_key": w.padded("n * 10"), "place": "0",
        "serial": w.text("'SN-'", "n" if w.sqlite else "CAST(n AS VARCHAR(24))"),
    }, max(1, events // 10))  # fmt: skip
    put(tx, w, "outbound_message", {
        "stream_key": whose, "sequence": f"1 + n % {PER_ORDER}", "kind": "'operation.result'",
        "operation_id": "'10'", "event_key": w.padded("n"), "state": "'done'", "created_at": at,
        "attempts": "1", "finished_at": at,
    }, events)  # fmt: skip
    put(tx, w, "connection_state", {"connection": "'acme'", "failures": "0"}, 1)
    put(tx, w, "warning", {
        "warning_id": key, "connection": "'acme'", "kind": "'unknown_unit'", "subject": number,
        "order_key": key, "order_number": number, "detail": "'d'", "evidence": "'{}'",
        "state": "CASE WHEN n % 100 = 0 THEN 'open' ELSE 'resolved' END", "occurrences": "1",
        "first_seen_at": at, "last_seen_at": at,
    }, orders)  # fmt: skip


def put(tx: Connection, words: Words, table: str, columns: dict[str, str], count: int) -> None:
    names, values = ", ".join(columns), ", ".join(columns.values())
    tx.exec_driver_sql(f"INSERT INTO {words.schema}{table} ({names}) SELECT {values} FROM {numbers(count)}")  # noqa: S608


def seconds(tx: Connection, statement: str, times: int = 3) -> tuple[float, int]:
    """The quickest of a few runs, and how many rows came."""
    best, rows = float("inf"), 0
    for _ in range(times):
        begun = time.perf_counter()
        rows = len(tx.exec_driver_sql(statement).all())
        best = min(best, time.perf_counter() - begun)
    return best, rows


def scans(tx: Connection, words: Words, statement: str) -> Sequence[str]:
    """The big tables that SQLite reads from end to end for this."""
    if not words.sqlite:
        return ()
    aliases = {"e": "execution_event", "f": "execution_event", "u": "event_serial", "m": "outbound_message"}
    plan = [row.detail for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
    read = [line.split()[1] for line in plan if line.startswith("SCAN") and "USING INDEX" not in line]
    return sorted({aliases.get(name, name) for name in read} & set(BIG))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--url", default="", help="a SQL Server; its database is emptied")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(given.url or f"sqlite:///{folder}/reporting.sqlite")
        words = Words(store.engine)
        downgrade(store.engine)
        upgrade(store.engine)
        begun = time.perf_counter()
        store.write_now(lambda tx: fill(tx, words, given.events))
        print(f"{given.events} events filled in {time.perf_counter() - begun:.0f} s")
        store.read_now(lambda tx: show(tx, words))
        store.close()


def show(tx: Connection, words: Words) -> None:
    """One line a view; the ratio says how many times quicker it is than to read every event once."""
    whole, _ = seconds(tx, f"SELECT SUM(good), SUM(scrap) FROM {words.schema}execution_event", 2)  # noqa: S608
    print(f"reading every event once: {whole * 1000:.0f} ms")
    for view, example in EXAMPLE.findall(DOCUMENT.read_text("utf-8")):
        statement = example.replace("report.", "report_") if words.sqlite else example
        took, rows = seconds(tx, statement)
        read = scans(tx, words, statement)
        note = f"READS ALL OF {', '.join(read)}" if read else "by index" if words.sqlite else ""
        print(f"{view:22} {took * 1000:9.2f} ms {whole / took:9.0f} x  {rows:5} rows  {note}")


if __name__ == "__main__":
    main()
