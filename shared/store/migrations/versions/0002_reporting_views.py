"""Reporting views: schema `report` on SQL Server; SQLite knows no schemas, there their names begin with `report_`.

Frozen: a view that changes later is dropped and made anew by a migration of its own; columns are only ever added.
Runs before the new code is deployed. Reversible: views hold no data.
"""

from __future__ import annotations

import re

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the views."""
    sqlite = op.get_context().dialect.name == "sqlite"
    if not sqlite:
        op.execute("IF SCHEMA_ID('report') IS NULL EXEC('CREATE SCHEMA report')")
    for name, body in VIEWS.items():
        op.execute(f"CREATE VIEW {_named(name, sqlite=sqlite)} AS\n{_said(body, sqlite=sqlite)}")


def downgrade() -> None:
    """Drop the views; the schema stays, other people's views may be in it."""
    sqlite = op.get_context().dialect.name == "sqlite"
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {_named(name, sqlite=sqlite)}")


def _named(name: str, *, sqlite: bool) -> str:
    return f"report_{name}" if sqlite else f"report.{name}"


def _said(body: str, *, sqlite: bool) -> str:
    """Spell `body` for one engine.

    `[t]` stands before a table's name. `«x»` is a stored quantity, which SQLite keeps in millionths, and `{x}` any
    other number: whatever it is made of, its type is DECIMAL(19,6).
    """
    schema, quantity, number = (
        ("", "(({}) / 1000000.0)", "({})")
        if sqlite
        else ("tascus.", "CAST({} AS DECIMAL(19, 6))", "CAST({} AS DECIMAL(19, 6))")
    )
    body = re.sub("«([^«»]*)»", lambda found: quantity.format(found[1]), body.replace("[t]", schema))
    return re.sub("{([^{}]*)}", lambda found: number.format(found[1]), body)


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

WORKS_ORDER_PROGRESS = f"""
SELECT o.connection, o.number AS order_number, o.order_key, o.part, o.part_name,
       «o.quantity» AS quantity, o.unit, o.due_at, o.erp_state,
       COALESCE(s.status, 'not_started') AS status, s.started_at,
       «COALESCE((SELECT SUM(m.good) FROM [t]operation_state m{LAST_OPERATION}), 0)» AS good,
       «COALESCE((SELECT SUM(a.scrap) FROM [t]operation_state a WHERE a.order_key = o.order_key), 0)» AS scrap,
       «COALESCE((SELECT SUM(a.rework) FROM [t]operation_state a WHERE a.order_key = o.order_key), 0)» AS rework,
       (SELECT COUNT(*) FROM [t]operation p
         WHERE p.order_key = o.order_key AND p.vanished_at IS NULL) AS operations,
       (SELECT COUNT(*) FROM [t]operation p
          JOIN [t]operation_state a ON a.order_key = p.order_key AND a.operation_key = p.operation_key
         WHERE p.order_key = o.order_key AND p.vanished_at IS NULL AND a.status = 'completed')
         AS operations_completed,
       o.vanished_at
  FROM [t]works_order o
  LEFT JOIN [t]stream s ON s.stream_key = o.order_key"""  # noqa: S608 - our own constants, here and below

OPERATION_ACTUAL = """
SELECT o.connection, o.number AS order_number, o.order_key, p.operation_id, p.name AS operation_name,
       p.work_centre, COALESCE(a.status, 'not_started') AS status,
       «COALESCE(a.good, 0)» AS good, «COALESCE(a.scrap, 0)» AS scrap, «COALESCE(a.rework, 0)» AS rework,
       «p.setup_seconds» AS standard_setup_seconds, «COALESCE(a.setup_seconds, 0)» AS actual_setup_seconds,
       «p.run_seconds» AS standard_run_seconds_per_unit, «COALESCE(a.run_seconds, 0)» AS actual_run_seconds,
       {CASE WHEN a.good + a.scrap > 0 THEN «a.run_seconds» / «a.good + a.scrap» END}
         AS actual_run_seconds_per_unit,
       a.started_at, CASE WHEN a.status = 'completed' THEN a.last_at END AS completed_at
  FROM [t]works_order o
  JOIN [t]operation p ON p.order_key = o.order_key
  LEFT JOIN [t]operation_state a ON a.order_key = p.order_key AND a.operation_key = p.operation_key
 WHERE p.vanished_at IS NULL OR a.operation_key IS NOT NULL
 UNION ALL
SELECT s.connection, s.order_number, s.stream_key, a.operation_id, NULL, NULL, a.status,
       «a.good», «a.scrap», «a.rework», {NULL}, «a.setup_seconds», {NULL}, «a.run_seconds»,
       {CASE WHEN a.good + a.scrap > 0 THEN «a.run_seconds» / «a.good + a.scrap» END},
       a.started_at, CASE WHEN a.status = 'completed' THEN a.last_at END
  FROM [t]stream s
  JOIN [t]operation_state a ON a.order_key = s.stream_key
  LEFT JOIN [t]operation p ON p.order_key = a.order_key AND p.operation_key = a.operation_key
 WHERE p.operation_key IS NULL"""

