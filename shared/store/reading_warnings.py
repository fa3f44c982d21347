"""Reads warnings for people, newest first, with their audit trail."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from shared.domain.page import Page
from shared.domain.warning import WarningKind, WarningState
from shared.domain.warning_view import AuditLine, WarningDetail, WarningFilter, WarningLine
from shared.store.bulk import keys_of
from shared.store.paging import after, paged
from shared.store.tables import warning, warning_audit
from shared.store.types import instant_text


def list_warnings(
    tx: Connection,
    wanted: WarningFilter,
    order_keys: Collection[str] | None,
    limit: int,
    position: tuple[datetime, str] | None,
) -> Page[WarningLine]:
    """Return up to `limit` warnings after `position` (first seen, id), newest first.

    `order_keys` are the keys of the order that is wanted, None = any order, and none at all.
    By when they were first seen: that never moves, so a warning seen again does not slip past a reader.
    """
    sort = (warning.c.first_seen_at, warning.c.warning_id)
    statement = (
        _filtered(tx, wanted, order_keys).order_by(*(column.desc() for column in sort)).limit(limit + 1)
    )
    if position is not None:
        statement = statement.where(after(sort, position, falling=True))
    rows = tx.execute(statement).all()
    places = ((instant_text(row.first_seen_at), row.warning_id) for row in rows)
    return paged([line_of(row) for row in rows], limit, *places)


def _filtered(tx: Connection, wanted: WarningFilter, order_keys: Collection[str] | None) -> Select[Any]:
    statement = select(warning)
    if wanted.state is not None:
        statement = statement.where(warning.c.state == wanted.state)
    if wanted.kind is not None:
        statement = statement.where(warning.c.kind == wanted.kind)
    if wanted.connection is not None:
        statement = statement.where(warning.c.connection == wanted.connection)
    if order_keys is not None:
        keys = keys_of(tx, sorted(order_keys))
        statement = statement.join(keys, warning.c.order_key == keys.c.value)
    return statement


def line_of(row: Any) -> WarningLine:  # noqa: ANN401 - a SQLAlchemy row
    """Lay a row of `warning` out for a reader."""
    return WarningLine(
        row.warning_id,
        row.connection,
        WarningKind(row.kind),
        row.subject,
        row.order_number,
        row.detail,
        row.evidence,
        WarningState(row.state),
        row.occurrences,
        row.first_seen_at,
        row.last_seen_at,
    )


def read_warning(tx: Connection, warning_id: str) -> WarningDetail | None:
    """Read one warning with its audit trail; None if there is none of that id."""
    row = tx.execute(select(warning).where(warning.c.warning_id == warning_id)).one_or_none()
    if row is None:
        return None
    trail = warning_audit
    statement = select(trail).where(trail.c.warning_id == warning_id).order_by(trail.c.audit_id)
    done = [AuditLine(found.at, found.actor, found.action, found.note) for found in tx.execute(statement)]
    return WarningDetail(line_of(row), row.order_key, done)
