"""Warnings with their audit trail. Raising the same warning again counts it; it does not pile up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from shared.domain.warning import Warning_, WarningKind, WarningState
from shared.store.bulk import insert_rows, keys_of, update_rows
from shared.store.tables import warning, warning_audit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, ColumnElement

SYSTEM = "system"


def raise_warnings(connection: Connection, raised: Sequence[Warning_], now: datetime) -> None:
    """Open new warnings, count known ones again, reopen resolved ones. Two to four statements however many."""
    if not raised:
        return
    latest = {item.warning_id: item for item in raised}
    table, wanted = warning, keys_of(connection, sorted(latest))
    statement = select(table.c.warning_id, table.c.state, table.c.occurrences)
    known = {
        row.warning_id: row
        for row in connection.execute(statement.join(wanted, table.c.warning_id == wanted.c.value))
    }
    fresh = [key for key in latest if key not in known]
    insert_rows(connection, table, [_new_row(latest[key], now) for key in fresh])
    again = [_again_row(latest[key], known[key].occurrences + 1, now) for key in latest if key in known]
    update_rows(connection, table, ["warning_id"], again)
    reopened = [key for key in latest if key in known and known[key].state != WarningState.OPEN]
    audit(connection, fresh, SYSTEM, "raised", "", now)
    audit(connection, reopened, SYSTEM, "reopened", "", now)


def _new_row(item: Warning_, now: datetime) -> dict[str, object]:
    return {
        **_again_row(item, 1, now),
        "connection": item.connection,
        "kind": item.kind,
        "subject": item.subject[:400],
        "order_key": item.order_key or None,
        "order_number": item.order_number,
        "first_seen_at": now,
    }


def _again_row(item: Warning_, occurrences: int, now: datetime) -> dict[str, object]:
    return {
        "warning_id": item.warning_id,
        "detail": item.detail,
        "evidence": dict(item.evidence),
        "state": WarningState.OPEN,
        "occurrences": occurrences,
        "last_seen_at": now,
    }


def resolve(
    connection: Connection, condition: ColumnElement[bool], actor: str, note: str, now: datetime
) -> list[str]:
    """Close the open warnings that match `condition`; return their ids."""
    matching = select(warning.c.warning_id).where(warning.c.state == WarningState.OPEN, condition)
    keys = list(connection.scalars(matching))
    if keys:
        wanted = keys_of(connection, keys)
        statement = (
            update(warning).values(state=WarningState.RESOLVED).where(warning.c.warning_id == wanted.c.value)
        )
        connection.execute(statement)
        audit(connection, keys, actor, "resolved", note, now)
    return keys


def resolve_for_orders(
    connection: Connection, order_keys: Sequence[str], kinds: Sequence[WarningKind], note: str, now: datetime
) -> None:
    """Close warnings of the given kinds about the given orders: their cause is gone."""
    wanted = keys_of(connection, order_keys)
    condition = warning.c.kind.in_(kinds) & warning.c.order_key.in_(select(wanted.c.value))
    resolve(connection, condition, SYSTEM, note, now)


def resolve_connection(connection: Connection, name: str, note: str, now: datetime) -> None:
    """Close what was raised because connection `name` did not work."""
    condition = (warning.c.kind == WarningKind.CONNECTION_HALTED) & (warning.c.connection == name)
    resolve(connection, condition, SYSTEM, note, now)


def resolve_subjects(
    connection: Connection, name: str, kind: WarningKind, subjects: Sequence[str], note: str, now: datetime
) -> None:
    """Close warnings of `kind` about any of `subjects`: what was unknown has arrived."""
    wanted = keys_of(connection, subjects, warning.c.subject.type)
    about = warning.c.subject.in_(select(wanted.c.value))
    resolve(connection, about & (warning.c.kind == kind) & (warning.c.connection == name), SYSTEM, note, now)


def audit(
    connection: Connection, keys: Sequence[str], actor: str, action: str, note: str, now: datetime
) -> None:
    """Note who did what to these warnings."""
    rows = [{"warning_id": key, "at": now, "actor": actor, "action": action, "note": note} for key in keys]
    insert_rows(connection, warning_audit, rows)
