"""First release: every table, spelled out. Frozen: what changes later is a migration of its own.

Runs before the new code is deployed. Reversible only by dropping everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mssql

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

SCHEMA = "tascus"
EXACT = "Latin1_General_100_BIN2"


def ident(length: int) -> TypeEngine[Any]:
    """Text kept and compared exactly."""
    return sa.Unicode(length).with_variant(mssql.NVARCHAR(length, collation=EXACT), "mssql")


def key() -> TypeEngine[Any]:
    """A digest."""
    return sa.CHAR(24).with_variant(mssql.CHAR(24, collation=EXACT), "mssql")


def word(length: int) -> TypeEngine[Any]:
    """One of our own words."""
    return sa.String(length)


def long_text() -> TypeEngine[Any]:
    """Text without a length."""
    return sa.UnicodeText().with_variant(mssql.NVARCHAR(None), "mssql")


def json() -> TypeEngine[Any]:
    """A JSON document as text."""
    return sa.Text().with_variant(mssql.NVARCHAR(None), "mssql")


def quantity() -> TypeEngine[Any]:
    """Six decimal places; whole millionths on SQLite."""
    return sa.Numeric(19, 6).with_variant(sa.BigInteger(), "sqlite")


def instant() -> TypeEngine[Any]:
    """UTC to the millisecond."""
    offset_time: TypeEngine[Any] = mssql.DATETIMEOFFSET(3)  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap
    return sa.String(24).with_variant(offset_time, "mssql")


def counter() -> TypeEngine[Any]:
    """Numbers rows by itself."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    for create in TABLES.values():
        create()


def downgrade() -> None:
    """Drop all tables."""
    for name in reversed(TABLES):
        op.drop_table(name, schema=SCHEMA)


