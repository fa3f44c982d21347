"""What an OData service does with a URL: its path, its query options, the rows they choose and the JSON they become.

    orders = EntityType("Order", ("Id",), {"Id": "Edm.String", "Status": STATUS}, {"operations": (steps, steps_of)})
    query = parse_query({"$filter": "Status eq My.Status'Open'", "$expand": "operations"}, orders)
    chosen = chosen_rows(rows, query)           # filtered, ordered; `paged` cuts a page off it
    body = [shaped(row, orders, query) for row in chosen]

A row is a dict of Python values: text, bool, int, Decimal, date, aware datetime, None; an enumeration's member is
its name. Version 2 and 4 differ in literals, in `$expand` and in `$count` / `$inlinecount`. Whatever cannot be read
raises `QueryError`: which status and body that becomes is the vendor's business.
Source: OData V4.01 Part 1 (11.2 requesting data), Part 2 (URL conventions); OData V2 URI Conventions.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from tests.simulators.odata_filter import (
    NO_LIMITS,
    EnumType,
    Limits,
    Literal,
    QueryError,
    Row,
    Test,
    Types,
    literal,
    parse_filter,
    tokens,
)

__all__ = [
    "EntityType",
    "EnumType",
    "Limits",
    "Literal",
    "Query",
    "QueryError",
    "Row",
    "Segment",
    "after",
    "chosen_rows",
    "json_v4",
    "paged",
    "parse_filter",
    "parse_path",
    "parse_query",
    "shaped",
]

OPTIONS_V4 = ("$filter", "$select", "$orderby", "$top", "$skip", "$skiptoken", "$expand", "$count", "$format")
OPTIONS_V2 = (
    "$filter",
    "$select",
    "$orderby",
    "$top",
    "$skip",
    "$skiptoken",
    "$expand",
    "$inlinecount",
    "$format",
)


@dataclass(frozen=True)
class EntityType:
    """One kind of row: key names, property types, and navigation (name -> its type, and the rows a row leads to)."""

    name: str
    keys: tuple[str, ...]
    types: Types
    navigation: dict[str, tuple["EntityType", Callable[[Row], Any]]] = field(default_factory=dict)


def _every_row(_: Row) -> bool:
    return True


@dataclass
class Query:
    """The query options of one request, read and checked against an entity type."""

    test: Test = _every_row
    select: tuple[str, ...] = ()
    order_by: tuple[tuple[str, bool], ...] = ()  # (property, descending)
    top: int | None = None
    skip: int = 0
    skip_token: str = ""
    expand: dict[str, "Query"] = field(default_factory=dict)
    count: bool = False


# -- paths ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    """One step of a path: a name and, in brackets, a key ("" names a key given without its name)."""

    name: str
    key: dict[str, Literal] = field(default_factory=dict)

    @property
    def only(self) -> Any:
        """The value of a key of one part; None where there is no key."""
        return next(iter(self.key.values())).value if len(self.key) == 1 else None


def parse_path(path: str, version: int = 4) -> list[Segment]:
    """Cut `companies(…)/Orders(A='1',B=2)` into segments; a slash inside a quoted key stays in it."""
    parts = re.findall(r"(?:'(?:[^']|'')*'|[^/'])+", path)
    return [_segment(part, version) for part in parts]


def _segment(text: str, version: int) -> Segment:
    match = re.fullmatch(r"([^()]+)(?:\((.*)\))?", text)
    if not match:
        raise QueryError(f"Bad Request - Error in query syntax: '{text}'")
    name, inside = match.groups()
    return Segment(name, _key(inside, version) if inside else {})


def _key(text: str, version: int) -> dict[str, Literal]:
    found: dict[str, Literal] = {}
    for part in split_outside(text, ","):
        name, value = _key_part(part.strip())
        pairs = tokens(value)
        if len(pairs) != 1 or pairs[0][0] in ("name", "mark"):
            raise QueryError(f"Bad Request - Error in query syntax: '{text}'")
        found[name] = literal(*pairs[0], version)
    return found


def _key_part(text: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z_]\w*)\s*=", text)
    return (match.group(1), text[match.end() :]) if match else ("", text)


def split_outside(text: str, mark: str) -> list[str]:
    """Cut at `mark`, but not inside quotes or brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        if quoted:
            continue
        depth += (character == "(") - (character == ")")
        if character == mark and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


# -- query options ----------------------------------------------------------------------------------------------


def parse_query(
    options: Mapping[str, str], entity: EntityType, version: int = 4, limits: Limits = NO_LIMITS
) -> Query:
    """Read the options that start with `$`; the vendor's own ones (`cross-company`, `sap-…`) are left alone."""
    known = OPTIONS_V4 if version == 4 else OPTIONS_V2
    for name in options:
        if name.startswith("$") and name not in known:
            raise QueryError(f"The query option '{name}' is not supported.")
    top = _whole_number("$top", options["$top"]) if "$top" in options else None
    return Query(
        parse_filter(options["$filter"], entity.types, version, limits)
        if "$filter" in options
        else _every_row,
        _selected(options.get("$select", ""), entity, version),
        _ordered(options.get("$orderby", ""), entity),
        top,
        _whole_number("$skip", options.get("$skip", "0")),
        options.get("$skiptoken", ""),
        _expanded(options.get("$expand", ""), entity, version),
        options.get("$count") == "true" or options.get("$inlinecount") == "allpages",
    )


