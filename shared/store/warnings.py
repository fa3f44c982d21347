"""Warnings with their audit trail. Raising the same warning again counts it; it does not pile up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select, update

from shared.domain.warning import Warning_, WarningKind, WarningState
from shared.store.batch import Step, ask, later
from shared.store.bulk import insert_rows, keys_of, on_keys, update_rows
from shared.store.tables import warning, warning_audit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Executable, Select, Subquery

SYSTEM = "system"


def raise_warnings(connection: Connection, raised: Sequence[Warning_], now: datetime) -> None:
    """Open new warnings, count known ones again, reopen resolved ones. Two to four statements however many."""
    if not raised:
        return
    latest = {item.warning_id: item for item in raised}
    times = Counter(item.warning_id for item in raised)
    (rows,) = ask(connection, _known.step(connection, sorted(latest)))
    table, known = warning, {row.warning_id: row for row in rows}
    fresh = [key for key in latest if key not in known]
    insert_rows(connection, table, [_new_row(latest[key], times[key], now) for key in fresh])
    again = [
        _again_row(latest[key], known[key].occurrences + times[key], now) for key in latest if key in known
    ]
    update_rows(connection, table, ["warning_id"], again)
    reopened = [key for key in latest if key in known and known[key].state != WarningState.OPEN]
    audit(connection, fresh, SYSTEM, "raised", "", now)
    audit(connection, reopened, SYSTEM, "reopened", "", now)


@on_keys
def _known(wanted: Subquery) -> Executable:
    columns = select(warning.c.warning_id, warning.c.state, warning.c.occurrences)
    return columns.join(wanted, warning.c.warning_id == wanted.c.value)


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
    (rows,) = ask(connection, Step(_open_ones(condition), {}))
    keys = list(rows.scalars())
    _close(connection, keys, actor, note, now, action)
    return keys


def _open_ones(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(warning.c.warning_id).where(warning.c.state == WarningState.OPEN, condition)


def _close(
    connection: Connection, keys: Sequence[str], actor: str, note: str, now: datetime, action: str
) -> None:
    if keys:
        later(connection, _closing.step(connection, keys))
        audit(connection, keys, actor, action, note, now)


@on_keys
def _closing(wanted: Subquery) -> Executable:
    closed = update(warning).values(state=WarningState.RESOLVED)
    return closed.where(warning.c.warning_id == wanted.c.value)


class Closing(NamedTuple):
    """Warnings of `kinds` about the orders of `order_keys`, whose cause is gone, as `note` says."""

    order_keys: Sequence[str]
    kinds: Sequence[WarningKind]
    note: str


def resolve_for_orders(connection: Connection, closings: Sequence[Closing], now: datetime) -> None:
    """Close warnings about orders, all in one round trip."""
    for closing, rows in zip(
        closings, ask(connection, *(_about(connection, closing) for closing in closings)), strict=True
    ):
        _close(connection, list(rows.scalars()), SYSTEM, closing.note, now, "resolved")


def _about(connection: Connection, closing: Closing) -> Step:
    wanted = keys_of(connection, closing.order_keys)
    condition = warning.c.kind.in_(closing.kinds) & warning.c.order_key.in_(select(wanted.c.value))
    return Step(_open_ones(condition), {})


def resolve_connection(connection: Connection, name: str, note: str, now: datetime) -> None:
    """Close what was raised because connection `name` did not work."""
    condition = (warning.c.kind == WarningKind.CONNECTION_HALTED) & (warning.c.connection == name)
    resolve(connection, condition, SYSTEM, note, now)


def resolve_subjects(
    connection: Connection, name: str, kind: WarningKind, subjects: Sequence[str], note: str, now: datetime
) -> None:
    """Close warnings of `kind` about any of `subjects`: what was unknown has arrived."""
    wanted = keys_of(connection, subjects, warning.c.subject.type)
    about = select(wanted.c.value).where(wanted.c.value == warning.c.subject).exists()  # exactly, unlike IN
    resolve(connection, about & (warning.c.kind == kind) & (warning.c.connection == name), SYSTEM, note, now)


def resolve_unknown_connections(connection: Connection, names: Sequence[str], now: datetime) -> None:
    """Close what was raised because none of `names` was configured: they are now."""
    table, wanted = warning, keys_of(connection, names, warning.c.connection.type)
    mine = select(wanted.c.value).where(wanted.c.value == table.c.connection).exists()  # exactly, unlike IN
    about = mine & (table.c.kind == WarningKind.UNKNOWN_CONNECTION)
    resolve(connection, about, SYSTEM, "the connection is configured", now)


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
