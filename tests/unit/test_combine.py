"""Messages that wait together: whatever is combined, quantities, serials and times come out exactly the same."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.combine import FACTS, Combine, combine
from shared.domain.events import EventType, ExecutionEvent, TimeKind
from shared.domain.message import MessageKind, MessageState, Progress, QueuedMessage

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KINDS = [kind for kind in MessageKind if kind is not MessageKind.CORRECTION]
STATUSES = [kind for kind in KINDS if kind not in FACTS and kind.startswith("operation")]
EVERYTHING = dict.fromkeys(STATUSES, Combine.LATEST) | dict.fromkeys(FACTS, Combine.SUM)


def event(number, **fields):
    basic = {"type": EventType.OPERATION_STARTED, "connection": "c", "order_number": "W", "order_key": "k"}
    at = AT + timedelta(seconds=number)
    return ExecutionEvent(
        key=f"e{number}",
        source="s",
        event_id=str(number),
        occurred_at=at,
        **(basic | {"operation_id": "10"} | fields),
    )


def queued(sequence, kind, operation="10", attempts=0, state=MessageState.PENDING, progress=None, **fields):
    told = event(sequence, operation_id=operation, **fields)
    return QueuedMessage("k", sequence, kind, operation, state, attempts, progress or Progress(), told)


quantities = st.decimals(min_value=0, max_value=1000, places=3)


@st.composite
def streams(draw):
    """A stream as the floor makes it: any kinds, three operations, some tried before, some with serials."""
    messages = []
    for sequence in range(1, draw(st.integers(0, 14)) + 1):
        kind = draw(st.sampled_from([*KINDS, *FACTS, *FACTS, MessageKind.CORRECTION]))
        fields = {}
        if kind is MessageKind.PRODUCTION_REPORTED:
            serials = tuple(f"S{sequence}-{n}" for n in range(draw(st.integers(0, 3))))
            good = Decimal(len(serials)) if serials and draw(st.booleans()) else draw(quantities)
            fields = {
                "good": good,
                "serials": serials,
                "scrap": draw(st.sampled_from([Decimal(0), Decimal("0.5")])),
            }
            fields |= {
                "batch": draw(st.sampled_from(["", "B"])),
                "scrap_reason": draw(st.sampled_from(["", "R"])),
            }
        elif kind is MessageKind.TIME_RECORDED:
            fields = {"seconds": draw(quantities), "time_kind": draw(st.sampled_from(TimeKind))}
            fields |= {"operator": draw(st.sampled_from(["Ann", "Bob"]))}
        operation = "" if kind.startswith("order") else draw(st.sampled_from(["10", "20", "30"]))
        attempts = draw(st.sampled_from([0, 0, 0, 0, 1]))
        messages.append(queued(sequence, kind, operation, attempts, **fields))
    return messages


def sums(messages):
    """What the ERP will know in the end: exact totals and every serial, each beside what it belongs to."""
    totals = Counter()
    for message in messages:
        one = message.event
        if message.kind in FACTS:
            where = (
                message.kind,
                message.operation_id,
                one.batch,
                one.scrap_reason,
                one.operator,
                one.time_kind,
            )
            for name in ("good", "scrap", "rework", "seconds"):
                totals[where, name] += getattr(one, name)
            totals.update((where, serial) for serial in one.serials)
    return {key: value for key, value in totals.items() if value}


@given(streams())
def test_nothing_is_lost_and_nothing_counts_twice(messages):
    told = combine(messages, EVERYTHING)
    assert sums(each.message for each in told) == sums(messages)
    accounted = [s for each in told for s in (*each.members, *each.superseded)]
    assert sorted(accounted) == [message.sequence for message in messages]


@given(streams())
def test_with_no_policy_nothing_changes(messages):
    assert [each.message for each in combine(messages, {})] == messages


@given(streams())
def test_what_is_told_stays_in_sequence_and_what_was_tried_stays_as_it_is(messages):
    told = combine(messages, EVERYTHING)
    sequences = [each.message.sequence for each in told]
    assert sequences == sorted(sequences)
    by_sequence = {each.message.sequence: each for each in told}
    for message in messages:
        if message.attempts or message.kind not in EVERYTHING:
            assert by_sequence[message.sequence].message == message
            assert by_sequence[message.sequence].members == (message.sequence,)


@given(streams())
def test_the_last_status_of_every_operation_is_told(messages):
    told = {each.message.sequence for each in combine(messages, EVERYTHING)}
    last = {m.operation_id: m.sequence for m in messages if m.kind in STATUSES}
    assert set(last.values()) <= told


@given(streams())
def test_no_quantity_moves_over_a_status_that_is_told_or_over_the_order(messages):
    kinds = {message.sequence: message for message in messages}
    told = combine(messages, EVERYTHING)
    walls = {each.message.sequence for each in told if each.message.kind not in FACTS}
    for each in told:
        for member in each.members[1:]:
            for wall in walls & set(range(each.members[0], member)):
                assert kinds[wall].kind not in (
                    MessageKind.CORRECTION,
                    *[k for k in KINDS if k.startswith("order")],
                )
                assert kinds[wall].operation_id != each.message.operation_id


def test_a_pause_that_is_over_need_not_be_told():
    kinds = MessageKind
    messages = [
        queued(1, kinds.OPERATION_STARTED),
        queued(2, kinds.PRODUCTION_REPORTED, good=Decimal(2)),
        queued(3, kinds.OPERATION_PAUSED),
        queued(4, kinds.OPERATION_RESUMED),
        queued(5, kinds.PRODUCTION_REPORTED, good=Decimal("1.5")),
        queued(6, kinds.OPERATION_COMPLETED),
    ]
    policies = {kinds.OPERATION_PAUSED: Combine.LATEST, kinds.OPERATION_RESUMED: Combine.LATEST}
    told = combine(messages, policies | {kinds.PRODUCTION_REPORTED: Combine.SUM})
    assert [(each.members, each.superseded) for each in told] == [((1,), ()), ((2, 5), ()), ((6,), (3, 4))]
    assert (told[1].message.event.good, told[1].message.event.occurred_at) == (
        Decimal("3.5"),
        AT + timedelta(seconds=5),
    )


def test_what_differs_in_more_than_its_amount_is_told_apart():
    kind = MessageKind.PRODUCTION_REPORTED
    first = queued(1, kind, good=Decimal(1))
    for other in (
        queued(2, kind, "20", good=Decimal(1)),
        queued(2, kind, good=Decimal(1), batch="B"),
        queued(2, kind, scrap=Decimal(1), scrap_reason="R"),
        queued(2, kind, good=Decimal(1), serials=("A",)),
        queued(2, kind, good=Decimal(1), operator="Ann"),
        queued(2, kind, good=Decimal(1), state=MessageState.HELD),
        queued(2, kind, good=Decimal(1), progress=Progress(0, unknown=True)),
    ):
        assert len(combine([first, other], {kind: Combine.SUM})) == 2
    assert len(combine([first, queued(2, kind, good=Decimal(1))], {kind: Combine.SUM})) == 1


def sent(told):
    """The messages as they are stored once `told` has been announced, in sequence."""
    return {sequence: each.message.sequence for each in told if each.carries for sequence in each.sequences}


@given(streams(), st.booleans())
def test_what_was_sent_as_one_stays_one_with_the_same_figures(messages, still_wanted):
    """Whoever takes the stream over tells the same, whatever the profile says by then and whatever has come since."""
    told = combine(messages, EVERYTHING)
    carriers = sent(told)
    stored = [message._replace(told_by=carriers.get(message.sequence)) for message in messages]
    more = [
        queued(100, MessageKind.PRODUCTION_REPORTED, good=Decimal(1)),
        queued(101, MessageKind.TIME_RECORDED, seconds=Decimal(1)),
        queued(102, MessageKind.OPERATION_PAUSED),
    ]
    again = {
        each.message.sequence: each for each in combine([*stored, *more], EVERYTHING if still_wanted else {})
    }
    for each in told:
        if each.carries:
            assert again[each.message.sequence] == each.as_sent()


def test_what_is_carried_is_never_told_without_what_carries_it():
    kind = MessageKind.PRODUCTION_REPORTED
    carried = queued(2, kind, good=Decimal(1))._replace(told_by=1)
    assert combine([carried], {kind: Combine.SUM}) == combine([carried], {}) == []
