"""When each job of the shift runs, and what befalls it. Pure: the same orders give the same shift."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum, auto

from demo.facts import ZERO, Act, Order

OUTAGE_FROM, OUTAGE_TO = 0.40, 0.62  # of the shift
PAUSE_SECONDS = 600
AT_THE_LAST = 3  # orders whose last operation the shift ends in
BARELY_BEGUN = 9  # orders whose second operation the shift ends in
UNTIMED = "Wash 1"  # a line that runs by itself: nobody books time on it


class Twist(StrEnum):
    """What befalls a job beside the ordinary."""

    SCRAP = auto()
    REWORK = auto()
    PAUSE = auto()
    ONE_MORE = auto()  # one piece more than planned
    SENT_TWICE = auto()
    OUT_OF_ORDER = auto()  # the end is heard before the beginning
    LATE_TIME = auto()  # the time is heard when the order is complete
    OTHER_STATION = auto()  # at a work centre no routing names
    MISTYPED_ORDER = auto()
    MALFORMED = auto()
    MISTAKE = auto()  # a wrong quantity and a wrong time, put right after the outage
    PUT_RIGHT = auto()  # the second part of that job
    CORRECTED = auto()  # a wrong quantity, put right at once
    CORRECTED_EARLY = auto()  # the correction is heard before what it corrects
    UNFINISHED = auto()
    CANCELLED = auto()  # only begun, because nobody at the station knows yet


# Twist: (every so many jobs, counted from this one). The large numbers are once a shift.
COUNTED = {
    Twist.SCRAP: (6, 2),
    Twist.REWORK: (11, 4),
    Twist.PAUSE: (12, 3),
    Twist.SENT_TWICE: (10, 5),
    Twist.OUT_OF_ORDER: (9, 7),
    Twist.ONE_MORE: (60, 40),
    Twist.MALFORMED: (50, 6),
    Twist.OTHER_STATION: (1000, 4),
    Twist.MISTYPED_ORDER: (1000, 10),
}
# What was made last must be heard before the order is complete.
NEVER_LAST = {Twist.OUT_OF_ORDER, Twist.ONE_MORE}


@dataclass(frozen=True)
class Roles:
    """Orders with a part of their own in the story, by number."""

    mistaken: str
    changed: str
    cancelled: str
    at_the_last: tuple[str, ...]
    barely_begun: tuple[str, ...]

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Orders that are under way when the shift ends."""
        return self.at_the_last + self.barely_begun

    def ends_at(self, order: Order) -> int:
        """The position of the operation at which the shift leaves the order."""
        return 1 if order.number in self.barely_begun else len(order.operations) - 1


@dataclass(frozen=True)
class Slot:
    """A job before its events: `begins` in seconds of the shift, times in seconds."""

    order: Order
    position: int
    begins: int
    setup: Decimal
    run: Decimal
    act: Act = Act.FIRST_HALF
    twists: frozenset[Twist] = frozenset()

    @property
    def name(self) -> str:
        """Unique in the shift."""
        again = "+" if Twist.PUT_RIGHT in self.twists else ""
        return f"{self.order.number}/{self.order.operations[self.position].id}{again}"

    @property
    def last(self) -> bool:
        """Whether this is the order's last operation."""
        return self.position == len(self.order.operations) - 1

    @property
    def station(self) -> str:
        """The work centre of the routing."""
        return self.order.operations[self.position].station

    @property
    def ends(self) -> int:
        """Seconds of the shift, rounded up."""
        pause = PAUSE_SECONDS if Twist.PAUSE in self.twists else 0
        return self.begins + int(self.setup + self.run) + 1 + pause

    def has(self, twist: Twist) -> bool:
        """Whether `twist` befalls it."""
        return twist in self.twists


def roles(orders: Sequence[Order]) -> Roles:
    """Cast the orders: the first two, the last, and those before it."""
    left = AT_THE_LAST + BARELY_BEGUN
    if len(orders) < left + 3:
        raise ValueError(f"a shift needs at least {left + 3} released orders, there are {len(orders)}")
    numbers = [order.number for order in orders]
    unfinished = numbers[-1 - left : -1]
    return Roles(
        numbers[0],
        numbers[1],
        numbers[-1],
        tuple(unfinished[:AT_THE_LAST]),
        tuple(unfinished[AT_THE_LAST:]),
    )


