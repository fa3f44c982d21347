"""The site: documents, rules and users put together; every call is one transaction."""

import contextlib
import threading

from tests.simulators.erpnext.documents import Documents
from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.job_card import JobCards
from tests.simulators.erpnext.query import Query
from tests.simulators.erpnext.stock_entry import StockEntries
from tests.simulators.erpnext.tables import Tables
from tests.simulators.erpnext.work_order import WorkOrders

USER = "tascus@example.com"


class Site:
    """One ERPNext site, without HTTP."""

    def __init__(self, zone, settings):
        self.settings = settings
        self.tables = Tables(zone)
        self.documents = Documents(self.tables, USER)
        self.orders = WorkOrders(self.documents, settings)
        self.cards = JobCards(self.documents, self.orders, settings)
        self.entries = StockEntries(self.documents, self.orders, settings)
        for rules in (self.orders, self.cards, self.entries):
            self.documents.controllers |= rules.hooks()
        self.documents.controllers["Custom Field", "on_update"] = self.documents.add_field
        self._one_at_a_time = threading.RLock()

    @contextlib.contextmanager
    def transaction(self, *, keep=True, snapshot=None, at=None):
        """Run one request: all or nothing. `keep` off is a GET, which Frappe never commits.

        `snapshot` and `at`: what it saw when it began, and when that was.
        """
        with self._one_at_a_time:
            self.tables.begin(at)
            self._see_as(snapshot)
            try:
                yield
            except BaseException:
                self.tables.rollback()
                raise
            self.tables.commit() if keep else self.tables.rollback()

    def snapshot(self):
        """Return what a transaction beginning now sees of goods entered: entry names and produced quantities."""
        orders = self.tables.select("Work Order")
        names = {entry["name"] for entry in self.tables.select("Stock Entry")}
        return names, {order["name"]: order["produced_qty"] for order in orders}

    def _see_as(self, snapshot):
        names, produced = snapshot or (None, {})
        entries = {entry["name"] for entry in self.tables.select("Stock Entry")} if snapshot else set()
        self.orders.unseen = entries - (names or set())
        self.orders.stale = produced

    def query(self, doctype):
        """Return the list of a doctype."""
        return Query(self.documents, doctype)

    def ensure(self, doctype, name, **values):
        """Create a master document unless it exists."""
        if not self.tables.has(doctype, name):
            self.documents.insert(doctype, {"name": name, **values})

    def submit(self, doctype, name):
        """Document.submit."""
        return self.documents.update(doctype, name, {"docstatus": 1})

    def cancel(self, doctype, name):
        """Document.cancel."""
        return self.documents.update(doctype, name, {"docstatus": 2})

    def need(self, args, *names):
        """Return arguments of a whitelisted method, or the TypeError Python raises for a missing one."""
        missing = [name for name in names if name not in args]
        if missing:
            raise FrappeError(f"missing required positional arguments: {', '.join(missing)}", "TypeError")
        return [args[name] for name in names]
