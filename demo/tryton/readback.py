"""What the ERP holds, read straight from its database file: no client, no profile, no code of ours.

The file is opened read-only, so this may run while the server does.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

ORDERS = "SELECT id, number, state, quantity FROM production WHERE number IS NOT NULL ORDER BY number"

RECEIVED = """
SELECT location.type, move.quantity, lot.number
FROM stock_move AS move
JOIN stock_location AS location ON location.id = move.to_location
LEFT JOIN stock_lot AS lot ON lot.id = move.lot
WHERE move.production_output = ? AND move.state = 'done'
ORDER BY move.id
"""

WORKS = """
SELECT work.id, work.sequence, operation.name, work.state,
       EXISTS (SELECT 1 FROM production_routing_step AS step
               WHERE step.routing = production.routing AND step.sequence = work.sequence) AS planned
FROM production_work AS work
JOIN production ON production.id = work.production
JOIN production_routing_operation AS operation ON operation.id = work.operation
WHERE work.production = ?
ORDER BY work.sequence, work.id
"""

CYCLES = "SELECT duration FROM production_work_cycle WHERE work = ? AND state = 'done'"

TIMES = """
SELECT line.duration FROM timesheet_line AS line
JOIN timesheet_work AS work ON work.id = line.work
WHERE work.origin = 'production.work,' || ?
"""

INSPECTIONS = "SELECT state FROM quality_inspection WHERE origin = 'production,' || ? ORDER BY id"


def read_back(database: Path) -> dict[str, dict[str, Any]]:
    """Everything the floor can have caused, per order number.

    Each order is a dict of: `state`; `planned`, `good` and `scrap` quantity (Decimal, the order's unit;
    good is what stock received, scrap what went to lost and found); `serials` (lot numbers received);
    `inspections` (their states); `works`, one dict a work in sequence: `sequence`, `operation`, `state`,
    `rework` (it is not of the routing), `booked_seconds` (time sheet) and `cycle_seconds` (Decimal).
    """
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return {row["number"]: _order(connection, row) for row in connection.execute(ORDERS).fetchall()}


def _order(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    received = connection.execute(RECEIVED, [row["id"]]).fetchall()
    return {
        "state": row["state"],
        "planned": _decimal(row["quantity"]),
        "good": _total(move["quantity"] for move in received if move["type"] == "storage"),
        "scrap": _total(move["quantity"] for move in received if move["type"] == "lost_found"),
        "serials": [move["number"] for move in received if move["number"] and move["type"] == "storage"],
        "inspections": [found["state"] for found in connection.execute(INSPECTIONS, [row["id"]])],
        "works": [_work(connection, work) for work in connection.execute(WORKS, [row["id"]]).fetchall()],
    }


def _work(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "sequence": row["sequence"],
        "operation": row["name"],
        "state": row["state"],
        "rework": not row["planned"],
        "booked_seconds": _total(line["duration"] for line in connection.execute(TIMES, [row["id"]])),
        "cycle_seconds": _total(cycle["duration"] for cycle in connection.execute(CYCLES, [row["id"]])),
    }


def _total(values: Iterable[float]) -> Decimal:
    return sum((_decimal(value) for value in values), Decimal(0))


def _decimal(value: float) -> Decimal:
    """SQLite keeps Tryton's quantities and durations as floats; their shortest text is what was sent."""
    return Decimal(str(value))
