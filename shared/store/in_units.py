"""What operations made in units that the events name, as rows: one per operation and unit, unconverted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, select

from shared.domain.identity import key_of, operation_key
from shared.store.batch import later
from shared.store.bulk import insert_tuples, on_rows, update_tuples
from shared.store.tables import operation_in_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Executable, Subquery

    from shared.domain.units import Made

type Place = tuple[str, str]  # operation id, unit

TOTALS = ("row_key", "unit", "good", "scrap", "rework")
NAMES = ("order_key", "row_key", "operation_key", "operation_id", "unit", "good", "scrap", "rework")
IDENTITY = ("order_key", "row_key")


class Change(NamedTuple):
    """An operation's quantities as they are to be, and the key of every row that its order has."""

    order_key: str
    operation_id: str
    named: Mapping[str, Made]
    rows: dict[Place, str]


def save(connection: Connection, changes: Sequence[Change]) -> None:
    """Write what is there, delete what corrections have left nothing of; keep `rows` as the table is."""
    inserts: list[tuple[Any, ...]] = []
    updates: list[tuple[Any, ...]] = []
    gone: list[dict[str, str]] = []
    for change in changes:
        for unit, made in change.named.items():
            (updates if (change.operation_id, unit) in change.rows else inserts).append(
                _row(change, unit, made)
            )
        gone += _emptied(change)
    insert_tuples(connection, operation_in_unit, NAMES, inserts)
    update_tuples(connection, operation_in_unit, IDENTITY, NAMES, updates)
    if gone:
        later(connection, _deletion.step(connection, gone))


def _row(change: Change, unit: str, made: Made) -> tuple[Any, ...]:
    order, operation = change.order_key, change.operation_id
    row_key = change.rows.setdefault((operation, unit), key_of(order, operation, unit))
    return order, row_key, operation_key(order, operation), operation, unit, *made


def _emptied(change: Change) -> list[dict[str, str]]:
    places = [
        place for place in change.rows if place[0] == change.operation_id and place[1] not in change.named
    ]
    return [{"order_key": change.order_key, "row_key": change.rows.pop(place)} for place in places]


@on_rows({name: operation_in_unit.c[name].type for name in IDENTITY})
def _deletion(given: Subquery) -> Executable:
    table = operation_in_unit
    mine = (table.c[name].in_(select(given.c[name])) for name in IDENTITY)  # digests: no two rows share one
    return delete(table).where(*mine)
