"""Receive: what the floor says becomes events, state and messages in one transaction, then a wake-up per stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.domain.checks import mismatches
from shared.domain.derive import Draft, OrderState, add_events, outstanding, refold
from shared.domain.events import EventType, ExecutionEvent
from shared.domain.message import MessageKind
from shared.domain.receipt import Disposition, Receipt
from shared.domain.state import Status, voided_keys
from shared.domain.stream_rules import WAKE_GRACE
from shared.domain.take_back import take_back
from shared.domain.warning import Warning_, WarningKind
from shared.queues.waker import Waker
from shared.store import events as event_store
from shared.store import floor, outbox, warnings
from shared.store.group_commit import GroupCommit
from shared.store.opening import open_orders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from shared.domain.checks import References
    from shared.flows.connected import ReferenceData
    from shared.queues.sender import QueueSender
    from shared.store.engine import Store
    from shared.store.floor import FloorOrder
    from shared.store.orders import StoredOrder


@dataclass(slots=True)
class Outcome:
    """What one transaction has done: a receipt per event, and the streams that need a wake-up."""

    receipts: list[Receipt] = field(default_factory=list)
    wake: list[str] = field(default_factory=list)


class Receiver:
    """Records events; requests that arrive together share a transaction."""

    def __init__(self, store: Store, queues: QueueSender, references: ReferenceData) -> None:
        self._store = store
        self._waker = Waker(queues)
        self._references = references
        self._group: GroupCommit[Sequence[ExecutionEvent], Outcome] = GroupCommit(self._commit)

    async def receive(self, events: Sequence[ExecutionEvent]) -> Sequence[Receipt]:
        """Record `events`; when this returns they are on disk. Raises StoreUnavailable: buffer them."""
        outcome = await self._group.submit(events)
        self._waker.wake(outcome.wake)
        return outcome.receipts

    async def close(self) -> None:
        """Send what is still to be sent."""
        await self._waker.drain()

    async def _commit(self, requests: Sequence[Sequence[ExecutionEvent]]) -> Sequence[Outcome]:
        everything = [event for events in requests for event in events]
        now = datetime.now(UTC)

        def work(tx: Connection) -> Outcome:
            self._references.refresh(tx)
            return record(tx, everything, self._references.known, now)

        return split(await self._store.write(work), [len(events) for events in requests])


def split(whole: Outcome, sizes: Sequence[int]) -> list[Outcome]:
    """Hand each request its own receipts; the wake-ups go with the first, they are sent once."""
    outcomes, start = [], 0
    for size in sizes:
        outcomes.append(Outcome(whole.receipts[start : start + size]))
        start += size
    outcomes[0].wake = whole.wake
    return outcomes


def record(
    tx: Connection, events: Sequence[ExecutionEvent], references: Callable[[str], References], now: datetime
) -> Outcome:
    """Record `events` in the caller's transaction. Safe to repeat as a whole: known events are left alone."""
    opened = open_orders(
        tx,
        {event.order_key: (event.connection, event.order_number) for event in events},
        {event.key: event.order_key for event in events},
    )
    fresh = first_of_each(event for event in events if event.key not in opened.known)
    if not fresh:
        return Outcome([DUPLICATE] * len(events))
    plans = opened.plans
    ledgers = {key: Ledger.opened(order, plans.get(key)) for key, order in opened.held.items()}
    voided = {**opened.voided, **voided_within(fresh)}
    settle_arrived(tx, [fresh[key] for key in opened.voided if key in fresh], now)
    raised = take_back_corrected(tx, list(fresh.values()), ledgers, voided, now)
    event_store.insert_events(tx, list(fresh.values()), voided, now)
    for key, mine in by_order(event for event in fresh.values() if event.key not in voided).items():
        ledgers[key].add(mine)
    wake = save(tx, ledgers, now)
    for event in fresh.values():
        found = _mismatches(event, plans, ledgers, references)
        if found:
            raised.setdefault(event.key, []).extend(found)
    warnings.raise_warnings(tx, [warning for found in raised.values() for warning in found], now)
    return Outcome(receipts_for(events, fresh, raised), wake)


