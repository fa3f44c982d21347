"""Conversions: exact, null-safe, and clear about what they refuse."""

from decimal import Decimal

import pytest

from shared.errors import MappingError
from shared.mapping import conversions
from shared.mapping.conversions import CONVERSIONS, Tables, UnknownCode

DEEP: list = []
for _ in range(100_000):
    DEEP = [DEEP]
PARTS = {"year": 2026, "month": 2, "day": 3, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}


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
        ("pad", [-5, 4], "-005"),
        ("pad", ["-A", 4], "00-A"),
        ("unpad", ["0.5"], "0.5"),
        ("unpad", ["00,5"], "0,5"),
        ("unpad", ["-005"], "-5"),
        ("unpad", ["000A1"], "A1"),
        ("to_epoch", ["1969-12-31T23:59:59.5Z"], -1),
        ("to_epoch", ["1969-12-31T23:59:59.9999Z", "ms"], -1),
        ("from_epoch", ["-0.0000001"], "1969-12-31T23:59:59.999999Z"),
        ("local_text", ["0005-01-02T03:04:05Z", "%Y%m%d%H%M%S"], "00050102030405"),
        ("local_text", ["2026-11-30T14:05:00Z", "{Y} PT%HH%MM%SS"], "{Y} PT14H05M00S"),
        ("plain_text", ["a < b and c > d"], "a < b and c > d"),
        ("plain_text", ["<!DOCTYPE x><a href='/'>1</a><br/>< 2"], "1 < 2"),
        ("pick", [False, "id", 2], None),
        ("date_parts", [{"year": "2026", "month": Decimal(2), "day": 3}], PARTS),
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
        ("decimal", [Decimal("NaN")], "not a finite number"),
        ("decimal", [Decimal("sNaN")], "not a finite number"),
        ("decimal", [Decimal("-Infinity")], "not a finite number"),
        ("decimal", [float("inf")], "not a finite number"),
        ("text", [Decimal("NaN")], "not a finite number"),
        ("json_text", [[Decimal("NaN")]], "cannot be written as JSON: .*not a finite number"),
        ("decimal", ["1_000"], "'1_000' is not a number"),
        ("decimal", ["\u0661\u0662"], "is not a number"),  # twelve, in Arabic digits
        ("decimal", [" "], "is not a number"),
        ("left", ["abc", -1], "-1 is not a whole number from 0"),
        ("left", ["abc", None], "None is not a whole number from 0"),
        ("pad", ["abc", 10**9], "is not a whole number from 0"),
        ("pad", ["abc", "wide"], "'wide' is not a number"),
        ("rounded", ["1.5", 10**6], "is not a whole number from -50 to 50"),
        ("seconds", ["P1DT", "iso"], "not an ISO 8601 duration"),
        ("seconds", ["PT1H\n", "iso"], "not an ISO 8601 duration"),
        ("seconds", ["PT\u0661H", "iso"], "not an ISO 8601 duration"),
        ("local_text", ["2026-11-30", "%A"], "'%A'.*%Y %m %d %H %M %S, not '%A'"),
        ("local_text", ["2026-11-30", "100%"], "not '%'"),
        ("local_text", ["2026-11-30", None], "None is not a pattern"),
        ("local_date", ["2026-11-30", "Europe"], "not an IANA time zone"),  # a folder of zones
        ("local_date", ["2026-11-30", None], "not an IANA time zone"),
        ("first_by", [["a"], "x"], "'a' is not an object"),
        ("first_by", [[None], "x"], "None is not an object"),
        ("first_by", [[{"x": [1]}], "x"], r"x: \[1\] is not one value"),
        ("first_by", ["abc", "x"], "'abc' is not a list"),
        ("total", [5, "x"], "5 is not a list"),
        ("pick", ["abc", "x", 1], "'abc' is not a list"),
        ("pick_all", [5, "x", 1], "5 is not a list"),
        ("json_value", ["NaN"], "is not JSON"),
        ("json_value", ["[" * 100_000], "is not JSON"),
        ("json_text", [10**30], "cannot be written as JSON"),
        ("text", [DEEP], "not one value but several"),
        ("instant", [f"/Date({'9' * 5000})/"], "not a date and time"),
        ("instant", [{"year": 10**30, "month": 1, "day": 1}], "not a date and time"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(name, arguments, complaint):
    with pytest.raises(MappingError, match=complaint):
        CONVERSIONS[name].function(*arguments)


LAST, FIRST = "9999-12-31T23:59:59", "0001-01-01T00:00:00"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("instant", [f"{LAST}-05:00"]),
        ("instant", [LAST, "America/New_York"]),
        ("instant", [f"{FIRST}+01:00"]),
        ("instant", ["/Date(999999999999999999)/"]),
        ("local_datetime", [f"{LAST}Z", "Asia/Tokyo"]),
        ("local_date", [f"{LAST}Z", "Asia/Tokyo"]),
        ("local_text", [f"{FIRST}Z", "%Y", "America/New_York"]),
        ("date_parts", [f"{LAST}Z", "Asia/Tokyo"]),
        ("day_parts", [f"{LAST}Z", "Asia/Tokyo"]),
        ("odata_date", [f"{LAST}Z", "Asia/Tokyo"]),
        ("odata_datetime", [f"{LAST}Z", "Asia/Tokyo"]),
        ("odata_datetimeoffset", [f"{LAST}-05:00"]),
        ("from_epoch", [10**15]),
        ("from_epoch", ["-1E+40"]),
    ],
)
def test_what_falls_outside_the_calendar_is_refused(name, arguments):
    with pytest.raises(MappingError, match="outside the years 1 to 9999"):
        CONVERSIONS[name].function(*arguments)


