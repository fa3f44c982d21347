"""Account: what became of every event. Delivered, on its way, or with a person: there is no third place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from shared.domain.message import MessageState
from shared.errors import QueueUnavailable
from shared.queues.envelope import FLOOR_QUEUE
from shared.queues.sender import QueueSender
from shared.store import accounting, warnings
from shared.store.accounting import Fate, Tally
from shared.store.engine import Store


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


async def account(store: Store, queues: QueueSender) -> Account:
    """Account for all events, those in the buffer included. Raises StoreUnavailable."""
    buffered = await _buffered(
        queues
    )  # before SQL: what is recorded meanwhile counts twice, never not at all

    def work(tx: Connection) -> tuple[Tally, int]:
        return accounting.tally(tx), warnings.count_poison(tx, FLOOR_QUEUE)

    tally, set_aside = await store.read(work)
    return _account(tally, buffered, set_aside, clear=buffered == 0 and set_aside == 0)


def account_of_orders(tx: Connection, order_keys: Collection[str]) -> Account:
    """Account for the events of the given orders that are recorded."""
    return _account(accounting.tally(tx, order_keys), None, 0, clear=True)


async def _buffered(queues: QueueSender) -> int | None:
    try:
        return await queues.depth(FLOOR_QUEUE)
    except QueueUnavailable:
        return None


def _account(tally: Tally, buffered: int | None, set_aside: int, *, clear: bool) -> Account:
    accounts = [_of_connection(name, fates) for name, fates in sorted(tally.fates.items())]
    classes = classes_of(tally.fates.values())
    counted = sum(each.events for each in accounts)
    unaccounted = abs(tally.events - counted) + tally.strays
    open_events = classes.pending + classes.held + classes.parked
    return Account(
        complete=clear and open_events == 0 and unaccounted == 0,
        events=tally.events,
        classes=classes,
        unaccounted=unaccounted,
        buffered=buffered,
        set_aside=set_aside,
        messages={state.value: tally.messages.get(state, 0) for state in MessageState},
        connections=accounts,
    )


def _of_connection(name: str, fates: Mapping[Fate, int]) -> ConnectionAccount:
    return ConnectionAccount(name, sum(fates.values()), classes_of([fates]))


def classes_of(counts: Collection[Mapping[Fate, int]]) -> Classes:
    """Add up the events of several connections by class."""
    return Classes(**{fate.value: sum(fates.get(fate, 0) for fates in counts) for fate in Fate})
