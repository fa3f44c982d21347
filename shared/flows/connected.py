"""What the flows need to know of a configured connection, and the reference data all flows share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.domain.checks import References
from shared.store.links import load_links
from shared.store.orders import known_work_centres

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from decimal import Decimal

    from sqlalchemy import Connection

    from shared.domain.units import UnitLinks
    from shared.erp.port import Erp
    from shared.store.engine import Store

REFRESH_SECONDS = 5.0


class ConnectedErp:
    """One configured ERP: its name and how to reach it. The ERP is made on first use and kept."""

    def __init__(self, name: str, make: Callable[[], Awaitable[Erp]]) -> None:
        self.name = name
        self._make = make
        self._erp: Erp | None = None

    async def erp(self) -> Erp:
        """Return the ERP. Raises ConfigurationError when its profile or settings cannot be used."""
        if self._erp is None:
            self._erp = await self._make()
        return self._erp

    async def close(self) -> None:
        """Give back its sockets."""
        if self._erp is not None:
            await self._erp.close()
            self._erp = None


@dataclass(slots=True)
class ReferenceData:
    """Links and work centres of all connections, read every few seconds: they change at set-up, not per event."""

    store: Store
    _read_at: float = float("-inf")
    _links: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    _units: Mapping[str, UnitLinks] = field(default_factory=dict)
    _work_centres: dict[str, frozenset[str]] = field(default_factory=dict)
    _known: dict[str, References] = field(default_factory=dict)

    def known(self, connection: str) -> References:
        """Return what is known on `connection`, as of the last refresh."""
        found = self._known.get(connection)
        if found is None:
            centres = self._work_centres.get(connection, frozenset())
            found = self._known[connection] = References(
                centres, self._links.get(connection, {}), self._units.get(connection, {})
            )
        return found

    def units(self, connection: str) -> UnitLinks:
        """Return the unit links of `connection`."""
        return self._units.get(connection, {})

    def forget(self) -> None:
        """Have the next `refresh` read anew: something was linked or pulled."""
        self._read_at = float("-inf")

    def refresh(self, tx: Connection) -> None:
        """Read everything again if it is older than a few seconds; called within a transaction that is open anyway."""
        if time.monotonic() - self._read_at < REFRESH_SECONDS:
            return
        self._read_at = time.monotonic()
        links: dict[str, dict[str, dict[str, str]]] = {}
        units: dict[str, dict[str, tuple[str, Decimal]]] = {}
        for link in load_links(tx):
            links.setdefault(link.connection, {}).setdefault(link.kind, {})[link.tascus_value] = (
                link.erp_value
            )
            if link.factor is not None:
                units.setdefault(link.connection, {})[link.tascus_value] = (link.erp_value, link.factor)
        self._links, self._units = links, units
        self._work_centres = known_work_centres(tx)
        self._known = {}
