"""The entity types of the two OData services, and the text forms of Edm values in JSON (OData V2).

A type is a table: property name -> (Edm type, what it is when nobody filled it). `$metadata` is written from it.
"""

import datetime as dt
import re
import uuid
from decimal import Decimal, InvalidOperation

STRING, DECIMAL, DATE, TIME, FLAG, GUID, BYTE, NUMC = (
    "Edm.String",
    "Edm.Decimal",
    "Edm.DateTime",
    "Edm.Time",
    "Edm.Boolean",
    "Edm.Guid",
    "Edm.Byte",
    "NUMC",  # a number in a text of fixed length: Edm.String to the outside
)
NO_GUID = "00000000-0000-0000-0000-000000000000"
_INITIAL = {
    STRING: "",
    NUMC: "",
    DECIMAL: Decimal(0),
    DATE: None,
    TIME: dt.time(),
    FLAG: False,
    GUID: NO_GUID,
    BYTE: 0,
}

ORDER_FLAGS = (
    "OrderIsCreated",
    "OrderIsReleased",
    "OrderIsPrinted",
    "OrderIsConfirmed",
    "OrderIsPartiallyConfirmed",
    "OrderIsDelivered",
    "OrderIsDeleted",
    "OrderIsPreCosted",
    "SettlementRuleIsCreated",
    "OrderIsPartiallyReleased",
    "OrderIsLocked",
    "OrderIsTechnicallyCompleted",
    "OrderIsClosed",
    "OrderIsPartiallyDelivered",
    "OrderIsMarkedForDeletion",
    "OrderIsScheduled",
    "OrderHasGeneratedOperations",
    "MaterialAvailyIsNotChecked",
)
OPERATION_FLAGS = (
    "OperationIsCreated",
    "OperationIsReleased",
    "OperationIsPrinted",
    "OperationIsConfirmed",
    "OperationIsPartiallyConfirmed",
    "OperationIsDeleted",
    "OperationIsTechlyCompleted",
    "OperationIsClosed",
    "OperationIsScheduled",
    "OperationIsPartiallyDelivered",
    "OperationIsDelivered",
)

