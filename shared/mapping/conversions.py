"""Named conversions that expressions may call: what ERPs write, turned into what we mean, and back.

Every conversion passes null through, keeps quantities Decimal, and refuses a value it cannot read by name. What reads
a number or a time takes empty text for null, because that is how many an ERP writes it. Sums are exact or refused.
Instants are RFC 3339 text in UTC, so that expressions can carry and compare them as plain JSON.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import (
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
)
from functools import lru_cache, reduce
from html import unescape
from reprlib import Repr
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from shared.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

type Raw = Any
"""A value as JSON has it, Decimals included: whatever an ERP wrote. Conversions find out what it is."""

SECONDS_PER_UNIT = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
REACH = 50
"""How many powers of ten a number may be away from one. `1E+99999999` is a short text and 100 MB when written out."""
LONGEST = 100_000
"""Up to how many characters text is cut or filled up."""
UNCOUNTABLE = "too large, too small or too long to be counted exactly"
_LIMITED = [InvalidOperation, DivisionByZero, Overflow, Subnormal]
_EXACT = Context(prec=2 * REACH + 10, Emax=REACH, Emin=-REACH, traps=[*_LIMITED, Inexact])
_read = _EXACT.create_decimal
_WITHIN_REACH = frozenset(range(-REACH, REACH + 1))
_ROUNDING = Context(prec=2 * REACH + 10, Emax=REACH, Emin=-REACH, traps=_LIMITED)
_DIVIDING = Context(prec=28, Emax=REACH, Emin=-REACH, traps=_LIMITED)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ISO_UNITS = {"d": Decimal(86400), "h": Decimal(3600), "m": Decimal(60), "s": Decimal(1)}
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[!?][^<>]*>")
_DATE = re.compile(r"/Date\((-?\d{1,30})([+-]\d{4})?\)/", re.ASCII)
_COMPACT = re.compile(r"(\d{8})(\d{6})", re.ASCII)
_ISO_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<d>\d+)D)?(?:T(?=\d)(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_LEADING_ZEROS = re.compile(r"(-?)0+(?=[^.,])")
_SIGNED = re.compile(r"[+-]\d", re.ASCII)
_DIRECTIVE = re.compile(r"%.?", re.DOTALL)
DIRECTIVES = {
    "%Y": "%(year)04d",
    "%m": "%(month)02d",
    "%d": "%(day)02d",
    "%H": "%(hour)02d",
    "%M": "%(minute)02d",
    "%S": "%(second)02d",
}
DATE_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")
named = Repr(maxlevel=4, maxstring=200, maxother=200, maxlong=200, maxlist=20, maxdict=20).repr
"""Shows a value in an error: as it is written, but no more than a person reads."""


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
    if value is None:
        return None
    kind = type(value)
    if kind is Decimal:
        if value.is_finite() and value.adjusted() in _WITHIN_REACH:
            return value  # type: ignore[no-any-return]  # a Decimal
    elif kind is str or kind is int:
        try:
            number = _read(value)
            if kind is int or (number.is_finite() and value.isascii()):
                return number
        except DecimalException:
            pass
    return _read_with_care(value, kind)


def text(value: Raw) -> str | None:
    """Return `value` as text; a number without exponent, a truth value as `true` or `false`."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return _written_out(value)
    if isinstance(value, int):
        return str(value)
    raise MappingError(f"{named(value)} is not one value but several")


def integer(value: Raw) -> int | None:
    """Return the whole number `value` states; a fraction is refused, never cut off."""
    if type(value) is int:
        return value
    number = decimal(value)
    if number is None:
        return None
    whole = int(number)
    if whole != number:
        raise MappingError(f"{named(value)} is not a whole number")
    return whole


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
    if value is None or value == "":
        return None
    return _local(value, zone).replace(tzinfo=None, microsecond=0).isoformat(separator or " ")


def local_date(value: Raw, zone: str = "UTC") -> str | None:
    """Return the calendar date, `2026-11-30`, that an instant falls on in the IANA `zone`."""
    return None if value is None or value == "" else _local(value, zone).date().isoformat()


def local_text(value: Raw, pattern: str, zone: str = "UTC") -> str | None:
    """Return an instant as local text in a pattern of `%Y %m %d %H %M %S`: `%Y%m%d%H%M%S` is 20261130140500."""
    parts = date_parts(value, zone)
    return None if parts is None else _pattern(pattern) % parts


