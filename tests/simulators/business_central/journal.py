"""Entering a line of the output journal: what the table's triggers check and fill in. Nothing is posted here.

Rules: RULES.md here, each with the AL object it is read from.
"""

from datetime import date
from decimal import Decimal

from tests.simulators.business_central.books import SECONDS_PER
from tests.simulators.business_central.tables import AlError
from tests.simulators.harness import ZERO

LENGTHS = {
    "Order No.": 20,
    "Item No.": 20,
    "Operation No.": 10,
    "Document No.": 20,
    "External Document No.": 35,
    "Scrap Code": 10,
    "Cap. Unit of Measure Code": 10,
    "Serial No.": 50,
    "Lot No.": 50,
    "Description": 100,
}
NUMBERS = ("Output Quantity", "Scrap Quantity", "Setup Time", "Run Time", "Stop Time")
WRITABLE = (
    *LENGTHS,
    *NUMBERS,
    "Posting Date",
    "Document Date",
    "Entry Type",
    "Order Line No.",
    "Finished",
    "Applies-to Entry",
)
EMPTY = (
    dict.fromkeys(LENGTHS, "")
    | dict.fromkeys(NUMBERS, ZERO)
    | {
        "Posting Date": None,
        "Document Date": None,
        "Entry Type": "Purchase",
        "Order Type": " ",
        "Order Line No.": 0,
        "Type": " ",
        "No.": "",
        "Work Center No.": "",
        "Source No.": "",
        "Routing No.": "",
        "Unit of Measure Code": "",
        "Finished": False,
        "Applies-to Entry": 0,
    }
)


def insert(books, template, batch, given):
    """Insert a line into a batch from `given` (AL field -> JSON value); returns the row."""
    lines = books.journal.where(template=template, batch=batch)
    last = max((line["Line No."] for line in lines), default=0)
    row = EMPTY | {"Journal Template Name": template, "Journal Batch Name": batch, "Line No.": last + 10000}
    _fill(books, row, given)
    return books.journal.insert(row)


def modify(books, row, given):
    """Change a line that is not posted yet."""
    changed = dict(row)
    _fill(books, changed, given)
    row |= changed
    books.journal.modify(row)


def _fill(books, row, given):
    """Read the values, then validate them field by field, in the order the journal page has them."""
    values = {name: read(name, value) for name, value in given.items()}
    row |= {name: value for name, value in values.items() if name not in VALIDATED}
    for name, validate in VALIDATED.items():
        if name in values:
            row[name] = values[name]
            validate(books, row)


# -- reading JSON values ----------------------------------------------------------------------------------------


def read(name, value):
    """Return a JSON value as the field holds it; codes are upper-cased and trimmed, as the platform does."""
    if name in LENGTHS:
        return _code(name, value)
    if name in NUMBERS:
        return _number(name, value)
    if name in ("Posting Date", "Document Date"):
        return _date(value)
    if name == "Finished":
        return _typed(name, value, bool, "Edm.Boolean")
    return (
        _typed(name, value, str, "Edm.String")
        if name == "Entry Type"
        else _typed(name, value, int, "Edm.Int32")
    )


def _typed(name, value, kind, edm):
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise AlError("BadRequest", f"Cannot convert the literal '{value}' of '{name}' to the type '{edm}'.")
    return value


def _code(name, value):
    text = _typed(name, value, str, "Edm.String").strip()
    if len(text) > LENGTHS[name]:
        raise AlError(
            "Application_StringExceededLength",
            f"The length of the string is {len(text)}, but it must be less than or equal to {LENGTHS[name]} "
            f"characters. Value: {text}",
        )
    return text if name == "Description" else text.upper()


def _number(name, value):
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise AlError(
            "BadRequest", f"Cannot convert the literal '{value}' of '{name}' to the type 'Edm.Decimal'."
        )
    return round(Decimal(value), 5)


def _date(value):
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise AlError("BadRequest", "Unable to convert value to Date") from None


# -- the fields' OnValidate triggers ------------------------------------------------------------------------------


def test_field(row, name, wanted):
    """Refuse a line whose field has not the wanted value, as TestField does."""
    if row[name] != wanted:
        raise AlError(
            "Application_FieldValidationException",
            f"{name} must be equal to '{wanted}' in Item Journal Line: {_identity(row)}. Current value is "
            f"'{row[name]}'.",
        )


def test_filled(row, name):
    """Refuse a line whose field is empty, as TestField does."""
    if not row[name]:
        raise AlError(
            "Application_FieldValidationException",
            f"{name} must have a value in Item Journal Line: {_identity(row)}. It cannot be zero or empty.",
        )


def test_not_blocked(row, table):
    """Refuse a row that is blocked, as TestField does."""
    if row["Blocked"]:
        raise AlError(
            "Application_FieldValidationException",
            f"Blocked must be equal to 'No' in {table}: No.={row['No.']}. Current value is 'Yes'.",
        )


def test_item_not_blocked(item):
    """Refuse a blocked item."""
    if item["Blocked"]:
        raise AlError(
            "Application_DialogException",
            f"You cannot choose Item {item['No.']} because the Blocked check box is selected on its Item card.",
        )