LONG = "123456789012345678901234567890.5"
LONGER = "12345678901234567891"


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add", [LONG, "0.1"], "123456789012345678901234567890.6"),
        ("subtract", [LONG, "0.1"], "123456789012345678901234567890.4"),
        ("multiply", [LONGER, LONGER], str(int(LONGER) ** 2)),
        ("negate", [LONG], f"-{LONG}"),
        ("negate", ["0"], "0"),
        ("total", [[{"q": LONG}, {"q": "0.25"}, {"q": ""}, {}], "q"], "123456789012345678901234567890.75"),
        ("rounded", [LONG, 0], "123456789012345678901234567890"),
        ("rounded", [LONG, 2], f"{LONG}0"),
        ("seconds", [LONG, "h"], "444444440444444444044444444405800.0"),
        ("seconds", [f"PT{LONG}S", "iso"], LONG),
        ("divide", ["1", "3"], "0.3333333333333333333333333333"),
        ("duration", ["10", "h"], "0.002777777777777777777777777778"),
    ],
)
def test_every_digit_counts(name, arguments, expected):
    assert CONVERSIONS[name].function(*arguments) == Decimal(expected)


def test_a_long_duration_keeps_its_digits():
    assert conversions.duration(LONG, "iso") == "PT34293552503429355250342935H31M30.5S"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("add", ["1E+50", "1E-60"]),
        ("add", ["1E+50", "1." + "1" * 100]),
        ("multiply", ["1E+30", "1E+30"]),
        ("multiply", ["1E-30", "1E-30"]),
        ("negate", ["1." + "1" * 200]),
        ("total", [[{"q": "9E+50"}, {"q": "9E+50"}], "q"]),
        ("divide", ["1E+50", "1E-50"]),
        ("duration", ["1E-50", "d"]),
        ("duration", ["1." + "1" * 200, "iso"]),
        ("seconds", ["1E+50", "d"]),
        ("seconds", [f"PT{'9' * 60}H", "iso"]),
    ],
)
def test_what_cannot_be_counted_exactly_is_refused(name, arguments):
    with pytest.raises(MappingError, match="too large, too small or too long"):
        CONVERSIONS[name].function(*arguments)


HUGE = [Decimal("1E+99999999"), Decimal("1E-99999999"), Decimal("0E-99999999")]


@pytest.mark.parametrize("huge", HUGE, ids=["large", "small", "zero"])
@pytest.mark.parametrize(
    "name", ["decimal", "negate", "rounded", "from_epoch", "integer", "text", "json_text"]
)
def test_an_exponent_beyond_reason_is_refused_before_it_is_written_out(name, huge):
    with pytest.raises(MappingError, match="too large, too small or too long"):
        CONVERSIONS[name].function(huge, *[2] * (name == "rounded"))


@pytest.mark.parametrize("huge", ["1E+51", "-1E+99999999", "1E-51", "9" * 52, 10**51])
def test_what_was_written_out_beyond_reason_is_text_and_no_number(huge):
    with pytest.raises(MappingError, match="too large, too small or too long"):
        conversions.decimal(huge)
    assert conversions.text(huge) == str(huge)


@pytest.mark.parametrize("written", [" 5 ", "5\n", "+5", "5.", "0.5E+1", 5.0, 5])
def test_one_number_is_written_in_many_ways(written):
    assert conversions.decimal(written) == 5
    assert conversions.integer(written) == 5


def test_a_long_number_is_read_to_its_last_digit():
    long = "1." + "1" * 200
    assert str(conversions.decimal(long)) == long


READS = {
    "decimal": [],
    "integer": [],
    "instant": [],
    "local_datetime": [],
    "local_date": [],
    "local_text": ["%Y"],
    "from_epoch": [],
    "to_epoch": [],
    "odata_datetime": [],
    "odata_datetimeoffset": [],
    "odata_date": [],
    "date_parts": [],
    "day_parts": [],
    "seconds": ["h"],
    "duration": ["h"],
    "add": [1],
    "subtract": [1],
    "multiply": [1],
    "divide": [1],
    "negate": [],
    "rounded": [2],
    "json_value": [],
}


@pytest.mark.parametrize("name", READS)
def test_an_empty_field_is_null_to_what_reads_a_number_or_a_time(name):
    assert CONVERSIONS[name].function("", *READS[name]) is None


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_arithmetic_with_null_is_null(name):
    for arguments in ([None, 1], [1, None], [1, ""], [None, None]):
        assert CONVERSIONS[name].function(*arguments) is None


def test_what_is_refused_is_shown_in_part_only():
    with pytest.raises(MappingError) as refused:
        conversions.decimal("x" * 10**6)
    assert len(str(refused.value)) < 300


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
