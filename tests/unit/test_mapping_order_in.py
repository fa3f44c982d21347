"""Record -> works order."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.domain.works_order import ErpState
from shared.errors import MappingError
from shared.mapping.order_in import OrderReader
from shared.profiles.model import OrdersPull

PULL = OrdersPull.model_validate(
    {
        "call": {"path": "/x"},
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


def test_the_best_name_of_a_bad_record():
    assert READER.name({"no": "000123", "qty": "many"}) == "000123"
    assert READER.name("not even an object") == "(no number)"
