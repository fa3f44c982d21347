"""What doors answer beyond what the flows return: problems, and the disposition of events."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.domain.warning import WarningKind
from shared.flows.receive import Disposition


class Fault(BaseModel):
    """One thing that is wrong: where (a JSON pointer; for a query, the parameter), what, and what would be valid."""

    pointer: str
    detail: str
    valid: list[str] = []


class Problem(BaseModel):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


class EventAnswer(BaseModel):
    """What became of one event, in the order of the request; `buffered` events are recorded when SQL is back."""

    disposition: Disposition | Literal["rejected"]
    source: str = Field(default="", description="left out for a rejected event")
    id: str = Field(default="", description="left out for a rejected event")
    warnings: list[WarningKind] = []
    errors: list[Fault] = []


class EventsAnswer(BaseModel):
    """What became of a request's events."""

    accepted: int
    duplicates: int
    rejected: int
    events: list[EventAnswer]
