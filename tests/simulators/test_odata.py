"""The query options that every OData simulator reads."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.simulators.odata import (
    EntityType,
    EnumType,
    QueryError,
    chosen_rows,
    json_v4,
    paged,
    parse_path,
    parse_query,
    shaped,
)

STATUS = EnumType("My.Status", ("Open", "Released", "Ended"))
STEPS = [{"Id": "1", "No": "10"}, {"Id": "1", "No": "20"}]
STEP = EntityType("Step", ("Id", "No"), {"Id": "Edm.String", "No": "Edm.String"})
ORDER = EntityType(
    "Order",
    ("Id",),
    {
        "Id": "Edm.String",
        "Qty": "Edm.Decimal",
        "Status": STATUS,
        "At": "Edm.DateTimeOffset",
        "Due": "Edm.Date",
        "Guid": "Edm.Guid",
        "Done": "Edm.Boolean",
    },
    {"steps": (STEP, lambda row: [step for step in STEPS if step["Id"] == row["Id"]])},
)
OLD = EntityType("Old", ("Id",), {"Id": "Edm.String", "At": "Edm.DateTime", "Key": "Edm.Guid"})
GUID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"


def row(ident, quantity, status, day):
    return {
        "Id": ident,
        "Qty": None if quantity is None else Decimal(quantity),
        "Status": status,
        "At": datetime(2026, 11, day, 8, tzinfo=UTC),
        "Due": date(2026, 12, day),
        "Guid": GUID,
        "Done": day == 3,
    }


ROWS = [row("1", 10, "Open", 1), row("2", 20, "Released", 2), row("3", None, "Ended", 3)]


@pytest.mark.parametrize(
    ("filtering", "chosen"),
    [
        ("Qty gt 10", "2"),
        ("Qty ge 10 and not (Id eq '1')", "2"),
        ("Id eq '1' or Qty eq null", "13"),
        ("Status eq My.Status'Released'", "2"),
        ("Status ge My.Status'Released'", "23"),
        ("Status ne My.Status'Ended' and (Qty lt 15 or Qty gt 100)", "1"),
        ("At gt 2026-11-01T09:00:00+01:00", "23"),
        ("At gt 2026-11-02", "23"),
        ("Due le 2026-12-02", "12"),
        (f"Guid eq {GUID}", "123"),
        ("Done", "3"),
        ("not Done", "12"),
        ("startswith(Id,'2')", "2"),
        ("contains(tolower(Id),'3')", "3"),
        ("Id in ('1','3')", "13"),
        ("Qty lt 15", "1"),  # null compares with nothing
    ],
)
def test_a_filter_chooses(filtering, chosen):
    found = chosen_rows(ROWS, parse_query({"$filter": filtering}, ORDER))
    assert "".join(row["Id"] for row in found) == chosen


@pytest.mark.parametrize(
    ("filtering", "why"),
    [
        ("Qty eq '10'", "incompatible types"),
        ("Status eq 'Released'", "incompatible types"),
        ("Status eq Other.Status'Released'", "incompatible types"),
        ("Status eq My.Status'Nowhere'", "not a valid enumeration"),
        ("Nothing eq 1", "Could not find a property named 'Nothing'"),
        ("Id eq", "ends too early"),
        ("(Id eq '1'", "ends too early"),
        ("Id eq '1' Id", "Syntax error"),
        ("Qty", "single boolean"),
        ("substringof('1',Id)", "unknown function"),
        ("startswith(Qty,'1')", "No function signature"),
        ("At gt datetime'2026-11-01T00:00:00'", "unrecognized literal"),
    ],
)
def test_a_filter_that_cannot_be_asked_is_refused(filtering, why):
    with pytest.raises(QueryError, match=why):
        parse_query({"$filter": filtering}, ORDER)


def test_version_two_has_its_own_literals():
    rows = [{"Id": "a", "At": datetime(2026, 11, 1, 8), "Key": GUID}]  # noqa: DTZ001 - Edm.DateTime has no zone
    asked = f"At ge datetime'2026-11-01T08:00:00' and Key eq guid'{GUID}' and substringof('a',Id)"
    assert chosen_rows(rows, parse_query({"$filter": asked}, OLD, 2)) == rows
    with pytest.raises(QueryError, match="Syntax error"):
        parse_query({"$filter": f"Key eq {GUID}"}, OLD, 2)
    with pytest.raises(QueryError, match="unknown function"):
        parse_query({"$filter": "contains(Id,'a')"}, OLD, 2)


def test_rows_are_ordered_paged_and_shaped():
    query = parse_query(
        {"$orderby": "Qty desc", "$select": "Id,Qty", "$expand": "steps($select=No;$top=1)"}, ORDER
    )
    first, start = paged(chosen_rows(ROWS, query), query, 2)
    rest, end = paged(chosen_rows(ROWS, query), query, 2, start)
    assert [row["Id"] for row in first + rest] == ["2", "1", "3"]
    assert end is None
    assert json_v4(shaped(first[1], ORDER, query)) == {"Id": "1", "Qty": 10, "steps": [{"No": "10"}]}


def test_top_and_skip_count_over_all_pages():
    query = parse_query({"$top": "2", "$skip": "1", "$orderby": "Id"}, ORDER)
    assert [row["Id"] for row in paged(chosen_rows(ROWS, query), query, 10)[0]] == ["2", "3"]
    first, start = paged(chosen_rows(ROWS, query), query, 1)
    last, end = paged(chosen_rows(ROWS, query), query, 1, start)
    assert ([row["Id"] for row in first + last], end) == (["2", "3"], None)


@pytest.mark.parametrize(
    "options", [{"$top": "-1"}, {"$top": "x"}, {"$orderby": "Nope"}, {"$select": "Nope"}]
)
def test_other_options_are_checked_too(options):
    with pytest.raises(QueryError):
        parse_query(options, ORDER)


def test_a_path_is_cut_into_segments_with_keys():
    path = parse_path(f"companies({GUID})/Orders(A='it''s a/b',B=2)/post")
    assert [segment.name for segment in path] == ["companies", "Orders", "post"]
    assert path[0].only == GUID
    assert {name: part.value for name, part in path[1].key.items()} == {"A": "it's a/b", "B": 2}


def test_version_two_keys():
    assert parse_path("A_Order('000123')/to_Operation", 2)[0].only == "000123"
    assert parse_path(f"Orders(guid'{GUID}')", 2)[0].only == GUID
