"""Execution events as rows: inserted once, never changed, except for the mark that a correction leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, union_all

from shared.domain.events import EventType, ExecutionEvent, Outcome, TimeKind
from shared.store.bulk import insert_tuples, keys_of, on_keys, update_rows
from shared.store.tables import event_serial, execution_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Subquery

    from shared.store.batch import Step


# In the order of ExecutionEvent's fields, and what the store adds.
STATED = ("event_key", *ExecutionEvent._fields[1:])
COLUMNS = (*STATED, "recorded_at", "voided_by")
SERIAL = ("event_key", "place", "serial")
TYPE, OUTCOME, TIME_KIND = (STATED.index(name) for name in ("type", "outcome", "time_kind"))


def recorded_step(connection: Connection, event_keys: Iterable[str]) -> Step:
    """Return what reads the given events, and the corrections that take them back."""
    return _recorded_or_voiding.step(connection, list(event_keys))


def known_and_voided(rows: Sequence[Any], orders: Mapping[str, str]) -> tuple[set[str], dict[str, str]]:
    """Tell which events are recorded already, and which are taken back by a correction recorded earlier.

    `rows` are those of `recorded_step`.
    `orders` maps event key to order key: a correction only reaches events of its own works order. The second part
    of the answer maps the voided key to the correction's key: a correction may overtake what it corrects.
    """
    known = {row.event_key for row in rows if row.event_key in orders}
    voided = {
        row.voids: row.event_key for row in rows if row.voids and orders.get(row.voids) == row.order_key
    }
    return known, voided


@on_keys
def _recorded_or_voiding(wanted: Subquery) -> Executable:
    table = execution_event
    recorded = select(table.c.event_key, table.c.voids, table.c.order_key).join(
        wanted, table.c.event_key == wanted.c.value
    )
    voiding = select(table.c.event_key, table.c.voids, table.c.order_key).join(
        wanted, table.c.voids == wanted.c.value
    )
    return union_all(recorded, voiding)


def insert_events(
    connection: Connection, events: Sequence[ExecutionEvent], voided_by: dict[str, str], now: datetime
) -> None:
    """Record new events. A key that is there already raises IntegrityError: look again and leave it out."""
    rows = [(*event, now, voided_by.get(event.key)) for event in events]
    insert_tuples(connection, execution_event, COLUMNS, rows)
    serials = [(event.key, place, serial) for event in events for place, serial in enumerate(event.serials)]
    insert_tuples(connection, event_serial, SERIAL, serials)


def mark_voided(connection: Connection, voided_by: dict[str, str]) -> None:
    """Note on events recorded earlier that a correction took them back."""
    rows = [{"event_key": target, "voided_by": correction} for target, correction in voided_by.items()]
    update_rows(connection, execution_event, ["event_key"], rows)


def history(connection: Connection, order_keys: Sequence[str]) -> dict[str, list[ExecutionEvent]]:
    """Read all events of the given works orders, by order key, in the order in which they happened."""
    table, wanted = execution_event, keys_of(connection, order_keys)
    statement = (
        select(table)
        .join(wanted, table.c.order_key == wanted.c.value)
        .order_by(table.c.occurred_at, table.c.event_key)
    )
    found: dict[str, list[ExecutionEvent]] = {key: [] for key in order_keys}
    for row in connection.execute(statement).mappings():
        found[row["order_key"]].append(from_row(row))
    return found


def from_row(row: Any) -> ExecutionEvent:  # noqa: ANN401 - a SQLAlchemy row mapping
    """Read an event back off its row."""
    return event_of([row[name] for name in STATED])


def event_of(stated: Sequence[Any]) -> ExecutionEvent:
    """Read an event back off its columns, in the order of `STATED`."""
    values = list(stated)
    values[TYPE] = EventType(values[TYPE])
    values[OUTCOME] = Outcome(values[OUTCOME]) if values[OUTCOME] else None
    values[TIME_KIND] = TimeKind(values[TIME_KIND]) if values[TIME_KIND] else None
    return ExecutionEvent._make(values)