def _whole_number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise QueryError(
            f"Invalid value '{text}' for {name} query option found. It requires a non-negative integer."
        )
    return int(text)


def _selected(text: str, entity: EntityType, version: int) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        first = name.split("/")[0] if version == 2 else name
        if first != "*" and first not in entity.types and first not in entity.navigation:
            raise _no_property(first, entity)
    return () if "*" in names else names


def _ordered(text: str, entity: EntityType) -> tuple[tuple[str, bool], ...]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if name not in entity.types:
            raise _no_property(name, entity)
        if direction.strip() not in ("", "asc", "desc"):
            raise QueryError(f"Syntax error at '{direction}' in $orderby '{text}'.")
        found.append((name, direction.strip() == "desc"))
    return tuple(found)


def _expanded(text: str, entity: EntityType, version: int) -> dict[str, Query]:
    found: dict[str, Query] = {}
    for part in filter(None, (part.strip() for part in split_outside(text, ","))):
        read = _expand_v4 if version == 4 else _expand_v2
        name, query = read(part, entity)
        if name in found:
            found[name].expand.update(query.expand)
        else:
            found[name] = query
    return found


def _expand_v4(part: str, entity: EntityType) -> tuple[str, Query]:
    name, _, inside = part.partition("(")
    target = _target(name.strip(), entity)
    options = dict(_option(piece) for piece in split_outside(inside[:-1], ";")) if inside else {}
    return name.strip(), parse_query(options, target, 4)


def _expand_v2(part: str, entity: EntityType) -> tuple[str, Query]:
    name, _, deeper = part.partition("/")
    target = _target(name, entity)
    return name, Query(expand=_expanded(deeper, target, 2) if deeper else {})


def _option(text: str) -> tuple[str, str]:
    name, mark, value = text.strip().partition("=")
    if not mark:
        raise QueryError(f"Syntax error at '{text}' in $expand.")
    return name, value


def _target(name: str, entity: EntityType) -> EntityType:
    if name not in entity.navigation:
        raise _no_property(name, entity)
    return entity.navigation[name][0]


def _no_property(name: str, entity: EntityType) -> QueryError:
    return QueryError(f"Could not find a property named '{name}' on type '{entity.name}'.")


# -- rows -------------------------------------------------------------------------------------------------------


def chosen_rows(rows: list[Row], query: Query, keys: tuple[str, ...] = ()) -> list[Row]:
    """Return the rows that pass `$filter` in the order of `$orderby`, then of `keys`; not yet cut to a page."""
    passing = [row for row in rows if query.test(row)]
    for name, descending in reversed((*query.order_by, *((key, False) for key in keys))):
        passing.sort(key=cmp_to_key(_by(name)), reverse=descending)
    return passing


def after(rows: list[Row], query: Query, keys: tuple[str, ...], last: Row) -> int:
    """Return how many of the ordered `rows` stand up to and including where `last` stands or stood."""
    order = (*query.order_by, *((key, False) for key in keys))

    def behind(row: Row) -> bool:
        signs = ((_by(name)(row, last), -1 if descending else 1) for name, descending in order)
        return next((sign * turn > 0 for sign, turn in signs if sign), False)

    return sum(not behind(row) for row in rows)


def _by(name: str) -> Callable[[Row, Row], int]:
    """Null comes before every value. Source: OData V4.01 Part 1, 11.2.6.2 ($orderby)."""

    def compare(left: Row, right: Row) -> int:
        first, second = left.get(name), right.get(name)
        if first is None or second is None:
            return (first is not None) - (second is not None)
        return (first > second) - (first < second)

    return compare


def paged(rows: list[Row], query: Query, page_size: int, start: int = 0) -> tuple[list[Row], int | None]:
    """Return the rows of one server-driven page, and where the next begins (None: this is the last).

    `start` is what the next link of the page before said; `$skip` and `$top` count over all pages together.
    """
    wanted = rows[query.skip :]
    wanted = wanted if query.top is None else wanted[: query.top]
    end = start + page_size
    return wanted[start:end], (end if end < len(wanted) else None)


def shaped(row: Row, entity: EntityType, query: Query) -> Row:
    """Return what the query wants of a row: the selected properties, and what is expanded, as Python values."""
    names = [name for name in entity.types if not query.select or name in query.select]
    found = {name: row.get(name) for name in names}
    for name, inner in query.expand.items():
        target, follow = entity.navigation[name]
        found[name] = _related(follow(row), target, inner)
    return found


def _related(related: Any, target: EntityType, query: Query) -> Any:
    if not isinstance(related, list):
        return None if related is None else shaped(related, target, query)
    rows, _ = paged(chosen_rows(related, query), query, len(related) or 1)
    return [shaped(row, target, query) for row in rows]


def json_v4(value: Any) -> Any:
    """Return a value as V4's JSON wants it: numbers as numbers, instants with `Z`; goes into lists and dicts."""
    if isinstance(value, dict):
        return {name: json_v4(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [json_v4(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
