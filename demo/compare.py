"""Floor against ERP, figure by figure. Pure: what the hands noted on one side, what was read back on the other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.facts import ZERO, Made, Reached

# What Tryton calls it.
ORDER_STATES = {
    Reached.NOT_STARTED: ("waiting", "assigned"),
    Reached.RUNNING: ("running",),
    Reached.PAUSED: ("running",),
    Reached.COMPLETED: ("done",),
    Reached.CANCELLED: ("cancelled",),
}
# Tryton knows no pause: the cycle ends there and a new one begins.
WORK_STATES = {
    Reached.NOT_STARTED: {"draft", "request"},
    Reached.RUNNING: {"running"},
    Reached.PAUSED: {"finished"},
    Reached.COMPLETED: {"finished", "done"},
}


@dataclass(frozen=True)
class Figures:
    """One side of an order. `rework` counts pieces on the floor and rework works in the ERP: one for each piece."""

    good: Decimal
    scrap: Decimal
    rework: Decimal
    seconds: Decimal
    state: str


@dataclass(frozen=True)
class Row:
    """One order: both sides and, in words, where they differ."""

    number: str
    floor: Figures
    erp: Figures | None
    differences: tuple[str, ...]


def compare(made: Mapping[str, Made], erp: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Compare every order the floor knows with what the ERP holds, as `read_back` gives it."""
    return [_row(mine, erp.get(number)) for number, mine in sorted(made.items())]


def differences(rows: Iterable[Row]) -> list[str]:
    """All differences, one line each."""
    return [f"{row.number}: {difference}" for row in rows for difference in row.differences]


def _row(made: Made, held: Mapping[str, Any] | None) -> Row:
    floor = Figures(made.good, made.scrap, made.rework, made.seconds, made.reached)
    if held is None:
        return Row(made.number, floor, None, ("the ERP does not have it",))
    erp = Figures(
        held["good"],
        held["scrap"],
        Decimal(sum(work["rework"] for work in held["works"])),
        sum((work["booked_seconds"] for work in held["works"]), ZERO),
        held["state"],
    )
    found = [*_figures(floor, erp), *_state(made, erp), *_lots(made, held), *_operations(made, held["works"])]
    return Row(made.number, floor, erp, tuple(found))


def _figures(floor: Figures, erp: Figures) -> list[str]:
    names = ("good", "scrap", "rework", "seconds")
    return [
        f"{name}: floor {getattr(floor, name)}, ERP {getattr(erp, name)}"
        for name in names
        if getattr(floor, name) != getattr(erp, name)
    ]


def _state(made: Made, erp: Figures) -> list[str]:
    fitting = ORDER_STATES[made.reached]
    return [] if erp.state in fitting else [f"status: floor {made.reached}, ERP {erp.state}"]


def _lots(made: Made, held: Mapping[str, Any]) -> list[str]:
    ours, theirs = sorted(made.lots), sorted(held["serials"])
    return [] if ours == theirs else [f"serial and batch numbers: floor {ours}, ERP {theirs}"]


def _operations(made: Made, works: Sequence[Mapping[str, Any]]) -> list[str]:
    """Times and progress of each operation. A cancelled order has no works left in the ERP."""
    if made.reached is Reached.CANCELLED:
        return []
    found = []
    for operation_id, mine in made.operations.items():
        theirs = [work for work in works if str(work["sequence"]) == operation_id]
        booked = sum((work["booked_seconds"] for work in theirs), ZERO)
        if booked != mine.seconds:
            found.append(f"operation {operation_id} time: floor {mine.seconds} s, ERP {booked} s")
        states = {work["state"] for work in theirs}
        if not states or not states <= WORK_STATES[mine.reached]:
            said = ", ".join(sorted(states)) or "missing"
            found.append(f"operation {operation_id}: floor {mine.reached}, ERP {said}")
    return found
