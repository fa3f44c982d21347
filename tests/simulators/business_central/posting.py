"""Posting the output journal: one transaction over all lines, into the capacity and the item ledger.

Rules: RULES.md here, each with the AL object it is read from.
"""

from tests.simulators.business_central.journal import (
    test_field,
    test_filled,
    test_item_not_blocked,
    test_not_blocked,
)
from tests.simulators.business_central.tables import AlError
from tests.simulators.harness import ZERO

TIMES = ("Setup Time", "Run Time", "Stop Time")
FIGURES = ("Output Quantity", "Scrap Quantity", *TIMES)


def post(books, lines):
    """Post journal lines, all or none, and delete them from the journal; no line is no error."""
    before = books.snapshot()
    try:
        for line in lines:
            if not _is_empty(line):
                _check(books, line)
                _post(books, line)
            books.journal.delete(line)
    except AlError:
        books.restore(before)
        raise


def post_one(books, line):
    """Post a line that never stood in a journal."""
    before = books.snapshot()
    try:
        _check(books, line)
        _post(books, line)
    except AlError:
        books.restore(before)
        raise


def _is_empty(line):
    """A line without item, output and time is passed over in silence."""
    return not line["Item No."] and not any(line[name] for name in ("Output Quantity", *TIMES))


# -- checks ---------------------------------------------------------------------------------------------------------


def _check(books, line):
    test_filled(line, "Posting Date")
    test_filled(line, "Document No.")
    test_filled(line, "Item No.")
    if not any(
        line[name] for name in ("Output Quantity", "Scrap Quantity", "Setup Time", "Run Time", "Stop Time")
    ):
        raise _dialog(
            "You cannot post these lines because you have not entered a quantity on one or more of the lines. "
        )
    if line["Posting Date"] < books.allow_posting_from:
        raise _dialog("Posting Date is not within your range of allowed posting dates.")
    test_item_not_blocked(books.items.get(number=line["Item No."]))
    order = books.orders.get(status="Released", number=line["Order No."])
    test_not_blocked(order, "Production Order")
    test_field(line, "Item No.", books.line_of(line["Order No."])["Item No."])
    if books.routing_of(line["Order No."]):
        test_filled(line, "Operation No.")
        test_not_blocked(books.work_centres.get(number=line["Work Center No."]), "Work Center")


def _dialog(text):
    return AlError("Application_DialogException", text)


# -- posting --------------------------------------------------------------------------------------------------------


def _post(books, line):
    last = _move_operation(books, line)
    books.capacity.insert(_capacity_entry(books, line))
    if last and line["Output Quantity"]:
        _check_tracking(books, line)
        if line["Output Quantity"] < 0:
            _take_back(books, line)
        books.ledger.insert(_item_entry(books, line))
        _move_order_line(books, line)


def _move_operation(books, line):
    """Set the operation's status by the line's Finished; say whether it is the last one."""
    if not line["Operation No."]:
        return True
    routing = books.routing.get(
        status="Released", prod_order=line["Order No."], operation=line["Operation No."]
    )
    routing["Routing Status"] = "Finished" if line["Finished"] else "In Progress"
    books.routing.modify(routing)
    return not routing["Next Operation No."]


def _move_order_line(books, line):
    order_line = books.line_of(line["Order No."])
    finished = order_line["Finished Quantity"] + line["Output Quantity"]
    if finished < 0:
        raise AlError(
            "Application_FieldValidationException",
            "Finished Quantity cannot be less than zero in Prod. Order Line.",
        )
    order_line["Finished Quantity"] = finished
    order_line["Remaining Quantity"] = max(order_line["Quantity"] - finished, ZERO)
    books.lines.modify(order_line)


def _check_tracking(books, line):
    item = books.items.get(number=line["Item No."])
    if item["Lot Tracking"] and not line["Lot No."]:
        raise _dialog(f"You must assign a lot number for item {item['No.']}.")
    if item["Serial Tracking"] and not line["Serial No."]:
        raise _dialog(f"You must assign a serial number for item {item['No.']}.")
    if not line["Serial No."]:
        return
    if abs(line["Output Quantity"]) > 1:
        raise _dialog("Quantity must be -1, 0 or 1 when Serial No. is stated.")
    held = sum(entry["Quantity"] for entry in books.ledger.where(item=item["No."], serial=line["Serial No."]))
    if line["Output Quantity"] > 0 and held > 0:
        raise _dialog(f"Serial No. {line['Serial No.']} is already on inventory.")


def _take_back(books, line):
    """Apply negative output to the item ledger entry it takes back."""
    if not line["Applies-to Entry"] and (line["Serial No."] or line["Lot No."]):
        line["Applies-to Entry"] = _open_entry(books, line)
    test_filled(line, "Applies-to Entry")
    entry = books.ledger.get(entry=line["Applies-to Entry"])
    test_field(line, "Serial No.", entry["Serial No."])
    test_field(line, "Lot No.", entry["Lot No."])
    if entry["Order No."] != line["Order No."] or entry["Remaining Quantity"] < -line["Output Quantity"]:
        raise _dialog(f"Remaining Quantity is too low in Item Ledger Entry: Entry No.={entry['Entry No.']}.")
    entry["Remaining Quantity"] += line["Output Quantity"]
    entry["Open"] = bool(entry["Remaining Quantity"])
    books.ledger.modify(entry)


def _open_entry(books, line):
    """Return the one open entry with the line's serial or lot number, 0 where there is none or more."""
    found = [
        entry["Entry No."]
        for entry in books.ledger.where(order=line["Order No."], serial=line["Serial No."])
        if entry["Lot No."] == line["Lot No."]
        and entry["Open"]
        and entry["Remaining Quantity"] >= -line["Output Quantity"]
    ]
    return found[0] if len(found) == 1 else 0


def _copied(line):
    names = (
        "Posting Date",
        "Document No.",
        "External Document No.",
        "Description",
        "Order Type",
        "Order No.",
        "Order Line No.",
        "Item No.",
        "Unit of Measure Code",
    )
    return {name: line[name] for name in names}


def _capacity_entry(books, line):
    copied = (
        "Type",
        "No.",
        "Work Center No.",
        "Routing No.",
        "Operation No.",
        "Setup Time",
        "Run Time",
        "Stop Time",
    )
    return _copied(line) | {
        "Entry No.": len(books.capacity.rows) + 1,
        **{name: line[name] for name in copied},
        "Quantity": line["Setup Time"] + line["Run Time"],
        "Cap. Unit of Measure Code": line["Cap. Unit of Measure Code"],
        "Output Quantity": line["Output Quantity"],
        "Scrap Quantity": line["Scrap Quantity"],
        "Scrap Code": line["Scrap Code"],
        "Reversed": False,
    }


def _item_entry(books, line):
    quantity = line["Output Quantity"]
    return _copied(line) | {
        "Entry No.": len(books.ledger.rows) + 1,
        "Entry Type": "Output",
        "Quantity": quantity,
        "Remaining Quantity": max(quantity, ZERO),
        "Open": quantity > 0,
        "Positive": quantity > 0,
        "Serial No.": line["Serial No."],
        "Lot No.": line["Lot No."],
        "Applies-to Entry": line["Applies-to Entry"],
        "Capacity Entry No.": len(books.capacity.rows),
    }
