"""The rules of a confirmation: what is checked, what the server fills in, what a reversal does."""

from decimal import Decimal

from tests.simulators.sap import fields
from tests.simulators.sap.books import REASONS, SECONDS, UNITS
from tests.simulators.sap.errors import RefusedError, business

QUANTITIES = ("ConfirmationYieldQuantity", "ConfirmationScrapQuantity", "ConfirmationReworkQuantity")
ORDER_LEVEL, OPERATION_LEVEL = "L20", "L40"


class Confirming:
    """Books confirmations by SAP's rules; the switches are customising a plant decides for itself."""

    def __init__(
        self,
        books,
        *,
        overdelivery_refused=False,
        sequence_checked=False,
        teco_refused=False,
        lock_status=423,
    ):
        self.books = books
        self.teco_refused = teco_refused
        self.overdelivery_refused = overdelivery_refused
        self.sequence_checked = sequence_checked
        self.lock_status = lock_status

    def confirm(self, given, items, *, in_use=False):
        """Book one confirmation with its goods movements; returns the row. RefusedError where SAP says no."""
        order = self._open_order(given, in_use=in_use)
        operation = self._operation(order, given)
        row = self._filled(order, operation, given)
        self._check(order, operation, row)
        self._check_items(order, items)
        self.books.add_confirmation(row)
        for item in items:
            self.books.add_movement(row, {**item, "OrderID": order.number, "OrderType": "YP01"})
        self._confirm_up_to(order, operation, row)
        return row

    def reverse(self, group, count, given, *, in_use=False):
        """Reverse one confirmation, and those a milestone made with it; returns the reversing row."""
        row = self._reversible(group, count)
        order = self.books.orders[row["OrderID"]]
        self._unlocked(order, in_use=in_use)
        if order.closed:
            raise business("RU/494", f"Order {order.number.lstrip('0')} closed")
        reversing = self._cancelled(row, given)
        dated = {name: value for name, value in given.items() if name == "PostingDate"}
        for made in row.get("_made", ()):
            if not made["IsReversed"]:
                self._cancelled(made, dated)
        return reversing

    def _cancelled(self, row, given):
        reversing = {**row, **given, "IsReversal": True}
        for own in ("_document", "_made"):
            reversing.pop(own, None)
        self._check_period(reversing)
        self.books.add_confirmation(reversing)
        row["IsReversed"] = True
        self._return_goods(row, reversing)
        return reversing

    def propose(self, given):
        """Return what SAP would propose to confirm for the quantities given."""
        order = self._order(given.get("OrderID", ""))
        operation = self._operation(order, given)
        planned = self._open_quantity(order, operation)
        yielded = given.get("ConfirmationYieldQuantity")
        row = self._filled(order, operation, given)
        row["ConfirmationYieldQuantity"] = planned if yielded is None else yielded
        if given.get("ActivityIsToBeProposed") and operation:
            self._propose_activities(operation, row)
        return row

    # -- what stands before a booking -----------------------------------------------------------------------

    def _order(self, number):
        order = self.books.orders.get(number)
        if order is None:
            raise business("RU/002", f"Order {number.lstrip('0')} not found", "OrderID")
        return order

    def _open_order(self, given, *, in_use):
        order = self._order(given.get("OrderID", ""))
        shown = order.number.lstrip("0")
        self._unlocked(order, in_use=in_use)
        if order.closed or order.deleted:
            raise business("RU/494", f"Order {shown} closed")
        if order.technically_complete and self.teco_refused:
            raise business("RU/495", f"Order {shown} is technically completed")
        if not order.released:
            raise business("RU/018", f"Order {shown} has not been released")
        return order

    def _unlocked(self, order, *, in_use):
        if in_use or order.number in self.books.locked:
            shown = order.number.lstrip("0")
            raise RefusedError(
                self.lock_status, "CO/469", f"Order {shown} is already being processed by PLANNER"
            )

    def _operation(self, order, given):
        """Return the operation confirmed, None for a confirmation of the whole order; the two do not mix."""
        number = given.get("OrderOperation", "")
        if not number:
            if any(self.books.valid(operation.group) for operation in order.operations):
                raise business(
                    "RU/120", "Order has operation confirmations; it cannot be confirmed as a whole"
                )
            return None
        operation = self.books.operation(order, number)
        if operation is None or given.get("Sequence", "0").strip("0"):
            raise business("RU/011", f"Operation {number} does not exist in order", "OrderOperation")
        if self.books.valid(order.group):
            raise business("RU/121", "Order is confirmed as a whole; its operations cannot be confirmed")
        return operation

    def _reversible(self, group, count):
        row = next((one for one in self.books.of_group(group) if one["ConfirmationCount"] == count), None)
        if row is None:
            raise RefusedError(404, "RU/006", f"Confirmation {group} {count} does not exist")
        if row["IsReversed"] or row["IsReversal"]:
            raise business("RU/117", f"Confirmation {group} {count} has already been canceled")
        return row

    # -- what the server fills in ---------------------------------------------------------------------------

    def _filled(self, order, operation, given):
        row = fields.initial(fields.CONFIRMATION)
        row.update(
            Sequence="0",
            ConfirmationUnit=order.unit,
            PostingDate=self.books.clock.date(),
            WorkCenter=operation.work_centre if operation else "",
        )
        row.update(
            {name: value for name, value in given.items() if name in row and name not in fields.COMPUTED}
        )
        row.update(
            OrderID=order.number,
            OrderType="YP01",
            Material=order.material,
            Plant=self.books.plant,
            OrderPlannedTotalQty=order.quantity,
            ProductionUnit=order.unit,
            OrderConfirmationRecordType=OPERATION_LEVEL if operation else ORDER_LEVEL,
            ConfirmationGroup=operation.group if operation else order.group,
            PostingDate=row["PostingDate"] or self.books.clock.date(),
        )
        self._settle_final(order, row)
        return row

    def _settle_final(self, order, row):
        """FinalConfirmationType "X" and IsFinalConfirmation say the same; "1" lets SAP decide by the quantity."""
        if row["FinalConfirmationType"] == "1":
            done = self.books.total(row["ConfirmationGroup"], QUANTITIES[0]) + row[QUANTITIES[0]]
            row["IsFinalConfirmation"] = done >= order.quantity
        elif row["FinalConfirmationType"] == "X":
            row["IsFinalConfirmation"] = True
        if row["IsFinalConfirmation"]:
            row["FinalConfirmationType"] = "X"

    def _open_quantity(self, order, operation):
        group = operation.group if operation else order.group
        return max(order.quantity - self.books.total(group, QUANTITIES[0]), Decimal(0))

    def _propose_activities(self, operation, row):
        minutes = {
            1: operation.setup_seconds / 60,
            2: operation.run_seconds * row["ConfirmationYieldQuantity"] / 60,
        }
        for activity, quantity in minutes.items():
            row[f"OpConfirmedWorkQuantity{activity}"] = quantity
            row[f"OpWorkQuantityUnit{activity}"] = "MIN"

    # -- what is checked ------------------------------------------------------------------------------------

    def _check(self, order, operation, row):
        self._check_unit(order, row)
        self._check_quantities(order, row)
        self._check_activities(row)
        self._check_period(row)
        self._check_execution(row)
        if row["WorkCenter"] and row["WorkCenter"] not in self.books.work_centres:
            raise business("CR/016", f"Work center {row['WorkCenter']} not found in plant {self.books.plant}")
        if operation and self.sequence_checked:
            self._check_sequence(order, operation, row)
        if operation and operation.milestone:
            self._check_milestones(order, operation)

    def _check_unit(self, order, row):
        iso = row["ConfirmationUnitISOCode"]
        if row["ConfirmationUnit"] != order.unit or (iso and iso != UNITS.get(order.unit)):
            unit = row["ConfirmationUnit"] or iso
            raise business("RU/029", f"Unit {unit} cannot be converted to {order.unit}", "ConfirmationUnit")

    def _check_quantities(self, order, row):
        negative = [name for name in QUANTITIES if row[name] < 0]
        if negative:
            raise business("RU/026", "Negative quantities are not allowed", negative[0])
        reason = row["VarianceReasonCode"]
        if reason and reason not in REASONS:
            raise business(
                "RU/035", f"Reason {reason} does not exist for plant {row['Plant']}", "VarianceReasonCode"
            )
        done = self.books.total(row["ConfirmationGroup"], QUANTITIES[0]) + row[QUANTITIES[0]]
        if self.overdelivery_refused and done > order.quantity:
            raise business("RU/158", f"Overdelivery of order quantity {order.quantity} is not allowed")

    def _check_activities(self, row):
        for activity in range(1, 7):
            quantity = row[f"OpConfirmedWorkQuantity{activity}"]
            if quantity and not row[f"OpWorkQuantityUnit{activity}"]:
                row[f"OpWorkQuantityUnit{activity}"] = "MIN"
            unit = row[f"OpWorkQuantityUnit{activity}"]
            if unit and unit not in SECONDS:
                raise business(
                    "RU/029", f"Unit {unit} cannot be converted to MIN", f"OpWorkQuantityUnit{activity}"
                )

    def _check_period(self, row):
        if row["PostingDate"] <= self.books.closed_until:
            raise business(
                "M7/053", f"Posting only possible after {self.books.closed_until:%Y/%m}", "PostingDate"
            )

    def _check_execution(self, row):
        start, end = (
            (row[f"ConfirmedExecution{w}Date"], row[f"ConfirmedExecution{w}Time"]) for w in ("Start", "End")
        )
        if start[0] and end[0] and start > end:
            raise business("RU/040", "Start of execution is after finish of execution")

    def _check_sequence(self, order, operation, row):
        before = order.operations[: order.operations.index(operation)]
        short = [
            one.number for one in before if self._passed(one) < self._passed(operation) + row[QUANTITIES[0]]
        ]
        if short:
            raise business("RU/081", f"Operation sequence: confirm operation {short[0]} first")

    def _check_milestones(self, order, operation):
        before = order.operations[: order.operations.index(operation)]
        open_ones = [one for one in before if one.milestone and not self.books.valid(one.group)]
        if open_ones:
            raise business("RU/081", f"Operation sequence: confirm operation {open_ones[0].number} first")

    def _passed(self, operation):
        return self.books.total(operation.group, QUANTITIES[0])

    def _check_items(self, order, items):
        for item in items:
            receipt = item.get("GoodsMovementType") == "101"
            if receipt and item.get("GoodsMovementRefDocType") != "F":
                raise business("M7/204", "A goods receipt for an order needs reference document type F")
            if receipt and order.batch and not item.get("Batch"):
                raise business("M7/018", "Enter Batch", "Batch")
            if item.get("QuantityInEntryUnit", 0) <= 0:
                raise business("M7/055", "Enter a quantity", "QuantityInEntryUnit")

    # -- what follows a booking -----------------------------------------------------------------------------

    def _confirm_up_to(self, order, operation, row):
        """A milestone confirms the operations before it with the same quantity, back to the milestone before."""
        if operation is None or not operation.milestone:
            return
        copied = {name: row[name] for name in (QUANTITIES[0], "IsFinalConfirmation", "PostingDate")}
        made = [self._filled(order, before, copied) for before in self._led_up(order, operation)]
        for one in made:
            self.books.add_confirmation(one)
            one["_by_milestone"] = True
        row["_made"] = made

    def _led_up(self, order, operation):
        """Return the operations between two milestones, without those somebody confirmed by hand."""
        before = order.operations[: order.operations.index(operation)]
        last = max((place for place, one in enumerate(before, 1) if one.milestone), default=0)
        return [one for one in before[last:] if not self._by_hand(one)]

    def _by_hand(self, operation):
        return any(not row.get("_by_milestone") for row in self.books.valid(operation.group))

    def _return_goods(self, row, reversing):
        turned = {"101": "102", "261": "262"}
        for moved in [one for one in self.books.movements if one["MaterialDocument"] == row.get("_document")]:
            back = {
                **moved,
                "GoodsMovementType": turned.get(moved["GoodsMovementType"], moved["GoodsMovementType"]),
            }
            self.books.add_movement(reversing, back)
