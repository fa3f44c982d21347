"""Warnings with their audit trail. Raising the same warning again counts it; it does not pile up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from shared.domain.warning import Warning_, WarningKind, WarningState
from shared.store.bulk import insert_rows, keys_of, update_rows
from shared.store.tables import warning, warning_audit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

SYSTEM = "system"


def raise_warnings(connection: Connection, raised: Sequence[Warning_], now: datetime) -> None:
    """Open new warnings, count known ones again, reopen resolved ones. Two to four statements however many."""
    if not raised:
        return
    latest = {item.warning_id: item for item in raised}
    times = Counter(item.warning_id for item in raised)
    table, wanted = warning, keys_of(connection, sorted(latest))
    statement = select(table.c.warning_id, table.c.state, table.c.occurrences)
    known = {
        row.warning_id: row
        for row in connection.execute(statement.join(wanted, table.c.warning_id == wanted.c.value))
    }
    fresh = [key for key in latest if key not in known]
    insert_rows(connection, table, [_new_row(latest[key], times[key], now) for key in fresh])
    again = [
        _again_row(latest[key], known[key].occurrences + times[key], now) for key in latest if key in known
    ]
    update_rows(connection, table, ["warning_id"], again)
    reopened = [key for key in latest if key in known and known[key].state != WarningState.OPEN]
    audit(connection, fresh, SYSTEM, "raised", "", now)
    audit(connection, reopened, SYSTEM, "reopened", "", now)


def _new_row(item: Warning_, occurrences: int, now: datetime) -> dict[str, object]:
    return {
        **_again_row(item, occurrences, now),
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
    connection: Connection,
    condition: ColumnElement[bool],
    actor: str,
    note: str,
    now: datetime,
    action: str = "resolved",
) -> list[str]:
    """Close the open warnings that match `condition`, noting `action`; return their ids."""
    matching = select(warning.c.warning_id).where(warning.c.state == WarningState.OPEN, condition)
    keys = list(connection.scalars(matching))
    if keys:
        wanted = keys_of(connection, keys)
        statement = (
            update(warning).values(state=WarningState.RESOLVED).where(warning.c.warning_id == wanted.c.value)
        )
        connection.execute(statement)
        audit(connection, keys, actor, action, note, now)
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


def rejected_records(connection: Connection, name: str) -> set[str]:
    """Return the records of connection `name` that pulls could not take over, by open warnings."""
    rejected = (warning.c.kind == WarningKind.RECORD_REJECTED) & (warning.c.state == WarningState.OPEN)
    return set(connection.scalars(select(warning.c.subject).where(rejected, warning.c.connection == name)))


def count_poison(connection: Connection, queue: str) -> int:
    """Count open warnings about messages of `queue` that no handler could take (flows/queued.py)."""
    table = warning
    about = table.c.subject.startswith(f"{queue}:", autoescape=True)
    poison = (table.c.kind == WarningKind.POISON_MESSAGE) & (table.c.state == WarningState.OPEN)
    return connection.scalar(select(func.count()).select_from(table).where(poison, about)) or 0


def resolve_one(
    connection: Connection, warning_id: str, actor: str, note: str, now: datetime, action: str
) -> bool:
    """Close one warning by a person's decision; False if it was not open. The decision is noted all the same."""
    closed = resolve(connection, warning.c.warning_id == warning_id, actor, note, now, action)
    if not closed:
        audit(connection, [warning_id], actor, action, note, now)
    return bool(closed)


def resolve_change(
    connection: Connection,
    order_key: str,
    kinds: Sequence[WarningKind],
    actor: str,
    note: str,
    now: datetime,
    action: str,
) -> None:
    """Close the warnings of `kinds` about one order by a person's decision."""
    condition = warning.c.kind.in_(kinds) & (warning.c.order_key == order_key)
    resolve(connection, condition, actor, note, now, action)
