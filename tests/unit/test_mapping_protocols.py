"""Ways of writing that protocols share: OData's literals and dates, ISO 8601 durations, structures made of facts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MappingError
from shared.mapping.conversions import CONVERSIONS, Tables, UnknownCode
from shared.mapping.expressions import Expression, Value


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        # OData V2 JSON: /Date(ms)/ is the server's own clock, with an offset it is an instant (offset is for display).
        ("instant", ["/Date(1795960000000)/", "Europe/Berlin"], "2026-11-29T12:46:40Z"),
        ("instant", ["/Date(1795960000000+0060)/", "Europe/Berlin"], "2026-11-29T13:46:40Z"),
        ("instant", ["/Date(-1000+0000)/"], "1969-12-31T23:59:59Z"),
        ("instant", ["20261130140500", "Europe/Berlin"], "2026-11-30T13:05:00Z"),
        ("odata_date", ["2026-11-29T13:46:40Z"], "/Date(1795960000000+0000)/"),
        ("odata_date", ["2026-11-29T12:46:40Z", "Europe/Berlin"], "/Date(1795960000000)/"),
        ("odata_datetime", ["2026-11-30T13:05:00Z", "Europe/Berlin"], "datetime'2026-11-30T14:05:00'"),
        ("odata_datetimeoffset", ["2026-11-30T14:05:00+01:00"], "datetimeoffset'2026-11-30T13:05:00Z'"),
        ("local_text", ["2026-11-30T13:05:00Z", "%Y%m%d%H%M%S", "Europe/Berlin"], "20261130140500"),
        ("from_epoch", [1795960000, "s"], "2026-11-29T13:46:40Z"),
        ("from_epoch", ["1795960000500", "ms"], "2026-11-29T13:46:40.500000Z"),
        ("to_epoch", ["2026-11-29T13:46:40.5Z", "ms"], 1795960000500),
        ("seconds", ["PT1H2M3.5S", "iso"], Decimal("3723.5")),
        ("seconds", ["P1DT2H", "iso"], Decimal(93600)),
        ("seconds", ["-PT90S", "iso"], Decimal(-90)),
        ("seconds", ["5", None], None),
        ("duration", ["3723.50", "iso"], "PT1H2M3.5S"),
        ("duration", [0, "iso"], "PT0H0M0S"),
        ("quoted", ["O'Brien"], "'O''Brien'"),
        ("unpad", ["000120"], "120"),
        ("unpad", ["000"], "0"),
        ("concat", ["a", None, Decimal("1.50")], "a1.50"),
        ("replace", ["a.b.c", ".", "/"], "a/b/c"),
        ("upper", ["ab"], "AB"),
        ("lower", ["AB"], "ab"),
        ("plain_text", ["The <b>job</b><br>is&nbsp;&lt;done&gt; "], "The job is <done>"),
        ("split", [" a, b,,c ", ","], ["a", "b", "c"]),
        ("null_if", ["1900-01-01", "1900-01-01"], None),
        ("null_if", ["x", "1900-01-01"], "x"),
        ("has", [{"a": None}, "a"], True),
        ("has", [{"a": None}, "b"], False),
        (
            "pick_all",
            [[{"o": 1, "i": 1}, {"o": 2}, {"o": 1, "i": 3}], "o", 1],
            [{"o": 1, "i": 1}, {"o": 1, "i": 3}],
        ),
        ("total", [[{"q": "0.1"}, {"q": 2}, {}], "q"], Decimal("2.1")),
        ("json_value", ['{"a": 0.10}'], {"a": Decimal("0.10")}),
        ("base64url", [[["a", "=", 1]]], "W1siYSIsIj0iLDFdXQ=="),
        ("divide", ["1", "4"], Decimal("0.25")),
    ],
)
def test_conversion(name, arguments, expected):
    converted = CONVERSIONS[name].function(*arguments)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("seconds", ["1:30", "iso"], "'1:30' is not an ISO 8601 duration"),
        ("seconds", ["P1M", "iso"], "not an ISO 8601 duration"),  # a month has no length
        ("seconds", ["PT", "iso"], "not an ISO 8601 duration"),
        ("json_value", ["{"], "is not JSON"),
        ("divide", ["1", "0.0"], "divided by zero"),
        ("instant", ["20261399000000"], "not a date and time"),
    ],
)
def test_what_cannot_be_read_is_refused(name, arguments, complaint):
    with pytest.raises(MappingError, match=complaint):
        CONVERSIONS[name].function(*arguments)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=3))
def test_a_duration_comes_back_exactly(number):
    written = CONVERSIONS["duration"].function(number, "iso")
    assert CONVERSIONS["seconds"].function(written, "iso") == number


@given(st.text(), st.text())
def test_a_uuid_stands_for_one_text(one, other):
    uuid = CONVERSIONS["uuid"].function
    assert (uuid(one) == uuid(other)) == (one == other)
    assert uuid(one) == uuid(one)


@given(st.text())
def test_a_quoted_text_cannot_end_early(text):
    inside = CONVERSIONS["quoted"].function(text)[1:-1]
    assert inside.replace("''", "") == text.replace("'", "")
    assert "'" not in inside.replace("''", "")


TABLES = Tables({"unit": {"MIN": "min"}}, {"scrap_reason": {"S1": "X"}})


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("lookup('unit', 'MIN')", "min"),
        ("lookup('unit', 'HUR', 'h')", "h"),
        ("lookup('unit', `null`, 'h')", "h"),
        ("lookup('unit', 'HUR', `null`)", None),
        ("lookup('unit', '')", None),
        ("link('scrap_reason', 'S1')", "X"),
        ("link('scrap_reason', 'S2', 'other')", "other"),
        ("link('no_such_kind', 'S2', `null`)", None),
    ],
)
def test_what_a_table_lacks_may_have_something_else_in_its_place(expression, found):
    assert Expression(expression)({}, TABLES) == found


def test_what_a_table_lacks_is_named_where_nothing_takes_its_place():
    with pytest.raises(UnknownCode, match="unit 'HUR' is not known"):
        Expression("lookup('unit', 'HUR')")({}, TABLES)


FACTS = {"order": {"no": "WO'1"}, "since": None, "serials": ["A", "B"]}


@pytest.mark.parametrize(
    ("source", "built"),
    [
        ("~no eq {quoted(order.no)}", "no eq 'WO''1'"),
        ("~x{since && concat(' and m ge ', since) || ''}", "x"),
        (
            {"for_each": "=serials", "make": {"s": "=item", "no": "=order.no"}},
            [{"s": "A", "no": "WO'1"}, {"s": "B", "no": "WO'1"}],
        ),
        ({"for_each": "=since", "make": "=item"}, []),
        ({"as_json": {"no": "=order.no", "n?": "=since"}}, '{"no":"WO\'1"}'),
        (["number", "=", "~"], ["number", "=", "~"]),
        ({"for_each": 1, "other": 2}, {"for_each": 1, "other": 2}),
    ],
)
def test_a_structure_is_made_of_facts(source, built):
    assert Value(source)(FACTS) == built


def test_a_template_in_a_value_refuses_a_hole_that_finds_nothing():
    with pytest.raises(MappingError, match="finds nothing"):
        Value("~since {since}")(FACTS)


def test_what_is_not_a_list_cannot_be_made_of():
    with pytest.raises(MappingError, match="is not a list"):
        Value({"for_each": "=order", "make": "=item"})(FACTS)


def test_the_facts_a_structure_reads_are_known_and_its_own_item_is_none_of_them():
    value = Value({"a": "~{order.no}", "b": {"for_each": "=serials", "make": "=concat(item, order.no)"}})
    assert {root for reads in value.expressions for root in reads.roots} == {"order", "serials"}
