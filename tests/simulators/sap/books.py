"""The tables of a plant: orders, operations, confirmations, material documents. Pure state, no rules, no HTTP."""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal

from tests.simulators.sap import fields

SECONDS = {"S": 1, "SEC": 1, "MIN": 60, "H": 3600, "HR": 3600, "HUR": 3600}
UNITS = {"PC": "PCE", "EA": "EA", "KG": "KGM", "M": "MTR", "L": "LTR", "ST": "PCE"}
REASONS = {"0001": "Machine malfunction", "0002": "Operating error", "0003": "Defective material"}
STEP = dt.timedelta(seconds=1)


@dataclass
class Operation:
    """One operation of an order: what was planned and what control the planner gave it."""

    ident: str  # as the planner wrote it
    number: str  # four digits
    text: str
    work_centre: str
    group: str  # the collective id of its confirmations, ten digits
    setup_seconds: Decimal
    run_seconds: Decimal  # per piece
    milestone: bool = False
    changed: dt.datetime | None = None


@dataclass
class Order:
    """One production order with its system status."""

    number: str  # twelve digits
    material: str
    quantity: Decimal
    unit: str
    due: dt.date
    created: dt.datetime
    changed: dt.datetime
    routing: str  # the internal id of its bill of operations
    group: str  # for confirmations of the whole order
    serials: bool = False
    batch: bool = False
    released: bool = True
    technically_complete: bool = False
    closed: bool = False
    deleted: bool = False
    operations: list[Operation] = field(default_factory=list)


class Books:
    """Everything the simulated SAP knows."""

    def __init__(self, plant):
        self.plant = plant
        self.orders = {}
        self.confirmations = []
        self.movements = []
        self.work_centres = set()
        self.locked = set()
        self.closed_until = dt.date.min
        self.clock = dt.datetime(2026, 11, 2, 6, 0)  # noqa: DTZ001 - SAP's stamps carry no zone
        self._order = 1000000
        self._group = 200
        self._document = 5000000000

    def now(self):
        """Return the plant's clock, which moves one second with every use: no two changes share a stamp."""
        self.clock += STEP
        return self.clock

    def next_order(self):
        """Return a new order number: twelve digits, padded with zeros."""
        self._order += 1
        return f"{self._order:012d}"

    def next_group(self):
        """Return a new collective id of confirmations: ten digits."""
        self._group += 1
        return f"{self._group:010d}"

    def next_document(self):
        """Return a new material document number."""
        self._document += 1
        return str(self._document)

    def operation(self, order, number):
        """Return the order's operation, None where it has no such operation."""
        return next((found for found in order.operations if found.number == number), None)

    def of_group(self, group):
        """Return the confirmations of one operation (or of one whole order), oldest first."""
        return [row for row in self.confirmations if row["ConfirmationGroup"] == group]

    def valid(self, group):
        """Return the confirmations that still stand: neither reversed nor reversals."""
        return [row for row in self.of_group(group) if not row["IsReversed"] and not row["IsReversal"]]

    def total(self, group, name):
        """Return the sum of one quantity over the confirmations that stand."""
        return sum((row[name] for row in self.valid(group)), Decimal(0))

    def is_final(self, group):
        """Tell whether a standing confirmation closed the operation."""
        return any(row["IsFinalConfirmation"] for row in self.valid(group))

    def done(self, order, operation):
        """Return an operation's confirmed yield: its own, or what the whole order's confirmation brought it."""
        own, whole = (self.total(one.group, "ConfirmationYieldQuantity") for one in (operation, order))
        return own + whole

    def is_done(self, order, operation):
        """Tell whether the operation is finally confirmed, by itself or with the whole order."""
        return self.is_final(operation.group) or self.is_final(order.group)

    def is_partial(self, order, operation):
        """Tell whether something is confirmed but not finally."""
        started = self.valid(operation.group) or self.valid(order.group)
        return bool(started) and not self.is_done(order, operation)

    def worked_seconds(self, group, activity):
        """Return the confirmed seconds of activity 1 (setup) or 2 (machine)."""
        given = (
            row[f"OpConfirmedWorkQuantity{activity}"] * SECONDS[row[f"OpWorkQuantityUnit{activity}"]]
            for row in self.valid(group)
            if row[f"OpWorkQuantityUnit{activity}"]
        )
        return sum(given, Decimal(0))

    def order_groups(self, order):
        """Return the groups an order's confirmations may stand in."""
        return [operation.group for operation in order.operations] + [order.group]

    def confirmed_yield(self, order):
        """Return the order's confirmed yield: of the whole order, or else of its last operation."""
        whole = self.total(order.group, "ConfirmationYieldQuantity")
        last = order.operations[-1].group if order.operations else order.group
        return whole or self.total(last, "ConfirmationYieldQuantity")

    def is_confirmed(self, order):
        """Tell whether the whole order, or every operation of it, is finally confirmed."""
        every = [self.is_final(operation.group) for operation in order.operations]
        return self.is_final(order.group) or (bool(every) and all(every))

    def is_started(self, order):
        """Tell whether anything is confirmed."""
        return any(self.valid(group) for group in self.order_groups(order))

    def received(self, order):
        """Return the quantity of the order in stock by its goods receipts."""
        signs = {"101": 1, "102": -1}
        return sum(
            (
                signs.get(row["GoodsMovementType"], 0) * row["QuantityInEntryUnit"]
                for row in self.movements
                if row["OrderID"] == order.number
            ),
            Decimal(0),
        )

    def add_confirmation(self, row):
        """Write one confirmation under the next counter of its group."""
        count = len(self.of_group(row["ConfirmationGroup"])) + 1
        moment = self.now()
        row.update(
            ConfirmationCount=f"{count:08d}",
            ConfirmationEntryDate=moment.date(),
            ConfirmationEntryTime=moment.time(),
            EnteredByUser="API_USER",
        )
        self.confirmations.append(row)
        return row

    def add_movement(self, confirmation, item):
        """Write one goods movement as an item of the confirmation's material document."""
        number = confirmation.setdefault("_document", None) or self.next_document()
        confirmation["_document"] = number
        count = sum(row["MaterialDocument"] == number for row in self.movements) + 1
        item.update(
            ConfirmationGroup=confirmation["ConfirmationGroup"],
            ConfirmationCount=confirmation["ConfirmationCount"],
            MaterialDocument=number,
            MaterialDocumentItem=f"{count:04d}",
            MaterialDocumentYear=str(confirmation["PostingDate"].year),
        )
        self.movements.append(fields.initial(fields.MOVEMENT) | item)
