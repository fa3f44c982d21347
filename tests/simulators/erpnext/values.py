"""How Frappe casts a value to its field's type, and how it prints one."""

from datetime import datetime

from tests.simulators.erpnext.errors import FrappeError

PRECISION = 3  # System Settings, float precision: the default


def flt(value, precision=None):
    """Return a float; what is none is 0. Source: frappe/utils/data.py flt."""
    try:
        number = float(str(value).replace(",", ""))
    except ValueError:
        number = 0.0
    return number if precision is None else round(number, precision)


def cint(value):
    """Return an int; what is none is 0."""
    return int(flt(value))


def moment(value):
    """Return a naive datetime; a zone or nonsense is the 500 of a comparison nobody guarded [seen]."""
    if value in (None, ""):
        return None
    if isinstance(value, datetime):
        return value
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError as wrong:
        raise FrappeError(f"Unknown string format: {value}", "ParserError") from wrong
    if parsed.tzinfo:
        raise FrappeError("can't compare offset-naive and offset-aware datetimes", "TypeError")
    return parsed


def cast(field, value):
    """Return `value` as the field stores it."""
    if value is None or (value == "" and field.kind not in ("Float", "Int", "Check", "Percent")):
        return None
    if field.kind in ("Float", "Percent"):
        return flt(value, 9)
    if field.kind in ("Int", "Check"):
        return cint(value)
    if field.kind == "Datetime":
        return moment(value)
    return str(value)


def printed(value):
    """Return a value as JSON carries it."""
    return str(value) if isinstance(value, datetime) else value
