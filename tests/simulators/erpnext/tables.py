"""The site's database: documents by doctype and name, a clock and one transaction at a time.

Times are naive and in the site's own zone, as MariaDB keeps them [seen]. A document read is a copy: only `put`
changes the tables, and a transaction that fails leaves no trace.
"""

import copy
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.simulators.erpnext.errors import FrappeError


class Tables:
    """Documents as dictionaries, children inside their parents."""

    def __init__(self, zone):
        self.zone = ZoneInfo(zone)
        self.rows = {}
        self.counters = {}
        self._before = None
        self._at = None
        self._last = datetime(1970, 1, 1)  # noqa: DTZ001 -- naive as the column is

    def now(self):
        """Return the site's time: naive, local, never the same twice; a slow commit's is that of its beginning."""
        if self._at:
            self._at += timedelta(microseconds=1)
            return self._at
        self._last = max(datetime.now(self.zone).replace(tzinfo=None), self._last + timedelta(microseconds=1))
        return self._last

    def get(self, doctype, name):
        """Return a copy of one document."""
        found = self.rows.get(doctype, {}).get(name)
        if found is None:
            raise FrappeError(f"{doctype} {name} not found", "DoesNotExistError")
        return copy.deepcopy(found)

    def has(self, doctype, name):
        """Tell whether the document exists."""
        return name in self.rows.get(doctype, {})

    def select(self, doctype, **wanted):
        """Return the documents whose columns equal `wanted`; for reading only."""
        rows = self.rows.get(doctype, {}).values()
        return [row for row in rows if all(row.get(column) == value for column, value in wanted.items())]

    def put(self, doctype, doc):
        """Store a document, new or changed."""
        self._remember(doctype, doc["name"])
        self.rows.setdefault(doctype, {})[doc["name"]] = copy.deepcopy(doc)

    def remove(self, doctype, name):
        """Delete a document."""
        self._remember(doctype, name)
        del self.rows[doctype][name]

    def next_name(self, series):
        """Return the next name of a series such as "PO-JOB#####"."""
        prefix, digits = series.rstrip("#"), series.count("#")
        self.counters[prefix] = self.counters.get(prefix, 0) + 1
        return f"{prefix}{self.counters[prefix]:0{digits}}"

    def begin(self, at=None):
        """Start a transaction; `at` is when it really began, where others have committed since."""
        self._before, self._at = {}, at

    def rollback(self):
        """Undo what the transaction did."""
        for (doctype, name), row in self._before.items():
            if row is None:
                self.rows[doctype].pop(name, None)
            else:
                self.rows[doctype][name] = row
        self.commit()

    def commit(self):
        """Keep what the transaction did."""
        self._before = self._at = None

    def _remember(self, doctype, name):
        if self._before is not None:
            self._before.setdefault((doctype, name), self.rows.get(doctype, {}).get(name))
