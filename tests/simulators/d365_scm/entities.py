"""The public data entities under /data: their properties, and the rows the books make of them.

Names and keys: generated client of the service's own $metadata (see RULES.md); only what an execution system needs.
"""

from datetime import UTC, datetime, time

from tests.simulators.d365_scm.books import ERROR_CAUSES, NO_DATE, NO_YES, STATUSES, TASK_TYPES
from tests.simulators.odata import EntityType, EnumType

SPACE = "Microsoft.Dynamics.DataEntities"
PROD_STATUS = EnumType(f"{SPACE}.ProdStatus", STATUSES)
NO_OR_YES = EnumType(f"{SPACE}.NoYes", NO_YES)
ERROR_CAUSE = EnumType(f"{SPACE}.ProdErrorCause", ERROR_CAUSES)
JOB_TYPE = EnumType(f"{SPACE}.RouteJobType", TASK_TYPES)
PRIORITY = EnumType(f"{SPACE}.RouteOprPriority", ("Primary", *(f"Secondary{at}" for at in range(1, 21))))


class Entities:
    """The entity sets of one environment."""

    def __init__(self, books):
        self.books = books
        self.operations = EntityType(
            f"{SPACE}.ProductionOrderRouteOperation",
            ("dataAreaId", "ProductionOrderNumber", "OperationNumber", "OperationPriority"),
            OPERATION_TYPES,
        )
        self.products = EntityType(f"{SPACE}.ReleasedProductV2", ("dataAreaId", "ItemNumber"), PRODUCT_TYPES)
        self.headers = EntityType(
            f"{SPACE}.ProductionOrderHeader",
            ("dataAreaId", "ProductionOrderNumber"),
            HEADER_TYPES,
            {
                "ProdutionOrderRouteOperations": (self.operations, self._operations_of),
                "ReleasedProductV2": (self.products, self._product_of),
            },
        )
        self.reports = EntityType(
            f"{SPACE}.ReportAsFinishedProductionJournalEntry",
            ("dataAreaId", "JournalNumber", "JournalLineNumber"),
            REPORT_TYPES,
        )
        self.cards = EntityType(
            f"{SPACE}.RouteCardProductionJournalEntry",
            ("dataAreaId", "JournalNumber", "JournalLineNumber"),
            CARD_TYPES,
        )
        self.sets = {
            "ProductionOrderHeaders": (self.headers, self.header_rows),
            "ProductionOrderRouteOperations": (self.operations, self.operation_rows),
            "ReleasedProductsV2": (self.products, self.product_rows),
            "ReportAsFinishedProductionJournalEntries": (self.reports, self.report_rows),
            "RouteCardProductionJournalEntries": (self.cards, self.card_rows),
        }

    def header_rows(self):
        """Return the orders of all companies."""
        return [_header(order) for order in self.books.orders.values()]

    def operation_rows(self):
        """Return the route operations of all orders."""
        return [
            _operation(order, found) for order in self.books.orders.values() for found in order.operations
        ]

    def report_rows(self):
        """Return the posted lines of all report-as-finished journals."""
        return [_report(order, report) for order in self.books.orders.values() for report in order.reports]

    def card_rows(self):
        """Return the posted lines of all route card journals."""
        return [_card(order, card) for order in self.books.orders.values() for card in order.cards]

    def product_rows(self):
        """Return the released product of every order, each once."""
        orders = {(order.company, order.item): order for order in self.books.orders.values()}
        return [_product(order) for order in orders.values()]

    def _product_of(self, header):
        return _product(self.books.orders[header["dataAreaId"], header["ProductionOrderNumber"]])

    def _operations_of(self, header):
        order = self.books.orders[header["dataAreaId"], header["ProductionOrderNumber"]]
        return [_operation(order, found) for found in order.operations]