def from_epoch(value: Raw, unit: str = "s") -> str | None:
    """Return the instant that is `value` `unit`s (ms, s) after the first moment of 1970 in UTC."""
    count = decimal(value)
    if count is None:
        return None
    return rfc3339(_after_epoch(math.floor(_worked(_EXACT.multiply, count, _unit(unit) * 1_000_000))))


def to_epoch(value: Raw, unit: str = "s") -> int | None:
    """Return how many whole `unit`s (ms, s) an instant is after the first moment of 1970 in UTC.

    One that has only begun is not counted, before 1970 neither: half a second before is -1.
    """
    if value is None or value == "":
        return None
    return (_aware(value) - EPOCH) // MICROSECOND // int(_unit(unit) * 1_000_000)


def date_parts(value: Raw, zone: str = "UTC") -> dict[str, int] | None:
    """Return an instant as an object of parts, from year to microsecond, local to `zone`."""
    if value is None or value == "":
        return None
    local = _local(value, zone)
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
    return None if number is None or unit is None else _worked(_EXACT.multiply, number, _unit(unit))


def duration(value: Raw, unit: str) -> Decimal | str | None:
    """Return `value` seconds in `unit`s (ms, s, min, h, d, iso), exact to 28 digits: the way back from `seconds`."""
    number = decimal(value)
    if number is None:
        return None
    return _iso_duration(number) if unit == "iso" else _worked(_DIVIDING.divide, number, _unit(unit))


def pad(value: Raw, width: int) -> str | None:
    """Return `value` as text with leading zeros up to `width` characters, a number's sign before them."""
    plain = text(value)
    if plain is None:
        return None
    length = _whole(width, 0, LONGEST)
    return plain.zfill(length) if _SIGNED.match(plain) else plain.rjust(length, "0")


def unpad(value: Raw) -> str | None:
    """Return `value` as text without leading zeros; one stays before a fraction, and where there is nothing else."""
    plain = text(value)
    return None if plain is None else _LEADING_ZEROS.sub(r"\1", plain, count=1)


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
    return None if plain is None else plain[: _whole(width, 0, LONGEST)]


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
    return next((r for r in _listed(records) if isinstance(r, dict) and r.get(field) == value), None)


def pick_all(records: Raw, field: str, value: Raw) -> list[Any] | None:
    """Return every record whose `field` is `value`."""
    if records is None:
        return None
    return [r for r in _listed(records) if isinstance(r, dict) and r.get(field) == value]


def total(records: Raw, field: str) -> Decimal | None:
    """Return the exact sum of `field` over `records`; a record without it adds nothing."""
    if records is None:
        return None
    return _sum(decimal(record.get(field)) for record in _listed(records) if isinstance(record, dict))


