"""The entity sets of the plain service, the rows they show, and how a body becomes a report."""

from datetime import UTC, datetime
from decimal import Decimal

from tests.simulators.harness import ZERO
from tests.simulators.odata import EntityType, EnumType
from tests.simulators.odata_v4.books import OPERATION_STATES, ORDER_STATES, Report, RuleError

ORDER_STATUS = EnumType("Shop.OrderStatus", ORDER_STATES)
OPERATION_STATUS = EnumType("Shop.OperationStatus", OPERATION_STATES)
OPERATION_TYPES = {
    "OrderNumber": "Edm.String",
    "Sequence": "Edm.String",
    "Name": "Edm.String",
    "WorkCentre": "Edm.String",
    "SetupSeconds": "Edm.Decimal",
    "RunSeconds": "Edm.Decimal",
    "Status": OPERATION_STATUS,
}
ORDER_TYPES = {
    "Number": "Edm.String",
    "Part": "Edm.String",
    "Quantity": "Edm.Decimal",
    "Unit": "Edm.String",
    "DueDate": "Edm.Date",
    "Status": ORDER_STATUS,
    "SerialTracked": "Edm.Boolean",
    "BatchTracked": "Edm.Boolean",
    "GoodQuantity": "Edm.Decimal",
    "ScrapQuantity": "Edm.Decimal",
    "ModifiedAt": "Edm.DateTimeOffset",
}
REPORT_TYPES = {
    "Id": "Edm.Int32",
    "ExternalId": "Edm.String",
    "OrderNumber": "Edm.String",
    "Operation": "Edm.String",
    "Good": "Edm.Decimal",
    "Scrap": "Edm.Decimal",
    "Rework": "Edm.Decimal",
    "Reason": "Edm.String",
    "Serials": "Collection(Edm.String)",
    "Batch": "Edm.String",
    "SetupSeconds": "Edm.Decimal",
    "RunSeconds": "Edm.Decimal",
    "At": "Edm.DateTimeOffset",
    "Reverses": "Edm.Int32",
    "ReversedBy": "Edm.Int32",
}
WRITABLE = set(REPORT_TYPES) - {"Id", "Reverses", "ReversedBy"}


class Entities:
    """The sets, over one shop's books."""

    def __init__(self, books):
        self.books = books
        self.operations = EntityType("Shop.Operation", ("OrderNumber", "Sequence"), OPERATION_TYPES)
        self.orders = EntityType(
            "Shop.Order",
            ("Number",),
            ORDER_TYPES,
            {"Operations": (self.operations, self._operations_of)},
        )
        self.reports = EntityType("Shop.Report", ("Id",), REPORT_TYPES)
        self.sets = {"Orders": self.orders, "Operations": self.operations, "Reports": self.reports}

    def rows(self, name):
        """Return all rows of a set."""
        if name == "Orders":
            return [self.order_row(order) for order in self.books.orders.values()]
        if name == "Operations":
            return [row for order in self.books.orders.values() for row in _operation_rows(order)]
        return [report_row(report) for report in self.books.reports]

    def order_row(self, order):
        """Return one order as a row."""
        return {
            "Number": order.number,
            "Part": order.part,
            "Quantity": order.quantity,
            "Unit": order.unit,
            "DueDate": order.due,
            "Status": order.state,
            "SerialTracked": order.serials,
            "BatchTracked": order.batch,
            "GoodQuantity": self.books.total(order.number, "good", order.operations[-1].sequence),
            "ScrapQuantity": self.books.total(order.number, "scrap"),
            "ModifiedAt": order.modified,
            "version": order.version,
        }

    def _operations_of(self, row):
        return _operation_rows(self.books.orders[row["Number"]])


def _operation_rows(order):
    return [
        {
            "OrderNumber": order.number,
            "Sequence": operation.sequence,
            "Name": operation.name,
            "WorkCentre": operation.work_centre,
            "SetupSeconds": operation.setup,
            "RunSeconds": operation.run,
            "Status": operation.state,
            "version": operation.version,
        }
        for operation in order.operations
    ]


def report_row(report):
    """Return one report as a row."""
    return {
        "Id": report.ident,
        "ExternalId": report.external,
        "OrderNumber": report.order,
        "Operation": report.sequence,
        "Good": report.good,
        "Scrap": report.scrap,
        "Rework": report.rework,
        "Reason": report.reason,
        "Serials": list(report.serials),
        "Batch": report.batch,
        "SetupSeconds": report.setup,
        "RunSeconds": report.run,
        "At": report.at,
        "Reverses": report.reverses,
        "ReversedBy": report.reversed_by,
        "version": report.ident * 2 + bool(report.reversed_by),
    }


# -- bodies -----------------------------------------------------------------------------------------------------


def report_of(body):
    """Return the report a POST to Reports describes; the shop's rules come later."""
    for name in body:
        if name not in WRITABLE:
            raise RuleError(400, "UnknownProperty", f"Shop.Report has no property '{name}' to set.", name)
    serials = body.get("Serials", [])
    if not isinstance(serials, list):
        raise RuleError(400, "WrongType", "Serials must be a collection of Edm.String.", "Serials")
    return Report(
        0,
        _text(body, "ExternalId"),
        _text(body, "OrderNumber"),
        _text(body, "Operation"),
        _number(body, "Good"),
        _number(body, "Scrap"),
        _number(body, "Rework"),
        _text(body, "Reason"),
        tuple(str(serial) for serial in serials),
        _text(body, "Batch"),
        _number(body, "SetupSeconds"),
        _number(body, "RunSeconds"),
        _instant(body, "At"),
    )


def _text(body, name):
    value = body.get(name) or ""
    if not isinstance(value, str):
        raise RuleError(400, "WrongType", f"{name} must be an Edm.String.", name)
    return value


def _number(body, name):
    value = body.get(name)
    if value is None:
        return ZERO
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise RuleError(400, "WrongType", f"{name} must be an Edm.Decimal.", name)
    if value < 0:
        raise RuleError(400, "Negative", f"{name} must not be negative; reverse the report instead.", name)
    return Decimal(value)


def _instant(body, name):
    if not body.get(name):
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(body[name])
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise RuleError(400, "WrongType", f"{name} must be an Edm.DateTimeOffset.", name)
    return found.astimezone(UTC)
