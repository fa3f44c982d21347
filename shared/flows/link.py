"""Link: one ERP value is joined to one Tascus value, and whatever waited for just that goes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.warning import WarningKind
from shared.flows.connected import REFRESH_SECONDS
from shared.flows.review import wake
from shared.flows.units import counted_anew
from shared.store import links as link_store
from shared.store import orders, outbox, warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from shared.domain.reference_link import ReferenceLink
    from shared.flows.connected import ReferenceData
    from shared.queues.sender import QueueSender
    from shared.store.engine import Store

EVERYWHERE = timedelta(seconds=REFRESH_SECONDS + 1)  # by then every instance has read the links anew
ANSWERS = {"unit": WarningKind.UNKNOWN_UNIT, "work_centre": WarningKind.UNKNOWN_WORK_CENTRE}


class Linker:
    """Reads and saves the reference links of connections. Everything here raises StoreUnavailable."""

    def __init__(self, store: Store, queues: QueueSender, references: ReferenceData) -> None:
        self._store = store
        self._queues = queues
        self._references = references

    async def links(self, name: str) -> list[ReferenceLink]:
        """Return the links of connection `name`, by kind and Tascus value."""
        everywhere = await self._store.read(link_store.load_links)
        found = [link for link in everywhere if link.connection == name]
        return sorted(found, key=lambda link: (link.kind, link.tascus_value))

    async def save(self, name: str, links: Sequence[ReferenceLink]) -> list[str]:
        """Save links of connection `name`; return the streams that go on because of them.

        They are woken twice: another instance may try with the links it still has in mind, and hold the message
        again.
        """
        now = datetime.now(UTC)
        freed = await self._store.write(lambda tx: _save(tx, name, links, now))
        self._references.forget()
        await wake(self._queues, freed)
        await wake(self._queues, freed, EVERYWHERE)
        return freed


def _save(tx: Connection, name: str, links: Sequence[ReferenceLink], now: datetime) -> list[str]:
    """Quantities in a unit count by its links as they are, at once; no total has to be worked out anew."""
    link_store.save_links(tx, links)
    freed: set[str] = set()
    for kind, values in _by_kind(links).items():
        warned, subjects = ANSWERS.get(kind, WarningKind.UNKNOWN_CODE), values
        if kind not in ANSWERS:
            subjects = [*values, *(f"{kind}:{value}" for value in values)]
        warnings.resolve_subjects(tx, name, warned, subjects, "a reference link answers it", now)
        waiting = outbox.streams_waiting_for(tx, kind, values, name)
        freed.update(waiting)
        if kind == "unit" and waiting:
            plans = {key: stored.plan for key, stored in orders.load_orders(tx, waiting).items()}
            counted_anew(tx, name, plans, now)
    return outbox.release_held(tx, sorted(freed), now + EVERYWHERE)


def _by_kind(links: Sequence[ReferenceLink]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for link in links:
        values.setdefault(link.kind, []).append(link.tascus_value)
    return values