ORDER = {
    "ManufacturingOrder": STRING,
    "ManufacturingOrderCategory": STRING,
    "ManufacturingOrderType": STRING,
    **dict.fromkeys(ORDER_FLAGS, STRING),
    "MfgOrderCreationDate": DATE,
    "MfgOrderCreationTime": TIME,
    "LastChangeDateTime": STRING,
    "Material": STRING,
    "StorageLocation": STRING,
    "ProductionPlant": STRING,
    "Plant": STRING,
    "MfgOrderPlannedStartDate": DATE,
    "MfgOrderPlannedStartTime": TIME,
    "MfgOrderPlannedEndDate": DATE,
    "MfgOrderPlannedEndTime": TIME,
    "MfgOrderActualReleaseDate": DATE,
    "ProductionUnit": STRING,
    "ProductionUnitISOCode": STRING,
    "ProductionUnitSAPCode": STRING,
    "TotalQuantity": DECIMAL,
    "MfgOrderPlannedScrapQty": DECIMAL,
    "MfgOrderConfirmedYieldQty": DECIMAL,
    "OrderLongText": STRING,
}
OPERATION = {
    "OrderInternalBillOfOperations": NUMC,
    "OrderIntBillOfOperationsItem": NUMC,
    "ManufacturingOrder": STRING,
    "ManufacturingOrderSequence": STRING,
    "ManufacturingOrderOperation": STRING,
    "ManufacturingOrderSubOperation": STRING,
    "MfgOrderOperationText": STRING,
    **dict.fromkeys(OPERATION_FLAGS, STRING),
    "ProductionPlant": STRING,
    "WorkCenterTypeCode": STRING,
    "WorkCenter": STRING,
    "OperationControlProfile": STRING,
    "OperationUnit": STRING,
    "OpPlannedTotalQuantity": DECIMAL,
    "OpTotalConfirmedYieldQty": DECIMAL,
    **{
        name: kind
        for n in range(1, 7)
        for name, kind in (
            (f"WorkCenterStandardWorkQtyUnit{n}", STRING),
            (f"WorkCenterStandardWorkQty{n}", DECIMAL),
        )
    },
    "OperationReferenceQuantity": DECIMAL,
    "LastChangeDateTime": STRING,
}
ITEM = {
    "ManufacturingOrder": STRING,
    "ManufacturingOrderItem": NUMC,
    "Material": STRING,
    "ProductionPlant": STRING,
    "Batch": STRING,
    "ProductionUnit": STRING,
    "MfgOrderItemPlannedTotalQty": DECIMAL,
    "MfgOrderItemGoodsReceiptQty": DECIMAL,
}
STATUS = {
    "ManufacturingOrder": STRING,
    "StatusCode": STRING,
    "StatusShortName": STRING,
    "StatusName": STRING,
    "IsUserStatus": FLAG,
}
WORK = {
    name: kind
    for n in range(1, 7)
    for name, kind in (
        (f"OpWorkQuantityUnit{n}", STRING),
        (f"OpConfirmedWorkQuantity{n}", DECIMAL),
        (f"NoFurtherOpWorkQuantity{n}IsExpd", FLAG),
    )
}
CONFIRMED_INSTANTS = {
    name: kind
    for what in (
        "ExecutionStart",
        "SetupEnd",
        "ProcessingStart",
        "ProcessingEnd",
        "TeardownStart",
        "ExecutionEnd",
    )
    for name, kind in ((f"Confirmed{what}Date", DATE), (f"Confirmed{what}Time", TIME))
}
CONFIRMATION = {
    "ConfirmationGroup": NUMC,
    "ConfirmationCount": NUMC,
    "OrderID": STRING,
    "Sequence": STRING,
    "OrderOperation": STRING,
    "OrderSuboperation": STRING,
    "OrderType": STRING,
    "OrderOperationInternalID": NUMC,
    "ConfirmationText": STRING,
    "Language": STRING,
    "Material": STRING,
    "OrderPlannedTotalQty": DECIMAL,
    "ProductionUnit": STRING,
    "FinalConfirmationType": STRING,
    "IsFinalConfirmation": FLAG,
    "OpenReservationsIsCleared": FLAG,
    "IsReversed": FLAG,
    "IsReversal": FLAG,
    "APIConfHasNoGoodsMovements": FLAG,
    "OrderConfirmationRecordType": STRING,
    "ConfirmationEntryDate": DATE,
    "ConfirmationEntryTime": TIME,
    "EnteredByUser": STRING,
    "ConfirmationExternalEntryDate": DATE,
    "ConfirmationExternalEntryTime": TIME,
    "EnteredByExternalUser": STRING,
    "ExternalSystemConfirmation": GUID,
    "Plant": STRING,
    "WorkCenterTypeCode": STRING,
    "WorkCenter": STRING,
    "CapacityRequirementSplit": BYTE,
    "Personnel": NUMC,
    "BreakDurationUnit": STRING,
    "ConfirmedBreakDuration": DECIMAL,
    "PostingDate": DATE,
    **CONFIRMED_INSTANTS,
    "ConfirmationUnit": STRING,
    "ConfirmationUnitISOCode": STRING,
    "ConfirmationYieldQuantity": DECIMAL,
    "ConfirmationScrapQuantity": DECIMAL,
    "ConfirmationReworkQuantity": DECIMAL,
    "VarianceReasonCode": STRING,
    **WORK,
}
MOVEMENT = {
    "ConfirmationGroup": NUMC,
    "ConfirmationCount": NUMC,
    "MaterialDocument": STRING,
    "MaterialDocumentItem": NUMC,
    "MaterialDocumentYear": NUMC,
    "OrderType": STRING,
    "OrderID": STRING,
    "OrderItem": NUMC,
    "Material": STRING,
    "Plant": STRING,
    "Reservation": NUMC,
    "ReservationItem": NUMC,
    "StorageLocation": STRING,
    "Batch": STRING,
    "GoodsMovementType": STRING,
    "GoodsMovementRefDocType": STRING,
    "ManufactureDate": DATE,
    "EntryUnit": STRING,
    "EntryUnitISOCode": STRING,
    "QuantityInEntryUnit": DECIMAL,
}
KEYS = {
    "A_ProductionOrder_2": ("ManufacturingOrder",),
    "A_ProductionOrderOperation_2": ("OrderInternalBillOfOperations", "OrderIntBillOfOperationsItem"),
    "A_ProductionOrderItem_2": ("ManufacturingOrder", "ManufacturingOrderItem"),
    "A_ProductionOrderStatus_2": ("ManufacturingOrder", "StatusCode"),
    "ProdnOrdConf2": ("ConfirmationGroup", "ConfirmationCount"),
    "ProdnOrdConfMatlDocItm": (
        "ConfirmationGroup",
        "ConfirmationCount",
        "MaterialDocument",
        "MaterialDocumentItem",
        "MaterialDocumentYear",
    ),
}
TYPES = {
    "A_ProductionOrder_2": ORDER,
    "A_ProductionOrderOperation_2": OPERATION,
    "A_ProductionOrderItem_2": ITEM,
    "A_ProductionOrderStatus_2": STATUS,
    "ProdnOrdConf2": CONFIRMATION,
    "ProdnOrdConfMatlDocItm": MOVEMENT,
}
COMPUTED = {  # what a caller cannot set: the gateway takes it and the server overwrites it
    "ConfirmationEntryDate",
    "ConfirmationEntryTime",
    "EnteredByUser",
    "IsReversed",
    "IsReversal",
    "ConfirmationGroup",
    "ConfirmationCount",
    "OrderPlannedTotalQty",
    "MaterialDocument",
    "MaterialDocumentItem",
    "MaterialDocumentYear",
}

