"""One ERP under test: the planner and the auditor by its simulator, our side by the port."""

from datetime import UTC, datetime

import pytest

from shared.domain.works_order import ErpState
from shared.erp.engine import build
from tests.profiles.floor import NO_FAULT, Floor


class Plant:
    """A subject on its running simulator. Close it when done."""

    def __init__(self, subject, simulator):
        self.subject, self.simulator = subject, simulator
        self.checklist = subject.checklist
        self.secrets = subject.secrets(simulator)
        self._connections = []
        self.erp = self.connect()

    def connect(self, **patience):
        """Return one more connection, `page_size` and `reply_seconds` as given."""

        async def resolve(name):
            return self.secrets[name]

        settings = self.subject.settings(self.simulator) | {name: name for name in self.secrets}
        erp = build(self.subject.loaded(**patience), settings, resolve, lambda: datetime.now(UTC))
        self._connections.append(erp)
        return erp

    async def close(self):
        """Give back all sockets."""
        for erp in self._connections:
            await erp.close()

    def proves(self, key):
        """Tell whether `key` is done (True) or exempt (False); what is unproven, or proven elsewhere, is skipped."""
        entry = self.checklist.entries[key]
        if entry["state"] == "unproven":
            pytest.skip(f"{key}: {self.checklist.words(key)}")
        if entry.get("proven_by"):
            pytest.skip(f"{key}: proven by {entry['proven_by']}")
        return self.checklist.is_done(key)

    def release(self, order=None):
        """Release an order as the planner; returns (number, what was planned)."""
        return self.subject.release(self.simulator, order or self.subject.order)

    def booked(self, number):
        """Return what the ERP's own tables say, after everything accepted has been worked off."""
        if self.subject.time_passes:
            self.subject.time_passes(self.simulator)
        return self.simulator.booked(number)

    async def pull(self, since=None, erp=None):
        """Return the orders of one pull by number, and its watermark."""
        pages = [page async for page in (erp or self.erp).pull(since)]
        assert not [reject for page in pages for reject in page.rejected]
        marks = [page.watermark for page in pages if page.watermark]
        return {order.number: order for page in pages for order in page.orders}, (marks or [since])[-1]

    async def open_numbers(self):
        """Return the numbers of the reconciling pass."""
        return [number async for page in self.erp.open_orders() for number in page]

    async def released(self, order=None):
        """Release an order and return it as the pull gives it."""
        number, _ = self.release(order)
        orders, _ = await self.pull()
        assert orders[number].erp_state is ErpState.RELEASED
        return orders[number]

    def floor(self, order, fault=NO_FAULT, erp=None):
        """Return the floor that works on `order`, with `fault` before every call."""
        return Floor(self, erp or self.erp, order, fault)
