"""What stands in one company: master data, production orders with lines and routing, journals, ledgers.

The planner's acts are here (release, change, delete, finish); reporting is in `journal` and `posting`.
"""

import copy
from datetime import date
from decimal import Decimal

from tests.simulators.business_central.tables import AlError, Table, now
from tests.simulators.harness import ZERO

SECONDS_PER = {"SECONDS": Decimal(1), "MINUTES": Decimal(60), "HOURS": Decimal(3600)}
SETUP_UNIT, RUN_UNIT, WORK_CENTRE_UNIT = "MINUTES", "SECONDS", "MINUTES"
TEMPLATE, BATCH = "OUTPUT", "DEFAULT"


class Books:
    """One company's tables.

    `late_output`: an extension lets web services enter output on finished operations without asking.
    """

    def __init__(self, *, late_output=False):
        self.late_output = late_output
        self.items = Table("Item", ("No.",))
        self.work_centres = Table("Work Center", ("No.",))
        self.units = Table("Unit of Measure", ("Code",))
        self.scrap_codes = Table("Scrap", ("Code",))
        self.orders = Table("Production Order", ("Status", "No."))
        self.lines = Table("Prod. Order Line", ("Status", "Prod. Order No.", "Line No."))
        self.routing = Table("Prod. Order Routing Line", ("Status", "Prod. Order No.", "Operation No."))
        self.batches = Table("Item Journal Batch", ("Journal Template Name", "Name"))
        self.journal = Table("Item Journal Line", ("Journal Template Name", "Journal Batch Name", "Line No."))
        self.capacity = Table("Capacity Ledger Entry", ("Entry No.",))
        self.ledger = Table("Item Ledger Entry", ("Entry No.",))
        self.allow_posting_from = date(1753, 1, 1)
        self.document_is_order = True  # Manufacturing Setup, "Doc. No. Is Prod. Order No."
        for code in ("DEFECT", "MATERIAL", "TOOL"):
            self.scrap_codes.insert({"Code": code, "Description": code.title()})
        self.batches.insert(
            {
                "Journal Template Name": TEMPLATE,
                "Name": BATCH,
                "Description": "Default",
                "Item Tracking on Lines": True,
            }
        )

    # -- the planner ------------------------------------------------------------------------------------------

    def release(self, number, planned):
        """Enter and release an order with one line, and its routing."""
        self._master_data(planned)
        due = date.fromisoformat(planned.due)
        header = {
            "Status": "Released",
            "No.": number,
            "Description": planned.part.title(),
            "Source Type": "Item",
            "Source No.": planned.part,
            "Routing No.": planned.part if planned.operations else "",
            "Quantity": planned.quantity,
            "Due Date": due,
            "Finished Date": None,
            "Location Code": "",
            "Blocked": False,
            "Last Date Modified": now().date(),
        }
        self.orders.insert(header)
        self.lines.insert(_line(header, planned))
        for at in range(len(planned.operations)):
            self.routing.insert(_routing_line(header, planned, at))

    def change_quantity(self, number, quantity):
        """Change the quantity of a released order and of its line; what is finished stays."""
        order, line = self.orders.get(status="Released", number=number), self.line_of(number)
        order |= {"Quantity": quantity, "Last Date Modified": now().date()}
        line |= {"Quantity": quantity, "Remaining Quantity": max(quantity - line["Finished Quantity"], ZERO)}
        self.orders.modify(order)
        self.lines.modify(line)

    def delete(self, number):
        """Delete a released order; refused once anything is posted to it."""
        order = self.orders.get(status="Released", number=number)
        for table in (self.ledger, self.capacity):
            if table.where(order=number):
                raise AlError(
                    "Application_DialogException",
                    f"You cannot delete Released Production Order {number} because there is at least one "
                    f"{table.name} associated with it.",
                )
        for table in (self.lines, self.routing):
            for row in table.where(status="Released", prod_order=number):
                table.delete(row)
        self.orders.delete(order)

    def finish(self, number, day=None):
        """Change a released order's status to Finished: every row moves, with a new SystemId."""
        order = self.orders.get(status="Released", number=number)
        line = self.line_of(number)
        if self.capacity.where(order=number) and not self.ledger.where(order=number):
            raise AlError(
                "Application_DialogException",
                f"You cannot finish line {line['Line No.']} on Production Order {number}. It has consumption or "
                "capacity posted with no output.",
            )
        order["Finished Date"] = day or now().date()
        for table, rows in (
            (self.orders, [order]),
            (self.lines, [line]),
            (self.routing, self.routing_of(number)),
        ):
            for row in rows:
                table.delete(row)
                table.insert(row | {"Status": "Finished"})

    # -- looking --------------------------------------------------------------------------------------------------

    def line_of(self, number, status="Released"):
        """Return the line of an order; orders here have one."""
        return self.lines.get(status=status, prod_order=number)

    def routing_of(self, number, status="Released"):
        """Return the routing lines of an order."""
        return self.routing.where(status=status, prod_order=number)

    def snapshot(self):
        """Return a copy of all tables' rows, for `restore`: what a transaction rolls back to."""
        return {name: copy.deepcopy(table.rows) for name, table in self._tables()}

    def restore(self, snapshot):
        """Roll back."""
        for name, table in self._tables():
            table.rows = snapshot[name]

    def _tables(self):
        return [(name, table) for name, table in vars(self).items() if isinstance(table, Table)]

    def _master_data(self, planned):
        if not self.units.find(code=planned.unit.upper()):
            self.units.insert({"Code": planned.unit.upper(), "Description": planned.unit.title()})
        if not self.items.find(number=planned.part):
            self.items.insert(
                {
                    "No.": planned.part,
                    "Description": planned.part.title(),
                    "Blocked": False,
                    "Base Unit of Measure": planned.unit.upper(),
                    "Serial Tracking": planned.serials,
                    "Lot Tracking": planned.batch,
                }
            )
        for operation in planned.operations:
            if not self.work_centres.find(number=operation.work_centre):
                self.work_centres.insert(
                    {
                        "No.": operation.work_centre,
                        "Name": operation.work_centre.title(),
                        "Blocked": False,
                        "Unit of Measure Code": WORK_CENTRE_UNIT,
                    }
                )