def _identity(row):
    return ", ".join(
        f"{name}={row[name]}" for name in ("Journal Template Name", "Journal Batch Name", "Line No.")
    )


def _related(table, name, value, found):
    if found is None:
        raise AlError(
            "Internal_InvalidTableRelation",
            f"The field {name} of table Item Journal Line contains a value ({value}) that cannot be found in the "
            f"related table ({table.name}).",
        )


def _entry_type(_, row):
    if row["Entry Type"] not in ("Output", "Purchase"):
        raise AlError(
            "BadRequest", f"Entry Type '{row['Entry Type']}' is not simulated; this journal takes Output."
        )
    if row["Entry Type"] == "Output":
        row["Order Type"] = "Production"


def _order(books, row):
    """The order gives the description and, by the company's setup, the document number; not the item."""
    test_field(row, "Order Type", "Production")
    order = books.orders.find(status="Released", number=row["Order No."])
    _related(books.orders, "Order No.", row["Order No."], order)
    test_not_blocked(order, "Production Order")
    row["Description"] = row["Description"] or order["Description"]
    if books.document_is_order:
        row["Document No."] = row["Document No."] or order["No."]


def _order_line(books, row):
    found = books.lines.find(status="Released", prod_order=row["Order No."], line=row["Order Line No."])
    _related(books.lines, "Order Line No.", row["Order Line No."], found)


def _item(books, row):
    """The item finds the order's line that makes it: line number, routing and unit follow."""
    if not row["Item No."]:
        return
    item = books.items.find(number=row["Item No."])
    _related(books.items, "Item No.", row["Item No."], item)
    test_item_not_blocked(item)
    line = books.lines.find(status="Released", prod_order=row["Order No."], item=row["Item No."])
    if line is None:
        raise AlError(
            "Application_DialogException",
            f"You can not insert item number {row['Item No.']} because it is not produced on released production "
            f"order {row['Order No.']}.",
        )
    row |= {
        "Order Line No.": line["Line No."],
        "Source No.": line["Item No."],
        "Routing No.": line["Routing No."],
        "Unit of Measure Code": line["Unit of Measure Code"],
    }


def _operation(books, row):
    """The operation gives the work centre, and with it the capacity unit its times are in."""
    if not row["Operation No."]:
        return
    test_field(row, "Entry Type", "Output")
    test_filled(row, "Order No.")
    test_filled(row, "Item No.")
    routing = books.routing.get(
        status="Released", prod_order=row["Order No."], operation=row["Operation No."]
    )
    centre = books.work_centres.get(number=routing["Work Center No."])
    test_not_blocked(centre, "Work Center")
    row |= {
        "Type": routing["Type"],
        "No.": routing["No."],
        "Work Center No.": routing["Work Center No."],
        "Description": routing["Description"],
        "Cap. Unit of Measure Code": centre["Unit of Measure Code"],
    }


def _unit(books, row):
    if row["Cap. Unit of Measure Code"] not in SECONDS_PER:
        raise AlError(
            "Internal_InvalidTableRelation",
            "The field Cap. Unit of Measure Code of table Item Journal Line contains a value "
            f"({row['Cap. Unit of Measure Code']}) that cannot be found in the related table "
            "(Capacity Unit of Measure).",
        )


def _output_quantity(books, row):
    """Output on a finished operation asks the user; a web service has none to ask, so the call ends."""
    test_field(row, "Entry Type", "Output")
    routing = books.routing.find(
        status="Released", prod_order=row["Order No."], operation=row["Operation No."]
    )
    if books.late_output or not routing or not row["Output Quantity"]:
        return
    if routing["Routing Status"] == "Finished":
        raise AlError(
            "Application_CallbackNotAllowed",
            "Microsoft Dynamics 365 Business Central Server attempted to issue a client callback to show a "
            "confirmation dialog box: The operation has been finished. Do you want to post output for the "
            "finished operation?",
        )


def _scrap_quantity(_, row):
    test_field(row, "Entry Type", "Output")


def _scrap_code(books, row):
    if not row["Scrap Code"]:
        return
    found = books.scrap_codes.find(code=row["Scrap Code"])
    _related(books.scrap_codes, "Scrap Code", row["Scrap Code"], found)
    if row["Type"] not in ("Work Center", "Machine Center"):
        raise AlError(
            "Application_DialogException",
            "When using Scrap Code, Type must be Work Center or Machine Center.",
        )


def _applies_to(books, row):
    if row["Applies-to Entry"]:
        found = books.ledger.find(entry=row["Applies-to Entry"])
        _related(books.ledger, "Applies-to Entry", row["Applies-to Entry"], found)
        if found["Serial No."] or found["Lot No."]:
            raise AlError(
                "Application_DialogException",
                "Use the Item Tracking Lines window to apply what has a serial or lot number to an entry.",
            )


VALIDATED = {
    "Entry Type": _entry_type,
    "Order No.": _order,
    "Item No.": _item,
    "Operation No.": _operation,
    "Order Line No.": _order_line,
    "Cap. Unit of Measure Code": _unit,
    "Output Quantity": _output_quantity,
    "Scrap Quantity": _scrap_quantity,
    "Scrap Code": _scrap_code,
    "Applies-to Entry": _applies_to,
}
