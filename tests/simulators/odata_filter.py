"""`$filter` of OData V2 and V4: text -> tokens -> a tree -> a verdict for a row.

What is compared must be of one type, as OData libraries insist: a text against a number, or a plain text against an
enumeration, is refused, not false. Source: OData V4.01 Part 2 URL Conventions 5.1.1 (operators, functions, null);
OData V2 Overview, section 6 (literals `datetime'…'`, `datetimeoffset'…'`, `guid'…'`, `time'…'`; `substringof`).
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


class QueryError(Exception):
    """A query option the service cannot read, or does not offer; the text says why."""


@dataclass(frozen=True)
class Limits:
    """What a vendor's service leaves out of `$filter`.

    `without`: operators and functions it refuses ("in", "contains", …); `or_across_fields`: whether `or` may join tests
    of two fields; `enum_order`: whether an enumeration may be compared by order, not only by eq and ne.
    """

    without: frozenset[str] = frozenset()
    or_across_fields: bool = True
    enum_order: bool = True


NO_LIMITS = Limits()


@dataclass(frozen=True)
class EnumType:
    """An enumeration: its full name, and its members in order."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Literal:
    """A value in a query: its Edm type (`Edm.Decimal` for every number, "null", or an enumeration's name)."""

    type: str
    value: Any


NUMBERS = ("Edm.Decimal", "Edm.Double", "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte", "Edm.Single")
COMPARISONS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": operator.contains,
    "substringof": lambda part, whole: part in whole,  # V2: the part stands first
}
TEXT_CHANGES: dict[str, Callable[[str], str]] = {
    "tolower": str.lower,
    "toupper": str.upper,
    "trim": str.strip,
}
ONLY_IN_V4 = {"contains"}
ONLY_IN_V2 = {"substringof"}

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<typed>[A-Za-z_][\w.]*'(?:[^']|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<guid>{_GUID})
    | (?P<instant>{_INSTANT})
    | (?P<date>\d{{4}}-\d\d-\d\d)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[MmLlDdFf]?\b)
    | (?P<name>[A-Za-z_@][\w./]*)
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)


# -- literals ---------------------------------------------------------------------------------------------------


