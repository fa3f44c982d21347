"""Named conversions that expressions may call: what ERPs write, turned into what we mean, and back.

Every conversion passes null through, keeps quantities Decimal, and refuses a value it cannot read by name.
Instants are RFC 3339 text in UTC, so that expressions can carry and compare them as plain JSON.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from shared.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

type Raw = Any
"""A value as JSON has it, Decimals included: whatever an ERP wrote. Conversions find out what it is."""

SECONDS_PER_UNIT = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
DATE_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


class UnknownCode(MappingError):  # noqa: N818 - named after what was found, like its siblings
    """`value` has no translation in the code table or reference links called `kind`."""

    def __init__(self, kind: str, value: str) -> None:
        super().__init__(f"{kind} {value!r} is not known")
        self.kind = kind
        self.value = value


class Tables(NamedTuple):
    """What `lookup` and `link` read: the profile's code tables and the connection's reference links."""

    codes: Mapping[str, Mapping[str, Any]]
    links: Mapping[str, Mapping[str, str]]


NO_TABLES = Tables({}, {})


def decimal(value: Raw) -> Decimal | None:
    """Return the exact number `value` states as text or number."""
    if value is None or type(value) is Decimal:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise MappingError(f"{value!r} is not a number")
    try:
        number = Decimal(value if isinstance(value, int) else str(value).strip())
    except InvalidOperation:
        raise MappingError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise MappingError(f"{value!r} is not a finite number")
    return number


def text(value: Raw) -> str | None:
    """Return `value` as text; a number without exponent, a truth value as `true` or `false`."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    raise MappingError(f"{value!r} is not one value but several")


