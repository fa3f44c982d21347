"""Expressions: the same answers as the library, checked when compiled, exact to the digit."""

from decimal import Decimal

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MappingError
from shared.mapping.conversions import Tables
from shared.mapping.expressions import Expression, Template, Value

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "10.10"])
RECORDS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
PATHS = [
    "a",
    "a.b",
    "a.b.c",
    "a || b",
    "a.b || 'none'",
    "a[0].b",
    "a[].b",
    "a[?b == `1`].c",
    "a && b",
    "!a",
    "a == b",
    "{x: a, y: b.c}",
    "`1`",
    "[a, b][]",
    "a.*",
    "a[1]",
    "a.b[-1].c",
    "a | b",
    "a[] | [0]",
    "a != b",
    "[a, b] == [b, a]",
    "a < b",
    "a == b && !(b.c || c)",
    "not_null(a, b.c, c)",
]


@given(record=RECORDS, path=st.sampled_from(PATHS))
def test_the_library_and_ours_agree(record, path):
    assert Expression(path)(record) == jmespath.search(path, record)


def test_conversions_work_inside_library_expressions():
    rows = {"rows": [{"m": "0.5", "n": "a"}, {"m": "2", "n": "b"}]}
    assert Expression("rows[?seconds(m, 'min') > `60`].n | [0]")(rows) == "b"
    tables = Tables({"unit": {"a": "A", "b": "B"}}, {})
    assert Expression("rows[].lookup('unit', n)")(rows, tables) == ["A", "B"]


def test_numbers_keep_their_digits():
    assert Expression("sum([decimal(a), decimal(b)])")({"a": "0.1", "b": "0.2"}) == Decimal("0.3")


ROWS = [{"q": Decimal("0.1"), "n": "a"}, {"q": Decimal("0.3"), "n": "b"}, {"q": 0, "n": "c"}]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x == `0.1`", True),
        ("x != `0.1`", False),
        ("x < `0.1`", False),
        ("x <= `0.1`", True),
        ("x > `0.1`", False),
        ("x >= `0.1`", True),
        ("`0.1` == x && `true`", True),
        ("rows[?q == `0.1`].n | [0]", "a"),
        ("rows[?q >= `0.1` && q < `0.3`].n", ["a"]),
        ("rows[?contains(`[0.1, 0.2]`, q)].n", ["a"]),
        ('`{"a": [0.1, 1, true]}`', {"a": [Decimal("0.1"), 1, True]}),
        ("text(`1.5`)", "1.5"),
        ("text(`1e15`)", "1000000000000000.0"),
        ("add(`0.1`, `0.2`)", Decimal("0.3")),
        ("to_number('0.1') == x", True),
        ("to_number(x)", Decimal("0.1")),
        ("to_number('7')", 7),
        ("to_number('many')", None),
        ("to_number(rows)", None),
        ("to_string(x)", "0.1"),
        ("to_string(rows[1].n)", "b"),
        ("to_string(`[1]`)", "[1]"),
        ("type(x)", "number"),
        ("type(rows)", "array"),
        ("sort_by(rows, &q)[].n", ["c", "a", "b"]),
        ("max_by(rows, &q).n", "b"),
        ("min_by(rows, &q).n", "c"),
        ("max(rows[].q)", Decimal("0.3")),
        ("sum([x, `0.2`])", Decimal("0.3")),
    ],
)
def test_fractions_are_exact_in_every_place(source, found):
    answer = Expression(source)({"x": Decimal("0.1"), "rows": ROWS})
    assert answer == found
    assert type(answer) is type(found)


def test_a_whole_number_stays_as_it_is_written():
    whole = Expression("`60`")({})
    assert (whole, type(whole)) == (60, int)


def test_an_expression_leaves_the_library_its_own_tree():
    assert Expression("a == `0.25`")({"a": Decimal("0.25")})
    assert isinstance(jmespath.search("`0.25`", {}), float)


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "0.1234567890123456789", "1e60"])
def test_a_number_that_cannot_be_kept_exactly_is_refused_when_compiled(number):
    with pytest.raises(ValueError, match="cannot be kept exactly"):
        Expression(f"a[?q > `[{number}]`[0]]")


def test_what_cannot_be_sorted_is_still_refused():
    with pytest.raises(MappingError, match="sort_by"):
        Expression("sort_by(rows, &n)")({"rows": [{"n": Decimal(1)}, {"n": "a"}]})


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("a..b", "not a JMESPath expression"),
        ("shout(a)", "unknown function shout.*valid: abs, add"),
        ("pad(a)", "pad.* takes 2 to 2 arguments, not 1"),
        ("!a.b", "write `!\\(a.b\\)`"),
    ],
)
def test_a_wrong_expression_is_refused_when_compiled(source, complaint):
    with pytest.raises(ValueError, match=complaint):
        Expression(source)


def test_what_the_library_refuses_is_a_mapping_error():
    with pytest.raises(MappingError, match="length"):
        Expression("length(a)")({"a": 5})


@pytest.mark.parametrize(
    ("source", "roots"),
    [
        ("a.b.c", {"a"}),
        ("a[?b == 'x'].c | [0]", {"a"}),
        ("join('', [a.x, b.y])", {"a", "b"}),
        ("sort_by(a, &id)", {"a"}),
        ("{x: a, y: `1`}", {"a"}),
    ],
)
def test_roots_are_the_facts_read(source, roots):
    assert Expression(source).roots == roots


def test_a_value_is_literal_but_for_its_expressions():
    value = Value({"a": "=x", "b?": "=gone", "c?": 0, "d": ["=x", "literal"], "e": "=gone"})
    assert value({"x": "10.10"}) == {"a": "10.10", "c": 0, "d": ["10.10", "literal"], "e": None}


def test_a_template_quotes_what_it_fills_in_and_leaves_nothing_blank():
    path = Template("/orders/{order.number}/x")
    assert (
        path({"order": {"number": "A/1"}}, quote=lambda part: part.replace("/", "%2F")) == "/orders/A%2F1/x"
    )
    with pytest.raises(MappingError, match="finds nothing"):
        path({"order": {}})
