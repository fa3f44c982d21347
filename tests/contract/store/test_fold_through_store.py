"""Whatever the order, the batches and the repeats in which events arrive: the stored state is the fold of them all."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from shared.domain.checks import References
from shared.domain.derive import OrderState, refold
from shared.domain.events import EventType, Outcome, TimeKind
from shared.domain.identity import event_key, order_key
from shared.domain.message import MessageKind
from shared.domain.state import OperationState, Status, fold
from shared.flows import receive
from shared.store import floor, orders
from shared.store.orders import OrderWrite
from shared.store.tables import outbound_message, stream
from tests.unit.floor_words import event, plan

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NUMBERS = count()
LIFE_CYCLE = [kind for kind in EventType if kind.value.startswith("operation.")]
COUNTS = st.sampled_from([Decimal(0), Decimal(1), Decimal("2.5"), Decimal("0.000001")])


@st.composite
def histories(draw):
    """A set of events of two orders, with corrections of any of them, of each other, and of events that never come."""
    names = [f"e{number}" for number in range(draw(st.integers(1, 9)))]
    return [draw(facts(name, names)) for name in names]


@st.composite
def facts(draw, name, names):
    kind = draw(st.sampled_from([*LIFE_CYCLE, *EventType]))
    minutes = draw(st.integers(0, 4))
    order = draw(st.sampled_from(["a", "a", "a", "b"]))
    stated = event(name, kind, minutes, draw(st.sampled_from(["10", "20", ""])), order)
    if kind is EventType.CORRECTION:
        return stated._replace(voids=event_key("line", draw(st.sampled_from([*names, "never"]))))
    if kind in (EventType.PRODUCTION_REPORTED, EventType.UNIT_COMPLETED):
        outcome = draw(st.sampled_from([None, *Outcome]))
        good, scrap, rework = draw(COUNTS), draw(COUNTS), draw(COUNTS)
        unit = (
            draw(st.sampled_from(["", "", "box", "kg ", "pcs"]))
            if kind is EventType.PRODUCTION_REPORTED
            else ""
        )
        stated = stated._replace(unit=unit)
        serials = draw(st.sampled_from([(), ("S1",), ("S1", "S2")]))
        stated = stated._replace(good=good, scrap=scrap, rework=rework, outcome=outcome, serials=serials)
    if kind in (EventType.TIME_RECORDED, EventType.UNIT_COMPLETED):
        stated = stated._replace(time_kind=draw(st.sampled_from(TimeKind)), seconds=draw(COUNTS))
    return stated


@st.composite
def arrivals(draw):
    """The same events in some order, some of them twice, cut into batches."""
    events = draw(histories())
    arriving = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=4))))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(arriving) - 1)), max_size=4)))
    edges = [0, *cuts, len(arriving)]
    return events, [arriving[start:end] for start, end in pairwise(edges)]


def moved_to(stated, prefix):
    """The same event, in an order and under a name that no other example uses."""
    number = f"{prefix}{stated.order_number}"
    return stated._replace(
        key=event_key(prefix, stated.key),
        event_id=f"{prefix}{stated.event_id}",
        order_number=number,
        order_key=order_key("acme", number),
        voids=stated.voids and event_key(prefix, stated.voids),
    )


def known(_connection):
    return References()


def nothing_sent(_key):
    """The ERP is away all the time."""


def play(store, arriving, planned, after_each=nothing_sent):
    """Record the batches one after the other; return by (order key, number) the events of each order."""
    events, batches = arriving
    prefix = f"WO-{next(NUMBERS)}"
    numbers = [f"{prefix}a", f"{prefix}b"]
    keys = [order_key("acme", number) for number in numbers]
    if planned:
        writes = [
            OrderWrite(key, "acme", plan(*planned, order=number), "f")
            for key, number in zip(keys, numbers, strict=True)
        ]
        store.write_now(lambda tx: orders.insert_orders(tx, writes, NOW))
    for batch in batches:
        mine = [moved_to(stated, prefix) for stated in batch]
        store.write_now(lambda tx, mine=mine: receive.record(tx, mine, known, NOW))
        for key in keys:
            after_each(key)
    moved = [moved_to(stated, prefix) for stated in events]
    return {
        (key, number): [stated for stated in moved if stated.order_key == key]
        for key, number in zip(keys, numbers, strict=True)
    }


def stored(store, key, number):
    """What the store holds of the order: totals, and the floor's side of it."""
    held = store.write_now(lambda tx: floor.lock(tx, {key: ("acme", number)}))[key]
    totals = {name: state for name, state in held.operations.items() if state != OperationState(name)}
    return totals, held.status, held.started_at


