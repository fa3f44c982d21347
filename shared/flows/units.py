"""Units: a plan has arrived or moved, or a unit was linked, and quantities in units of their own come to count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain.checks import over_completed
from shared.domain.warning import WarningKind
from shared.store import floor, links, warnings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from shared.domain.state import OperationState
    from shared.domain.units import UnitLinks
    from shared.domain.works_order import WorksOrder


def counted_anew(
    tx: Connection, name: str, plans: Mapping[str, WorksOrder], now: datetime, *, in_new_unit: bool = False
) -> None:
    """Warn of what is too many now, and close the warnings about units that fit; `plans` are of connection `name`.

    The totals need no work: they are kept by unit. One statement where the floor has used only the orders' own.
    `in_new_unit`: the orders count in another unit than before, so every total has changed.
    """
    totals = {
        key: {op: state for op, state in mine.items() if in_new_unit or state.named}
        for key, mine in floor.load_states(tx, plans).items()
    }
    changed = {key: mine for key, mine in totals.items() if mine}
    if not changed:
        return
    units = links.unit_links(tx).get(name, {})
    raised = [
        warning
        for key, mine in changed.items()
        for warning in over_completed(name, key, plans[key], mine, units)
    ]
    warnings.raise_warnings(tx, raised, now)
    fitting = {unit for key, mine in changed.items() for unit in _fitting(mine, plans[key], units)}
    fitting -= links.units_waited_for(tx, name, fitting, changed)
    note = "it can be converted to the order's unit"
    warnings.resolve_subjects(tx, name, WarningKind.UNKNOWN_UNIT, sorted(fitting), note, now)


def _fitting(states: Mapping[str, OperationState], plan: WorksOrder, units: UnitLinks) -> set[str]:
    """Return the order's unit, and those the floor has named on it that can be converted to that."""
    named = {
        unit
        for state in states.values()
        for unit in state.named.keys() - state.made(plan.unit, units)[1].keys()
    }
    return named | {plan.unit}