def _line(header, planned):
    return {
        "Status": "Released",
        "Prod. Order No.": header["No."],
        "Line No.": 10000,
        "Item No.": planned.part,
        "Description": header["Description"],
        "Quantity": planned.quantity,
        "Finished Quantity": ZERO,
        "Remaining Quantity": planned.quantity,
        "Scrap %": ZERO,
        "Due Date": header["Due Date"],
        "Unit of Measure Code": planned.unit.upper(),
        "Routing No.": header["Routing No."],
        "Routing Reference No.": 10000,
    }


def _routing_line(header, planned, at):
    operation = planned.operations[at]
    before = planned.operations[at - 1].ident if at else ""
    following = planned.operations[at + 1].ident if at + 1 < len(planned.operations) else ""
    return {
        "Status": "Released",
        "Prod. Order No.": header["No."],
        "Routing No.": header["Routing No."],
        "Routing Reference No.": 10000,
        "Operation No.": operation.ident,
        "Next Operation No.": following,
        "Previous Operation No.": before,
        "Type": "Work Center",
        "No.": operation.work_centre,
        "Work Center No.": operation.work_centre,
        "Description": operation.name,
        "Setup Time": (operation.setup_seconds or ZERO) / SECONDS_PER[SETUP_UNIT],
        "Setup Time Unit of Meas. Code": SETUP_UNIT,
        "Run Time": (operation.run_seconds or ZERO) / SECONDS_PER[RUN_UNIT],
        "Run Time Unit of Meas. Code": RUN_UNIT,
        "Lot Size": ZERO,
        "Routing Status": " ",
        "Flushing Method": "Manual",
    }