@dataclass(slots=True)
class Ledger:
    """One works order while a transaction adds to it: as stored, as it becomes, and the messages that follow."""

    stored: FloorOrder
    order: OrderState
    drafts: list[Draft] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    thinned: bool = False  # messages were taken out: what they kept waiting may go

    @classmethod
    def opened(cls, stored: FloorOrder, plan: StoredOrder | None) -> Ledger:
        """Open the ledger of an order that this transaction holds."""
        planned = tuple(op.operation_id for op in plan.plan.operations) if plan else ()
        unit = plan.plan.unit if plan else ""
        return cls(stored, OrderState(planned, stored.operations, stored.status, stored.started_at, unit))

    @property
    def changed(self) -> bool:
        """Tell whether the stream row has to be written; a changed routing alone can reopen or complete an order."""
        return bool(self.touched or self.drafts) or self.order.status is not self.stored.status

    def add(self, events: Sequence[ExecutionEvent]) -> None:
        """Count new events and draft their messages."""
        self.drafts += add_events(self.order, events)
        self.touched.update(event.operation_id for event in events)

    def rewind(self, history: Sequence[ExecutionEvent], corrections: Sequence[ExecutionEvent]) -> OrderState:
        """Compute the state anew without what `corrections` take back; return the state as it was.

        An operation left with nothing stays, empty.
        """
        before = self.order
        self.order = refold(before, [*history, *corrections])
        for operation_id in self.stored.stored:
            self.order.operation(operation_id)
        self.touched.update(self.order.operations)
        return before


def first_of_each(events: Iterable[ExecutionEvent]) -> dict[str, ExecutionEvent]:
    """Drop repeats within one batch, keeping the first."""
    first: dict[str, ExecutionEvent] = {}
    for event in events:
        first.setdefault(event.key, event)
    return first


def by_order(events: Iterable[ExecutionEvent]) -> dict[str, list[ExecutionEvent]]:
    """Sort events into their works orders."""
    grouped: dict[str, list[ExecutionEvent]] = {}
    for event in events:
        grouped.setdefault(event.order_key, []).append(event)
    return grouped


def voided_within(fresh: Mapping[str, ExecutionEvent]) -> dict[str, str]:
    """Map events of this batch to the correction in the same batch, and of the same order, that takes them back."""
    return {
        event.voids: event.key
        for event in fresh.values()
        if event.type is EventType.CORRECTION
        and event.voids in fresh
        and fresh[event.voids].order_key == event.order_key
    }


def settle_arrived(tx: Connection, void: Iterable[ExecutionEvent], now: datetime) -> None:
    """Close the warnings about corrections that waited for these events."""
    arrived: dict[str, list[str]] = {}
    for event in void:
        arrived.setdefault(event.connection, []).append(event.key)
    note = "what the correction takes back has arrived, and does not count"
    for name, keys in arrived.items():
        warnings.resolve_subjects(tx, name, WarningKind.CORRECTION_WAITS, keys, note, now)


def take_back_corrected(
    tx: Connection,
    fresh: Sequence[ExecutionEvent],
    ledgers: Mapping[str, Ledger],
    voided: Mapping[str, str],
    now: datetime,
) -> dict[str, list[Warning_]]:
    """Let corrections take back what was recorded earlier: state, unsent messages, and a reversal for what was sent."""
    corrections = by_order(event for event in fresh if event.type is EventType.CORRECTION)
    if not corrections:
        return {}
    raised: dict[str, list[Warning_]] = {}
    histories = event_store.history(tx, list(corrections))
    told = outbox.messages_that_count(tx, list(corrections))
    void: list[tuple[str, int]] = []
    marks: dict[str, str] = {}
    for key, mine in corrections.items():
        applied = applicable(histories[key], mine, voided, raised)
        ledger = ledgers[key]
        before = ledger.rewind(histories[key], mine)
        if not applied:
            continue
        gone = voided_keys([*histories[key], *mine])
        unsent, drafts = take_back(applied, gone, told[key], before, ledger.order)
        void += [(key, sequence) for sequence in unsent]
        ledger.drafts += drafts
        ledger.thinned = bool(unsent)
        marks |= {target: correction.key for target, correction in applied.items()}
    outbox.void_messages(tx, void, now)
    event_store.mark_voided(tx, marks)
    return raised


def applicable(
    history: Sequence[ExecutionEvent],
    corrections: Sequence[ExecutionEvent],
    voided: Mapping[str, str],
    raised: dict[str, list[Warning_]],
) -> dict[str, ExecutionEvent]:
    """Map the recorded events that `corrections` take back to what does it; note in `raised` what they cannot.

    A target that comes with its correction is `voided` already. One that is not here yet, or belongs to another works
    order, is warned about: it will be void the moment it arrives.
    """
    recorded = {event.key: event for event in history}
    void = voided_keys(history)
    applied: dict[str, ExecutionEvent] = {}
    for correction in corrections:
        target = recorded.get(correction.voids)
        if target is None and correction.voids not in voided:
            raised.setdefault(correction.key, []).append(_waits(correction))
        if target is None or target.key in void:
            continue
        if target.type is EventType.CORRECTION:
            raised.setdefault(correction.key, []).append(_not_applied(correction))
            continue
        applied.setdefault(target.key, correction)
    return applied