def integer(value: Raw) -> int | None:
    """Return the whole number `value` states; a fraction is refused, never cut off."""
    number = decimal(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise MappingError(f"{value!r} is not a whole number")
    return int(number)


def instant(value: Raw, zone: str = "UTC") -> str | None:
    """Return UTC RFC 3339 text for an instant: ISO text, or an object of date parts.

    Text or parts without an offset are local to the IANA `zone`. A plain date is its first moment there.
    """
    if value is None or value == "":
        return None
    moment = _moment(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(zone))
    return rfc3339(moment)


def local_datetime(value: Raw, zone: str = "UTC", separator: str = " ") -> str | None:
    """Return an instant as local text without offset: `2026-11-30 14:05:00`, in the IANA `zone`."""
    if value is None:
        return None
    local = _aware(value).astimezone(_zone(zone)).replace(tzinfo=None, microsecond=0)
    return local.isoformat(separator or " ")


def local_date(value: Raw, zone: str = "UTC") -> str | None:
    """Return the calendar date, `2026-11-30`, that an instant falls on in the IANA `zone`."""
    return None if value is None else _aware(value).astimezone(_zone(zone)).date().isoformat()


def date_parts(value: Raw, zone: str = "UTC") -> dict[str, int] | None:
    """Return an instant as an object of parts, from year to microsecond, local to `zone`."""
    if value is None:
        return None
    local = _aware(value).astimezone(_zone(zone))
    return {part: getattr(local, part) for part in DATE_PARTS}


def day_parts(value: Raw, zone: str = "UTC") -> dict[str, int] | None:
    """Return the calendar date of an instant as an object of year, month and day, local to `zone`."""
    parts = date_parts(value, zone)
    return None if parts is None else {part: parts[part] for part in DATE_PARTS[:3]}


def seconds(value: Raw, unit: str) -> Decimal | None:
    """Return the seconds in `value` `unit`s (ms, s, min, h, d)."""
    number = decimal(value)
    return None if number is None else number * _unit(unit)


def duration(value: Raw, unit: str) -> Decimal | None:
    """Return `value` seconds in `unit`s (ms, s, min, h, d): the way back from `seconds`."""
    number = decimal(value)
    return None if number is None else number / _unit(unit)


def pad(value: Raw, width: int) -> str | None:
    """Return `value` as text with leading zeros up to `width` characters."""
    plain = text(value)
    return None if plain is None else plain.rjust(width, "0")


def left(value: Raw, width: int) -> str | None:
    """Return the first `width` characters of `value` as text."""
    plain = text(value)
    return None if plain is None else plain[:width]


def default(value: Raw, other: Raw) -> Raw:
    """Return `value`, or `other` where `value` is null or empty text."""
    return other if value is None or value == "" else value


def lookup(tables: Tables, table: str, value: Raw) -> Raw:
    """Return what the profile's code table says for `value`; null and empty text stay unset."""
    return _translate(tables.codes, table, value)


def link(tables: Tables, kind: str, value: Raw) -> str | None:
    """Return the ERP's code for our `value`, from the connection's reference links."""
    translated: str | None = _translate(tables.links, kind, value)
    return translated


def need(value: Raw, kind: str, name: Raw) -> Raw:
    """Return `value`; where it is null the push waits for the `kind` called `name`."""
    if value is None:
        raise UnknownCode(kind, str(name))
    return value


def pick(records: Raw, field: str, value: Raw) -> Raw:
    """Return the first record whose `field` is `value`: filters cannot see facts outside the list."""
    return next((r for r in records or () if isinstance(r, dict) and r.get(field) == value), None)


def json_text(value: Raw) -> str:
    """Return `value` as JSON text, Decimals as numbers: for ERPs that take JSON in an address."""
    return orjson.dumps(value, default=_fragment).decode()


def base64url(value: Raw) -> str | None:
    """Return text as URL-safe base64, padded."""
    plain = text(value)
    return None if plain is None else base64.urlsafe_b64encode(plain.encode()).decode()


def first_by(records: Raw, field: str) -> list[Any] | None:
    """Return `records` without those whose `field` repeats an earlier one's."""
    if records is None:
        return None
    first: dict[Any, Any] = {}
    for record in records:
        first.setdefault(record.get(field), record)
    return list(first.values())


def add(first: Raw, second: Raw) -> Decimal | None:
    """Return the exact sum."""
    return _exact(first, second, Decimal.__add__)


def subtract(first: Raw, second: Raw) -> Decimal | None:
    """Return the exact difference."""
    return _exact(first, second, Decimal.__sub__)


def multiply(first: Raw, second: Raw) -> Decimal | None:
    """Return the exact product."""
    return _exact(first, second, Decimal.__mul__)


def negate(value: Raw) -> Decimal | None:
    """Return the number with its sign turned round."""
    number = decimal(value)
    return None if number is None else -number


def rounded(value: Raw, places: int) -> Decimal | None:
    """Return the number rounded half to even to `places` decimal places, for ERPs that store no more."""
    number = decimal(value)
    return None if number is None else round(number, places)


def rfc3339(moment: datetime) -> str:
    """Return an aware `moment` as RFC 3339 text in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _moment(value: Raw) -> datetime:
    if isinstance(value, dict):
        return _from_parts(value)
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MappingError(f"{value!r} is not a date and time") from None


def _from_parts(parts: dict[str, Any]) -> datetime:
    try:
        return datetime(*(int(parts.get(part, 0)) for part in DATE_PARTS))  # type: ignore[arg-type]  # noqa: DTZ001 - the zone is the caller's
    except (TypeError, ValueError):
        raise MappingError(f"{parts!r} is not a date and time") from None


def _aware(value: Raw) -> datetime:
    moment = _moment(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise MappingError(f"{name!r} is not an IANA time zone such as Europe/London") from None


def _unit(unit: str) -> Decimal:
    try:
        return SECONDS_PER_UNIT[unit]
    except KeyError:
        raise MappingError(f"{unit!r} is not a unit of time; valid: {', '.join(SECONDS_PER_UNIT)}") from None


def _translate(tables: Mapping[str, Mapping[str, Any]], kind: str, value: Raw) -> Raw:
    plain = text(value)
    if plain is None or plain == "":
        return None
    try:
        return tables[kind][plain]
    except KeyError:
        raise UnknownCode(kind, plain) from None


def _fragment(value: Raw) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise MappingError(f"{value!r} cannot be written as JSON")


def _exact(first: Raw, second: Raw, operate: Callable[[Decimal, Decimal], Decimal]) -> Decimal | None:
    one, other = decimal(first), decimal(second)
    return None if one is None or other is None else operate(one, other)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A function of the expression language: how many arguments it takes and whether it reads the tables."""

    function: Callable[..., Any]
    least: int
    most: int
    reads_tables: bool = False


CONVERSIONS: Mapping[str, Conversion] = {
    "decimal": Conversion(decimal, 1, 1),
    "text": Conversion(text, 1, 1),
    "integer": Conversion(integer, 1, 1),
    "instant": Conversion(instant, 1, 2),
    "local_datetime": Conversion(local_datetime, 1, 3),
    "local_date": Conversion(local_date, 1, 2),
    "date_parts": Conversion(date_parts, 1, 2),
    "day_parts": Conversion(day_parts, 1, 2),
    "seconds": Conversion(seconds, 2, 2),
    "duration": Conversion(duration, 2, 2),
    "pad": Conversion(pad, 2, 2),
    "left": Conversion(left, 2, 2),
    "default": Conversion(default, 2, 2),
    "lookup": Conversion(lookup, 2, 2, reads_tables=True),
    "link": Conversion(link, 2, 2, reads_tables=True),
    "need": Conversion(need, 3, 3),
    "pick": Conversion(pick, 3, 3),
    "json_text": Conversion(json_text, 1, 1),
    "base64url": Conversion(base64url, 1, 1),
    "first_by": Conversion(first_by, 2, 2),
    "add": Conversion(add, 2, 2),
    "subtract": Conversion(subtract, 2, 2),
    "multiply": Conversion(multiply, 2, 2),
    "negate": Conversion(negate, 1, 1),
    "rounded": Conversion(rounded, 2, 2),
}
