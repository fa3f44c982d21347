"""Decisions: who decides, what, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum


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
    ELSEWHERE = "elsewhere"  # decide about what it hangs on: a change of plan, the message that it was sent as one with


class Verdict(StrEnum):
    """What to do with a plan the ERP changed under running work."""

    ACCEPT = "accept"  # the ERP's plan becomes ours; recorded work stays recorded
    KEEP = "keep"  # our plan stays, until the ERP changes its own again
