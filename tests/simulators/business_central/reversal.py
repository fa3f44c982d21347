"""Taking back what is posted: the action "Reverse Production Order Transaction" of Business Central 26 and later.

It posts a line with the signs turned, applied to the entry, at the original's posting date and document number, and
sets the operation back from Finished to In Progress. Rules: RULES.md here.
"""

from tests.simulators.business_central import posting
from tests.simulators.business_central.journal import EMPTY
from tests.simulators.business_central.tables import AlError

TURNED = ("Setup Time", "Run Time", "Stop Time", "Scrap Quantity")


def reverse_item_entry(books, entry):
    """Reverse the output of a last operation, with its time and scrap."""
    _need_released(books, entry)
    if entry["Quantity"] < 0:
        raise _refused(
            f"Quantity must be greater than 0 on Item Ledger Entry No. {entry['Entry No.']} to reverse."
        )
    if entry["Remaining Quantity"] != entry["Quantity"]:
        raise AlError(
            "Application_FieldValidationException",
            f"Remaining Quantity must be equal to '{entry['Quantity']}' in Item Ledger Entry: Entry No.="
            f"{entry['Entry No.']}. Current value is '{entry['Remaining Quantity']}'.",
        )
    capacity = books.capacity.get(entry=entry["Capacity Entry No."])
    line = _turned(capacity) | {
        "Output Quantity": -entry["Quantity"],
        "Applies-to Entry": entry["Entry No."],
        "Serial No.": entry["Serial No."],
        "Lot No.": entry["Lot No."],
    }
    posting.post_one(books, line)
    _mark(books, capacity)


def reverse_capacity_entry(books, entry):
    """Reverse time, scrap and output of an operation that is not the last one."""
    _need_released(books, entry)
    if entry["Reversed"]:
        raise _refused(
            f"You cannot reverse Capacity Ledger Entry No. {entry['Entry No.']} because it is reversed."
        )
    if entry["Quantity"] < 0:
        raise _refused(f"Quantity must be greater than 0 on Capacity Ledger Entry No. {entry['Entry No.']}.")
    if _is_last(books, entry) and entry["Output Quantity"]:
        raise _refused(
            f"Entry No. {entry['Entry No.']} is the last operation of Production Order {entry['Order No.']}. Reversal "
            "of this operation can only be performed from the Item Ledger Entry."
        )
    posting.post_one(books, _turned(entry) | {"Output Quantity": -entry["Output Quantity"]})
    _mark(books, entry)


def _need_released(books, entry):
    if not books.orders.find(status="Released", number=entry["Order No."]):
        raise _refused(
            f"Production Order {entry['Order No.']} is already Finished, you cannot reverse this entry."
        )


def _is_last(books, entry):
    routing = books.routing.find(
        status="Released", prod_order=entry["Order No."], operation=entry["Operation No."]
    )
    return routing is None or not routing["Next Operation No."]


def _turned(capacity):
    """Return a journal line like the one that made the entry, its signs turned; the external number is not kept."""
    line = EMPTY | {name: value for name, value in capacity.items() if name in EMPTY}
    line |= {name: -capacity[name] for name in TURNED}
    return line | {
        "Journal Template Name": "",
        "Journal Batch Name": "",
        "Line No.": 0,
        "External Document No.": "",
        "Entry Type": "Output",
        "Finished": False,
    }


def _mark(books, capacity):
    for entry in (capacity, books.capacity.rows[-1]):
        entry["Reversed"] = True
        books.capacity.modify(entry)


def _refused(text):
    return AlError("Application_DialogException", text)
