"""Named conversions that expressions may call: what ERPs write, turned into what we mean, and back.

Every conversion passes null through, keeps quantities Decimal, and refuses a value it cannot read by name.
Instants are RFC 3339 text in UTC, so that expressions can carry and compare them as plain JSON.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5
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
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ISO_UNITS = {"d": Decimal(86400), "h": Decimal(3600), "m": Decimal(60), "s": Decimal(1)}
_TAG = re.compile(r"<[^>]*>")
_DATE = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/$")
_COMPACT = re.compile(r"(\d{8})(\d{6})$")
_ISO_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?$"
)
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
    kind = type(value)
    if value is None or kind is Decimal:
        return value  # type: ignore[no-any-return]  # null or a Decimal
    if kind is int:
        return Decimal(value)
    if kind is not str and kind is not float:
        raise MappingError(f"{value!r} is not a number")
    try:
        number = Decimal(value if kind is str else str(value))
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
    if type(value) is int:
        return value
    number = decimal(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise MappingError(f"{value!r} is not a whole number")
    return int(number)


def instant(value: Raw, zone: str = "UTC") -> str | None:
    """Return UTC RFC 3339 text for an instant: ISO text, `20261130140500`, `/Date(1795960000000)/`, or date parts.

    What has no offset is local to the IANA `zone`. A plain date is its first moment there.
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


def local_text(value: Raw, pattern: str, zone: str = "UTC") -> str | None:
    """Return an instant as local text in a pattern of `%Y %m %d %H %M %S`: `%Y%m%d%H%M%S` is 20261130140500."""
    return None if value is None else _aware(value).astimezone(_zone(zone)).strftime(pattern)


def from_epoch(value: Raw, unit: str = "s") -> str | None:
    """Return the instant that is `value` `unit`s (ms, s) after the first moment of 1970 in UTC."""
    count = decimal(value)
    if count is None:
        return None
    return rfc3339(EPOCH + timedelta(microseconds=int(count * _unit(unit) * 1_000_000)))


