"""The books as the two services show them: rows with the properties of `fields`, and what leads from row to row."""

import datetime as dt
from decimal import Decimal

from tests.simulators.odata import EntityType
from tests.simulators.sap import fields
from tests.simulators.sap.books import UNITS

BASE_QUANTITY = Decimal(100)
ORDERS, OPERATIONS, ITEMS, STATUSES, CONFIRMATIONS, MOVEMENTS = fields.TYPES
STATUS_CODES = {  # system status -> code and short text
    "CRTD": "I0001",
    "REL": "I0002",
    "CNF": "I0009",
    "PCNF": "I0010",
    "TECO": "I0045",
    "CLSD": "I0046",
    "DLFL": "I0076",
}
ORDER_STATUS = {  # flag of the order header -> the system status it shows
    "OrderIsCreated": "CRTD",
    "OrderIsReleased": "REL",
    "OrderIsConfirmed": "CNF",
    "OrderIsPartiallyConfirmed": "PCNF",
    "OrderIsTechnicallyCompleted": "TECO",
    "OrderIsClosed": "CLSD",
    "OrderIsMarkedForDeletion": "DLFL",
}


class Views:
    """Reads the books; every method returns rows, made anew with each call."""

    def __init__(self, books):
        self.books = books
        self.types = self._entity_types()

    def rows(self, name):
        """Return all rows of one entity set."""
        makers = {
            ORDERS: self.orders,
            OPERATIONS: self.operations,
            ITEMS: self.items,
            STATUSES: self.statuses,
            CONFIRMATIONS: self.confirmations,
            MOVEMENTS: self.movements,
        }
        return makers[name]()

    def orders(self):
        """Return A_ProductionOrder_2."""
        return [self._order(order) for order in list(self.books.orders.values())]

    def operations(self):
        """Return A_ProductionOrderOperation_2."""
        return [
            self._operation(order, position, operation)
            for order in list(self.books.orders.values())
            for position, operation in enumerate(order.operations, 1)
        ]

    def items(self):
        """Return A_ProductionOrderItem_2: one item an order."""
        return [self._item(order) for order in list(self.books.orders.values())]

    def statuses(self):
        """Return A_ProductionOrderStatus_2: the active system status of every order."""
        return [
            {
                "ManufacturingOrder": order.number,
                "StatusCode": STATUS_CODES[short],
                "StatusShortName": short,
                "StatusName": short,
                "IsUserStatus": False,
            }
            for order in list(self.books.orders.values())
            for short in self.status(order)
        ]

    def confirmations(self):
        """Return ProdnOrdConf2."""
        return [_shown(row, fields.CONFIRMATION) for row in list(self.books.confirmations)]

    def movements(self):
        """Return ProdnOrdConfMatlDocItm."""
        return [_shown(row, fields.MOVEMENT) for row in list(self.books.movements)]

    def status(self, order):
        """Return the order's active system status, short texts; after technical completion REL is not active."""
        if order.closed:
            return ["CLSD"]
        found = ["TECO"] if order.technically_complete else ["REL"] if order.released else ["CRTD"]
        if self.books.is_confirmed(order):
            found.append("CNF")
        elif self.books.is_started(order):
            found.append("PCNF")
        return [*found, "DLFL"] if order.deleted else found

    # -- rows -----------------------------------------------------------------------------------------------

    def _order(self, order):
        active = self.status(order)
        row = fields.initial(fields.ORDER) | {
            name: _x(short in active) for name, short in ORDER_STATUS.items()
        }
        row.update(
            ManufacturingOrder=order.number,
            ManufacturingOrderCategory="10",
            ManufacturingOrderType="YP01",
            LastChangeDateTime=f"{order.changed:%Y%m%d%H%M%S}",
            MfgOrderCreationDate=order.created.date(),
            MfgOrderCreationTime=order.created.time(),
            Material=order.material,
            StorageLocation="0001",
            ProductionPlant=self.books.plant,
            Plant=self.books.plant,
            MfgOrderPlannedStartDate=order.created.date(),
            MfgOrderPlannedEndDate=order.due,
            MfgOrderActualReleaseDate=order.created.date() if order.released else None,
        )
        return _midnights(row | self._order_quantities(order))

    def _order_quantities(self, order):
        received = self.books.received(order)
        return {
            "OrderIsDelivered": _x(received >= order.quantity),
            "OrderIsPartiallyDelivered": _x(0 < received < order.quantity),
            "ProductionUnit": order.unit,
            "ProductionUnitISOCode": UNITS.get(order.unit, ""),
            "ProductionUnitSAPCode": order.unit,
            "TotalQuantity": order.quantity,
            "MfgOrderConfirmedYieldQty": self.books.confirmed_yield(order),
        }

    def _operation(self, order, position, operation):
        row = fields.initial(fields.OPERATION)
        row.update(
            OrderInternalBillOfOperations=order.routing,
            OrderIntBillOfOperationsItem=f"{position:08d}",
            ManufacturingOrder=order.number,
            ManufacturingOrderSequence="0",
            ManufacturingOrderOperation=operation.number,
            MfgOrderOperationText=operation.text,
            OperationIsCreated=_x(not order.released),
            OperationIsReleased=_x(order.released and not order.technically_complete),
            OperationIsConfirmed=_x(self.books.is_done(order, operation)),
            OperationIsPartiallyConfirmed=_x(self.books.is_partial(order, operation)),
            OperationIsTechlyCompleted=_x(order.technically_complete),
            ProductionPlant=self.books.plant,
            WorkCenterTypeCode="A",
            WorkCenter=operation.work_centre,
            OperationControlProfile="YBM2" if operation.milestone else "YBP1",
            OperationUnit=order.unit,
            OpPlannedTotalQuantity=order.quantity,
            OpTotalConfirmedYieldQty=self.books.done(order, operation),
            LastChangeDateTime=f"{operation.changed or order.changed:%Y%m%d%H%M%S}",
        )
        return row | _standard_values(operation)

    def _item(self, order):
        batches = [
            row["Batch"] for row in self.books.movements if row["OrderID"] == order.number and row["Batch"]
        ]
        return {
            "ManufacturingOrder": order.number,
            "ManufacturingOrderItem": "0001",
            "Material": order.material,
            "ProductionPlant": self.books.plant,
            "Batch": batches[-1] if batches else "",
            "ProductionUnit": order.unit,
            "MfgOrderItemPlannedTotalQty": order.quantity,
            "MfgOrderItemGoodsReceiptQty": self.books.received(order),
        }

    # -- types and navigation -------------------------------------------------------------------------------

    def _entity_types(self):
        made = {name: EntityType(name, fields.KEYS[name], _edm(kind)) for name, kind in fields.TYPES.items()}
        order, confirmation = made[ORDERS], made[CONFIRMATIONS]
        for navigation, target in (
            ("to_ProductionOrderOperation", OPERATIONS),
            ("to_ProductionOrderItem", ITEMS),
            ("to_ProductionOrderStatus", STATUSES),
        ):
            order.navigation[navigation] = (made[target], self._children(target, ("ManufacturingOrder",)))
        confirmation.navigation["to_ProdnOrdConfMatlDocItm"] = (
            made[MOVEMENTS],
            self._children(MOVEMENTS, ("ConfirmationGroup", "ConfirmationCount")),
        )
        return made

    def _children(self, target, keys):
        def follow(row):
            return [child for child in self.rows(target) if all(child[key] == row[key] for key in keys)]

        return follow


def _edm(kind):
    return {name: fields.STRING if edm == fields.NUMC else edm for name, edm in kind.items()}


def _standard_values(operation):
    """Activity 1 is the set-up, 2 the machine time of a base quantity of pieces; the others are not used."""
    return {
        "OperationReferenceQuantity": BASE_QUANTITY,
        "WorkCenterStandardWorkQty1": operation.setup_seconds / 60,
        "WorkCenterStandardWorkQtyUnit1": "MIN",
        "WorkCenterStandardWorkQty2": operation.run_seconds * BASE_QUANTITY / 60,
        "WorkCenterStandardWorkQtyUnit2": "MIN",
    }


def _x(active):
    """A status is a text, "X" or empty, not a Boolean."""
    return "X" if active else ""


def _shown(row, kind):
    return _midnights({name: row[name] for name in kind})


def _midnights(row):
    """A date is an Edm.DateTime at midnight, without zone: so it compares with datetime'…' literals."""
    for name, value in row.items():
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            row[name] = dt.datetime.combine(value, dt.time())
        elif isinstance(value, int) and not isinstance(value, bool):
            row[name] = Decimal(value)
    return row