def schedule(orders: Sequence[Order], serial_part: str) -> list[Slot]:
    """Give every operation of every order its place in the shift, earliest first."""
    cast = roles(orders)
    clock = _Clock()
    slots = [clock.place(slot) for slot in _ordinary(orders, cast)]
    span = max(slot.ends for slot in slots)
    slots = [replace(slot, act=_act(slot.begins / span)) for slot in slots]
    clock.not_before(int(span * OUTAGE_TO) + 1)
    slots += [replace(clock.place(slot), act=Act.SECOND_HALF) for slot in _held_back(orders, cast)]
    return _with_corrections(sorted(slots, key=lambda slot: slot.begins), cast, serial_part)


class _Clock:
    """Who is free when: a station does one job at a time, an order is at one station at a time."""

    def __init__(self) -> None:
        self._free: dict[str, int] = {}
        self._earliest = 0

    def not_before(self, second: int) -> None:
        self._earliest = second

    def place(self, slot: Slot) -> Slot:
        keys = (slot.station, slot.order.number)
        begins = max(self._earliest, *(self._free.get(key, 0) for key in keys))
        placed = replace(slot, begins=begins)
        self._free.update(dict.fromkeys(keys, placed.ends))
        return placed


def _ordinary(orders: Sequence[Order], cast: Roles) -> Iterator[Slot]:
    number = 0
    for order in orders:
        for position in range(len(order.operations)):
            number += 1
            slot = _slot(order, position, number)
            held = position > (0 if order.number == cast.changed else cast.ends_at(order))
            if order.number != cast.cancelled and not held:
                yield replace(slot, twists=_twists(slot, number, cast))


def _held_back(orders: Sequence[Order], cast: Roles) -> Iterator[Slot]:
    """What must not run before the planner has acted and the ERP has heard the first half."""
    by_number = {order.number: order for order in orders}
    mistaken, changed = by_number[cast.mistaken], by_number[cast.changed]
    rest = len(mistaken.operations) - 1
    yield replace(_slot(mistaken, rest, 1), twists=frozenset({Twist.PUT_RIGHT}))
    for position in range(1, len(changed.operations)):
        yield _slot(changed, position, position)
    yield replace(_slot(by_number[cast.cancelled], 0, 2), twists=frozenset({Twist.CANCELLED}))


def _slot(order: Order, position: int, number: int) -> Slot:
    """A job with plausible times, some of them with half seconds; the first of an order needs setting up."""
    setup = ZERO if position else Decimal(60 + 15 * (number % 4))
    run = Decimal(330 + 25 * (number * 7 % 9)) + Decimal("0.5") * (number % 2)
    return Slot(order, position, 0, setup, run)


def _act(share: float) -> Act:
    if share < OUTAGE_FROM:
        return Act.FIRST_HALF
    return Act.OUTAGE if share < OUTAGE_TO else Act.SECOND_HALF


def _twists(slot: Slot, number: int, cast: Roles) -> frozenset[Twist]:
    """What befalls job `number`: by count, so that everything happens in every shift."""
    if slot.order.number == cast.mistaken and slot.last:
        return frozenset({Twist.MISTAKE})
    if slot.order.number in cast.unfinished and slot.position == cast.ends_at(slot.order):
        paused = {Twist.PAUSE} if slot.order.number == cast.unfinished[0] else set()
        return frozenset({Twist.UNFINISHED, *paused})
    befalls = {twist for twist, (every, at) in COUNTED.items() if number % every == at}
    if slot.order.unit != "u":
        befalls.discard(Twist.REWORK)
    return frozenset(befalls - NEVER_LAST if slot.last else befalls)


def _with_corrections(slots: Sequence[Slot], cast: Roles, serial_part: str) -> list[Slot]:
    """One mistake on a last operation during the outage, two after it: corrected, corrected early, late time."""
    special = {*cast.unfinished, cast.changed, cast.mistaken, cast.cancelled}
    plain = [
        slot
        for slot in slots
        if slot.last and slot.order.number not in special and slot.order.part != serial_part
    ]
    given: dict[str, Twist] = {}
    for act, twist in (
        (Act.OUTAGE, Twist.CORRECTED),
        (Act.SECOND_HALF, Twist.CORRECTED_EARLY),
        (Act.SECOND_HALF, Twist.LATE_TIME),
    ):
        fits = (slot for slot in plain if slot.act is act and slot.name not in given)
        slot = next(slot for slot in fits if twist is not Twist.LATE_TIME or slot.station != UNTIMED)
        given[slot.name] = twist
    return [
        replace(slot, twists=slot.twists | {given[slot.name]}) if slot.name in given else slot
        for slot in slots
    ]
