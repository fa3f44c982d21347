"""Reference links: one ERP value joined to one Tascus value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from shared.domain.message import MessageState
from shared.domain.reference_link import ReferenceLink
from shared.store.bulk import insert_rows, keys_of, update_rows
from shared.store.tables import outbound_message, reference_link, stream

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from decimal import Decimal

    from sqlalchemy import Connection


def load_links(connection: Connection) -> list[ReferenceLink]:
    """Read all links; there are hundreds, not millions."""
    columns = [
        reference_link.c[name] for name in ("connection", "kind", "tascus_value", "erp_value", "factor")
    ]
    return [ReferenceLink(*row) for row in connection.execute(select(*columns))]


def unit_links(connection: Connection) -> dict[str, dict[str, tuple[str, Decimal]]]:
    """Read all unit links, by connection and Tascus unit: ERP unit and factor."""
    table = reference_link
    columns = select(table.c.connection, table.c.tascus_value, table.c.erp_value, table.c.factor)
    mine = columns.where(table.c.kind == "unit", table.c.factor.is_not(None))
    found: dict[str, dict[str, tuple[str, Decimal]]] = {}
    for row in connection.execute(mine):
        found.setdefault(row.connection, {})[row.tascus_value] = (row.erp_value, row.factor)
    return found


def save_links(connection: Connection, links: Sequence[ReferenceLink]) -> None:
    """Add links, or point known Tascus values to another ERP value."""
    if not links:
        return
    rows = {link.key: _row(link) for link in links}
    wanted = keys_of(connection, sorted(rows))
    there = set(
        connection.scalars(
            select(reference_link.c.link_key).join(wanted, reference_link.c.link_key == wanted.c.value)
        )
    )
    insert_rows(connection, reference_link, [row for key, row in rows.items() if key not in there])
    update_rows(connection, reference_link, ["link_key"], [row for key, row in rows.items() if key in there])


def _row(link: ReferenceLink) -> dict[str, object]:
    return {
        "link_key": link.key,
        "connection": link.connection,
        "kind": link.kind,
        "tascus_value": link.tascus_value,
        "erp_value": link.erp_value,
        "factor": link.factor,
    }


def units_waited_for(
    connection: Connection, name: str, units: Collection[str], but_for: Collection[str]
) -> set[str]:
    """Return those of the units that messages of connection `name` are held for, but for those of some orders."""
    table, wanted = (
        outbound_message,
        keys_of(connection, sorted(units), outbound_message.c.waits_for_value.type),
    )
    mine = keys_of(connection, sorted(but_for))
    waiting = (
        select(table.c.waits_for_value)
        .join(stream, stream.c.stream_key == table.c.stream_key)
        .join(wanted, table.c.waits_for_value == wanted.c.value)
        .where(
            table.c.state == MessageState.HELD, table.c.waits_for_kind == "unit", stream.c.connection == name
        )
        .where(table.c.stream_key.not_in(select(mine.c.value)))
    )
    return set(connection.scalars(waiting))
