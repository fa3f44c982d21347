"""Review: a person decides, the decision is noted, and what it frees goes out.

Who decided what stands in the audit trail of the warning that asked for the decision.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.decision import By, Decided, Verdict
from shared.domain.message import MessageState
from shared.domain.order_view import NotOne
from shared.domain.plan_json import plan_from_json
from shared.domain.queue_names import WAKE_QUEUE
from shared.domain.warning import Warning_, WarningKind, WarningState
from shared.errors import QueueUnavailable
from shared.flows.pull import SHOWN_AS, settle_plan
from shared.flows.receive import recount
from shared.flows.units import counted_anew
from shared.queues.envelope import wake_ups
from shared.store import floor, orders, outbox, warnings
from shared.store.orders import OrderWrite
from shared.store.reading import order_keys
from shared.store.reading_messages import read_message
from shared.store.reading_warnings import read_warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from shared.domain.message_view import MessageLine
    from shared.domain.works_order import WorksOrder
    from shared.queues.sender import QueueSender
    from shared.store.engine import Store
    from shared.store.orders import StoredOrder

log = logging.getLogger(__name__)


class Review:
    """Takes decisions. Everything here raises StoreUnavailable."""

    def __init__(self, store: Store, queues: QueueSender) -> None:
        self._store = store
        self._queues = queues

    async def retry_message(self, place: tuple[str, int], by: By) -> Decided:
        """Put a parked message back into its stream, attempts forgiven."""
        return await self._decide_message(place, by, "retried")

    async def dismiss_message(self, place: tuple[str, int], by: By) -> Decided:
        """Take a parked message out for good; what it barred goes out."""
        return await self._decide_message(place, by, "dismissed")

    async def _decide_message(self, place: tuple[str, int], by: By, action: str) -> Decided:
        now = datetime.now(UTC)
        decided = await self._store.write(lambda tx: _message(tx, place, by, action, now))
        if decided is Decided.DONE:
            await wake(self._queues, [place[0]])
        return decided

    async def resolve_warning(self, warning_id: str, by: By) -> Decided:
        """Close a warning that asks for nothing but to be seen."""
        now = datetime.now(UTC)
        return await self._store.write(lambda tx: _resolve(tx, warning_id, by, now))

    async def decide_change(
        self, number: str, connection: str | None, verdict: Verdict, by: By
    ) -> Decided | NotOne:
        """Settle the change of plan that waits for a person at the one order called `number`."""
        now = datetime.now(UTC)
        keys = await self._store.read(lambda tx: order_keys(tx, number, connection))
        if len(keys) != 1:
            return NotOne(tuple(sorted(keys.values())))
        key = next(iter(keys))
        decided, streams = await self._store.write(lambda tx: _change(tx, key, verdict, by, now))
        await wake(self._queues, streams)
        return decided


def _message(tx: Connection, place: tuple[str, int], by: By, action: str, now: datetime) -> Decided:
    found = read_message(tx, *place)
    if found is None:
        return Decided.UNKNOWN
    if found.message.state is not MessageState.PARKED:
        return Decided.NOT_OPEN
    if outbox.is_carried(tx, *place):
        return Decided.ELSEWHERE
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
    if verdict is not Verdict.ACCEPT or not begun:
        return Decided.DONE, ()
    _settle_unknown(tx, stored, begun, write.plan, now)
    return Decided.DONE, settle_plan(tx, begun, {order_key: write.plan}, now)


def _settle_unknown(
    tx: Connection, stored: StoredOrder, begun: Mapping[str, tuple[str, str]], plan: WorksOrder, now: datetime
) -> None:
    """Close the warnings about operations and units of the order that the new plan has an answer to."""
    name, in_new_unit = stored.connection, plan.unit != stored.plan.unit
    subjects = [f"{plan.number}/{operation}" for operation in plan.operation_ids]
    note = "the plan that was accepted has it"
    warnings.resolve_subjects(tx, name, WarningKind.UNKNOWN_OPERATION, subjects, note, now)
    if in_new_unit:
        recount(tx, stored.key, begun, plan.unit, now)
    counted_anew(tx, name, {stored.key: plan}, now, in_new_unit=in_new_unit)


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
        await queues.send(WAKE_QUEUE, wake_ups(streams), delay)
    except QueueUnavailable as error:
        log.warning("wake-ups not sent, the sweep will find the work: %s", error)