def json_value(value: Raw) -> Raw:
    """Return what the JSON text `value` says, fractions exact."""
    plain = text(value)
    try:
        return None if not plain else json.loads(plain, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise MappingError(f"{named(plain)} is not JSON, or nested too deeply") from None


def json_text(value: Raw) -> str:
    """Return `value` as JSON text, Decimals as numbers: for ERPs that take JSON in an address."""
    try:
        return orjson.dumps(value, default=_fragment).decode()
    except TypeError as error:
        raise MappingError(f"{named(value)} cannot be written as JSON: {error.__cause__ or error}") from None


def base64url(value: Raw) -> str | None:
    """Return text as URL-safe base64, padded; of an object or list its JSON text."""
    plain = json_text(value) if isinstance(value, dict | list) else text(value)
    return None if plain is None else base64.urlsafe_b64encode(plain.encode()).decode()


def first_by(records: Raw, field: str) -> list[Any] | None:
    """Return `records` without those whose `field` repeats an earlier one's."""
    if records is None:
        return None
    first: dict[Any, Any] = {}
    for record in _listed(records):
        first.setdefault(_single(record, field), record)
    return list(first.values())


def add(first: Raw, second: Raw) -> Decimal | None:
    """Return the exact sum."""
    return _calculated(first, second, _EXACT.add)


def subtract(first: Raw, second: Raw) -> Decimal | None:
    """Return the exact difference."""
    return _calculated(first, second, _EXACT.subtract)


def multiply(first: Raw, second: Raw) -> Decimal | None:
    """Return the exact product."""
    return _calculated(first, second, _EXACT.multiply)


def divide(first: Raw, second: Raw) -> Decimal | None:
    """Return the quotient, exact to 28 digits.

    Raises:
        MappingError: the divisor is zero.
    """
    if decimal(second) == 0:
        raise MappingError(f"{named(first)} cannot be divided by zero")
    return _calculated(first, second, _DIVIDING.divide)


def negate(value: Raw) -> Decimal | None:
    """Return the number with its sign turned round."""
    return _calculated(0, value, _EXACT.subtract)


def rounded(value: Raw, places: int) -> Decimal | None:
    """Return the number rounded half to even to `places` decimal places, for ERPs that store no more."""
    number = decimal(value)
    if number is None:
        return None
    return _worked(_ROUNDING.quantize, number, Decimal((0, (1,), -_whole(places, -REACH, REACH))))


def odata_datetime(value: Raw, zone: str = "UTC") -> str | None:
    """Return an instant as OData V2 writes it in filters and keys, local to `zone`: `datetime'2026-11-30T14:05:00'`."""
    local = local_text(value, "%Y-%m-%dT%H:%M:%S", zone)
    return None if local is None else f"datetime'{local}'"


def odata_datetimeoffset(value: Raw) -> str | None:
    """Return an instant as OData V2 writes it in filters and keys: `datetimeoffset'2026-11-30T14:05:00Z'`."""
    moment = local_text(value, "%Y-%m-%dT%H:%M:%SZ")
    return None if moment is None else f"datetimeoffset'{moment}'"


def odata_date(value: Raw, zone: str | None = None) -> str | None:
    """Return an instant as OData V2's JSON has it: `/Date(ms+0000)/`, or with a `zone` its local clock `/Date(ms)/`."""
    if value is None or value == "":
        return None
    if zone is None:
        return f"/Date({to_epoch(value, 'ms')}+0000)/"
    return f"/Date({to_epoch(rfc3339(_local(value, zone).replace(tzinfo=UTC)), 'ms')})/"


def rfc3339(moment: datetime) -> str:
    """Return an aware `moment` as RFC 3339 text in UTC.

    Raises:
        MappingError: in UTC it falls outside the calendar.
    """
    try:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        raise _outside(moment.isoformat()) from None


def _read_with_care(value: Raw, kind: type) -> Decimal | None:
    """Return the number in what is not written plainly, or say what is wrong with it.

    Python takes `1_000` for a thousand, and the digits of every script; no ERP means that.
    """
    if value == "":
        return None
    stated = str(value) if kind is float else value
    readable = kind in {str, int, float, Decimal} and (
        kind is not str or (value.isascii() and "_" not in value)
    )
    try:
        number = Decimal(stated if readable else "")
    except InvalidOperation:
        raise MappingError(f"{named(value)} is not a number") from None
    if number.is_finite() and number.adjusted() in _WITHIN_REACH:
        return number
    raise MappingError(f"{named(value)} is {UNCOUNTABLE if number.is_finite() else 'not a finite number'}")


def _written_out(number: Decimal) -> str:
    """Return `number` without exponent; most have none, and Python says that faster than it writes one out."""
    plain = str(number)
    return plain if "E" not in plain and number.is_finite() else format(decimal(number), "f")


def _worked(operate: Callable[..., Decimal], *numbers: Decimal) -> Decimal:
    """Return what `operate` makes of `numbers`, within the limits of its context."""
    try:
        return operate(*numbers)
    except DecimalException:
        worked = ", ".join(map(named, numbers))
        raise MappingError(f"what is to be worked out of {worked} is {UNCOUNTABLE}") from None


def _calculated(first: Raw, second: Raw, operate: Callable[[Decimal, Decimal], Decimal]) -> Decimal | None:
    one, other = decimal(first), decimal(second)
    return None if one is None or other is None else _worked(operate, one, other)


def _sum(numbers: Iterable[Decimal | None]) -> Decimal:
    given = (number for number in numbers if number is not None)
    return reduce(lambda one, other: _worked(_EXACT.add, one, other), given, Decimal(0))


def _whole(value: Raw, least: int, most: int) -> int:
    """Return how many characters or places `value` says."""
    number = integer(value)
    if number is None or not least <= number <= most:
        raise MappingError(f"{named(value)} is not a whole number from {least} to {most}")
    return number


def _listed(records: Raw) -> list[Any]:
    """Return `records` as a list; what is empty (some ERPs write nothing as `false` or `{}`) is an empty one."""
    if not records:
        return []
    if not isinstance(records, list):
        raise MappingError(f"{named(records)} is not a list")
    return records


def _single(record: Raw, field: str) -> Raw:
    """Return a field that tells records apart."""
    if not isinstance(record, dict):
        raise MappingError(f"{named(record)} is not an object that could have {field!r}")
    found = record.get(field)
    if isinstance(found, list | dict):
        raise MappingError(f"{field}: {named(found)} is not one value but several")
    return found


def _no_constant(name: str) -> Raw:
    raise ValueError(f"{name} is not JSON")


def _after_epoch(microseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise _outside(f"{microseconds} microseconds from 1970") from None


def _outside(moment: str) -> MappingError:
    return MappingError(f"{moment} falls outside the years 1 to 9999")


def _local(value: Raw, zone: str) -> datetime:
    try:
        return _aware(value).astimezone(_zone(zone))
    except OverflowError:
        raise _outside(f"{named(value)} in {zone}") from None


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> str:
    """Return a pattern of `local_text` as one that Python fills in from parts.

    The system's own filling in writes the year 5 as `5`, and knows words that change with the machine's language.
    """
    if not isinstance(pattern, str):
        raise MappingError(f"{named(pattern)} is not a pattern of {' '.join(DIRECTIVES)}")
    for directive in _DIRECTIVE.findall(pattern):
        if directive not in DIRECTIVES:
            raise MappingError(
                f"{pattern!r} is no pattern: it may have {' '.join(DIRECTIVES)}, not {directive!r}"
            )
    return _DIRECTIVE.sub(lambda found: DIRECTIVES[found[0]], pattern)


def _moment(value: Raw) -> datetime:
    if isinstance(value, dict):
        return _from_parts(value)
    if isinstance(value, str) and (odd := _DATE.fullmatch(value) or _COMPACT.fullmatch(value)):
        return _from_odd(odd)
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MappingError(f"{named(value)} is not a date and time") from None


def _from_odd(found: re.Match[str]) -> datetime:
    """Read OData V2's `/Date(ms)/`, whose clock is the server's unless an offset follows, and digits alone."""
    if found.re is _COMPACT:
        return _moment(f"{found[1]}T{found[2]}")
    moment = _after_epoch(int(found[1]) * 1000)
    return moment if found[2] else moment.replace(tzinfo=None)


def _iso_seconds(value: Raw) -> Decimal | None:
    if value is None or value == "":
        return None
    found = _ISO_DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found or not any(found.group(*"dhms")):
        raise MappingError(f"{named(value)} is not an ISO 8601 duration of days, hours, minutes and seconds")
    counted = _sum(multiply(found[unit], length) for unit, length in ISO_UNITS.items())
    return negate(counted) if found["sign"] else counted


def _iso_duration(number: Decimal) -> str:
    whole = _worked(_EXACT.abs, number)
    hours, rest = _EXACT.divmod(whole, 3600)
    minutes, remaining = _EXACT.divmod(rest, 60)
    return f"{'-' if number < 0 else ''}PT{int(hours)}H{int(minutes)}M{_EXACT.normalize(remaining):f}S"


def _from_parts(parts: dict[str, Any]) -> datetime:
    try:
        return datetime(*(integer(parts.get(part, 0)) for part in DATE_PARTS))  # type: ignore[arg-type]  # noqa: DTZ001 - the zone is the caller's
    except (TypeError, ValueError, OverflowError):
        raise MappingError(f"{named(parts)} is not a date and time") from None


def _aware(value: Raw) -> datetime:
    moment = _moment(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):  # a folder of zones is an OSError
        raise MappingError(f"{named(name)} is not an IANA time zone such as Europe/London") from None


def _unit(unit: str) -> Decimal:
    try:
        return SECONDS_PER_UNIT[unit]
    except KeyError:
        raise MappingError(
            f"{named(unit)} is not a unit of time; valid: {', '.join(SECONDS_PER_UNIT)}"
        ) from None


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
        return orjson.Fragment(_written_out(value))
    raise MappingError(f"nothing of the kind {type(value).__name__} can")


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
