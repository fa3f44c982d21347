"""Totals by unit: what events report in other units than the order's is kept apart, and the views convert it.

Frozen. Runs before the new code is deployed. Reversible: the quantities go back into the totals, as they were counted
before, whatever their unit.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

revision = "0003"
down_revision = "0002"

SCHEMA = "tascus"


def upgrade() -> None:
    """Create the table, move what belongs into it, and make the views anew."""
    _create_table()
    for statement in (MOVE, LEAVE, FORGET):
        op.execute(_spelled(statement))
    _drop_views(CHANGED)
    for name, body in VIEWS.items():
        _create_view(name, body)


def downgrade() -> None:
    """Put everything back."""
    _drop_views(reversed(VIEWS))
    for statement in (RETURN, FORGET):
        op.execute(_spelled(statement))
    op.drop_table("operation_in_unit", schema=SCHEMA)
    for name in CHANGED:
        _create_view(name, _views().VIEWS[name])


def _create_table() -> None:
    first = _first()
    op.create_table(
        "operation_in_unit",
        sa.Column("order_key", first.key(), nullable=False),
        sa.Column("row_key", first.key(), nullable=False),
        sa.Column("operation_key", first.key(), nullable=False),
        sa.Column("operation_id", first.ident(200), nullable=False),
        sa.Column("unit", first.ident(50), nullable=False),
        sa.Column("good", first.quantity(), nullable=False),
        sa.Column("scrap", first.quantity(), nullable=False),
        sa.Column("rework", first.quantity(), nullable=False),
        sa.PrimaryKeyConstraint("order_key", "row_key", name=op.f("pk_operation_in_unit")),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _drop_views(names: Iterable[str]) -> None:
    for name in names:
        op.execute(f"DROP VIEW {_views()._named(name, sqlite=_sqlite())}")  # noqa: SLF001 - frozen, as this is


def _create_view(name: str, body: str) -> None:
    said = _views()._said(_spelled(body, schema=False), sqlite=_sqlite())  # noqa: SLF001
    op.execute(f"CREATE VIEW {_views()._named(name, sqlite=_sqlite())} AS\n{said}")  # noqa: SLF001


def _sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _first() -> ModuleType:
    return import_module("shared.store.migrations.versions.0001_first_release")


def _views() -> ModuleType:
    return import_module("shared.store.migrations.versions.0002_reporting_views")


def _spelled(body: str, *, schema: bool = True) -> str:
    """Spell `body` for one engine, but for the marks of 0002.

    `same(x, y)` is true of texts that are alike to the last space, `size(x)` the length that takes, and `factor`
    how many of the order's units one of the link's Tascus units is.
    """
    if _sqlite():
        same, size, factor = r"\1 = \2", r"LENGTH(\1)", "l.factor / 1000000.0"
    else:
        same, size, factor = r"\1 = \2 AND DATALENGTH(\1) = DATALENGTH(\2)", r"DATALENGTH(\1)", "l.factor"
    body = re.sub(r"\bsame\(([\w.]+), ([\w.]+)\)", f"({same})", body)
    body = re.sub(r"\bsize\(([\w.]+)\)", size, body)
    body = body.replace("<factor>", f"({factor})")
    return body.replace("[t]", "" if _sqlite() else f"{SCHEMA}.") if schema else body


# Every event of a group has the same order, operation and unit; so the key of one of them names no other group.
MOVE = """
INSERT INTO [t]operation_in_unit (order_key, row_key, operation_key, operation_id, unit, good, scrap, rework)
SELECT a.order_key, MIN(e.event_key), a.operation_key, a.operation_id, e.unit, SUM(e.good), SUM(e.scrap), SUM(e.rework)
  FROM [t]execution_event e
  JOIN [t]operation_state a ON a.order_key = e.order_key AND same(a.operation_id, e.operation_id)
  LEFT JOIN [t]works_order w ON w.order_key = e.order_key
 WHERE e.unit <> '' AND e.voided_by IS NULL AND e.type <> 'correction'
   AND (w.order_key IS NULL OR NOT (same(w.unit, e.unit)))
   AND (e.good <> 0 OR e.scrap <> 0 OR e.rework <> 0)
 GROUP BY a.order_key, a.operation_key, a.operation_id, e.unit, size(e.unit)"""


def _moved(sign: str) -> str:
    """Return what takes the moved quantities out of the totals, or puts them back."""
    mine = "[t]operation_in_unit u WHERE u.order_key = [t]operation_state.order_key"
    mine += " AND u.operation_key = [t]operation_state.operation_key"
    sums = {name: f"(SELECT SUM(u.{name}) FROM {mine})" for name in ("good", "scrap", "rework")}  # noqa: S608 - our words
    sets = ", ".join(f"{name} = {name} {sign} {moved}" for name, moved in sums.items())
    return f"UPDATE [t]operation_state SET {sets} WHERE EXISTS (SELECT 1 FROM {mine})"  # noqa: S608 - our own constants


LEAVE = _moved("-")
RETURN = _moved("+")
# Whoever has an order's totals in mind reads them again.
FORGET = """
UPDATE [t]stream SET version = '0003'
 WHERE EXISTS (SELECT 1 FROM [t]operation_in_unit u WHERE u.order_key = [t]stream.stream_key)"""

IN_UNITS = """[t]operation_in_unit m
     JOIN [t]works_order w ON w.order_key = m.order_key
     LEFT JOIN [t]reference_link l ON l.connection = w.connection AND l.kind = 'unit'
      AND same(l.tascus_value, m.unit) AND same(l.erp_value, w.unit)"""
FACTOR = "CASE WHEN same(m.unit, w.unit) THEN 1 ELSE COALESCE(<factor>, 0) END"

LAST_OPERATION = """
     LEFT JOIN [t]operation p ON p.order_key = m.order_key AND p.operation_key = m.operation_key
    WHERE m.order_key = o.order_key
      AND (m.operation_id = ''
           OR (p.vanished_at IS NULL
               AND p.operation_key IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM [t]operation n
                                WHERE n.order_key = p.order_key AND n.vanished_at IS NULL
                                  AND (n.position > p.position
                                       OR (n.position = p.position AND n.operation_id > p.operation_id)))))"""


def _of_order(name: str) -> str:
    """Add up a quantity of all operations of the order `o`."""
    plain = f"SELECT SUM(a.{name}) FROM [t]operation_state a WHERE a.order_key = o.order_key"  # noqa: S608
    named = f"SELECT SUM(m.{name} * {FACTOR}) FROM {IN_UNITS} WHERE m.order_key = o.order_key"  # noqa: S608
    return f"«COALESCE(({plain}), 0) + COALESCE(({named}), 0)»"


def _of_operation(name: str) -> str:
    """Add up a quantity of the operation whose total is `a`."""
    named = f"SELECT SUM(m.{name} * {FACTOR}) FROM {IN_UNITS}"  # noqa: S608
    mine = "m.order_key = a.order_key AND m.operation_key = a.operation_key"
    return f"«COALESCE(a.{name}, 0) + COALESCE(({named} WHERE {mine}), 0)»"


WORKS_ORDER_PROGRESS = f"""
SELECT o.connection, o.number AS order_number, o.order_key, o.part, o.part_name,
       «o.quantity» AS quantity, o.unit, o.due_at, o.erp_state,
       COALESCE(s.status, 'not_started') AS status, s.started_at,
       «COALESCE((SELECT SUM(m.good) FROM [t]operation_state m{LAST_OPERATION}), 0)
         + COALESCE((SELECT SUM(m.good * {FACTOR}) FROM {IN_UNITS}{LAST_OPERATION}), 0)» AS good,
       {_of_order("scrap")} AS scrap,
       {_of_order("rework")} AS rework,
       (SELECT COUNT(*) FROM [t]operation p
         WHERE p.order_key = o.order_key AND p.vanished_at IS NULL) AS operations,
       (SELECT COUNT(*) FROM [t]operation p
          JOIN [t]operation_state a ON a.order_key = p.order_key AND a.operation_key = p.operation_key
         WHERE p.order_key = o.order_key AND p.vanished_at IS NULL AND a.status = 'completed')
         AS operations_completed,
       o.vanished_at
  FROM [t]works_order o
  LEFT JOIN [t]stream s ON s.stream_key = o.order_key"""  # noqa: S608 - our own constants, here and below

OPERATION_ACTUAL = f"""
SELECT x.connection, x.order_number, x.order_key, x.operation_id, x.operation_name, x.work_centre, x.status,
       x.good, x.scrap, x.rework, x.standard_setup_seconds, x.actual_setup_seconds,
       x.standard_run_seconds_per_unit, x.actual_run_seconds,
       {{CASE WHEN x.good + x.scrap > 0 THEN x.actual_run_seconds / (x.good + x.scrap) END}}
         AS actual_run_seconds_per_unit,
       x.started_at, x.completed_at
  FROM (
SELECT o.connection, o.number AS order_number, o.order_key, p.operation_id, p.name AS operation_name,
       p.work_centre, COALESCE(a.status, 'not_started') AS status,
       {_of_operation("good")} AS good, {_of_operation("scrap")} AS scrap, {_of_operation("rework")} AS rework,
       «p.setup_seconds» AS standard_setup_seconds, «COALESCE(a.setup_seconds, 0)» AS actual_setup_seconds,
       «p.run_seconds» AS standard_run_seconds_per_unit, «COALESCE(a.run_seconds, 0)» AS actual_run_seconds,
       a.started_at, CASE WHEN a.status = 'completed' THEN a.last_at END AS completed_at
  FROM [t]works_order o
  JOIN [t]operation p ON p.order_key = o.order_key
  LEFT JOIN [t]operation_state a ON a.order_key = p.order_key AND a.operation_key = p.operation_key
 WHERE p.vanished_at IS NULL OR a.operation_key IS NOT NULL
 UNION ALL
SELECT s.connection, s.order_number, s.stream_key, a.operation_id, NULL, NULL, a.status,
       {_of_operation("good")}, {_of_operation("scrap")}, {_of_operation("rework")},
       {{NULL}}, «a.setup_seconds», {{NULL}}, «a.run_seconds»,
       a.started_at, CASE WHEN a.status = 'completed' THEN a.last_at END
  FROM [t]stream s
  JOIN [t]operation_state a ON a.order_key = s.stream_key
  LEFT JOIN [t]operation p ON p.order_key = a.order_key AND p.operation_key = a.operation_key
 WHERE p.operation_key IS NULL) x"""  # noqa: S608

UNLINKED_QUANTITY = """
SELECT s.connection, s.order_number, s.stream_key AS order_key, m.operation_id, m.unit, w.unit AS order_unit,
       «m.good» AS good, «m.scrap» AS scrap, «m.rework» AS rework
  FROM [t]operation_in_unit m
  JOIN [t]stream s ON s.stream_key = m.order_key
  LEFT JOIN [t]works_order w ON w.order_key = m.order_key
  LEFT JOIN [t]reference_link l ON l.connection = w.connection AND l.kind = 'unit'
   AND same(l.tascus_value, m.unit) AND same(l.erp_value, w.unit)
 WHERE l.factor IS NULL AND (w.order_key IS NULL OR NOT (same(m.unit, w.unit)))"""

CHANGED = ("works_order_progress", "operation_actual")
VIEWS = {
    "works_order_progress": WORKS_ORDER_PROGRESS,
    "operation_actual": OPERATION_ACTUAL,
    "unlinked_quantity": UNLINKED_QUANTITY,
}
