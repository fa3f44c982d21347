"""SuiteQL: a SELECT, brought into SQLite's dialect and run on the account's tables.

Oracle's functions (NVL, TO_DATE, TO_CHAR, BUILTIN.DF, SYSDATE) are given; a column or table that NetSuite does not
have is refused by the database itself. Values come back as text; a date in the account's format, without its time;
a transaction's status as its letter alone, though a filter must name it in full ("WorkOrd:B").
"""

import datetime as dt
import re
import sqlite3

from tests.simulators.netsuite.errors import RefusedError
from tests.simulators.netsuite.tables import TASK, WORK_ORDER

DATE = "D|"
ACCOUNT_FORMAT = "MM/DD/YYYY"
PIECES = (("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S"))
FORMAT = re.compile("|".join(mark for mark, _ in PIECES))
QUOTED = re.compile(r"('(?:[^']|'')*')")
STATUS = re.compile(r"(?:WorkOrd|WOCompl|WOClose|Build):([A-Z])")
MAX_ROWS = 100_000


class SuiteQl:
    """Runs queries on a database."""

    def __init__(self, database):
        self.database = database
        database.create_function("nvl", 2, lambda value, other: other if value is None else value)
        database.create_function("to_date", 2, to_date)
        database.create_function("to_char", 2, to_char)
        database.create_function("builtin_df", 2, self.display)
        database.create_function(
            "sysdate_now", 0, lambda: DATE + dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
        )

    def run(self, query):
        """Return the rows of a SELECT as dicts of text; a null is left out. RefusedError where it does not run."""
        if not re.match(r"\s*(select|with)\b", query, re.IGNORECASE) or ";" in query.rstrip(" ;\n"):
            raise invalid_query("Only SELECT statements are supported")
        if re.search(r"\blimit\b", "".join(QUOTED.split(query)[::2]), re.IGNORECASE):
            raise invalid_query("Unexpected token 'LIMIT'; page by the limit and offset of the request")
        try:
            rows = self.database.execute(translated(query)).fetchmany(MAX_ROWS)
        except sqlite3.Error as wrong:
            raise invalid_query(str(wrong)) from None
        return [_shown(row) for row in rows]

    def display(self, column, value):
        """Return what BUILTIN.DF shows for a value of `column`."""
        if value is None:
            return None
        if column == "status":
            short = str(value).partition(":")[2]
            return f"Work Order : {WORK_ORDER[short]}" if short in WORK_ORDER else TASK.get(value, value)
        table, name = {
            "manufacturingworkcenter": ("entitygroup", "groupname"),
            "item": ("item", "itemid"),
            "workorder": ('"transaction"', "tranid"),
            "createdfrom": ('"transaction"', "tranid"),
        }.get(column, (None, None))
        if table is None:
            return str(value)
        row = self.database.execute(f"select {name} from {table} where id = ?", [value]).fetchone()  # noqa: S608 - our own names
        return row[0] if row else None


def invalid_query(reason):
    """Return the refusal of a query that does not run."""
    text = f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {reason}."
    return RefusedError(400, "INVALID_PARAMETER", text, queryParam="q")


def translated(query):
    """Return the query in SQLite's words; what stands in quotes stays."""
    parts = QUOTED.split(query)
    return "".join(part if part.startswith("'") else _words(part) for part in parts)


def _words(text):
    text = re.sub(r'(?<!")\btransaction\b(?!")', '"transaction"', text, flags=re.IGNORECASE)
    text = re.sub(
        r"BUILTIN\.DF\(\s*((?:[\w\"]+\.)?(\w+))\s*\)",
        lambda found: f'builtin_df("{found[2].lower()}", {found[1]})'.replace('"', "'", 2),
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"\bSYSDATE\b", "sysdate_now()", text, flags=re.IGNORECASE)
    text = re.sub(r"FETCH\s+(?:FIRST|NEXT)\s+(\d+)\s+ROWS?\s+ONLY", r"LIMIT \1", text, flags=re.IGNORECASE)
    return re.sub(r"OFFSET\s+(\d+)\s+ROWS?\b", r"OFFSET \1", text, flags=re.IGNORECASE)


def to_date(text, form):
    """Return a date value of a text in Oracle's format."""
    moment = dt.datetime.strptime(text, _pattern(form))  # noqa: DTZ007 - the account's own time, which bears no zone
    return DATE + moment.strftime("%Y-%m-%d %H:%M:%S")


def to_char(value, form):
    """Return a date value as text in Oracle's format."""
    if value is None:
        return None
    return dt.datetime.fromisoformat(str(value).removeprefix(DATE)).strftime(_pattern(form))


def _pattern(form):
    return FORMAT.sub(lambda found: dict(PIECES)[found[0]], form.upper())


def _shown(row):
    found = {}
    for name in row.keys():  # noqa: SIM118 - a Row iterates over its values
        value = row[name]
        if value is not None:
            found[name.lower()] = _text(value)
    return {"links": [], **found}


def _text(value):
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    status = STATUS.fullmatch(text)
    if status:
        return status[1]
    return to_char(text, ACCOUNT_FORMAT) if text.startswith(DATE) else text
