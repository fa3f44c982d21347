"""Which messages may overtake one that a person has set aside, and how long a retry waits. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.domain.message import MessageKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.domain.verdict import Decision

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)
FIRST_HALT = timedelta(seconds=2)
LONGEST_HALT = timedelta(seconds=60)
SILENT_TRIES = 12  # with the waits between them about half an hour
WAKE_GRACE = timedelta(seconds=5)  # so long the queue's wake-up has the field before the sweep steps in


def barred_by(
    kind: MessageKind, operation_id: str, parked: Iterable[tuple[MessageKind, str]]
) -> MessageKind | None:
    """Return the kind of the parked message that keeps (`kind`, `operation_id`) from being sent; None = go ahead.

    A parked message is set aside and the stream goes on, except where that would make things worse: nothing of an
    order goes out before its start, nothing of an operation before its start, and an order is not completed in
    the ERP while a person still has something of it in hand, because completion can rarely be undone.
    """
    for parked_kind, parked_operation in parked:
        if parked_kind is MessageKind.ORDER_STARTED or kind is MessageKind.ORDER_COMPLETED:
            return parked_kind
        if parked_kind is MessageKind.OPERATION_STARTED and parked_operation == operation_id:
            return parked_kind
    return None


def in_vain(decision: Decision, failures: int) -> bool:
    """Tell whether a message has been sent often enough without an answer, while its connection answered others.

    `failures` are the tries in a row before this one. A person must look: it may always take longer than we wait.
    """
    silent = decision.look_first and not decision.spends_attempt
    return silent and failures + 1 >= SILENT_TRIES


def retry_wait(failures: int, spread: float, asked: timedelta | None = None) -> timedelta:
    """Return how long to wait before try number `failures` + 1: exponential with full jitter, never under `asked`.

    `spread` is a random number in [0, 1): many streams that failed together must not come back together.
    """
    ceiling = min(doubled(FIRST_WAIT, failures), LONGEST_WAIT)
    return max(ceiling * (0.1 + 0.9 * spread), asked or timedelta())


def halt_wait(failures: int, asked: timedelta | None = None) -> timedelta:
    """Return how long a connection waits before it lets the next probe through."""
    return max(min(doubled(FIRST_HALT, failures), LONGEST_HALT), asked or timedelta())


def doubled(wait: timedelta, times: int) -> timedelta:
    """Double `wait` as often as `times` says, short of absurd lengths."""
    return wait * float(1 << min(times, 16))
