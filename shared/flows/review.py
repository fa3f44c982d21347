"""Review: a person decides, the decision is noted, and what it frees goes out.

Who decided what stands in the audit trail of the warning that asked for the decision.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.domain.message import MessageState
from shared.domain.plan_json import plan_from_json
from shared.domain.warning import Warning_, WarningKind, WarningState
from shared.errors import QueueUnavailable
from shared.flows.pull import SHOWN_AS, settle_plan
from shared.queues.envelope import WAKE_QUEUE, wake_up
from shared.store import floor, orders, outbox, warnings
from shared.store.orders import OrderWrite
from shared.store.reading_messages import read_message
from shared.store.reading_warnings import read_warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from shared.queues.sender import QueueSender
    from shared.store.engine import Store
    from shared.store.orders import StoredOrder
    from shared.store.reading_messages import MessageLine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class By:
    """Who decides, and what they say about it."""

    actor: str
    note: str = ""


class Decided(StrEnum):
    """What became of a decision."""

    DONE = "done"
    UNKNOWN = "unknown"  # there is nothing of that name
    NOT_OPEN = "not_open"  # there is, but nothing about it waits for a decision
    ELSEWHERE = "elsewhere"  # a change of plan hangs on it: decide about the change


class Verdict(StrEnum):
    """What to do with a plan the ERP changed under running work."""

    ACCEPT = "accept"  # the ERP's plan becomes ours; recorded work stays recorded
    KEEP = "keep"  # our plan stays, until the ERP changes its own again


async def retry_message(store: Store, queues: QueueSender, place: tuple[str, int], by: By) -> Decided:
    """Put a parked message back into its stream, attempts forgiven. Raises StoreUnavailable."""
    return await _decide_message(store, queues, place, by, "retried")


async def dismiss_message(store: Store, queues: QueueSender, place: tuple[str, int], by: By) -> Decided:
    """Take a parked message out for good; what it barred goes out. Raises StoreUnavailable."""
    return await _decide_message(store, queues, place, by, "dismissed")


async def _decide_message(
    store: Store, queues: QueueSender, place: tuple[str, int], by: By, action: str
) -> Decided:
    now = datetime.now(UTC)
    decided = await store.write(lambda tx: _message(tx, place, by, action, now))
    if decided is Decided.DONE:
        await wake(queues, [place[0]])
    return decided


def _message(tx: Connection, place: tuple[str, int], by: By, action: str, now: datetime) -> Decided:
    found = read_message(tx, *place)
    if found is None:
        return Decided.UNKNOWN
    if found.message.state is not MessageState.PARKED:
        return Decided.NOT_OPEN
    if action == "retried":
        outbox.retry_parked(tx, *place, now)
    else:
        outbox.dismiss_parked(tx, *place, f"dismissed by {by.actor}: {by.note}", now)
    warnings.resolve_one(tx, _parked_warning(found.message, place[1]), by.actor, by.note, now, action)
    return Decided.DONE


def _parked_warning(message: MessageLine, sequence: int) -> str:
    """Return the id of the warning that parking the message raised."""
    subject = f"{message.order}/{sequence}"
    return Warning_(message.connection, WarningKind.MESSAGE_PARKED, subject, "").warning_id


async def resolve_warning(store: Store, warning_id: str, by: By) -> Decided:
    """Close a warning that asks for nothing but to be seen. Raises StoreUnavailable."""
    now = datetime.now(UTC)
    return await store.write(lambda tx: _resolve(tx, warning_id, by, now))


def _resolve(tx: Connection, warning_id: str, by: By, now: datetime) -> Decided:
    found = read_warning(tx, warning_id)
    if found is None:
        return Decided.UNKNOWN
    if found.warning.state is not WarningState.OPEN:
        return Decided.NOT_OPEN
    if found.warning.kind in SHOWN_AS.values() and _is_proposed(tx, found.order_key):
        return Decided.ELSEWHERE
    warnings.resolve_one(tx, warning_id, by.actor, by.note, now, "resolved")
    return Decided.DONE


def _is_proposed(tx: Connection, order_key: str | None) -> bool:
    stored = orders.load_orders(tx, [order_key]) if order_key else {}
    return any(order.proposed is not None for order in stored.values())


async def decide_change(
    store: Store, queues: QueueSender, order_key: str, verdict: Verdict, by: By
) -> Decided:
    """Settle a change of plan that waits for a person. Raises StoreUnavailable."""
    now = datetime.now(UTC)
    decided, streams = await store.write(lambda tx: _change(tx, order_key, verdict, by, now))
    await wake(queues, streams)
    return decided


def _change(
    tx: Connection, order_key: str, verdict: Verdict, by: By, now: datetime
) -> tuple[Decided, Sequence[str]]:
    stored = orders.load_orders(tx, [order_key]).get(order_key)
    if stored is None or stored.proposed is None:
        return Decided.NOT_OPEN, ()
    write = _settled(stored, verdict)
    orders.update_orders(tx, [write], {order_key: stored}, now)
    action = {Verdict.ACCEPT: "accepted", Verdict.KEEP: "kept"}[verdict]
    warnings.resolve_change(tx, order_key, list(SHOWN_AS.values()), by.actor, by.note, now, action)
    begun = floor.begun(tx, [order_key])
    wanted = verdict is Verdict.ACCEPT and begun
    return Decided.DONE, settle_plan(tx, begun, {order_key: write.plan}, now) if wanted else ()


def _settled(stored: StoredOrder, verdict: Verdict) -> OrderWrite:
    """Decide what to write. The fingerprint stays that of the ERP's plan, so only a new change is shown again."""
    ours = OrderWrite(stored.key, stored.connection, stored.plan, stored.fingerprint)
    if verdict is Verdict.KEEP or stored.proposed is None:
        return ours
    return replace(ours, plan=plan_from_json(stored.proposed["plan"]))


async def wake(queues: QueueSender, streams: Sequence[str], delay: timedelta = timedelta(0)) -> None:
    """Send wake-ups for what a decision has freed; without the queue the sweep finds it."""
    if not streams:
        return
    try:
        await queues.send(WAKE_QUEUE, [wake_up(key) for key in streams], delay)
    except QueueUnavailable as error:
        log.warning("wake-ups not sent, the sweep will find the work: %s", error)
