"""Rules of mrp.workorder. Source: addons/mrp/models/mrp_workorder.py, Odoo 17 and 19."""

from datetime import timedelta

from tests.simulators.odoo.errors import OdooError
from tests.simulators.odoo.records import USER

MODEL, PRODUCTION = "mrp.workorder", "mrp.production"
OVER = ("done", "cancel")


class Workorders:
    """Start, pause, finish; the production behind a work order is told what it has to know."""

    def __init__(self, records, timers):
        self.records = records
        self.timers = timers
        self.productions = None  # set by the database, which ties the two together
        records.computed |= {
            (MODEL, "product_id"): lambda ident: self.production(ident)["product_id"],
            (MODEL, "production_state"): lambda ident: self.production(ident)["state"],
            (MODEL, "qty_production"): lambda ident: self.production(ident)["product_qty"],
            (MODEL, "qty_producing"): lambda ident: self.production(ident)["qty_producing"],
            (MODEL, "qty_remaining"): self.remaining,
            (MODEL, "working_state"): lambda ident: self._centre(ident).get("working_state") or "normal",
            (MODEL, "finished_lot_id"): lambda ident: self.production(ident).get("lot_producing_id"),
        }
        records.writers[MODEL, "qty_producing"] = self.set_qty_producing

    def production(self, ident):
        """Return the order of a work order."""
        return self.records.get(PRODUCTION, self.records.get(MODEL, ident)["production_id"])

    def remaining(self, ident):
        """Return what is still to do: ordered, less carried over, less done."""
        row = self.records.get(MODEL, ident)
        done = row["qty_produced"] + (row.get("qty_reported_from_previous_wo") or 0)
        return max(self.production(ident)["product_qty"] - done, 0.0)

    def _centre(self, ident):
        return self.records.get("mrp.workcenter", self.records.get(MODEL, ident)["workcenter_id"])

    # -- buttons --------------------------------------------------------------------------------------------

    def button_start(self, idents, context, raise_on_invalid_state=False):
        """Start the clock and the work order; a running one is left alone, a blocked one is not refused."""
        if any(self.records.value(MODEL, ident, "working_state") == "blocked" for ident in idents):
            raise OdooError("Please unblock the work center to start the work order.")
        for ident in idents:
            self._start(ident, forgiving=raise_on_invalid_state)
        return True if self.records.version == 17 else None

    def _start(self, ident, *, forgiving):
        row = self.records.get(MODEL, ident)
        if self.timers.open_lines(ident, USER):
            return
        if row["state"] in OVER:
            if forgiving:
                return
            raise OdooError("You cannot start a work order that is already done or cancelled")
        if not self.production(ident)["qty_producing"]:
            self.set_qty_producing(ident, self._first_quantity(ident))
        self.timers.open(ident)
        if self.production(ident)["state"] != "progress":
            self.records.set(PRODUCTION, row["production_id"], date_start=self.records.now)
        if row["state"] != "progress":
            end = self.records.now + timedelta(minutes=row.get("duration_expected") or 0)
            self.records.set(MODEL, ident, state="progress", date_start=self.records.now, date_finished=end)
        self.productions.compute_state(row["production_id"])

    def _first_quantity(self, ident):
        serial = self.productions.tracking(self.records.get(MODEL, ident)["production_id"]) == "serial"
        return 1.0 if serial and self.records.version == 17 else self.remaining(ident)

    def button_pending(self, idents, context):
        """Pause: stop the user's clock; the state stays `progress`."""
        for ident in idents:
            self.timers.close(ident, USER)
        return True if self.records.version == 17 else None

    def button_finish(self, idents, context):
        """Finish: stop all clocks; what nobody reported counts as the quantity being produced."""
        for ident in idents:
            row = self.records.get(MODEL, ident)
            if row["state"] in OVER:
                continue
            self.timers.close(ident)
            if self.records.version == 19:
                self.productions.pick_for_last(row["production_id"], ident)
            order = self.production(ident)
            quantity = row["qty_produced"] or order["qty_producing"] or order["product_qty"]
            start = row.get("date_start") or self.records.now
            values = {"date_start": start, "date_finished": self.records.now, "qty_produced": quantity}
            self.records.set(MODEL, ident, state="done", **values)
            self._order_follows(row["production_id"], quantity)
            self._unblock(row["production_id"])
            self.productions.compute_state(row["production_id"])
        return True

    def action_cancel(self, idents, context):
        """Cancel: stop all clocks."""
        for ident in idents:
            self.timers.close(ident)
            self.records.set(MODEL, ident, state="cancel")
            self.productions.compute_state(self.records.get(MODEL, ident)["production_id"])
        return True

    def action_mark_as_done(self, idents, context):
        """Finish, and fill an empty duration with the expected one."""
        self.button_finish(idents, context)
        for ident in idents:
            self.fill_duration(ident)

    def fill_duration(self, ident):
        """A work order nobody clocked is given the time it was expected to take."""
        expected = self.records.get(MODEL, ident).get("duration_expected") or 0.0
        if self.timers.duration(ident) == 0 and expected:
            self.timers.set_duration(ident, expected)

    # -- writing --------------------------------------------------------------------------------------------

    def write(self, idents, context, vals):
        """Write; version 19 guards qty_produced and lets the order follow the slowest operation."""
        for ident in idents:
            row = self.records.get(MODEL, ident)
            self._may_write(row, vals)
        self.records.write(MODEL, idents, vals)
        for ident in idents:
            production = self.records.get(MODEL, ident)["production_id"]
            self._order_follows(production, vals.get("qty_produced") or 0)
            self.productions.compute_state(production)
        return True

    def _may_write(self, row, vals):
        if "production_id" in vals and vals["production_id"] != row["production_id"]:
            raise OdooError("You cannot link this work order to another manufacturing order.")
        moved = "workcenter_id" in vals and vals["workcenter_id"] != row["workcenter_id"]
        if moved and row["state"] in (("progress", *OVER) if self.records.version == 17 else OVER):
            raise OdooError("You cannot change the workcenter of a work order that is in progress or done.")
        start, end = (str(vals.get(name) or row.get(name) or "") for name in ("date_start", "date_finished"))
        if ("date_start" in vals or "date_finished" in vals) and start and end and start > end:
            raise OdooError(
                "The planned end date of the work order cannot be prior to the planned start date, please correct"
                " this to save the work order."
            )
        if self.records.version == 19 and "qty_produced" in vals:
            if row["state"] in OVER:
                raise OdooError(
                    "You cannot change the quantity produced of a work order that is in done or cancel state."
                )
            if vals["qty_produced"] < 0:
                raise OdooError("The quantity produced must be positive.")

    def _order_follows(self, production, quantity):
        if self.records.version == 17 or quantity <= 0:
            return
        slowest = min(row["qty_produced"] for row in self.of(production))
        open_rows = [row for row in self.of(production) if row["state"] != "done"]
        if slowest > 0 and open_rows:
            self.set_qty_producing(open_rows[0]["id"], slowest)

    def set_qty_producing(self, ident, quantity):
        """The inverse of qty_producing: the order's quantity, and its components, follow."""
        production = self.records.get(MODEL, ident)["production_id"]
        if quantity and self.records.get(PRODUCTION, production)["qty_producing"] != quantity:
            self.records.set(PRODUCTION, production, qty_producing=quantity)
            self.productions.follow_qty_producing(production)

    def expected_minutes(self, row, quantity):
        """_get_duration_expected: setup of the work centre, then one cycle per piece."""
        step = self.records.get("mrp.routing.workcenter", row["operation_id"])
        centre = self.records.get("mrp.workcenter", row["workcenter_id"])
        return centre["time_start"] + step["time_cycle_manual"] * quantity

    def of(self, production):
        """Return the work orders of an order, in sequence."""
        return sorted(self.records.where(MODEL, production_id=production), key=lambda row: row["id"])

    def _unblock(self, production):
        """_compute_state: the next one is ready once all before it are done."""
        free = True
        for row in self.of(production):
            if free and row["state"] in ("pending", "waiting", "blocked"):
                self.records.set(MODEL, row["id"], state="ready")
            free = free and row["state"] in OVER
