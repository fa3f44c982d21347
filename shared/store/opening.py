"""What a transaction has to know before it adds events to works orders, read in two round trips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.store import events, floor, orders
from shared.store.batch import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from shared.store.floor import FloorOrder
    from shared.store.orders import StoredOrder


@dataclass(frozen=True, slots=True)
class Opened:
    """Works orders held till the commit, their plans, and what is recorded already of the events that came in."""

    held: Mapping[str, FloorOrder]
    plans: Mapping[str, StoredOrder]
    known: set[str]  # keys of events
    voided: Mapping[str, str]  # key of an event -> key of the correction that took it back before it came


def open_orders(
    connection: Connection, wanted: Mapping[str, tuple[str, str]], stated: Mapping[str, str]
) -> Opened:
    """Hold the orders `wanted` (order key -> connection, number) for the events `stated` (event key -> order key)."""
    streams, recorded, headers = ask(
        connection,
        floor.lock_step(connection, wanted),
        events.recorded_step(connection, stated),
        orders.headers_step(connection, wanted),
    )
    held = floor.held_from(connection, wanted, streams)
    known, voided = events.known_and_voided(recorded.all(), stated)
    plans, changed = orders.remembered(headers)
    if known >= stated.keys():
        return Opened(
            held, plans, known, voided
        )  # all of it has been here before: nobody will look at totals
    forgotten = floor.forgotten(held)
    if forgotten or changed:
        states, routings = ask(
            connection,
            floor.states_step(connection, forgotten),
            orders.routings_step(connection, changed),
        )
        floor.add_states(held, states)
        plans |= orders.with_routings(changed, routings)
    return Opened(held, plans, known, voided)
