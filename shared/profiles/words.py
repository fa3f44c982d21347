"""Literal words of a profile that can be checked without an ERP: times of day, zones, numbers. Pure."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shared.mapping.expressions import MARK, TEMPLATE_MARK

if TYPE_CHECKING:
    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Value


def time_of_day(value: Value) -> Value:
    """Return `value`; where it is literal it is a time of day, or null.

    Raises:
        ValueError: it is none.
    """
    plain = value.source
    if plain is None or is_worked_out(plain):
        return value
    try:
        known = isinstance(plain, str) and time.fromisoformat(plain).tzinfo is None
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"{plain!r} is not a time of day such as 22:00")
    return value


def zone(value: Value) -> Value:
    """Return `value`; where it is literal it is a time zone.

    Raises:
        ValueError: it is none.
    """
    plain = value.source
    if is_worked_out(plain):
        return value
    try:
        ZoneInfo(plain if isinstance(plain, str) else "")
    except (ValueError, OSError, LookupError):
        raise ValueError(f"{plain!r} is not a time zone such as Europe/Berlin") from None
    return value


def is_worked_out(source: Raw) -> bool:
    """Tell whether a value's text is an expression or a template."""
    return isinstance(source, str) and source[:1] in {MARK, TEMPLATE_MARK} and len(source) > 1


def number(given: Raw) -> Raw:
    """Return `given` if YAML has it as a number.

    Raises:
        ValueError: it is none: true is not 1, nor is the text "1".
    """
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        raise ValueError(f"{given!r} is not a number")  # noqa: TRY004 - pydantic collects ValueErrors
    return given
