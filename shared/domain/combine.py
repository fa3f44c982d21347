"""What becomes of several messages of one stream that wait together: superseded, added up, or left as they are. Pure.

After an outage the ERP need not live through the floor's day again: it is enough that what it is told adds up. The
profile says per kind whether it may (`combine`); quantities, serials and times are conserved exactly.

Where nothing is combined: a message that was tried before (its effect may be in the ERP), held, or a correction.
What was sent as one stays one (`told_by`), whatever the profile says by now: a look or a second call for it has to
carry the same figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.domain.message import MessageKind, MessageState, Progress

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from shared.domain.events import ExecutionEvent
    from shared.domain.message import QueuedMessage


class Combine(StrEnum):
    """`latest`: a status that the next one supersedes is not told. `sum`: quantities and times are told as one."""

    LATEST = "latest"
    SUM = "sum"


type Policies = Mapping[MessageKind, Combine]

FACTS = frozenset({MessageKind.PRODUCTION_REPORTED, MessageKind.TIME_RECORDED})
STATUSES = frozenset(
    {
        MessageKind.OPERATION_STARTED,
        MessageKind.OPERATION_PAUSED,
        MessageKind.OPERATION_RESUMED,
        MessageKind.OPERATION_COMPLETED,
    }
)
WHOLE_ORDER = frozenset({MessageKind.ORDER_STARTED, MessageKind.ORDER_COMPLETED, MessageKind.CORRECTION})
MAY = {Combine.LATEST: STATUSES, Combine.SUM: FACTS}  # the kinds that each of them means something for


@dataclass(frozen=True, slots=True)
class Told:
    """One message to send, in the place of its first member.

    `members`: the sequences it tells, its own first; they are done when it is done. `superseded`: earlier statuses
    that need not be told because it comes; they are concluded with it.
    """

    message: QueuedMessage
    members: tuple[int, ...]
    superseded: tuple[int, ...] = ()

    @property
    def sequences(self) -> tuple[int, ...]:
        """Everything that is told or concluded with it, in sequence."""
        return tuple(sorted((*self.members, *self.superseded)))

    @property
    def carries(self) -> bool:
        """Tell whether it stands for more than its own message."""
        return len(self.members) + len(self.superseded) > 1

    def as_sent(self) -> Told:
        """Return it as what it is once it has been announced: one, for good."""
        return replace(self, message=self.message._replace(told_by=self.message.sequence))


def combine(waiting: Sequence[QueuedMessage], policies: Policies) -> list[Told]:
    """Return what to tell instead of `waiting`, which is in sequence; with no policies, the same.

    Left out is what a message carries that is not among `waiting`.
    """
    carried: dict[int, list[QueuedMessage]] = {}
    free: list[QueuedMessage] = []
    for message in waiting:
        if message.told_by in (None, message.sequence):
            free.append(message)
        else:
            carried.setdefault(message.told_by, []).append(message)
    told = _combined(free, policies) if policies else [Told(message, (message.sequence,)) for message in free]
    return [_again(each, carried.get(each.message.sequence, ())) for each in told] if carried else told


def _combined(waiting: Sequence[QueuedMessage], policies: Policies) -> list[Told]:
    overtaken = _overtaken(waiting, policies)
    by_successor: dict[int, list[int]] = {}
    for sequence, successor in overtaken.items():
        by_successor.setdefault(successor, []).append(sequence)
    told = _added_up([m for m in waiting if m.sequence not in overtaken], policies)
    return [replace(each, superseded=tuple(by_successor.get(each.message.sequence, ()))) for each in told]


def _again(told: Told, carried: Iterable[QueuedMessage]) -> Told:
    """Put together again what was sent as one."""
    for message in carried:
        if message.kind in FACTS:
            told = _with(told, message)
        else:
            told = replace(told, superseded=(*told.superseded, message.sequence))
    return told


def _overtaken(waiting: Sequence[QueuedMessage], policies: Policies) -> dict[int, int]:
    """Return the superseded statuses, each with the sequence of the status that is told in the end."""
    overtaken: dict[int, int] = {}
    latest: dict[str, list[int]] = {}  # operation -> its statuses that the next one supersedes
    for message in waiting:
        if message.kind in WHOLE_ORDER:
            latest.clear()
        elif message.kind not in FACTS:
            before = latest.get(message.operation_id, []) if _is_fresh(message) else []
            overtaken.update(dict.fromkeys(before, message.sequence))
            yields = _is_fresh(message) and policies.get(message.kind) is Combine.LATEST
            latest[message.operation_id] = [*before, message.sequence] if yields else []
    return overtaken


def _added_up(waiting: Iterable[QueuedMessage], policies: Policies) -> list[Told]:
    told: list[Told] = []
    places: dict[Hashable, int] = {}  # what may still be added to -> its place in `told`
    for message in waiting:
        if message.kind in WHOLE_ORDER:
            places.clear()
        elif message.kind not in FACTS:
            places = {
                key: at for key, at in places.items() if told[at].message.operation_id != message.operation_id
            }
        key = _sum_key(message) if policies.get(message.kind) is Combine.SUM else None
        if key is not None and key in places:
            told[places[key]] = _with(told[places[key]], message)
            continue
        if key is not None:
            places[key] = len(told)
        told.append(Told(message, (message.sequence,)))
    return told


def _sum_key(message: QueuedMessage) -> Hashable | None:
    """Return what two messages must share to be told as one; None where the message stands alone."""
    event = message.event
    if not _is_fresh(message) or message.kind not in FACTS:
        return None
    shared = (message.kind, message.operation_id, event.work_centre, event.operator, event.reason)
    if message.kind is MessageKind.TIME_RECORDED:
        return (*shared, event.time_kind)
    codes = (event.unit, event.batch, event.scrap_reason, event.rework_reason, event.outcome)
    return (*shared, *codes, _serials_of(event))


def _serials_of(event: ExecutionEvent) -> str:
    """Return whose serials the event names: pieces with and without one, good and bad, are never mixed."""
    if not event.serials:
        return "none"
    if len(event.serials) == event.good and not event.scrap and not event.rework:
        return "good"
    return f"its own:{event.key}"


def _is_fresh(message: QueuedMessage) -> bool:
    """Tell whether nothing of the message can be in the ERP yet, and nothing keeps it."""
    untried = not message.attempts and message.progress == Progress() and message.told_by is None
    return message.state is MessageState.PENDING and untried


def _with(told: Told, more: QueuedMessage) -> Told:
    one, other = told.message.event, more.event
    event = one._replace(
        occurred_at=max(one.occurred_at, other.occurred_at),
        good=one.good + other.good,
        scrap=one.scrap + other.scrap,
        rework=one.rework + other.rework,
        serials=one.serials + other.serials,
        seconds=one.seconds + other.seconds,
    )
    return replace(told, message=told.message._replace(event=event), members=(*told.members, more.sequence))
