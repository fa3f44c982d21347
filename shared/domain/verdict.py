"""What a reply of the ERP means for the message that caused it. This is the one place that decides."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import timedelta


class Verdict(StrEnum):
    """`done`: it is in the ERP. `retry`: later, by itself. `park`: a person decides. `halt`: the connection waits."""

    DONE = "done"
    RETRY = "retry"
    PARK = "park"
    HALT = "halt"


class ReplyKind(StrEnum):
    """How an exchange with the ERP ended, before anybody judged it."""

    ANSWERED = "answered"
    UNREACHABLE = "unreachable"  # nothing was sent: connection refused, name not resolved
    AMBIGUOUS = "ambiguous"  # sent, but no reply was read: time-out, dropped connection


class Reply(NamedTuple):
    """The facts of one exchange: `status` is the HTTP status (0 without a reply)."""

    kind: ReplyKind
    status: int = 0
    retry_after: timedelta | None = None
    stated: Verdict | None = None  # what the profile's own rules say; it knows its ERP's lies
    reason: str = ""


class Decision(NamedTuple):
    """A verdict with its reason in words and, for `retry` and `halt`, the ERP's own wish for a delay."""

    verdict: Verdict
    reason: str
    after: timedelta | None = None
    look_first: bool = False  # the effect may exist already: look in the ERP before sending again
    spends_attempt: bool = True


SUCCESS = range(200, 300)
REQUEST_TIMEOUT = 408
RETRYABLE = frozenset({REQUEST_TIMEOUT, 425, 429})
HALTING = frozenset({401, 403})
REDIRECTS = range(300, 400)
"""To a log-in or maintenance page mostly. It concerns whoever asks, not what was asked; nobody follows it."""
SERVER_ERROR = 500  # and above
NOBODYS_FAULT = frozenset({REQUEST_TIMEOUT, 425, 429, 502, 503, 504})
"""The ERP, or what stands before it, is busy or away: no message is at fault, the connection is."""
MAX_ANSWERED_ATTEMPTS = 12
"""An ERP that answers a message with errors this often will not come round by itself; a person must look."""


def decide(reply: Reply, attempts: int = 0) -> Decision:
    """Judge `reply` to a message that was tried `attempts` times before."""
    if reply.kind is ReplyKind.UNREACHABLE:
        return Decision(
            Verdict.RETRY, reply.reason or "ERP unreachable", reply.retry_after, spends_attempt=False
        )
    if reply.kind is ReplyKind.AMBIGUOUS:
        return Decision(
            Verdict.RETRY,
            reply.reason or "no reply read",
            reply.retry_after,
            look_first=True,
            spends_attempt=False,
        )
    verdict = reply.stated or _by_status(reply.status)
    reason = reply.reason or f"HTTP {reply.status}"
    spends = verdict is not Verdict.HALT and reply.status not in NOBODYS_FAULT
    if verdict is Verdict.RETRY and spends and attempts + 1 >= MAX_ANSWERED_ATTEMPTS:
        return Decision(Verdict.PARK, f"given up after {attempts + 1} attempts: {reason}")
    return Decision(
        verdict,
        reason,
        reply.retry_after,
        look_first=_may_have_happened(verdict, reply.status),
        spends_attempt=spends,
    )


def _by_status(status: int) -> Verdict:
    if status in SUCCESS:
        return Verdict.DONE
    if status in HALTING or status in REDIRECTS:
        return Verdict.HALT
    if status in RETRYABLE or status >= SERVER_ERROR:
        return Verdict.RETRY
    return Verdict.PARK


def _may_have_happened(verdict: Verdict, status: int) -> bool:
    """A gateway's 502 or 504 says nothing about what the ERP behind it did."""
    return verdict is Verdict.RETRY and (status >= SERVER_ERROR or status == REQUEST_TIMEOUT)