PRODUCTION_RESULT = """
SELECT s.connection, s.order_number, s.stream_key AS order_key, e.operation_id, e.work_centre, e.operator,
       e.occurred_at, e.unit, «e.good» AS good, «e.scrap» AS scrap, e.scrap_reason,
       «e.rework» AS rework, e.rework_reason, e.outcome, e.batch, e.source, e.event_id
  FROM [t]execution_event e
  JOIN [t]stream s ON s.stream_key = e.order_key
 WHERE e.type IN ('production.reported', 'unit.completed') AND e.voided_by IS NULL"""

PASSED_AT_ONCE = """
SELECT s.connection, s.order_number, s.stream_key AS order_key, e.operation_id,
       COUNT(*) AS units,
       SUM(CASE WHEN e.outcome = 'pass' THEN 1 ELSE 0 END) AS units_passed_first,
       {SUM(CASE WHEN e.outcome = 'pass' THEN 1.0 ELSE 0.0 END) / COUNT(*)} AS first_pass_yield
  FROM [t]stream s
  JOIN [t]execution_event e ON e.order_key = s.stream_key
  LEFT JOIN [t]event_serial u ON u.event_key = e.event_key
 WHERE e.type = 'unit.completed' AND e.voided_by IS NULL
   AND NOT EXISTS (SELECT 1 FROM [t]event_serial v
                     JOIN [t]execution_event f ON f.event_key = v.event_key
                    WHERE v.serial = u.serial AND f.order_key = e.order_key
                      AND f.operation_id = e.operation_id
                      AND f.type = 'unit.completed' AND f.voided_by IS NULL
                      AND (f.occurred_at < e.occurred_at
                           OR (f.occurred_at = e.occurred_at AND f.event_no < e.event_no)))
 GROUP BY s.connection, s.order_number, s.stream_key, e.operation_id"""

GENEALOGY = """
SELECT u.serial, e.batch, s.connection, s.order_number, s.stream_key AS order_key, o.part, e.operation_id,
       e.work_centre, e.operator, e.occurred_at, e.type AS event_type, e.outcome, e.source, e.event_id
  FROM [t]execution_event e
  JOIN [t]stream s ON s.stream_key = e.order_key
  LEFT JOIN [t]works_order o ON o.order_key = e.order_key
  LEFT JOIN [t]event_serial u ON u.event_key = e.event_key
 WHERE e.voided_by IS NULL AND (u.serial IS NOT NULL OR e.batch <> '')"""

DELIVERY_HEALTH = """
SELECT c.connection, c.halted_until, c.halt_reason, c.last_delivery_at, c.last_pull_at, c.last_pull_error,
       (SELECT COUNT(*) FROM [t]stream s WHERE s.connection = c.connection AND s.due_at IS NOT NULL)
         AS orders_waiting,
       (SELECT MIN(s.due_at) FROM [t]stream s WHERE s.connection = c.connection AND s.due_at IS NOT NULL)
         AS longest_due_at,
       (SELECT COUNT(*) FROM [t]outbound_message m JOIN [t]stream s ON s.stream_key = m.stream_key
         WHERE m.state = 'held' AND m.state IN ('held', 'parked') AND s.connection = c.connection)
         AS messages_held,
       (SELECT COUNT(*) FROM [t]outbound_message m JOIN [t]stream s ON s.stream_key = m.stream_key
         WHERE m.state = 'parked' AND m.state IN ('held', 'parked') AND s.connection = c.connection)
         AS messages_parked
  FROM [t]connection_state c"""

OPEN_WARNINGS = """
SELECT w.warning_id, w.connection, w.kind, w.subject, w.order_number, w.order_key, w.detail, w.occurrences,
       w.first_seen_at, w.last_seen_at
  FROM [t]warning w
 WHERE w.state = 'open'"""

COMPLETENESS = """
SELECT s.connection, s.order_number, s.stream_key AS order_key,
       (SELECT COUNT(*) FROM [t]execution_event e WHERE e.order_key = s.stream_key) AS events,
       COUNT(m.sequence) AS messages,
       SUM(CASE WHEN m.state = 'done' THEN 1 ELSE 0 END) AS messages_delivered,
       SUM(CASE WHEN m.state = 'pending' THEN 1 ELSE 0 END) AS messages_pending,
       SUM(CASE WHEN m.state = 'held' THEN 1 ELSE 0 END) AS messages_held,
       SUM(CASE WHEN m.state = 'parked' THEN 1 ELSE 0 END) AS messages_parked,
       SUM(CASE WHEN m.state = 'voided' THEN 1 ELSE 0 END) AS messages_voided,
       SUM(CASE WHEN m.state = 'exempt' THEN 1 ELSE 0 END) AS messages_exempt
  FROM [t]stream s
  LEFT JOIN [t]outbound_message m ON m.stream_key = s.stream_key
 GROUP BY s.connection, s.order_number, s.stream_key"""

VIEWS = {
    "works_order_progress": WORKS_ORDER_PROGRESS,
    "operation_actual": OPERATION_ACTUAL,
    "production_result": PRODUCTION_RESULT,
    "first_pass_yield": PASSED_AT_ONCE,
    "genealogy": GENEALOGY,
    "delivery_health": DELIVERY_HEALTH,
    "open_warnings": OPEN_WARNINGS,
    "completeness": COMPLETENESS,
}
