"""Reference links: one ERP value joined to one Tascus value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from shared.domain.reference_link import ReferenceLink
from shared.store.bulk import insert_rows, keys_of, update_rows
from shared.store.tables import reference_link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def load_links(connection: Connection) -> list[ReferenceLink]:
    """Read all links; there are hundreds, not millions."""
    columns = [
        reference_link.c[name] for name in ("connection", "kind", "tascus_value", "erp_value", "factor")
    ]
    return [ReferenceLink(*row) for row in connection.execute(select(*columns))]


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
