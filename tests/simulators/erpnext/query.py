"""The list call: filters, fields, order and limit over one doctype and its child tables.

Source: frappe/client.py get_list, frappe/model/db_query.py, frappe/utils/data.py get_filter. A column no table has
is 417 DataError [seen]; without `fields` only `name`, without `limit_page_length` 20 rows.
"""

import re
from datetime import datetime

from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.values import flt, moment, printed

COMPARE = {
    "=": lambda have, want: have == want,
    "!=": lambda have, want: have != want,
    ">": lambda have, want: have is not None and have > want,
    "<": lambda have, want: have is not None and have < want,
    ">=": lambda have, want: have is not None and have >= want,
    "<=": lambda have, want: have is not None and have <= want,
}
OPERATORS = (*COMPARE, "like", "not like", "in", "not in", "is", "between")
DIRECTED = re.compile(r"^(.*?)(?:\s+(asc|desc))?$", re.IGNORECASE)
BACKTICKED = re.compile(r"^`?tab([^`.]+)`?\.`?(\w+)`?$")


class Query:
    """One doctype's list."""

    def __init__(self, documents, doctype):
        self.documents = documents
        self.kind = documents.doctype(doctype)
        self.children = {field.target: field for field in self.kind.tables}

    def rows(self, filters=None, fields=None, order_by=None, start=0, length=20, or_filters=None):
        """Return the rows as the API prints them, nulls included: all `filters` hold, and one of `or_filters`."""
        wanted = [self._field(text) for text in fields or ["name"]]
        tests = [self._test(one) for one in _listed(filters)]
        either = [self._test(one) for one in _listed(or_filters)]
        held = self.documents.tables.select(self.kind.name)
        found = self._ordered([doc for doc in held if _fits(doc, tests, either)], order_by)
        shown = [row for doc in found for row in self._shown(doc, wanted)]
        return shown[start:] if not length else shown[start : start + length]

    # -- fields ---------------------------------------------------------------------------------------------

    def _field(self, text):
        column, _, alias = (part.strip() for part in str(text).partition(" as "))
        if column == "*":
            return None, "*", "*"
        child, name = self._resolve(column)
        return child, name, alias or name

    def _resolve(self, text):
        """Return the child table (None for the doctype itself) and the column a name means."""
        quoted = BACKTICKED.match(text)
        owner, column = quoted.groups() if quoted else (self.kind.name, text.strip("`"))
        if owner in self.children:
            return self._known(owner, column, child=True)
        if owner != self.kind.name and not quoted:
            raise FrappeError(f"Unknown column '{text}'", "DataError")
        return self._known(owner, column, child=False)

    def _known(self, owner, column, *, child):
        if column not in self.documents.doctype(owner).columns:
            raise FrappeError(f"(1054, \"Unknown column 'tab{owner}.{column}' in 'SELECT'\")", "DataError")
        return (self.children[owner] if child else None), column

    def _shown(self, doc, wanted):
        table = next((child for child, _, _ in wanted if child), None)
        for row in doc[table.name] if table else [None]:
            shown = {}
            for child, column, alias in wanted:
                if column == "*":
                    shown |= {name: printed(doc.get(name)) for name in self.kind.columns}
                else:
                    shown[alias] = printed((row if child else doc).get(column))
            yield shown

    # -- order ----------------------------------------------------------------------------------------------

    def _ordered(self, docs, order_by):
        for part in reversed((order_by or "modified desc").split(",")):
            column, way = DIRECTED.match(part.strip()).groups(default="")
            _, name = self._resolve(column)
            docs = sorted(docs, key=lambda doc: _sortable(doc.get(name)), reverse=way.lower() == "desc")
        return docs

    # -- filters --------------------------------------------------------------------------------------------

    def _test(self, given):
        owner, column, operator, value = self._four(given)
        if operator not in OPERATORS:
            raise FrappeError(f"Operator must be one of {', '.join(OPERATORS)}")
        child, column = self._where(owner, column)
        holds = _comparison(operator, value)
        if child:
            return lambda doc: any(holds(row.get(column)) for row in doc[child.name])
        return lambda doc: holds(doc.get(column))

    def _four(self, given):
        if len(given) not in (3, 4):
            raise FrappeError(f"Filter must have 4 values (doctype, fieldname, operator, value): {given}")
        owner, column, operator, value = given if len(given) == 4 else (self.kind.name, *given)
        return owner, column, str(operator).lower() or "=", value

    def _where(self, owner, column):
        if owner in self.children:
            return self._known(owner, column, child=True)
        if column in self.kind.columns:
            return None, column
        for target, field in self.children.items():
            if column in self.documents.doctype(target).fields:
                return field, column
        return self._known(self.kind.name, column, child=False)


def _fits(doc, tests, either):
    return all(test(doc) for test in tests) and (not either or any(test(doc) for test in either))


def _listed(filters):
    if isinstance(filters, dict):
        return [
            [name, *(value if isinstance(value, list) else ["=", value])] for name, value in filters.items()
        ]
    if filters and not isinstance(filters[0], list | dict):
        return [filters]
    return filters or []


def _comparison(operator, value):
    if operator == "is":
        return lambda have: (have not in (None, "")) == (str(value).lower() == "set")
    if operator in ("in", "not in"):
        listed = value.split(",") if isinstance(value, str) else value
        return lambda have: (str(have) in [str(one).strip() for one in listed]) == (operator == "in")
    if operator == "between":
        return lambda have: have is not None and _like(have, value[0]) <= have <= _like(have, value[1])
    if operator in ("like", "not like"):
        pattern = re.escape(str(value)).replace("%", ".*").replace("_", ".")
        found = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        return lambda have: bool(found.fullmatch(str(have or ""))) == (operator == "like")
    return lambda have: COMPARE[operator](have if have is not None else _null(value), _like(have, value))


def _null(value):
    """Return what an empty column counts as: Frappe wraps it in ifnull()."""
    return "" if isinstance(value, str) else 0


def _like(have, value):
    """Return `value` in the type of the column."""
    if isinstance(have, datetime):
        return moment(value)
    if isinstance(have, int | float):
        return flt(value)
    return value if have is None else str(value)


def _sortable(value):
    return (value is not None, value if isinstance(value, int | float) else str(value or ""))