def _waits(correction: ExecutionEvent) -> Warning_:
    return Warning_(
        correction.connection,
        WarningKind.CORRECTION_WAITS,
        correction.voids,
        f"correction {correction.source}/{correction.event_id} takes back an event that has not arrived for this works"
        " order; it will not count when it does",
        correction.order_key,
        correction.order_number,
        {"event_id": correction.event_id, "source": correction.source},
    )


def _not_applied(correction: ExecutionEvent) -> Warning_:
    return Warning_(
        correction.connection,
        WarningKind.CORRECTION_NOT_APPLIED,
        f"{correction.source}/{correction.event_id}",
        "a correction cannot be corrected: state the fact anew, as a new event",
        correction.order_key,
        correction.order_number,
    )


def recount(
    tx: Connection, key: str, begun: Mapping[str, tuple[str, str]], order_unit: str, now: datetime
) -> None:
    """Work the totals of an order out anew that counts in another unit from now on; nothing else is decided here."""
    stored = floor.lock(tx, begun)[key]
    order = OrderState((), stored.operations, stored.status, stored.started_at, order_unit)
    ledger = Ledger(stored, order)
    ledger.rewind(event_store.history(tx, [key])[key], ())
    ledger.order.status, ledger.order.started_at = stored.status, stored.started_at
    save(tx, {key: ledger}, now)


def save(tx: Connection, ledgers: Mapping[str, Ledger], now: datetime) -> list[str]:
    """Write totals, messages and stream rows; return the streams that nobody is going to wake otherwise."""
    for ledger in ledgers.values():
        ledger.drafts = outstanding(ledger.drafts, ledger.order.status)
    placed = [
        (key, ledger.stored.next_sequence + place, draft)
        for key, ledger in ledgers.items()
        for place, draft in enumerate(ledger.drafts)
    ]
    states = [
        (key, ledger.order.operation(op)) for key, ledger in ledgers.items() for op in sorted(ledger.touched)
    ]
    floor.save_states(tx, states, {key: ledger.stored for key, ledger in ledgers.items()})
    outbox.withdraw_completion(tx, [key for key, ledger in ledgers.items() if _reopened(ledger)], now)
    outbox.insert_messages(tx, placed, now)
    floor.save_streams(
        tx,
        [_stream_change(key, ledger) for key, ledger in ledgers.items() if ledger.changed],
    )
    wake = [
        key for key, ledger in ledgers.items() if ledger.thinned or (ledger.drafts and ledger.stored.asleep)
    ]
    floor.wake(tx, wake, now + WAKE_GRACE)
    return wake


def _reopened(ledger: Ledger) -> bool:
    """Tell whether a completed order is under way again, or was in between: a new completion stands for the old one."""
    again = any(draft.kind is MessageKind.ORDER_COMPLETED for draft in ledger.drafts)
    return ledger.stored.status is Status.COMPLETED and (again or ledger.order.status is not Status.COMPLETED)


def _stream_change(key: str, ledger: Ledger) -> floor.StreamChange:
    order = ledger.order
    return floor.StreamChange(
        key,
        order.status,
        order.started_at,
        ledger.stored.next_sequence + len(ledger.drafts),
        order.operations,
        ledger.stored.in_units,
    )


def _mismatches(
    event: ExecutionEvent,
    plans: Mapping[str, StoredOrder],
    ledgers: Mapping[str, Ledger],
    references: Callable[[str], References],
) -> list[Warning_]:
    stored = plans.get(event.order_key)
    plan = stored.plan if stored else None
    states = ledgers[event.order_key].order.operations
    return list(mismatches(event, plan, states, references(event.connection)))


def receipts_for(
    events: Sequence[ExecutionEvent],
    fresh: Mapping[str, ExecutionEvent],
    raised: Mapping[str, Sequence[Warning_]],
) -> list[Receipt]:
    """Answer every event of the request, in its order; a repeat within the request is a duplicate of the first."""
    return [
        _recorded(raised.get(event.key)) if fresh.get(event.key) is event else DUPLICATE for event in events
    ]


DUPLICATE = Receipt(Disposition.DUPLICATE)
RECORDED = Receipt(Disposition.RECORDED)


def _recorded(raised: Sequence[Warning_] | None) -> Receipt:
    if not raised:
        return RECORDED
    return Receipt(Disposition.RECORDED, tuple(str(warning.kind) for warning in raised))
