"""The account as readers see it: every event, and where it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Classes:
    """Events by what became of them; every event is in exactly one class.

    An event with several messages is where the worst of them is: parked, held, pending, then delivered,
    exempt, voided. `nothing_to_tell` caused no message, because the ERP knows as much already.
    """

    delivered: int
    exempt: int
    voided: int
    nothing_to_tell: int
    pending: int
    held: int
    parked: int


@dataclass(frozen=True, slots=True)
class ConnectionAccount:
    """The events of one connection."""

    connection: str
    events: int
    classes: Classes


@dataclass(frozen=True, slots=True)
class Account:
    """Every event and where it is.

    `unaccounted` compares the classes with a plain count of events, and counts messages without an event: it
    is 0, or there is a defect. `buffered` counts queue messages with acknowledged events that wait to be
    recorded (null: the queue cannot be asked, or one order was asked for); `set_aside` those that could not be
    recorded and are open warnings with their text. `complete` = all events have come to their end.
    """

    complete: bool
    events: int
    classes: Classes
    unaccounted: int
    buffered: int | None
    set_aside: int
    messages: dict[str, int]
    connections: list[ConnectionAccount]
