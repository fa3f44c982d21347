"""Conversions: exact, null-safe, and clear about what they refuse."""

from decimal import Decimal

import pytest

from shared.errors import MappingError
from shared.mapping import conversions
from shared.mapping.conversions import CONVERSIONS, Tables, UnknownCode


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("decimal", ["10.10"], Decimal("10.10")),
        ("decimal", [3], Decimal(3)),
        ("decimal", [Decimal("0.1")], Decimal("0.1")),
        ("text", [Decimal("1E+2")], "100"),
        ("text", [True], "true"),
        ("text", ["000123"], "000123"),
        ("integer", ["10.0"], 10),
        ("instant", ["2026-11-30T10:00:00+01:00"], "2026-11-30T09:00:00Z"),
        ("instant", ["2026-07-01 10:00:00", "Europe/London"], "2026-07-01T09:00:00Z"),
        ("instant", [{"year": 2026, "month": 12, "day": 1}, "Europe/Berlin"], "2026-11-30T23:00:00Z"),
        ("local_datetime", ["2026-07-01T09:00:00Z", "Europe/London"], "2026-07-01 10:00:00"),
        ("local_datetime", ["2026-07-01T09:00:00Z", "UTC", "T"], "2026-07-01T09:00:00"),
        ("local_date", ["2026-06-30T23:30:00Z", "Europe/London"], "2026-07-01"),
        ("day_parts", ["2026-06-30T23:30:00Z", "Europe/London"], {"year": 2026, "month": 7, "day": 1}),
        ("seconds", ["1.5", "min"], Decimal("90.0")),
        ("duration", ["90", "min"], Decimal("1.5")),
        ("pad", ["42", 8], "00000042"),
        ("left", ["abcdef", 3], "abc"),
        ("default", ["", "x"], "x"),
        ("default", [0, "x"], 0),
        ("add", ["0.1", "0.2"], Decimal("0.3")),
        ("subtract", ["1", "0.9"], Decimal("0.1")),
        ("multiply", ["1.1", 3], Decimal("3.3")),
        ("negate", ["5"], Decimal(-5)),
        ("rounded", ["2.345", 2], Decimal("2.34")),
        ("pick", [[{"id": 1}, {"id": 2, "x": 1}], "id", 2], {"id": 2, "x": 1}),
        ("first_by", [[{"s": 1, "i": 1}, {"s": 1, "i": 2}], "s"], [{"s": 1, "i": 1}]),
        ("json_text", [{"a": Decimal("0.10")}], '{"a":0.10}'),
        ("base64url", ["[]"], "W10="),
    ],
)
def test_conversion(name, arguments, expected):
    converted = CONVERSIONS[name].function(*arguments)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("decimal", ["ten"], "'ten' is not a number"),
        ("decimal", [True], "not a number"),
        ("decimal", ["NaN"], "not a finite number"),
        ("integer", ["1.5"], "not a whole number"),
        ("text", [["a"]], "not one value but several"),
        ("instant", ["30.11.2026"], "not a date and time"),
        ("instant", ["2026-11-30", "Mars/Olympus"], "not an IANA time zone"),
        ("seconds", ["1", "fortnight"], "valid: ms, s, min, h, d"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(name, arguments, complaint):
    with pytest.raises(MappingError, match=complaint):
        CONVERSIONS[name].function(*arguments)


ONE_VALUE = {
    name: conversion
    for name, conversion in CONVERSIONS.items()
    if name not in {"default", "need", "lookup", "link", "pick", "json_text", "add", "subtract", "multiply"}
}


@pytest.mark.parametrize("name", ONE_VALUE)
def test_null_passes_through(name):
    conversion = ONE_VALUE[name]
    rest = {"seconds": ["s"], "duration": ["s"], "first_by": ["x"]}.get(name, [3] * (conversion.least - 1))
    assert conversion.function(None, *rest) is None


def test_codes_and_links_say_what_they_miss():
    tables = Tables({"unit": {"pcs": "ST"}}, {"scrap_reason": {"S1": "SCR-01"}})
    assert conversions.lookup(tables, "unit", "pcs") == "ST"
    assert conversions.link(tables, "scrap_reason", "S1") == "SCR-01"
    assert conversions.link(tables, "scrap_reason", None) is None
    with pytest.raises(UnknownCode) as unknown:
        conversions.link(tables, "scrap_reason", "S9")
    assert (unknown.value.kind, unknown.value.value) == ("scrap_reason", "S9")