def instant(text: str) -> datetime:
    """Return an instant as UTC; `2026-11-03T08:00:00Z`, with an offset, or (V2 `datetime'…'`) without one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"'{text}' is not a date and time") from None
    return found.astimezone(UTC) if found.tzinfo else found


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QueryError(f"'{text}' is not a date") from None


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _typed_literal(text: str, version: int) -> Literal:
    prefix, quoted = text.split("'", 1)
    value = _unquoted("'" + quoted)
    kinds_v2: dict[str, tuple[str, Callable[[str], Any]]] = {
        "datetime": ("Edm.DateTime", instant),
        "datetimeoffset": ("Edm.DateTimeOffset", instant),
        "guid": ("Edm.Guid", str.lower),
        "time": ("Edm.Time", str),
    }
    if version == 2:
        if prefix not in kinds_v2:
            raise QueryError(f"Unrecognized literal '{text}'")
        name, read = kinds_v2[prefix]
        return Literal(name, read(value))
    if "." not in prefix:
        raise QueryError(f"Syntax error: unrecognized literal '{text}'")
    return Literal(prefix, value)


def literal(kind: str, text: str, version: int = 4) -> Literal:
    """Return the literal a token stands for."""
    if kind == "typed":
        return _typed_literal(text, version)
    if kind == "string":
        return Literal("Edm.String", _unquoted(text))
    if kind == "number":
        return Literal("Edm.Decimal", Decimal(text.rstrip("MmLlDdFf")))
    if version == 2:
        raise QueryError(f"Syntax error at '{text}'")
    if kind == "guid":
        return Literal("Edm.Guid", text.lower())
    return (
        Literal("Edm.DateTimeOffset", instant(text)) if kind == "instant" else Literal("Edm.Date", _day(text))
    )


# -- tokens -----------------------------------------------------------------------------------------------------


@dataclass
class _Tokens:
    pairs: list[tuple[str, str]]
    version: int
    limits: Limits = NO_LIMITS
    at: int = 0
    fields: list[str] = field(default_factory=list)  # every property met so far, in order

    def peek(self, ahead: int = 0) -> str:
        return self.pairs[self.at + ahead][1] if self.at + ahead < len(self.pairs) else ""

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.pairs):
            raise QueryError("Syntax error: the expression ends too early")
        self.at += 1
        return self.pairs[self.at - 1]

    def expect(self, mark: str) -> None:
        _, text = self.take()
        if text != mark:
            raise QueryError(f"Syntax error: '{mark}' expected, '{text}' found")


def tokens(text: str) -> list[tuple[str, str]]:
    """Cut an expression into (kind, text)."""
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or match.end() == at:
            raise QueryError(
                f"Syntax error: character '{text[at:].strip()[:1]}' is not valid at position {at}"
            )
        found.append((str(match.lastgroup), str(match.group(str(match.lastgroup)))))
        at = match.end()
    return found


# -- the tree: each node answers a row ----------------------------------------------------------------------------

Types = dict[str, str | EnumType]
Row = dict[str, Any]


@dataclass(frozen=True)
class Operand:
    """One side of a comparison: what it is, and what it says of a row."""

    type: str
    enum: EnumType | None
    of: Callable[[Row], Any]


Test = Callable[[Row], bool]


def parse_filter(text: str, types: Types, version: int = 4, limits: Limits = NO_LIMITS) -> Test:
    """Return what `$filter` asks of a row of these `types`; raises `QueryError` where it cannot be asked."""
    stream = _Tokens(tokens(text), version, limits)
    test = _either(stream, types)
    if stream.peek():
        raise QueryError(f"Syntax error at '{stream.peek()}' in '{text}'")
    return test


def _either(stream: _Tokens, types: Types) -> Test:
    first = len(stream.fields)
    tests = [_both(stream, types)]
    while stream.peek() == "or":
        stream.take()
        tests.append(_both(stream, types))
    if len(tests) > 1 and not stream.limits.or_across_fields and len(set(stream.fields[first:])) > 1:
        raise QueryError("The 'OR' operator is not supported on distinct fields on an OData filter.")
    return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)


def _both(stream: _Tokens, types: Types) -> Test:
    tests = [_negated(stream, types)]
    while stream.peek() == "and":
        stream.take()
        tests.append(_negated(stream, types))
    return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)


def _negated(stream: _Tokens, types: Types) -> Test:
    if stream.peek() == "not":
        stream.take()
        inner = _negated(stream, types)
        return lambda row: not inner(row)
    return _primary(stream, types)


def _primary(stream: _Tokens, types: Types) -> Test:
    if stream.peek() == "(":
        stream.take()
        inner = _either(stream, types)
        stream.expect(")")
        return inner
    left = _operand(stream, types)
    if stream.peek() == "in" and stream.version == 4:
        return _membership(stream, types, left)
    if stream.peek() not in COMPARISONS:
        return _truth(left)
    name = stream.take()[1]
    right = _operand(stream, types)
    if (left.enum or right.enum) and name not in ("eq", "ne") and not stream.limits.enum_order:
        raise QueryError(f"The operator '{name}' is not supported for enumerations; 'eq' and 'ne' are.")
    return _comparison(name, left, right)


def _truth(operand: Operand) -> Test:
    if operand.type != "Edm.Boolean":
        raise QueryError(
            f"The $filter expression must evaluate to a single boolean value; it is '{operand.type}'"
        )
    return lambda row: operand.of(row) is True


def _membership(stream: _Tokens, types: Types, left: Operand) -> Test:
    if "in" in stream.limits.without:
        raise QueryError("The operator 'in' is not supported.")
    stream.take()
    stream.expect("(")
    tests = [_comparison("eq", left, _operand(stream, types))]
    while stream.peek() == ",":
        stream.take()
        tests.append(_comparison("eq", left, _operand(stream, types)))
    stream.expect(")")
    return lambda row: any(test(row) for test in tests)


def _comparison(name: str, left: Operand, right: Operand) -> Test:
    _check_types(name, left, right)
    compare = COMPARISONS[name]
    enum = left.enum or right.enum

    def test(row: Row) -> bool:
        first, second = left.of(row), right.of(row)
        if first is None or second is None:
            return compare(first, second) if name in ("eq", "ne") else False
        if enum and name not in ("eq", "ne"):
            return compare(enum.members.index(first), enum.members.index(second))
        return compare(*_alike(first, second))

    return test


def _alike(first: Any, second: Any) -> tuple[Any, Any]:
    """A date beside an instant counts as its midnight, UTC."""
    if isinstance(first, datetime) and not isinstance(second, datetime):
        return first, datetime(second.year, second.month, second.day, tzinfo=UTC)
    if isinstance(second, datetime) and not isinstance(first, datetime):
        return _alike(second, first)[::-1]
    return first, second


def _check_types(name: str, left: Operand, right: Operand) -> None:
    """Refuse operands of two types; numbers are of one kind, a date may stand for an instant, null for all."""
    pair = {left.type, right.type}
    if "null" in pair or left.type == right.type or pair <= set(NUMBERS):
        return _check_member(left, right)
    if pair == {"Edm.Date", "Edm.DateTimeOffset"}:
        return None
    raise QueryError(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{left.type}' and '{right.type}' for operator kind '{_KINDS[name]}'."
    )


_KINDS = {
    "eq": "Equal",
    "ne": "NotEqual",
    "gt": "GreaterThan",
    "ge": "GreaterThanOrEqual",
    "lt": "LessThan",
    "le": "LessThanOrEqual",
}


def _check_member(left: Operand, right: Operand) -> None:
    for operand, other in ((left, right), (right, left)):
        if operand.enum and not other.enum and other.type != "null":
            member = other.of({})
            if member not in operand.enum.members:
                raise QueryError(
                    f"The string '{member}' is not a valid enumeration type constant of '{operand.type}'."
                )


def _operand(stream: _Tokens, types: Types) -> Operand:
    kind, text = stream.take()
    if kind != "name":
        if kind == "mark":
            raise QueryError(f"Syntax error at '{text}'")
        return _constant(literal(kind, text, stream.version))
    if text in ("true", "false"):
        return _constant(Literal("Edm.Boolean", text == "true"))
    if text == "null":
        return _constant(Literal("null", None))
    if stream.peek() == "(":
        return _function(text, stream, types)
    stream.fields.append(text)
    return _property(text, types)


def _constant(found: Literal) -> Operand:
    return Operand(found.type, None, lambda _: found.value)


def _property(name: str, types: Types) -> Operand:
    if name not in types:
        raise QueryError(f"Could not find a property named '{name}' on the type.")
    kind = types[name]
    enum = kind if isinstance(kind, EnumType) else None
    return Operand(enum.name if enum else str(kind), enum, lambda row: row.get(name))


def _function(name: str, stream: _Tokens, types: Types) -> Operand:
    known = name in TEXT_TESTS or name in TEXT_CHANGES
    if not known or name in (ONLY_IN_V2 if stream.version == 4 else ONLY_IN_V4):
        raise QueryError(f"An unknown function with name '{name}' was found.")
    if name in stream.limits.without:
        raise QueryError(
            f"The function '{name}' is not supported: the type 'System.String' is not queryable."
        )
    stream.expect("(")
    arguments = [_operand(stream, types)]
    while stream.peek() == ",":
        stream.take()
        arguments.append(_operand(stream, types))
    stream.expect(")")
    _check_arguments(name, arguments)
    return _applied(name, arguments)


def _check_arguments(name: str, arguments: list[Operand]) -> None:
    wanted = 2 if name in TEXT_TESTS else 1
    if len(arguments) != wanted or any(argument.type != "Edm.String" for argument in arguments):
        given = ", ".join(argument.type for argument in arguments)
        raise QueryError(
            f"No function signature for the function with name '{name}' matches '{name}({given})'."
        )


def _applied(name: str, arguments: list[Operand]) -> Operand:
    if name in TEXT_CHANGES:
        change, only = TEXT_CHANGES[name], arguments[0]
        return Operand("Edm.String", None, lambda row: change(only.of(row) or ""))
    test, (first, second) = TEXT_TESTS[name], arguments
    return Operand("Edm.Boolean", None, lambda row: test(first.of(row) or "", second.of(row) or ""))
