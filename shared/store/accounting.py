"""What became of every event: one class each, the worst of its messages' states. Read in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, cast, func, literal, null, select, union_all

from shared.domain.message import MessageState
from shared.store.bulk import keys_of
from shared.store.exact import size_of
from shared.store.tables import execution_event, outbound_message

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Column, Connection, Select


class Fate(StrEnum):
    """Where an event is. Several messages: the first of these that any of them is in."""

    PARKED = "parked"  # a person decides about at least one message
    HELD = "held"  # waits for something missing
    PENDING = "pending"  # to be sent
    DELIVERED = "delivered"  # in the ERP
    EXEMPT = "exempt"  # the ERP has no place for it
    VOIDED = "voided"  # taken back before the ERP heard of it, or dismissed by a person
    NOTHING_TO_TELL = "nothing_to_tell"  # it caused no message: the ERP knows as much already


FATE_OF = {
    MessageState.PARKED: Fate.PARKED,
    MessageState.HELD: Fate.HELD,
    MessageState.PENDING: Fate.PENDING,
    MessageState.DONE: Fate.DELIVERED,
    MessageState.EXEMPT: Fate.EXEMPT,
    MessageState.VOIDED: Fate.VOIDED,
}
RANKED = list(reversed(Fate))  # rank 0 = nothing to tell


@dataclass(frozen=True, slots=True)
class Tally:
    """Events by connection and fate, messages by state, and the plain number of events to compare with.

    `strays` counts messages whose event is not there; there must be none.
    """

    events: int
    fates: Mapping[str, Mapping[Fate, int]]
    messages: Mapping[MessageState, int]
    strays: int


def tally(tx: Connection, order_keys: Collection[str] | None = None) -> Tally:
    """Count all events, or those of the given orders, in the caller's snapshot."""
    fates: dict[str, dict[Fate, int]] = {}
    strays = 0
    for row in tx.execute(_by_fate(tx, order_keys)):
        if row.connection is None:
            strays += row.many
        else:
            fates.setdefault(row.connection, {})[RANKED[row.worst]] = row.many
    events = tx.scalar(_of(tx, select(func.count()), execution_event.c.order_key, order_keys)) or 0
    state = outbound_message.c.state
    by_state = select(state, func.count().label("many")).group_by(state)
    rows = tx.execute(_of(tx, by_state, outbound_message.c.stream_key, order_keys))
    return Tally(events, fates, {MessageState(row.state): row.many for row in rows}, strays)


def _by_fate(tx: Connection, order_keys: Collection[str] | None) -> Select[Any]:
    """Lay events (rank 0) and messages (rank of their state) over each other; keep the worst of each event."""
    table, message = execution_event, outbound_message
    rank = case(*((message.c.state == state, RANKED.index(fate)) for state, fate in FATE_OF.items()))
    stated = select(table.c.event_key, table.c.connection, literal(0).label("rank"))
    nowhere = cast(null(), table.c.connection.type).label("connection")
    caused = select(message.c.event_key, nowhere, rank.label("rank"))
    both = union_all(
        _of(tx, stated, table.c.order_key, order_keys), _of(tx, caused, message.c.stream_key, order_keys)
    ).subquery("told")
    single = (
        select(func.max(both.c.connection).label("connection"), func.max(both.c.rank).label("worst"))
        .group_by(both.c.event_key)
        .subquery("single")
    )
    columns = (single.c.connection, single.c.worst)
    return select(*columns, func.count().label("many")).group_by(*columns, size_of(single.c.connection))


def _of(
    tx: Connection, statement: Select[Any], key: Column[str], order_keys: Collection[str] | None
) -> Select[Any]:
    """Narrow `statement`, whose table has the order's key in column `key`, to the given orders."""
    statement = statement.select_from(key.table)
    if order_keys is None:
        return statement
    wanted = keys_of(tx, sorted(order_keys))
    return statement.join(wanted, key == wanted.c.value)