def to_epoch(value: Raw, unit: str = "s") -> int | None:
    """Return how many whole `unit`s (ms, s) an instant is after the first moment of 1970 in UTC."""
    if value is None:
        return None
    return int(Decimal((_aware(value) - EPOCH) // timedelta(microseconds=1)) / 1_000_000 / _unit(unit))


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


def seconds(value: Raw, unit: str | None) -> Decimal | None:
    """Return the seconds in `value` `unit`s (ms, s, min, h, d), or in an ISO 8601 duration (iso): `PT1H2M`.

    A null unit makes null: what is not known to be minutes or hours is not known.
    """
    if unit == "iso":
        return _iso_seconds(value)
    number = None if unit is None else decimal(value)
    return None if number is None or unit is None else number * _unit(unit)


def duration(value: Raw, unit: str) -> Decimal | str | None:
    """Return `value` seconds in `unit`s (ms, s, min, h, d, iso): the way back from `seconds`."""
    number = decimal(value)
    if number is None:
        return None
    return _iso_duration(number) if unit == "iso" else number / _unit(unit)


def pad(value: Raw, width: int) -> str | None:
    """Return `value` as text with leading zeros up to `width` characters."""
    plain = text(value)
    return None if plain is None else plain.rjust(width, "0")


def unpad(value: Raw) -> str | None:
    """Return `value` as text without leading zeros; at least one digit stays."""
    plain = text(value)
    return None if plain is None else plain.lstrip("0") or plain[-1:]


def concat(*values: Raw) -> str | None:
    """Return all values as one text; null adds nothing, and nothing but nulls is null."""
    texts = [plain for plain in map(text, values) if plain is not None]
    return "".join(texts) if texts else None


def quoted(value: Raw) -> str | None:
    """Return text in apostrophes, its own doubled, as OData and SQL write it: `'O''Brien'`."""
    plain = text(value)
    return None if plain is None else "'" + plain.replace("'", "''") + "'"


def replace(value: Raw, old: str, new: str) -> str | None:
    """Return text with every `old` replaced by `new`."""
    plain = text(value)
    return None if plain is None else plain.replace(old, new)


def plain_text(value: Raw) -> str | None:
    """Return text without HTML: tags are blanks, entities what they stand for, several blanks one."""
    marked = text(value)
    return None if marked is None else " ".join(unescape(_TAG.sub(" ", marked)).split())


def upper(value: Raw) -> str | None:
    """Return text in upper case."""
    plain = text(value)
    return None if plain is None else plain.upper()


def lower(value: Raw) -> str | None:
    """Return text in lower case."""
    plain = text(value)
    return None if plain is None else plain.lower()


def split(value: Raw, separator: str) -> list[str] | None:
    """Return the parts of text between `separator`s, blanks around them cut off, empty ones left out."""
    plain = text(value)
    return None if plain is None else [part.strip() for part in plain.split(separator) if part.strip()]


def uuid(value: Raw) -> str | None:
    """Return the UUID that always stands for `value`, for ERPs whose reference field takes nothing else."""
    plain = text(value)
    return None if plain is None else str(uuid5(NAMESPACE_URL, f"urn:tascus:{plain}"))


def left(value: Raw, width: int) -> str | None:
    """Return the first `width` characters of `value` as text."""
    plain = text(value)
    return None if plain is None else plain[:width]


def default(value: Raw, other: Raw) -> Raw:
    """Return `value`, or `other` where `value` is null or empty text."""
    return other if value is None or value == "" else value


def null_if(value: Raw, other: Raw) -> Raw:
    """Return `value`, or null where it equals `other`: for ERPs that write nothing as a date of 1900, say."""
    return None if value == other else value


def has(record: Raw, field: str) -> bool | None:
    """Tell whether the object `record` has `field` at all, be it null: what is absent is not the same as null."""
    return None if record is None else isinstance(record, dict) and field in record


def field(record: Raw, name: str) -> Raw:
    """Return the field of the object `record` whose name is worked out; null where it has none."""
    return record.get(name) if isinstance(record, dict) else None


def lookup(tables: Tables, table: str, value: Raw, *other: Raw) -> Raw:
    """Return what the profile's code table says for `value`; null and empty text stay unset.

    With an `other`, that is what stands where the table has no such value, or there is none.
    """
    return _translate(tables.codes, table, value, other)


def link(tables: Tables, kind: str, value: Raw, *other: Raw) -> Raw:
    """Return the ERP's code for our `value`, from the connection's reference links; `other` as in `lookup`."""
    return _translate(tables.links, kind, value, other)


def need(value: Raw, kind: str, name: Raw) -> Raw:
    """Return `value`; where it is null the push waits for the `kind` called `name`."""
    if value is None:
        raise UnknownCode(kind, str(name))
    return value


def pick(records: Raw, field: str, value: Raw) -> Raw:
    """Return the first record whose `field` is `value`: filters cannot see facts outside the list."""
    return next((r for r in records or () if isinstance(r, dict) and r.get(field) == value), None)


def pick_all(records: Raw, field: str, value: Raw) -> list[Any] | None:
    """Return every record whose `field` is `value`."""
    if records is None:
        return None
    return [r for r in records if isinstance(r, dict) and r.get(field) == value]


def total(records: Raw, field: str) -> Decimal | None:
    """Return the exact sum of `field` over `records`; a record without it adds nothing."""
    if records is None:
        return None
    return sum((decimal(r.get(field)) or Decimal(0) for r in records if isinstance(r, dict)), Decimal(0))


def json_value(value: Raw) -> Raw:
    """Return what the JSON text `value` says, fractions exact."""
    plain = text(value)
    try:
        return None if not plain else json.loads(plain, parse_float=Decimal)
    except ValueError:
        raise MappingError(f"{plain!r} is not JSON") from None


def json_text(value: Raw) -> str:
    """Return `value` as JSON text, Decimals as numbers: for ERPs that take JSON in an address."""
    return orjson.dumps(value, default=_fragment).decode()


def base64url(value: Raw) -> str | None:
    """Return text as URL-safe base64, padded; of an object or list its JSON text."""
    plain = json_text(value) if isinstance(value, dict | list) else text(value)
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


def divide(first: Raw, second: Raw) -> Decimal | None:
    """Return the quotient, exact to 28 digits.

    Raises:
        MappingError: the divisor is zero.
    """
    if decimal(second) == 0:
        raise MappingError(f"{first!r} cannot be divided by zero")
    return _exact(first, second, Decimal.__truediv__)


def negate(value: Raw) -> Decimal | None:
    """Return the number with its sign turned round."""
    number = decimal(value)
    return None if number is None else -number


def rounded(value: Raw, places: int) -> Decimal | None:
    """Return the number rounded half to even to `places` decimal places, for ERPs that store no more."""
    number = decimal(value)
    return None if number is None else round(number, places)


def odata_datetime(value: Raw, zone: str = "UTC") -> str | None:
    """Return an instant as OData V2 writes it in filters and keys, local to `zone`: `datetime'2026-11-30T14:05:00'`."""
    return None if value is None else f"datetime'{local_text(value, '%Y-%m-%dT%H:%M:%S', zone)}'"


def odata_datetimeoffset(value: Raw) -> str | None:
    """Return an instant as OData V2 writes it in filters and keys: `datetimeoffset'2026-11-30T14:05:00Z'`."""
    return None if value is None else f"datetimeoffset'{local_text(value, '%Y-%m-%dT%H:%M:%SZ')}'"


def odata_date(value: Raw, zone: str | None = None) -> str | None:
    """Return an instant as OData V2's JSON has it: `/Date(ms+0000)/`, or with a `zone` its local clock `/Date(ms)/`."""
    if value is None:
        return None
    if zone is None:
        return f"/Date({to_epoch(value, 'ms')}+0000)/"
    local = _aware(value).astimezone(_zone(zone)).replace(tzinfo=UTC)
    return f"/Date({to_epoch(rfc3339(local), 'ms')})/"


def rfc3339(moment: datetime) -> str:
    """Return an aware `moment` as RFC 3339 text in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _moment(value: Raw) -> datetime:
    if isinstance(value, dict):
        return _from_parts(value)
    if isinstance(value, str) and (odd := _DATE.match(value) or _COMPACT.match(value)):
        return _from_odd(odd)
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MappingError(f"{value!r} is not a date and time") from None


def _from_odd(found: re.Match[str]) -> datetime:
    """Read OData V2's `/Date(ms)/`, whose clock is the server's unless an offset follows, and digits alone."""
    if found.re is _COMPACT:
        return _moment(f"{found[1]}T{found[2]}")
    moment = EPOCH + timedelta(milliseconds=int(found[1]))
    return moment if found[2] else moment.replace(tzinfo=None)


def _iso_seconds(value: Raw) -> Decimal | None:
    if value is None or value == "":
        return None
    found = _ISO_DURATION.match(str(value))
    if not found or not any(found.group(*"dhms")):
        raise MappingError(f"{value!r} is not an ISO 8601 duration of days, hours, minutes and seconds")
    counted = sum((Decimal(found[unit] or 0) * length for unit, length in ISO_UNITS.items()), Decimal(0))
    return -counted if found["sign"] else counted


def _iso_duration(number: Decimal) -> str:
    whole = abs(number)
    hours, rest = divmod(whole, 3600)
    minutes, remaining = divmod(rest, 60)
    return f"{'-' if number < 0 else ''}PT{int(hours)}H{int(minutes)}M{remaining.normalize():f}S"


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


def _translate(tables: Mapping[str, Mapping[str, Any]], kind: str, value: Raw, other: tuple[Raw, ...]) -> Raw:
    plain = text(value)
    if plain is None or plain == "":
        return other[0] if other else None
    table = tables.get(kind, {})
    if plain in table:
        return table[plain]
    if other:
        return other[0]
    raise UnknownCode(kind, plain)


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
    "local_text": Conversion(local_text, 2, 3),
    "from_epoch": Conversion(from_epoch, 1, 2),
    "to_epoch": Conversion(to_epoch, 1, 2),
    "odata_datetime": Conversion(odata_datetime, 1, 2),
    "odata_datetimeoffset": Conversion(odata_datetimeoffset, 1, 1),
    "odata_date": Conversion(odata_date, 1, 2),
    "date_parts": Conversion(date_parts, 1, 2),
    "day_parts": Conversion(day_parts, 1, 2),
    "seconds": Conversion(seconds, 2, 2),
    "duration": Conversion(duration, 2, 2),
    "pad": Conversion(pad, 2, 2),
    "unpad": Conversion(unpad, 1, 1),
    "left": Conversion(left, 2, 2),
    "concat": Conversion(concat, 1, 20),
    "quoted": Conversion(quoted, 1, 1),
    "replace": Conversion(replace, 3, 3),
    "plain_text": Conversion(plain_text, 1, 1),
    "upper": Conversion(upper, 1, 1),
    "lower": Conversion(lower, 1, 1),
    "split": Conversion(split, 2, 2),
    "uuid": Conversion(uuid, 1, 1),
    "default": Conversion(default, 2, 2),
    "null_if": Conversion(null_if, 2, 2),
    "field": Conversion(field, 2, 2),
    "has": Conversion(has, 2, 2),
    "lookup": Conversion(lookup, 2, 3, reads_tables=True),
    "link": Conversion(link, 2, 3, reads_tables=True),
    "need": Conversion(need, 3, 3),
    "pick": Conversion(pick, 3, 3),
    "pick_all": Conversion(pick_all, 3, 3),
    "total": Conversion(total, 2, 2),
    "json_text": Conversion(json_text, 1, 1),
    "json_value": Conversion(json_value, 1, 1),
    "base64url": Conversion(base64url, 1, 1),
    "first_by": Conversion(first_by, 2, 2),
    "add": Conversion(add, 2, 2),
    "subtract": Conversion(subtract, 2, 2),
    "multiply": Conversion(multiply, 2, 2),
    "divide": Conversion(divide, 2, 2),
    "negate": Conversion(negate, 1, 1),
    "rounded": Conversion(rounded, 2, 2),
}
