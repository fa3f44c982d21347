"""Dynamics 365's tables as far as a manufacturing execution system meets them; no HTTP. Rules: RULES.md here."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from tests.simulators.harness import ZERO

STATUSES = (
    "Created",
    "CostEstimated",
    "Scheduled",
    "Released",
    "StartedUp",
    "ReportedFinished",
    "Completed",
)
ERROR_CAUSES = ("None", "Material", "Machine", "OperatingStaff")
TASK_TYPES = ("QueueBefore", "Setup", "Process", "Overlap", "Transport", "QueueAfter", "Burden")
NO_YES = ("No", "Yes")
SECONDS_PER_HOUR = Decimal(3600)
NO_DATE = datetime(1900, 1, 1, 12, tzinfo=UTC)


class RefusedError(Exception):
    """What the infolog would say; the message that asked for it fails."""


@dataclass
class Operation:
    """One route operation; times in hours, as route and conversion factor 1 give them."""

    number: int
    ident: str
    resource: str
    setup: Decimal = ZERO
    process: Decimal = ZERO
    next_number: int = 0
    started: bool = False
    completed: bool = False


@dataclass
class Order:
    """One production order."""

    company: str
    number: str
    item: str
    quantity: Decimal
    due: datetime
    operations: list[Operation]
    serials: bool
    batch: bool
    unit: str = ""
    status: str = "Created"
    started_quantity: Decimal = ZERO
    ended_job: bool = False
    reports: list["Report"] = field(default_factory=list)
    cards: list["Card"] = field(default_factory=list)
    dates: dict[str, datetime] = field(default_factory=dict)

    @property
    def remaining(self):
        """Return what may still be reported as finished; never below zero."""
        done = sum((report.good + report.error for report in self.reports), ZERO)
        return max(self.quantity - done, ZERO)


@dataclass
class Report:
    """One posted line of a report-as-finished journal."""

    journal: str
    line: int
    good: Decimal
    error: Decimal
    cause: str
    serial: str
    batch: str
    day: datetime
    last: bool


@dataclass
class Card:
    """One posted line of a route card journal."""

    journal: str
    line: int
    operation: int
    task: str
    hours: Decimal
    good: Decimal
    error: Decimal
    cause: str
    completed: bool
    day: datetime


@dataclass
class Books:
    """All orders by (company, number), and what is posted to them."""

    orders: dict[tuple[str, str], Order] = field(default_factory=dict)
    companies: tuple[str, ...] = ("usmf", "frsi", "dat")
    serials: set[tuple[str, str]] = field(default_factory=set)  # (item, serial)
    journals: int = 0

    # -- the planner ------------------------------------------------------------------------------------------

    def add(self, order):
        """Enter an order; it is not released yet."""
        self.orders[order.company, order.number] = order

    def release(self, order):
        """Take a new order through estimating and scheduling to its release."""
        order.status = "Released"
        order.dates["Released"] = datetime.now(UTC)

    def change_quantity(self, order, quantity):
        """Re-plan an order that is not ended."""
        if order.status == "Completed":
            raise RefusedError("The production order is ended.")
        order.quantity = quantity

    def cancel(self, order):
        """Delete an order nothing is posted to; end one that has postings. There is no cancelled status."""
        if order.reports or order.cards or order.status == "StartedUp":
            order.status = "Completed"
        else:
            del self.orders[order.company, order.number]

    # -- what messages do -------------------------------------------------------------------------------------

    def order(self, company, number):
        """Return an order; a message for one that is not there fails."""
        found = self.orders.get((company, number))
        if found is None:
            raise RefusedError(f"Production order {number} does not exist.")
        return found

    def start(self, order, quantity):
        """Start (part of) an order."""
        _need_status(order, "started", ("Released", "StartedUp"))
        order.status = "StartedUp"
        order.started_quantity += order.quantity if quantity is None else quantity
        order.dates.setdefault("StartedUp", datetime.now(UTC))

    def report_finished(self, order, lines):
        """Post one report-as-finished journal: all lines or none."""
        _need_status(order, "reported as finished", ("Released", "StartedUp", "ReportedFinished"))
        fresh = set()
        for line in lines:
            self._check_report(order, line, fresh)
        journal = self._journal()
        for at, line in enumerate(lines, 1):
            line.journal, line.line = journal, at
            order.reports.append(line)
        self.serials |= fresh
        order.ended_job = order.ended_job or any(line.last for line in lines)
        if order.ended_job or order.remaining == 0:
            order.status = "ReportedFinished"
            order.dates["ReportedFinished"] = datetime.now(UTC)

    def _check_report(self, order, line, fresh):
        if line.good < 0 or line.error < 0:
            raise RefusedError("A reported quantity must not be negative.")
        if order.batch and line.good and not line.batch:
            raise RefusedError("Batch number must be specified.")
        if not order.serials or not line.good:
            return
        if not line.serial:
            raise RefusedError("Serial number must be specified.")
        if line.good != 1:
            raise RefusedError("The quantity of a serial number must be 1.")
        key = (order.item, line.serial)
        if key in self.serials | fresh:
            raise RefusedError(f"Serial number {line.serial} is already on hand.")
        fresh.add(key)

    def post_cards(self, order, cards):
        """Post one route card journal: all lines or none."""
        _need_status(order, "reported on", ("StartedUp", "ReportedFinished"))
        found = [(_operation(order, card.operation), card) for card in cards]
        journal = self._journal()
        for at, (operation, card) in enumerate(found, 1):
            card.journal, card.line = journal, at
            order.cards.append(card)
            operation.started = True
            operation.completed = operation.completed or card.completed

    def end(self, order, report_first):
        """End an order: no further quantity, time or cost."""
        if report_first and order.status == "StartedUp":
            order.status = "ReportedFinished"
        _need_status(order, "ended", ("ReportedFinished",))
        order.status = "Completed"
        order.dates["Completed"] = datetime.now(UTC)

    def _journal(self):
        self.journals += 1
        return f"USMF-{self.journals:06d}"


def _need_status(order, what, allowed):
    if order.status not in allowed:
        raise RefusedError(
            f"Production order {order.number} cannot be {what}: its status is {order.status}; it may be "
            f"{' or '.join(allowed)}."
        )


def _operation(order, number):
    for operation in order.operations:
        if operation.number == number:
            return operation
    raise RefusedError(f"Operation {number} does not exist on production order {order.number}.")