def live_messages(store, key):
    """Messages of the stream in sequence that were neither taken out before they were sent nor reversed after."""
    table = outbound_message
    rows = store.read_now(
        lambda tx: tx.execute(select(table).where(table.c.stream_key == key).order_by(table.c.sequence)).all()
    )
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    reversals = [row.voids_sequence for row in rows if row.kind == MessageKind.CORRECTION]
    assert len(reversals) == len(set(reversals)), "one message was taken back twice"
    return [
        row
        for row in rows
        if row.state != "voided" and row.kind != MessageKind.CORRECTION and row.sequence not in reversals
    ]


SAYS = {
    MessageKind.OPERATION_STARTED: Status.IN_PROGRESS,
    MessageKind.OPERATION_RESUMED: Status.IN_PROGRESS,
    MessageKind.OPERATION_PAUSED: Status.PAUSED,
    MessageKind.OPERATION_COMPLETED: Status.COMPLETED,
}


def told(messages):
    """The status of each operation as the ERP will have it once it has heard all `messages`."""
    return {row.operation_id: SAYS[row.kind] for row in messages if row.kind in SAYS}


def unit_of(planned):
    """The unit of an order that has a plan."""
    return plan(*planned).unit if planned else ""


def counted(messages, events, order_unit):
    """Good pieces by operation and unit that the ERP will have been told of."""
    reported = {stated.key: stated for stated in events}
    sums: dict[tuple[str, str], Decimal] = {}
    for row in messages:
        if row.kind == MessageKind.PRODUCTION_REPORTED:
            stated = reported[row.event_key]
            place = row.operation_id, "" if stated.unit == order_unit else stated.unit
            sums[place] = sums.get(place, Decimal(0)) + stated.good
    return {place: good for place, good in sums.items() if good}


def made_by(states):
    """The same by the floor's own totals."""
    sums = {(name, ""): state.good for name, state in states.items()}
    sums |= {(name, unit): made.good for name, state in states.items() for unit, made in state.named.items()}
    return {place: good for place, good in sums.items() if good}


slow = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


ROUTINGS = st.sampled_from([(), ("10",), ("10", "20")])


@pytest.mark.parametrize("remembered", [True, False])
@slow
@given(arriving=arrivals(), planned=ROUTINGS)
def test_the_stored_state_is_the_fold_of_all_events(store, remembered, arriving, planned):
    """Whether the totals are in the mind of this process, or another one wrote them last."""
    after_each = nothing_sent if remembered else (lambda _key: floor._recent.clear())
    for (key, number), events in play(store, arriving, planned, after_each).items():
        if not remembered:
            floor._recent.clear()
        totals, status, started_at = stored(store, key, number)
        whole = refold(OrderState(tuple(planned)), events)
        assert totals == fold(events, unit_of(planned))
        assert (status, started_at) == (whole.status, whole.started_at)


@slow
@given(arriving=arrivals(), planned=ROUTINGS)
def test_what_the_erp_is_told_adds_up_to_the_fold(store, arriving, planned):
    """Nothing is sent here, so every correction takes messages out; what is left must say what the floor says."""
    for (key, _), events in play(store, arriving, planned).items():
        check_told(store, key, events, planned)


@slow
@given(arriving=arrivals(), planned=ROUTINGS, data=st.data())
def test_what_the_erp_is_told_adds_up_even_when_some_of_it_was_sent_before(store, arriving, planned, data):
    def send_some(key):
        send_up_to(store, key, data.draw(st.integers(0, 12)))

    for (key, _), events in play(store, arriving, planned, send_some).items():
        check_told(store, key, events, planned, sent=True)


def send_up_to(store, key, sequence):
    """Have the ERP take the first messages of the stream."""
    table = outbound_message
    sent = (
        table.update()
        .values(state="done", intent_at=None)
        .where(table.c.stream_key == key, table.c.sequence <= sequence, table.c.state == "pending")
    )
    store.write_now(lambda tx: tx.execute(sent))


def check_told(store, key, recorded, planned, *, sent=False):
    messages = live_messages(store, key)
    states = fold(recorded, unit_of(planned))
    expected = {name: state.status for name, state in states.items() if name}
    assert told(messages) == expected
    assert counted(messages, recorded, unit_of(planned)) == made_by(states)
    whole = refold(OrderState(tuple(planned)), recorded)
    kinds = [row.kind for row in messages]
    assert kinds.count(MessageKind.ORDER_STARTED) == (1 if whole.started_at else 0)
    completions = kinds.count(MessageKind.ORDER_COMPLETED)
    if whole.status is Status.COMPLETED:
        assert completions >= 1 if sent else completions == 1
    elif not sent:
        assert completions == 0
    row = store.read_now(lambda tx: tx.execute(select(stream).where(stream.c.stream_key == key)).first())
    highest = max((message.sequence for message in messages), default=0)
    assert highest < (row.next_sequence if row else 1)
