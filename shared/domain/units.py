"""Units of quantities: what was counted in which, and what that is in a works order's unit. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

type UnitLinks = Mapping[str, tuple[str, Decimal]]  # Tascus unit -> (ERP unit, factor)

ZERO = Decimal(0)
ONE = Decimal(1)


class Made(NamedTuple):
    """Quantities of one unit."""

    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO

    def plus(self, good: Decimal, scrap: Decimal, rework: Decimal) -> Made:
        """Return the sum with more of the same unit."""
        return Made(self.good + good, self.scrap + scrap, self.rework + rework)


def factor_of(unit: str, order_unit: str, units: UnitLinks) -> Decimal | None:
    """Return what to multiply a quantity in `unit` by to have it in the order's unit; None = unknown."""
    if unit in ("", order_unit):
        return ONE
    erp_unit, factor = units.get(unit, ("", None))
    return factor if erp_unit == order_unit else None


def in_order_unit(
    unnamed: Made, named: Mapping[str, Made], order_unit: str | None, units: UnitLinks
) -> tuple[Made, dict[str, Made]]:
    """Return the total in the order's unit (None: not known yet), and what has no factor and is left out, by unit.

    `unnamed` is what was reported without a unit: it is in the order's own, whichever that is.
    """
    total, left_out = unnamed, {}
    for unit, made in named.items():
        factor = None if order_unit is None else factor_of(unit, order_unit, units)
        if factor is None:
            left_out[unit] = made
        else:
            total = total.plus(*(quantity * factor for quantity in made))
    return total, left_out