_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d+)?\)/")
_TIME = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_SCALE = 3


class BadValueError(ValueError):
    """A property's JSON value is not of its Edm type."""


def initial(kind):
    """Return a row of `kind` in which nothing has been filled."""
    return {name: _INITIAL[edm] for name, edm in kind.items()}


def read(edm, value):
    """Return the Python value of a property's JSON value; BadValueError where it is not of the type."""
    if value is None:
        return _INITIAL[edm]
    try:
        return _READ[edm](value)
    except (ValueError, InvalidOperation, TypeError, AttributeError) as wrong:
        raise BadValueError(value) from wrong


def write(edm, value, unit=""):
    """Return the JSON value of a property: decimals and 64-bit numbers as text, dates in milliseconds."""
    if edm == DECIMAL:
        return decimal_text(value, unit)
    if edm == DATE:
        return None if value is None else f"/Date({milliseconds(value)})/"
    if edm == TIME:
        return f"PT{value.hour:02d}H{value.minute:02d}M{value.second:02d}S"
    return value


def decimal_text(value, unit=""):
    """Return a quantity as text: times with three decimals, pieces without needless ones."""
    if unit in ("MIN", "H", "S"):
        return f"{value:.3f}"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def milliseconds(day):
    """Return a date (or naive datetime) as milliseconds since 1970, no zone meant."""
    moment = day if isinstance(day, dt.datetime) else dt.datetime.combine(day, dt.time())
    return int((moment - dt.datetime(1970, 1, 1)).total_seconds() * 1000)  # noqa: DTZ001 - Edm.DateTime has no zone


def _text(value):
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _decimal(value):
    """Edm.Decimal travels as a JSON string; a JSON number is refused, and so is a fourth decimal place."""
    number = Decimal(_text(value))
    if not number.is_finite() or -number.as_tuple().exponent > _SCALE:
        raise ValueError(value)
    return number


def _date(value):
    stamp = _DATE.fullmatch(_text(value))
    if stamp:
        return dt.date(1970, 1, 1) + dt.timedelta(milliseconds=int(stamp[1]))
    return dt.datetime.fromisoformat(value).date()


def _time(value):
    parts = _TIME.fullmatch(_text(value))
    return dt.time(*(int(part or 0) for part in parts.groups()))


def _flag(value):
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _byte(value):
    return int(value)


_READ = {
    STRING: _text,
    NUMC: _text,
    DECIMAL: _decimal,
    DATE: _date,
    TIME: _time,
    FLAG: _flag,
    GUID: lambda value: str(uuid.UUID(_text(value))),
    BYTE: _byte,
}
