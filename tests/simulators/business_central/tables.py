"""Business Central's tables: rows keyed by AL field names, with what the platform adds to every row.

The platform gives each row a SystemId, SystemCreatedAt, SystemModifiedAt and a version; a change to a row moves the
row's own stamps only, never its parent's. Rules: RULES.md here.
"""

import itertools
import uuid
from datetime import UTC, datetime


class AlError(Exception):
    """An error as the AL runtime reports it: HTTP status, OData error code, text."""

    def __init__(self, code, text, status=400):
        super().__init__(text)
        self.code = code
        self.status = status


def now():
    """Return the time as the platform stores it: UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class Table:
    """One table; `key` names the fields of its primary key."""

    versions = itertools.count(1)

    def __init__(self, name, key):
        self.name = name
        self.key = key
        self.rows = []

    def insert(self, row):
        """Add a row; refused where its primary key exists."""
        if any(all(found[name] == row[name] for name in self.key) for found in self.rows):
            named = ", ".join(f"{name}='{row[name]}'" for name in self.key)
            raise AlError(
                "Internal_EntityWithSameKeyExists",
                f"The {self.name} already exists. Identification fields and values: {named}",
            )
        stamp = now()
        row |= {"SystemId": str(uuid.uuid4()), "SystemCreatedAt": stamp, "SystemModifiedAt": stamp}
        row["version"] = next(self.versions)
        self.rows.append(row)
        return row

    def modify(self, row):
        """Stamp a row that has changed."""
        row["SystemModifiedAt"] = now()
        row["version"] = next(self.versions)

    def delete(self, row):
        """Remove a row; nothing is left of it."""
        self.rows.remove(row)

    def where(self, **wanted):
        """Return the rows with these values; NAMES says which field a keyword stands for."""
        pairs = [(named(name), value) for name, value in wanted.items()]
        return [row for row in self.rows if all(row[name] == value for name, value in pairs)]

    def find(self, **wanted):
        """Return the one row with these values, or None."""
        return next(iter(self.where(**wanted)), None)

    def get(self, **wanted):
        """Return the one row with these values, or raise what the AL runtime raises."""
        found = self.find(**wanted)
        if found is None:
            values = ", ".join(f"{named(name)}='{value}'" for name, value in wanted.items())
            raise AlError(
                "Internal_RecordNotFound",
                f"The {self.name} does not exist. Identification fields and values: {values}",
            )
        return found


NAMES = {
    "number": "No.",
    "order": "Order No.",
    "prod_order": "Prod. Order No.",
    "line": "Line No.",
    "order_line": "Order Line No.",
    "operation": "Operation No.",
    "entry": "Entry No.",
    "item": "Item No.",
    "serial": "Serial No.",
    "template": "Journal Template Name",
    "batch": "Journal Batch Name",
    "document": "Document No.",
    "status": "Status",
    "code": "Code",
    "name": "Name",
    "system_id": "SystemId",
}


def named(keyword):
    """Return the AL field a Python keyword stands for."""
    return NAMES[keyword]
