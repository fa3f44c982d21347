"""What doors answer beyond what the flows return: problems, the disposition of events, that a decision stands.

The OpenAPI document is made from these shapes, so their types are real imports.
"""

from dataclasses import dataclass, field
from typing import Literal

from shared.domain.decision import Decided
from shared.domain.receipt import Disposition
from shared.domain.warning import WarningKind


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (a JSON pointer; for a query, the parameter), what, and what would be valid."""

    pointer: str
    detail: str
    valid: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Problem:
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """What became of one event, in the order of the request; `buffered` events are recorded when SQL is back.

    `source` and `id` are left out for a rejected event.
    """

    disposition: Disposition | Literal["rejected"]
    source: str = ""
    id: str = ""
    warnings: list[WarningKind] = field(default_factory=list)
    errors: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """What became of a request's events."""

    accepted: int
    duplicates: int
    rejected: int
    events: list[EventAnswer]


@dataclass(frozen=True, slots=True)
class Done:
    """The decision stands."""

    decided: Decided = Decided.DONE


@dataclass(frozen=True, slots=True)
class Linked:
    """How many links were saved, and how many works orders go on because of them."""

    saved: int
    released: int
