"""What an auditor reads in Business Central's tables about one order."""

from tests.simulators.business_central.books import SECONDS_PER
from tests.simulators.harness import ZERO, Booked, BookedOperation

STATES = {" ": "pending", "Planned": "pending", "In Progress": "running", "Finished": "completed"}


def booked(books, number):
    """Return `Booked`. The order keeps no scrap figure of its own: its operations do."""
    order = books.orders.find(number=number)
    if order is None:
        return Booked(state="cancelled", scrap=None)
    entries, items = books.capacity.where(order=number), books.ledger.where(order=number)
    routing = books.routing_of(number, order["Status"])
    held = [entry for entry in items if entry["Open"]]
    return Booked(
        _state(order, routing, entries),
        books.line_of(number, order["Status"])["Finished Quantity"],
        None,
        tuple(entry["Serial No."] for entry in held if entry["Serial No."]),
        tuple(dict.fromkeys(entry["Lot No."] for entry in held if entry["Lot No."])),
        [_operation(row, entries) for row in routing],
        len(entries),
    )


def _state(order, routing, entries):
    if order["Status"] == "Finished":
        return "completed"
    moved = any(row["Routing Status"] in ("In Progress", "Finished") for row in routing)
    return "started" if entries or moved else "released"


def _operation(routing, entries):
    mine = [entry for entry in entries if entry["Operation No."] == routing["Operation No."]]
    codes = (entry["Scrap Code"] for entry in mine if entry["Scrap Code"])
    return BookedOperation(
        routing["Operation No."],
        STATES[routing["Routing Status"]],
        sum((entry["Output Quantity"] for entry in mine), ZERO),
        sum((entry["Scrap Quantity"] for entry in mine), ZERO),
        None,
        _seconds(mine, "Setup Time"),
        _seconds(mine, "Run Time"),
        tuple(dict.fromkeys(codes)),
    )


def _seconds(entries, name):
    return sum((entry[name] * SECONDS_PER[entry["Cap. Unit of Measure Code"]] for entry in entries), ZERO)
