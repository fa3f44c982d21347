"""Quantities in units of their own, in the unit of the order: as the ERP is told, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.domain.message import MessageKind
from shared.domain.units import Made, factor_of, in_order_unit
from shared.mapping.message_body import body_of
from tests.unit.floor_words import made, plan

UNITS = {"box": ("pcs", Decimal(12)), "crate": ("pcs", Decimal("2.5")), "sack": ("kg", Decimal(25))}


@pytest.mark.parametrize(
    ("unit", "order_unit", "factor"),
    [
        ("", "pcs", "1"),
        ("pcs", "pcs", "1"),
        ("box", "pcs", "12"),
        ("sack", "pcs", None),
        ("pcs", "box", None),
        ("Box", "pcs", None),
        ("box ", "pcs", None),
    ],
)
def test_a_factor_leads_to_the_unit_of_the_order_or_nowhere(unit, order_unit, factor):
    assert factor_of(unit, order_unit, UNITS) == (None if factor is None else Decimal(factor))


REPORTED = {
    "pcs": Made(Decimal(1)),
    "box": Made(Decimal(1), Decimal(2), Decimal("0.5")),
    "crate": Made(Decimal(1)),
    "sack": Made(Decimal(9)),
}


def test_what_has_a_factor_is_added_up_and_the_rest_is_left_out():
    total, left_out = in_order_unit(Made(Decimal("0.5")), REPORTED, "pcs", UNITS)
    assert total == Made(Decimal(16), Decimal(24), Decimal(6))
    assert left_out == {"sack": REPORTED["sack"]}


def test_without_a_plan_only_what_names_no_unit_counts():
    assert in_order_unit(Made(Decimal(3)), REPORTED, None, UNITS) == (Made(Decimal(3)), REPORTED)


@pytest.mark.parametrize("unit", ["", "pcs", "box", "crate"])
def test_the_erp_is_told_the_same(unit):
    """The rule stands where messages are translated as well: both have to agree, or the totals would not."""
    stated = made("a", 0, "3", scrap=Decimal("0.2"), unit=unit)
    body = body_of(MessageKind.PRODUCTION_REPORTED, stated, plan("10"), UNITS)
    factor = factor_of(unit, "pcs", UNITS)
    assert Decimal(body["good"]) == stated.good * factor
    assert Decimal(body["scrap"]) == stated.scrap * factor
