"""The shop behind the plain OData V4 service: orders with operations, and reports that can be reversed.

The shop is made up; only its protocol is a standard's. Its rules are the least any such service has.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from tests.simulators.harness import ZERO

ORDER_STATES = ("Planned", "Released", "Started", "Completed", "Cancelled")
OPERATION_STATES = ("Waiting", "Running", "Paused", "Completed")
REASONS = ("Material", "Machine", "Operator")


class RuleError(Exception):
    """A rule of the shop that a request breaks: HTTP status, code, text, and the property at fault."""

    def __init__(self, status, code, text, target=""):
        super().__init__(text)
        self.status = status
        self.code = code
        self.target = target


@dataclass
class Operation:
    """One step of an order."""

    sequence: str
    name: str
    work_centre: str
    setup: Decimal | None
    run: Decimal | None
    state: str = "Waiting"
    version: int = 1


@dataclass
class Order:
    """One works order; a change to an operation moves the order's version and time too."""

    number: str
    part: str
    quantity: Decimal
    unit: str
    due: date
    serials: bool
    batch: bool
    operations: list[Operation]
    state: str = "Released"
    version: int = 1
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    def touch(self, operation=None):
        """Give a changed order, and its changed operation, a new version."""
        self.version += 1
        self.modified = datetime.now(UTC)
        if operation:
            operation.version += 1


@dataclass
class Report:
    """One fact told to the shop; a reversal is a report of its own with the signs turned."""

    ident: int
    external: str
    order: str
    sequence: str
    good: Decimal
    scrap: Decimal
    rework: Decimal
    reason: str
    serials: tuple[str, ...]
    batch: str
    setup: Decimal
    run: Decimal
    at: datetime
    reverses: int | None = None
    reversed_by: int | None = None


class Books:
    """All orders and reports."""

    def __init__(self):
        self.orders = {}
        self.reports = []

    def operation(self, number, sequence):
        """Return (order, operation); refused where either does not exist."""
        order = self.orders.get(number)
        if order is None:
            raise RuleError(400, "UnknownOrder", f"There is no order {number}.", "OrderNumber")
        for operation in order.operations:
            if operation.sequence == sequence:
                return order, operation
        raise RuleError(400, "UnknownOperation", f"Order {number} has no operation {sequence}.", "Operation")

    # -- moving states ----------------------------------------------------------------------------------------

    def move_order(self, order, state):
        """Start or complete an order."""
        allowed = {"Started": ("Released",), "Completed": ("Started",)}[state]
        _need(order.state, allowed, f"Order {order.number}")
        if state == "Completed" and any(found.state != "Completed" for found in order.operations):
            raise RuleError(
                409, "OperationsOpen", f"Order {order.number} has operations that are not completed."
            )
        order.state = state
        order.touch()

    def move_operation(self, order, operation, state):
        """Start, pause or complete an operation of a started order."""
        _need(order.state, ("Started",), f"Order {order.number}")
        allowed = {
            "Running": ("Waiting", "Paused"),
            "Paused": ("Running",),
            "Completed": ("Running", "Paused"),
        }
        _need(operation.state, allowed[state], f"Operation {operation.sequence}")
        operation.state = state
        order.touch(operation)

    # -- reports ------------------------------------------------------------------------------------------------

    def report(self, report):
        """Record a report of a started order; its external identity counts once."""
        order, operation = self.operation(report.order, report.sequence)
        _need(order.state, ("Started",), f"Order {order.number}")
        if report.external and any(found.external == report.external for found in self.reports):
            raise RuleError(409, "AlreadyReported", f"{report.external} is already reported.", "ExternalId")
        if report.reason and report.reason not in REASONS:
            raise RuleError(400, "UnknownReason", f"Reason is one of {', '.join(REASONS)}.", "Reason")
        self._check_tracking(order, report)
        return self._add(order, operation, report)

    def _check_tracking(self, order, report):
        last = report.sequence == order.operations[-1].sequence
        if order.serials and last and len(report.serials) != report.good:
            raise RuleError(400, "SerialsMissing", "Give one serial number for each good piece.", "Serials")
        if order.batch and last and report.good and not report.batch:
            raise RuleError(400, "BatchMissing", "Give the batch number of the good pieces.", "Batch")
        known = {serial for found in self.active() for serial in found.serials}
        twice = known & set(report.serials)
        if twice or len(set(report.serials)) != len(report.serials):
            raise RuleError(
                409, "SerialExists", f"Serial numbers exist: {', '.join(sorted(twice))}.", "Serials"
            )

    def reverse(self, report):
        """Take a report back, once, while its order is not completed."""
        order, operation = self.operation(report.order, report.sequence)
        _need(order.state, ("Started",), f"Order {order.number}")
        if report.reversed_by or report.reverses:
            raise RuleError(409, "AlreadyReversed", f"Report {report.ident} cannot be reversed.")
        turned = Report(
            0,
            "",
            report.order,
            report.sequence,
            -report.good,
            -report.scrap,
            -report.rework,
            report.reason,
            (),
            report.batch,
            -report.setup,
            -report.run,
            datetime.now(UTC),
            reverses=report.ident,
        )
        self._add(order, operation, turned)
        report.reversed_by = turned.ident
        return turned

    def _add(self, order, operation, report):
        report.ident = len(self.reports) + 1
        self.reports.append(report)
        order.touch(operation)
        return report

    def active(self):
        """Return the reports that are neither reversed nor reversals."""
        return [report for report in self.reports if not report.reversed_by and not report.reverses]

    def total(self, number, name, sequence=None):
        """Return the sum of a figure over an order's reports, of one operation where `sequence` says so."""
        return sum(
            (
                getattr(report, name)
                for report in self.reports
                if report.order == number and sequence in (None, report.sequence)
            ),
            ZERO,
        )


def _need(state, allowed, what):
    if state not in allowed:
        raise RuleError(409, "WrongState", f"{what} is {state}; it must be {' or '.join(allowed)}.")
