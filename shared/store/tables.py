"""Every table, in one place. On SQL Server they live in schema `tascus`; SQLite knows no schemas.

Rows are keyed by digests of the exact identifiers (shared.domain.identity), so no collation can join or
separate what the other engine does not.
"""

from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, Integer, MetaData, Table, text

from shared.store.types import (
    Instant,
    Json,
    OptionalKey,
    Quantity,
    Texts,
    counter,
    ident,
    key,
    long_text,
    word,
)

SCHEMA = "tascus"
metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)

works_order = Table(
    "works_order",
    metadata,
    Column("order_key", key(), primary_key=True),
    Column("connection", ident(100), nullable=False),
    Column("number", ident(), nullable=False),
    Column("part", ident(), nullable=False),
    Column("part_name", ident(400), nullable=False, default=""),
    Column("quantity", Quantity, nullable=False),
    Column("unit", ident(50), nullable=False),
    Column("due_at", Instant),
    Column("erp_state", word(), nullable=False),
    Column("erp_ref", Json, nullable=False),
    Column("fingerprint", key(), nullable=False),  # of the plan as the ERP last stated it
    Column(
        "version", key(), nullable=False
    ),  # new with every write, so that readers may remember what they read
    Column("proposed", Json),  # a change in mid-flight that waits for a person
    Column("pulled_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("vanished_at", Instant),  # no longer open in the ERP
    Index(None, "connection", "erp_state"),
    Index(None, "number", "order_key"),  # how readers ask for one, and page through all
)

operation = Table(
    "operation",
    metadata,
    Column("order_key", key(), primary_key=True),  # first: the operations of an order lie together
    Column("operation_key", key(), primary_key=True),
    Column("operation_id", ident(), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", ident(400), nullable=False),
    Column("work_centre", ident(), nullable=False),
    Column("setup_seconds", Quantity),
    Column("run_seconds", Quantity),
    Column("erp_ref", Json, nullable=False),
    Column("vanished_at", Instant),  # the ERP took it out of the routing
    sqlite_with_rowid=False,
)

execution_event = Table(
    "execution_event",
    metadata,
    Column("event_no", counter(), primary_key=True),  # rows are appended; digests would scatter them
    Column("event_key", key(), nullable=False, unique=True),
    Column("source", ident(), nullable=False),
    Column("event_id", ident(), nullable=False),
    Column("type", word(), nullable=False),
    Column("connection", ident(100), nullable=False),
    Column("order_key", key(), nullable=False, index=True),
    Column("order_number", ident(), nullable=False),
    Column("operation_id", ident(), nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("work_centre", ident(), nullable=False),
    Column("operator", ident(), nullable=False),
    Column("unit", ident(50), nullable=False),
    Column("good", Quantity, nullable=False),
    Column("scrap", Quantity, nullable=False),
    Column("rework", Quantity, nullable=False),
    Column("scrap_reason", ident(), nullable=False),
    Column("rework_reason", ident(), nullable=False),
    Column("outcome", word(10)),
    Column("serials", Texts),
    Column("batch", ident(), nullable=False),
    Column("time_kind", word(10)),
    Column("seconds", Quantity, nullable=False),
    Column("voids", OptionalKey),
    Column("voided_by", key()),
    Column("reason", ident(400), nullable=False),
    Index(
        "ix_execution_event_batch",
        "batch",
        mssql_where=text("batch <> ''"),
        sqlite_where=text("batch <> ''"),
    ),
    Index(
        "ix_execution_event_results",
        "occurred_at",
        mssql_where=text("type IN ('production.reported', 'unit.completed')"),
        sqlite_where=text("type IN ('production.reported', 'unit.completed')"),
    ),
    Index(
        "ix_execution_event_voids",
        "voids",
        mssql_where=text("voids IS NOT NULL"),
        sqlite_where=text("voids IS NOT NULL"),
    ),
)

# The serials of events that have any, one row each: how a unit is found again among a million events.
event_serial = Table(
    "event_serial",
    metadata,
    Column("event_key", key(), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("serial", ident(), nullable=False),
    Index(None, "serial", "event_key"),
    sqlite_with_rowid=False,
)

operation_state = Table(
    "operation_state",
    metadata,
    Column("order_key", key(), primary_key=True),
    Column("operation_key", key(), primary_key=True),
    Column("operation_id", ident(), nullable=False),
    Column("status", word(), nullable=False),
    Column("good", Quantity, nullable=False),
    Column("scrap", Quantity, nullable=False),
    Column("rework", Quantity, nullable=False),
    Column("setup_seconds", Quantity, nullable=False),
    Column("run_seconds", Quantity, nullable=False),
    Column("units_passed", Integer, nullable=False),
    Column("units_failed", Integer, nullable=False),
    Column("started_at", Instant),
    Column("last_at", Instant),
    Column("last_rank", Integer, nullable=False),
    Column("last_event", OptionalKey),
    sqlite_with_rowid=False,
)

# Of an operation, what was reported in other units than the order's, unconverted: what it is in the order's depends on
# the plan and the unit links of the moment. Usually there is none.
operation_in_unit = Table(
    "operation_in_unit",
    metadata,
    Column("order_key", key(), primary_key=True),
    Column("row_key", key(), primary_key=True),
    Column("operation_key", key(), nullable=False),
    Column("operation_id", ident(), nullable=False),
    Column("unit", ident(50), nullable=False),
    Column("good", Quantity, nullable=False),
    Column("scrap", Quantity, nullable=False),
    Column("rework", Quantity, nullable=False),
    sqlite_with_rowid=False,
)

# One row per works order the floor has spoken of, whether the ERP has told us of it yet or not. Writers of one
# order take turns on this row; so its sequence has no gaps and its state no lost updates.
stream = Table(
    "stream",
    metadata,
    Column("stream_key", key(), primary_key=True),
    Column("connection", ident(100), nullable=False),
    Column("order_number", ident(), nullable=False),
    Column("status", word(), nullable=False),
    Column("started_at", Instant),
    Column("head", Integer, nullable=False, default=1),  # no open message stands before this sequence
    Column("next_sequence", Integer, nullable=False),
    Column("version", key(), nullable=False),  # of status, sequence and totals: new with every write of them
    Column("due_at", Instant),  # when the sweep should wake it; NULL = nothing to send
    Column("failures", Integer, nullable=False, default=0),
    Column("lease_owner", word(80)),
    Column("lease_token", Integer, nullable=False, default=0),  # fencing: grows with every lease
    Column("lease_until", Instant),
    Index(
        "ix_stream_due_at",
        "due_at",
        mssql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_stream_connection", "connection"),
    Index(None, "order_number", "stream_key"),
)

outbound_message = Table(
    "outbound_message",
    metadata,
    Column("stream_key", key(), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", word(), nullable=False),
    Column("operation_id", ident(), nullable=False),
    Column("event_key", key(), nullable=False),
    Column("voids_sequence", Integer),  # of a correction: the message of the same stream that it takes back
    Column("told_by", Integer),  # what was sent as one: the message of the same stream that carries this one
    Column("state", word(), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("progress", Json),  # steps done, values captured; NULL = nothing sent yet
    Column(
        "intent_at", Instant
    ),  # set before a call, cleared with its outcome: set on take-over = reply unknown
    Column("finished_at", Instant),
    Column("reason", long_text()),
    Column("waits_for_kind", word()),
    Column("waits_for_value", ident()),
    CheckConstraint("state IN ('pending', 'held', 'done', 'parked', 'voided', 'exempt')", name="state"),
    Index(
        "ix_outbound_message_stuck",
        "state",
        "waits_for_kind",
        mssql_where=text("state IN ('held', 'parked')"),
        sqlite_where=text("state IN ('held', 'parked')"),
    ),
    sqlite_with_rowid=False,
)


def _evidence() -> list[Column[Any]]:
    """Return what is kept of one call to the ERP."""
    return [
        Column("stream_key", key(), nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("step", word(100), nullable=False),
        Column("worker", word(80), nullable=False),
        Column("started_at", Instant, nullable=False),
        Column("duration_ms", Integer, nullable=False),
        Column("method", word(10), nullable=False),
        Column("url", long_text(), nullable=False),
        Column("status", Integer, nullable=False),
        Column("verdict", word(), nullable=False),
        Column("reason", long_text(), nullable=False),
        Column("request", long_text(), nullable=False),
        Column("reply", long_text(), nullable=False),
    ]


delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("attempt_id", counter(), primary_key=True),
    *_evidence(),
    Index(None, "stream_key", "sequence"),
)

# Where evidence goes when nobody asks for it any more: out of the way of what is read every day, and kept for years.
attempt_archive = Table(
    "attempt_archive",
    metadata,
    # a number of its own: SQLite gives those of deleted rows again
    Column("archive_id", counter(), primary_key=True),
    *_evidence(),
    Column("archived_at", Instant, nullable=False),
)

connection_state = Table(
    "connection_state",
    metadata,
    Column("connection", ident(100), primary_key=True),
    Column("halted_until", Instant),
    Column("halt_reason", long_text()),
    Column("failures", Integer, nullable=False, default=0),
    Column("last_delivery_at", Instant),
    Column("last_pull_at", Instant),
    Column("last_pull_error", long_text()),
)

lease = Table(
    "lease",
    metadata,
    Column("name", ident(), primary_key=True),
    Column("owner", word(80)),
    Column("token", Integer, nullable=False, default=0),
    Column("until", Instant),
)

watermark = Table(
    "watermark",
    metadata,
    Column("connection", ident(100), primary_key=True),
    Column("subject", word(), primary_key=True),
    Column("value", ident(), nullable=False),
    Column("moved_at", Instant, nullable=False),
)

warning = Table(
    "warning",
    metadata,
    Column("warning_id", key(), primary_key=True),
    Column("connection", ident(100), nullable=False),
    Column("kind", word(), nullable=False),
    Column("subject", ident(400), nullable=False),
    Column("order_key", key(), index=True),
    Column("order_number", ident(), nullable=False),
    Column("detail", long_text(), nullable=False),
    Column("evidence", Json, nullable=False),
    Column("state", word(), nullable=False),
    Column("occurrences", Integer, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Index(
        "ix_warning_open",
        "connection",
        "kind",
        mssql_where=text("state = 'open'"),
        sqlite_where=text("state = 'open'"),
    ),
    Index(None, "state", "first_seen_at", "warning_id"),  # how readers page through them
)

warning_audit = Table(
    "warning_audit",
    metadata,
    Column("audit_id", counter(), primary_key=True),
    Column("warning_id", key(), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("actor", ident(), nullable=False),
    Column("action", word(), nullable=False),
    Column("note", long_text(), nullable=False),
)

reference_link = Table(
    "reference_link",
    metadata,
    Column("link_key", key(), primary_key=True),
    Column("connection", ident(100), nullable=False),
    Column("kind", word(), nullable=False),
    Column("tascus_value", ident(), nullable=False),
    Column("erp_value", ident(), nullable=False),
    Column("factor", Quantity),
    Index(None, "connection", "kind"),
)
