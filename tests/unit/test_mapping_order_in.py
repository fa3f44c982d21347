"""Record -> works order."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.domain import storable
from shared.domain.works_order import ErpState
from shared.errors import MappingError
from shared.mapping.order_in import OrderReader
from shared.profiles.model import OrdersPull
from shared.store.tables import operation, watermark, works_order

PULL = OrdersPull.model_validate(
    {
        "call": {"method": "GET", "path": "/x"},
        "records": "=reply.body",
        "state": {"value": "=state", "released": ["rel"], "cancelled": ["gone"], "ignored": ["draft"]},
        "map": {
            "number": "=no",
            "part": "=part",
            "quantity": "=qty",
            "unit": "=lookup('unit', unit)",
            "due_at": "=instant(due, settings.zone)",
            "erp_ref": {"id": "=id"},
            "operations": {
                "records": "=ops",
                "map": {
                    "operation_id": "=id",
                    "position": "=seq",
                    "name": "=name",
                    "work_centre": "=wc",
                    "run_seconds": "=seconds(run, 'min')",
                },
            },
        },
    }
)
RECORD = {
    "no": "000123",
    "id": 7,
    "part": "P-1",
    "qty": "2.50",
    "unit": "ST",
    "due": "2026-07-01",
    "state": "rel",
    "ops": [
        {"id": "0020", "seq": 20, "name": "Turn", "wc": "L1", "run": "1.5"},
        {"id": "0010", "seq": "10", "name": "Cut", "wc": None},
    ],
}
READER = OrderReader(PULL, {"zone": "Europe/London"}, {"unit": {"ST": "pcs"}})


def read(**changes):
    facts = READER.facts(RECORD | changes)
    return READER.order(facts, READER.state(facts))


def test_a_whole_order():
    order = read()
    assert (order.number, order.quantity, order.unit) == ("000123", Decimal("2.50"), "pcs")
    assert order.due_at == datetime(2026, 6, 30, 23, tzinfo=UTC)
    assert order.erp_ref == {"id": 7}
    assert [operation.operation_id for operation in order.operations] == ["0010", "0020"]
    assert [operation.run_seconds for operation in order.operations] == [None, Decimal("90.0")]
    assert order.operations[0].work_centre == ""


def test_states():
    states = [READER.state(READER.facts(RECORD | {"state": state})) for state in ("rel", "gone", "draft")]
    assert states == [ErpState.RELEASED, ErpState.CANCELLED, None]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"no": None}, "number: missing"),
        ({"qty": "many"}, "quantity: 'many' is not a number"),
        ({"qty": "-1"}, "quantity: '-1' is negative"),
        ({"unit": "XX"}, "unit: unit 'XX' is not known"),
        ({"state": "odd"}, "state: the profile does not know 'odd'; it knows: draft, rel, gone"),
        ({"ops": [{"id": "1", "seq": "x", "name": "n"}]}, "operation 1: position: 'x' is not a number"),
        ({"ops": [RECORD["ops"][0], RECORD["ops"][0]]}, "operation_id: two operations"),
    ],
)
def test_a_record_that_cannot_be_read_says_which_field(changes, complaint):
    with pytest.raises(MappingError) as refused:
        read(**changes)
    assert complaint in str(refused.value)


def step(**changes):
    return {"ops": [{"id": "10", "seq": 1, "name": "Cut"} | changes]}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"no": "N" * 201}, "number: 'NNN"),
        ({"no": "\ud800"}, "number: '?' holds half a character"),
        ({"no": "\U0001f600" * 101}, "is longer than 200 characters"),  # NVARCHAR counts each of these as two
        ({"part": "P" * 201}, "part: 'PPP"),
        ({"part": {"a": 1}}, "part: {'a': 1} is not one value but several"),
        ({"qty": "1e400"}, "quantity: "),
        ({"qty": "1000000000000"}, "quantity: '1000000000000' is larger than can be kept"),
        ({"qty": Decimal("NaN")}, "quantity: "),
        ({"qty": 10**30}, "quantity: "),
        ({"due": "9999-12-31T23:59:59-05:00"}, "due_at: "),
        ({"due": "0001-01-01T00:00:00+05:00"}, "due_at: "),
        ({"id": 10**30}, "erp_ref: it cannot be kept: Integer exceeds 64-bit range"),
        ({"id": "\ud800"}, "erp_ref: it cannot be kept: str is not valid UTF-8"),
        ({"id": Decimal("7.5")}, "erp_ref: it cannot be kept: "),
        ({"ops": 7}, "operations: =ops finds no list"),
        (step(id="1" * 201), "operation 1: operation_id: "),
        (step(seq=2**31), "operation 1: position: 2147483648 is no position"),
        (step(seq=-(2**31) - 1), "operation 1: position: "),
        (step(seq="1e99999999"), "operation 1: position: "),
        (step(name="\u00e9" * 401), "operation 1: name: "),
        (step(wc="W" * 201), "operation 1: work_centre: "),
        (step(run="1e30"), "operation 1: run_seconds: "),
        (step(run="-20000000000"), "operation 1: run_seconds: "),
    ],
)
def test_what_no_store_keeps_is_refused_by_field(changes, complaint):
    with pytest.raises(MappingError) as refused:
        read(**changes)
    assert complaint in str(refused.value)


def test_what_just_fits_is_taken():
    longest, wide = "N" * 200, "\U0001f600" * 100
    order = read(no=longest, part=wide, qty="999999999999.999999", **step(seq=2**31 - 1, name="\u00e9" * 400))
    assert (order.number, order.part, order.quantity) == (longest, wide, Decimal("999999999999.999999"))
    assert (order.operations[0].position, len(order.operations[0].name)) == (2**31 - 1, 400)


COLUMNS = [
    (works_order.c.number, storable.IDENT),
    (works_order.c.part, storable.IDENT),
    (works_order.c.part_name, storable.NAME),
    (works_order.c.unit, storable.UNIT),
    (operation.c.operation_id, storable.IDENT),
    (operation.c.name, storable.NAME),
    (operation.c.work_centre, storable.IDENT),
    (watermark.c.value, storable.WATERMARK),
]


@pytest.mark.parametrize(("column", "limit"), COLUMNS, ids=[str(column) for column, _ in COLUMNS])
def test_the_limits_are_those_of_the_columns(column, limit):
    assert column.type.length == limit


def test_the_largest_amount_fits_both_engines():
    whole = storable.AMOUNT - Decimal("0.000001")
    assert int(whole * 1_000_000) < 2**63
    assert len(whole.as_tuple().digits) <= works_order.c.quantity.type.impl.precision


@pytest.mark.parametrize(
    ("said", "most", "kept"),
    [("abc", 200, "abc"), ("abc", 2, "ab"), ("a\ud800", 200, "a?"), ("\U0001f600" * 2, 3, "\U0001f600")],
)
def test_words_are_kept_as_far_as_they_can_be(said, most, kept):
    assert storable.kept(said, most) == kept


def test_the_best_name_of_a_bad_record():
    assert READER.name({"no": "000123", "qty": "many"}) == "000123"
    assert READER.name({"no": "N" * 300}) == "N" * 200
    assert READER.name({"no": "\ud800"}) == "?"
    assert READER.name({"no": ["WO-1"]}) == "(no number)"
    assert READER.name("not even an object") == "(no number)"