def _works_order() -> None:
    op.create_table(
        "works_order",
        sa.Column("order_key", key(), nullable=False),
        sa.Column("connection", ident(100), nullable=False),
        sa.Column("number", ident(200), nullable=False),
        sa.Column("part", ident(200), nullable=False),
        sa.Column("part_name", ident(400), nullable=False),
        sa.Column("quantity", quantity(), nullable=False),
        sa.Column("unit", ident(50), nullable=False),
        sa.Column("due_at", instant()),
        sa.Column("erp_state", word(40), nullable=False),
        sa.Column("erp_ref", json(), nullable=False),
        sa.Column("fingerprint", key(), nullable=False),
        sa.Column("version", key(), nullable=False),
        sa.Column("proposed", json()),
        sa.Column("pulled_at", instant(), nullable=False),
        sa.Column("changed_at", instant(), nullable=False),
        sa.Column("vanished_at", instant()),
        sa.PrimaryKeyConstraint("order_key", name=op.f("pk_works_order")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_works_order_connection_erp_state"), "works_order", ["connection", "erp_state"], schema=SCHEMA
    )
    op.create_index(
        op.f("ix_works_order_number_order_key"), "works_order", ["number", "order_key"], schema=SCHEMA
    )


def _operation() -> None:
    op.create_table(
        "operation",
        sa.Column("order_key", key(), nullable=False),
        sa.Column("operation_key", key(), nullable=False),
        sa.Column("operation_id", ident(200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", ident(400), nullable=False),
        sa.Column("work_centre", ident(200), nullable=False),
        sa.Column("setup_seconds", quantity()),
        sa.Column("run_seconds", quantity()),
        sa.Column("erp_ref", json(), nullable=False),
        sa.Column("vanished_at", instant()),
        sa.PrimaryKeyConstraint("order_key", "operation_key", name=op.f("pk_operation")),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _execution_event() -> None:
    op.create_table(
        "execution_event",
        sa.Column("event_no", counter(), nullable=False),
        sa.Column("event_key", key(), nullable=False),
        sa.Column("source", ident(200), nullable=False),
        sa.Column("event_id", ident(200), nullable=False),
        sa.Column("type", word(40), nullable=False),
        sa.Column("connection", ident(100), nullable=False),
        sa.Column("order_key", key(), nullable=False),
        sa.Column("order_number", ident(200), nullable=False),
        sa.Column("operation_id", ident(200), nullable=False),
        sa.Column("occurred_at", instant(), nullable=False),
        sa.Column("recorded_at", instant(), nullable=False),
        sa.Column("work_centre", ident(200), nullable=False),
        sa.Column("operator", ident(200), nullable=False),
        sa.Column("unit", ident(50), nullable=False),
        sa.Column("good", quantity(), nullable=False),
        sa.Column("scrap", quantity(), nullable=False),
        sa.Column("rework", quantity(), nullable=False),
        sa.Column("scrap_reason", ident(200), nullable=False),
        sa.Column("rework_reason", ident(200), nullable=False),
        sa.Column("outcome", word(10)),
        sa.Column("serials", json()),
        sa.Column("batch", ident(200), nullable=False),
        sa.Column("time_kind", word(10)),
        sa.Column("seconds", quantity(), nullable=False),
        sa.Column("voids", key()),
        sa.Column("voided_by", key()),
        sa.Column("reason", ident(400), nullable=False),
        sa.PrimaryKeyConstraint("event_no", name=op.f("pk_execution_event")),
        sa.UniqueConstraint("event_key", name=op.f("uq_execution_event_event_key")),
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_execution_event_order_key"), "execution_event", ["order_key"], schema=SCHEMA)
    op.create_index(
        op.f("ix_execution_event_batch"),
        "execution_event",
        ["batch"],
        schema=SCHEMA,
        mssql_where=sa.text("batch <> ''"),
        sqlite_where=sa.text("batch <> ''"),
    )
    op.create_index(
        op.f("ix_execution_event_results"),
        "execution_event",
        ["occurred_at"],
        schema=SCHEMA,
        mssql_where=sa.text("type IN ('production.reported', 'unit.completed')"),
        sqlite_where=sa.text("type IN ('production.reported', 'unit.completed')"),
    )
    op.create_index(
        op.f("ix_execution_event_voids"),
        "execution_event",
        ["voids"],
        schema=SCHEMA,
        mssql_where=sa.text("voids IS NOT NULL"),
        sqlite_where=sa.text("voids IS NOT NULL"),
    )


def _event_serial() -> None:
    op.create_table(
        "event_serial",
        sa.Column("event_key", key(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("serial", ident(200), nullable=False),
        sa.PrimaryKeyConstraint("event_key", "place", name=op.f("pk_event_serial")),
        sqlite_with_rowid=False,
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_event_serial_serial_event_key"), "event_serial", ["serial", "event_key"], schema=SCHEMA
    )


def _operation_state() -> None:
    op.create_table(
        "operation_state",
        sa.Column("order_key", key(), nullable=False),
        sa.Column("operation_key", key(), nullable=False),
        sa.Column("operation_id", ident(200), nullable=False),
        sa.Column("status", word(40), nullable=False),
        sa.Column("good", quantity(), nullable=False),
        sa.Column("scrap", quantity(), nullable=False),
        sa.Column("rework", quantity(), nullable=False),
        sa.Column("setup_seconds", quantity(), nullable=False),
        sa.Column("run_seconds", quantity(), nullable=False),
        sa.Column("units_passed", sa.Integer(), nullable=False),
        sa.Column("units_failed", sa.Integer(), nullable=False),
        sa.Column("started_at", instant()),
        sa.Column("last_at", instant()),
        sa.Column("last_rank", sa.Integer(), nullable=False),
        sa.Column("last_event", key()),
        sa.PrimaryKeyConstraint("order_key", "operation_key", name=op.f("pk_operation_state")),
        schema=SCHEMA,
        sqlite_with_rowid=False,
    )


def _stream() -> None:
    op.create_table(
        "stream",
        sa.Column("stream_key", key(), nullable=False),
        sa.Column("connection", ident(100), nullable=False),
        sa.Column("order_number", ident(200), nullable=False),
        sa.Column("status", word(40), nullable=False),
        sa.Column("started_at", instant()),
        sa.Column("head", sa.Integer(), nullable=False),
        sa.Column("next_sequence", sa.Integer(), nullable=False),
        sa.Column("version", key(), nullable=False),
        sa.Column("due_at", instant()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lease_owner", word(80)),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("lease_until", instant()),
        sa.PrimaryKeyConstraint("stream_key", name=op.f("pk_stream")),
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_stream_connection"), "stream", ["connection"], schema=SCHEMA)
    op.create_index(
        op.f("ix_stream_order_number_stream_key"), "stream", ["order_number", "stream_key"], schema=SCHEMA
    )
    op.create_index(
        op.f("ix_stream_due_at"),
        "stream",
        ["due_at"],
        schema=SCHEMA,
        mssql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )


def _outbound_message() -> None:
    op.create_table(
        "outbound_message",
        sa.Column("stream_key", key(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("kind", word(40), nullable=False),
        sa.Column("operation_id", ident(200), nullable=False),
        sa.Column("event_key", key(), nullable=False),
        sa.Column("voids_sequence", sa.Integer()),
        sa.Column("told_by", sa.Integer()),
        sa.Column("state", word(40), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("progress", json()),
        sa.Column("intent_at", instant()),
        sa.Column("finished_at", instant()),
        sa.Column("reason", long_text()),
        sa.Column("waits_for_kind", word(40)),
        sa.Column("waits_for_value", ident(200)),
        sa.CheckConstraint(
            "state IN ('pending', 'held', 'done', 'parked', 'voided', 'exempt')",
            name=op.f("ck_outbound_message_state"),
        ),
        sa.PrimaryKeyConstraint("stream_key", "sequence", name=op.f("pk_outbound_message")),
        sqlite_with_rowid=False,
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_outbound_message_stuck"),
        "outbound_message",
        ["state", "waits_for_kind"],
        schema=SCHEMA,
        mssql_where=sa.text("state IN ('held', 'parked')"),
        sqlite_where=sa.text("state IN ('held', 'parked')"),
    )


def _delivery_attempt() -> None:
    op.create_table(
        "delivery_attempt",
        sa.Column("attempt_id", counter(), nullable=False),
        sa.Column("stream_key", key(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", word(100), nullable=False),
        sa.Column("worker", word(80), nullable=False),
        sa.Column("started_at", instant(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("method", word(10), nullable=False),
        sa.Column("url", long_text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("verdict", word(40), nullable=False),
        sa.Column("reason", long_text(), nullable=False),
        sa.Column("request", long_text(), nullable=False),
        sa.Column("reply", long_text(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_delivery_attempt")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_delivery_attempt_stream_key_sequence"),
        "delivery_attempt",
        ["stream_key", "sequence"],
        schema=SCHEMA,
    )


def _attempt_archive() -> None:
    op.create_table(
        "attempt_archive",
        sa.Column("archive_id", counter(), nullable=False),
        sa.Column("stream_key", key(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", word(100), nullable=False),
        sa.Column("worker", word(80), nullable=False),
        sa.Column("started_at", instant(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("method", word(10), nullable=False),
        sa.Column("url", long_text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("verdict", word(40), nullable=False),
        sa.Column("reason", long_text(), nullable=False),
        sa.Column("request", long_text(), nullable=False),
        sa.Column("reply", long_text(), nullable=False),
        sa.Column("archived_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("archive_id", name=op.f("pk_attempt_archive")),
        schema=SCHEMA,
    )


def _connection_state() -> None:
    op.create_table(
        "connection_state",
        sa.Column("connection", ident(100), nullable=False),
        sa.Column("halted_until", instant()),
        sa.Column("halt_reason", long_text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_delivery_at", instant()),
        sa.Column("last_pull_at", instant()),
        sa.Column("last_pull_error", long_text()),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_connection_state")),
        schema=SCHEMA,
    )


def _lease() -> None:
    op.create_table(
        "lease",
        sa.Column("name", ident(200), nullable=False),
        sa.Column("owner", word(80)),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("until", instant()),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
        schema=SCHEMA,
    )


def _watermark() -> None:
    op.create_table(
        "watermark",
        sa.Column("connection", ident(100), nullable=False),
        sa.Column("subject", word(40), nullable=False),
        sa.Column("value", ident(200), nullable=False),
        sa.Column("moved_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "subject", name=op.f("pk_watermark")),
        schema=SCHEMA,
    )


def _warning() -> None:
    op.create_table(
        "warning",
        sa.Column("warning_id", key(), nullable=False),
        sa.Column("connection", ident(100), nullable=False),
        sa.Column("kind", word(40), nullable=False),
        sa.Column("subject", ident(400), nullable=False),
        sa.Column("order_key", key()),
        sa.Column("order_number", ident(200), nullable=False),
        sa.Column("detail", long_text(), nullable=False),
        sa.Column("evidence", json(), nullable=False),
        sa.Column("state", word(40), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", instant(), nullable=False),
        sa.Column("last_seen_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("warning_id", name=op.f("pk_warning")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_warning_open"),
        "warning",
        ["connection", "kind"],
        schema=SCHEMA,
        mssql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_index(op.f("ix_warning_order_key"), "warning", ["order_key"], schema=SCHEMA)
    op.create_index(
        op.f("ix_warning_state_first_seen_at_warning_id"),
        "warning",
        ["state", "first_seen_at", "warning_id"],
        schema=SCHEMA,
    )


def _warning_audit() -> None:
    op.create_table(
        "warning_audit",
        sa.Column("audit_id", counter(), nullable=False),
        sa.Column("warning_id", key(), nullable=False),
        sa.Column("at", instant(), nullable=False),
        sa.Column("actor", ident(200), nullable=False),
        sa.Column("action", word(40), nullable=False),
        sa.Column("note", long_text(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_warning_audit")),
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_warning_audit_warning_id"), "warning_audit", ["warning_id"], schema=SCHEMA)


def _reference_link() -> None:
    op.create_table(
        "reference_link",
        sa.Column("link_key", key(), nullable=False),
        sa.Column("connection", ident(100), nullable=False),
        sa.Column("kind", word(40), nullable=False),
        sa.Column("tascus_value", ident(200), nullable=False),
        sa.Column("erp_value", ident(200), nullable=False),
        sa.Column("factor", quantity()),
        sa.PrimaryKeyConstraint("link_key", name=op.f("pk_reference_link")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_reference_link_connection_kind"), "reference_link", ["connection", "kind"], schema=SCHEMA
    )


TABLES = {
    "works_order": _works_order,
    "operation": _operation,
    "execution_event": _execution_event,
    "event_serial": _event_serial,
    "operation_state": _operation_state,
    "stream": _stream,
    "outbound_message": _outbound_message,
    "delivery_attempt": _delivery_attempt,
    "attempt_archive": _attempt_archive,
    "connection_state": _connection_state,
    "lease": _lease,
    "watermark": _watermark,
    "warning": _warning,
    "warning_audit": _warning_audit,
    "reference_link": _reference_link,
}