HEADER_TYPES = {
    "dataAreaId": "Edm.String",
    "ProductionOrderNumber": "Edm.String",
    "ProductionOrderName": "Edm.String",
    "ItemNumber": "Edm.String",
    "ProductionOrderStatus": PROD_STATUS,
    "EstimatedQuantity": "Edm.Decimal",
    "ScheduledQuantity": "Edm.Decimal",
    "StartedQuantity": "Edm.Decimal",
    "RemainingReportAsFinishedQuantity": "Edm.Decimal",
    "DeliveryDate": "Edm.DateTimeOffset",
    "ScheduledStartDate": "Edm.DateTimeOffset",
    "ScheduledEndDate": "Edm.DateTimeOffset",
    "ReleasedDate": "Edm.DateTimeOffset",
    "StartedDate": "Edm.DateTimeOffset",
    "ReportedAsFinishedDate": "Edm.DateTimeOffset",
    "EndedDate": "Edm.DateTimeOffset",
    "ItemBatchNumber": "Edm.String",
    "ProductSerialNumber": "Edm.String",
    "ProductionSiteId": "Edm.String",
    "ProductionWarehouseId": "Edm.String",
}
OPERATION_TYPES = {
    "dataAreaId": "Edm.String",
    "ProductionOrderNumber": "Edm.String",
    "OperationNumber": "Edm.Int32",
    "OperationPriority": PRIORITY,
    "OperationId": "Edm.String",
    "NextOperationNumber": "Edm.Int32",
    "RouteOperationSequence": "Edm.Int32",
    "SetupTime": "Edm.Decimal",
    "ProcessTime": "Edm.Decimal",
    "ProcessQuantity": "Edm.Decimal",
    "OperationsTimeToHourConversionFactor": "Edm.Decimal",
    "CostingOperationResourceId": "Edm.String",
    "EstimatedOperationQuantity": "Edm.Decimal",
    "IsOperationStarted": NO_OR_YES,
    "IsOperationCompleted": NO_OR_YES,
}
PRODUCT_TYPES = {
    "dataAreaId": "Edm.String",
    "ItemNumber": "Edm.String",
    "SearchName": "Edm.String",
    "InventoryUnitSymbol": "Edm.String",
}
REPORT_TYPES = {
    "dataAreaId": "Edm.String",
    "JournalNumber": "Edm.String",
    "JournalLineNumber": "Edm.Decimal",
    "ProductionOrderNumber": "Edm.String",
    "ItemNumber": "Edm.String",
    "ReportedGoodInventoryQuantity": "Edm.Decimal",
    "ReportedErrorInventoryQuantity": "Edm.Decimal",
    "ErrorCause": ERROR_CAUSE,
    "ItemSerialNumber": "Edm.String",
    "ItemBatchNumber": "Edm.String",
    "ReportAsFinishedDate": "Edm.DateTimeOffset",
    "IsLastReportAsFinished": NO_OR_YES,
    "IsPosted": NO_OR_YES,
}
CARD_TYPES = {
    "dataAreaId": "Edm.String",
    "JournalNumber": "Edm.String",
    "JournalLineNumber": "Edm.Decimal",
    "ProductionOrderNumber": "Edm.String",
    "RouteOperationNumber": "Edm.Int32",
    "RouteJobType": JOB_TYPE,
    "RegisteredHours": "Edm.Decimal",
    "ReportedGoodInventoryQuantity": "Edm.Decimal",
    "ReportedErrorInventoryQuantity": "Edm.Decimal",
    "ErrorCause": ERROR_CAUSE,
    "ConsumptionDate": "Edm.DateTimeOffset",
    "IsOperationCompleted": NO_OR_YES,
    "IsPosted": NO_OR_YES,
}


def noon(value):
    """Return a date as these entities show it: midday, UTC; 1900-01-01 stands for none."""
    return NO_DATE if value is None else datetime.combine(value.date(), time(12), UTC)


def _header(order):
    dates = order.dates
    return {
        "dataAreaId": order.company,
        "ProductionOrderNumber": order.number,
        "ProductionOrderName": order.item,
        "ItemNumber": order.item,
        "ProductionOrderStatus": order.status,
        "EstimatedQuantity": order.quantity,
        "ScheduledQuantity": order.quantity,
        "StartedQuantity": order.started_quantity,
        "RemainingReportAsFinishedQuantity": order.remaining,
        "DeliveryDate": noon(order.due),
        "ScheduledStartDate": noon(order.due),
        "ScheduledEndDate": noon(order.due),
        "ReleasedDate": noon(dates.get("Released")),
        "StartedDate": noon(dates.get("StartedUp")),
        "ReportedAsFinishedDate": noon(dates.get("ReportedFinished")),
        "EndedDate": noon(dates.get("Completed")),
        "ItemBatchNumber": "",
        "ProductSerialNumber": "",
        "ProductionSiteId": "1",
        "ProductionWarehouseId": "11",
    }


def _product(order):
    return {
        "dataAreaId": order.company,
        "ItemNumber": order.item,
        "SearchName": order.item.title(),
        "InventoryUnitSymbol": order.unit,
    }


def _operation(order, operation):
    return {
        "dataAreaId": order.company,
        "ProductionOrderNumber": order.number,
        "OperationNumber": operation.number,
        "OperationPriority": "Primary",
        "OperationId": operation.ident,
        "NextOperationNumber": operation.next_number,
        "RouteOperationSequence": order.operations.index(operation) + 1,
        "SetupTime": operation.setup,
        "ProcessTime": operation.process,
        "ProcessQuantity": 1,
        "OperationsTimeToHourConversionFactor": 1,
        "CostingOperationResourceId": operation.resource,
        "EstimatedOperationQuantity": order.quantity,
        "IsOperationStarted": NO_YES[operation.started],
        "IsOperationCompleted": NO_YES[operation.completed],
    }


def _report(order, report):
    return {
        "dataAreaId": order.company,
        "JournalNumber": report.journal,
        "JournalLineNumber": report.line,
        "ProductionOrderNumber": order.number,
        "ItemNumber": order.item,
        "ReportedGoodInventoryQuantity": report.good,
        "ReportedErrorInventoryQuantity": report.error,
        "ErrorCause": report.cause,
        "ItemSerialNumber": report.serial,
        "ItemBatchNumber": report.batch,
        "ReportAsFinishedDate": noon(report.day),
        "IsLastReportAsFinished": NO_YES[report.last],
        "IsPosted": "Yes",
    }


def _card(order, card):
    return {
        "dataAreaId": order.company,
        "JournalNumber": card.journal,
        "JournalLineNumber": card.line,
        "ProductionOrderNumber": order.number,
        "RouteOperationNumber": card.operation,
        "RouteJobType": card.task,
        "RegisteredHours": card.hours,
        "ReportedGoodInventoryQuantity": card.good,
        "ReportedErrorInventoryQuantity": card.error,
        "ErrorCause": card.cause,
        "ConsumptionDate": noon(card.day),
        "IsOperationCompleted": NO_YES[card.completed],
        "IsPosted": "Yes",
    }
