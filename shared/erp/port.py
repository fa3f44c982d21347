"""What the flows ask of an ERP, whichever it is. `engine.py` answers from a profile; tests bring a fake.

Both pass one contract suite (tests/contract/test_erp_contract.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shared.domain.push import Exempt, Missing, PushContext

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from shared.domain.combine import Combine
    from shared.domain.message import Message, MessageKind, Progress
    from shared.domain.verdict import Decision
    from shared.domain.works_order import Json, WorksOrder

__all__ = [
    "Advance",
    "Erp",
    "Exchange",
    "Exempt",
    "Missing",
    "PlannedPush",
    "Preview",
    "PulledPage",
    "PushContext",
    "ReferenceValue",
    "RejectedRecord",
    "Sample",
]


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One record of a pull that could not be mapped; the others of its page are used all the same."""

    subject: str  # the order number, or the best name the record has
    reason: str


@dataclass(frozen=True, slots=True)
class PulledPage:
    """One page of a pull. `watermark` is the ERP's own clock, as text the profile understands; None = none seen."""

    orders: Sequence[WorksOrder]
    rejected: Sequence[RejectedRecord]
    watermark: str | None


class Exchange(NamedTuple):
    """Evidence of one call for the attempts history: secrets already removed, long bodies cut."""

    step: str
    started_at: datetime
    duration_ms: int
    method: str = ""
    url: str = ""
    status: int = 0
    request: str = ""
    reply: str = ""


class Advance(NamedTuple):
    """One step further. `finished` with verdict `done` means the whole push is in the ERP.

    `warnings` are mismatches the read-back found (stored quantity differs, say): shown, never blocking.
    """

    decision: Decision
    progress: Progress
    finished: bool
    exchanges: Sequence[Exchange] = ()
    warnings: Sequence[str] = ()


class PlannedPush(NamedTuple):
    """A message translated for this ERP, ready to be sent step by step; opaque to the flows.

    `flow` names its steps: another version of a profile may have others.
    """

    message: Message
    steps: Sequence[object]
    facts: Mapping[str, Json]
    flow: str = ""


class Sample(NamedTuple):
    """One record as the ERP gave it, and what the profile makes of it; neither order nor problem: it is ignored."""

    record: Json
    order: WorksOrder | None
    problem: str = ""


class Preview(NamedTuple):
    """A call that would be made next. `writes`: it may change something in the ERP. Without credentials."""

    step: str
    writes: bool
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes


class ReferenceValue(NamedTuple):
    """One value of the ERP's reference data. `unit`: of a part; "" where the ERP has none."""

    kind: str
    code: str
    name: str = ""
    unit: str = ""


class Erp(Protocol):
    """One connected ERP."""

    def pull(self, since: str | None) -> AsyncIterator[PulledPage]:
        """Yield the orders released or changed since watermark `since` (None: all released), page by page.

        Raises:
            ErpUnavailable: the ERP cannot be reached or answered with an error; pages yielded so far stand.
        """
        ...

    def open_orders(self) -> AsyncIterator[Sequence[str]]:
        """Yield the numbers of all orders still open in the ERP, page by page, for the reconciling pass."""
        ...

    def reference_kinds(self) -> Sequence[str]:
        """Return the kinds of reference data the ERP can list: part, operation, work_centre, scrap_reason, ..."""
        ...

    def reference(self, kind: str) -> AsyncIterator[Sequence[ReferenceValue]]:
        """Yield what the ERP knows of `kind`, page by page, for aligning it with the floor's codes.

        Raises:
            ConfigurationError: the profile cannot list that kind; names those it can.
            ErpUnavailable: as for `pull`.
        """
        ...

    def plan(self, message: Message, context: PushContext) -> PlannedPush | Missing | Exempt:
        """Translate `message`; pure. Raises MappingError when it can never be translated (park it)."""
        ...

    async def advance(self, push: PlannedPush, progress: Progress, attempts: int) -> Advance:
        """Do the step `progress` stands at, looking first where its outcome is unknown. Never raises for a reply."""
        ...

    def pushes(self, kind: MessageKind) -> bool:
        """Tell whether the profile has a push for `kind` at all."""
        ...

    def combines(self) -> Mapping[MessageKind, Combine]:
        """Return what becomes of several messages of a kind that wait together; kinds left out are told one by one."""
        ...

    async def probe(self) -> str | None:
        """Return None when the ERP answers and accepts our credentials, else the reason in words."""
        ...

    async def close(self) -> None:
        """Give back sockets and sessions."""
        ...
