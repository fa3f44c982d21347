"""Account: what became of every event. Delivered, on its way, or with a person: there is no third place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain.account_view import Account, Classes, ConnectionAccount
from shared.domain.message import MessageState
from shared.domain.queue_names import FLOOR_QUEUE
from shared.errors import QueueUnavailable
from shared.store import accounting, warnings
from shared.store.accounting import Fate, Tally
from shared.store.reading import order_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from shared.queues.sender import QueueSender
    from shared.store.engine import Store


class Accounts:
    """Accounts for events. Everything here raises StoreUnavailable."""

    def __init__(self, store: Store, queues: QueueSender) -> None:
        self._store = store
        self._queues = queues

    async def of_everything(self) -> Account:
        """Account for all events, those in the buffer included."""
        buffered = (
            await self._buffered()
        )  # before SQL: what is recorded meanwhile counts twice, never not at all

        def work(tx: Connection) -> tuple[Tally, int]:
            return accounting.tally(tx), warnings.count_poison(tx, FLOOR_QUEUE)

        tally, set_aside = await self._store.read(work)
        return _account(tally, buffered, set_aside, clear=buffered == 0 and set_aside == 0)

    async def of_order(self, number: str, connection: str | None) -> Account | None:
        """Account for the recorded events of the orders called `number`; None if nobody has spoken of any."""

        def work(tx: Connection) -> Account | None:
            keys = order_keys(tx, number, connection)
            return _account(accounting.tally(tx, keys), None, 0, clear=True) if keys else None

        return await self._store.read(work)

    async def _buffered(self) -> int | None:
        try:
            return await self._queues.depth(FLOOR_QUEUE)
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
