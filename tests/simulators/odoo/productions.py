"""Rules of mrp.production. Source: addons/mrp/models/mrp_production.py, Odoo 17 and 19."""

import re

from tests.simulators.odoo.backorders import backorder_action, consumption_action
from tests.simulators.odoo.errors import OdooError, validation_error

MODEL, WORKORDER, MOVE = "mrp.production", "mrp.workorder", "stock.move"
OVER = ("done", "cancel")
SERIAL_WIZARD = "mrp.action_assign_serial_numbers"


class Productions:
    """Confirm, produce, close, split; `stock` is what lies in the warehouse."""

    def __init__(self, records, workorders, stock):
        self.records = records
        self.workorders = workorders
        self.stock = stock
        workorders.productions = self
        records.computed |= {
            (MODEL, "qty_produced"): self.produced,
            (MODEL, "product_tracking"): self.tracking,
        }

    # -- what is so -----------------------------------------------------------------------------------------

    def tracking(self, ident):
        """Return none, lot or serial."""
        product = self.records.get("product.product", self.records.get(MODEL, ident)["product_id"])
        return product.get("tracking") or "none"

    def lots(self, ident):
        """Return the lots being produced: at most one in version 17."""
        row = self.records.get(MODEL, ident)
        if self.records.version == 19:
            return list(row.get("lot_producing_ids") or [])
        return [row["lot_producing_id"]] if row.get("lot_producing_id") else []

    def produced(self, ident):
        """Return what went to stock: the finished moves picked."""
        return sum(move["quantity"] for move in self._finished(ident) if move["picked"])

    def _finished(self, ident):
        return self.records.where(MOVE, production_id=ident)

    def _raw(self, ident):
        return self.records.where(MOVE, raw_material_production_id=ident)

    def compute_state(self, ident):
        """_compute_state: a stored computed column; a change of it moves write_date, as models.py _write says."""
        row = self.records.get(MODEL, ident)
        if row["state"] in ("draft", *OVER):
            return
        states = [workorder["state"] for workorder in self.workorders.of(ident)]
        state = row["state"]
        if (states and all(one in OVER for one in states)) or (
            not states and row["qty_producing"] >= row["product_qty"]
        ):
            state = "to_close"
        elif (
            any(one in ("progress", "done") for one in states)
            or row["qty_producing"]
            or any(move["picked"] for move in self._raw(ident))
        ):
            state = "progress"
        if state != row["state"]:
            self.records.set(MODEL, ident, state=state)

    # -- writing --------------------------------------------------------------------------------------------

    def write(self, idents, context, vals):
        """Write; qty_producing alone does not touch the components: that is the form's doing."""
        vals = dict(vals)
        for ident in idents:
            state = self.records.get(MODEL, ident)["state"]
            if "date_start" in vals and state in OVER:
                raise OdooError("You cannot move a manufacturing order once it is cancelled or done.")
            if self.records.version == 19 and state != "draft":
                vals.pop("product_id", None)
        self.records.write(MODEL, idents, vals)
        for ident in idents:
            if self.tracking(ident) == "lot" and len(self.lots(ident)) > 1:
                raise OdooError("You cannot set more than 1 lot")
            self._done_order_follows(ident, vals)
            self.compute_state(ident)
        return True

    def _done_order_follows(self, ident, vals):
        if self.records.get(MODEL, ident)["state"] == "done" and "qty_producing" in vals:
            for move in self._finished(ident):
                self.records.set(MOVE, move["id"], quantity=float(vals["qty_producing"]))

    def set_qty_producing(self, idents, context):
        """Version 19's public set_qty_producing: the components follow."""
        for ident in idents:
            self.follow_qty_producing(ident)
            self.compute_state(ident)

    def follow_qty_producing(self, ident):
        """_set_qty_producing: serial-tracked orders count their serials, components are picked to match."""
        row = self.records.get(MODEL, ident)
        if self.tracking(ident) == "serial":
            if self.records.version == 17 and row["qty_producing"] != 1:
                self.records.set(MODEL, ident, qty_producing=1.0)
            elif self.records.version == 19 and row["qty_producing"] not in (0, row["product_qty"]):
                self.records.set(MODEL, ident, qty_producing=float(len(self.lots(ident))))
        quantity = self.records.get(MODEL, ident)["qty_producing"] - self.produced(ident)
        for move in self._raw(ident):
            self.records.set(MOVE, move["id"], quantity=quantity * move["unit_factor"], picked=True)

    def pick_for_last(self, ident, workorder):
        """Version 19: finishing the operation that holds the components picks those nobody picked."""
        if workorder != self.workorders.of(ident)[-1]["id"]:
            return
        row = self.records.get(MODEL, ident)
        for move in self._raw(ident):
            if not move["picked"]:
                quantity = (row["qty_producing"] or row["product_qty"]) * move["unit_factor"]
                self.records.set(MOVE, move["id"], quantity=quantity, picked=True)

    # -- confirm and cancel ---------------------------------------------------------------------------------

    def action_confirm(self, idents, context):
        """Confirm a draft; anything further on stays as it is."""
        for ident in idents:
            if self.records.get(MODEL, ident)["state"] == "draft":
                self.records.set(MODEL, ident, state="confirmed")
        return True

    def action_cancel(self, idents, context):
        """Cancel what is not done; version 19 refuses a done order, 17 leaves it done."""
        for ident in idents:
            row = self.records.get(MODEL, ident)
            if row["state"] == "done":
                if self.records.version == 19:
                    raise OdooError("You cannot cancel a manufacturing order that is already done.")
                continue
            live = [one["id"] for one in self.workorders.of(ident) if one["state"] not in OVER]
            self.workorders.action_cancel(live, context)
            for move in self._raw(ident) + self._finished(ident):
                if move["state"] != "done":
                    self.records.set(MOVE, move["id"], state="cancel")
            self.records.set(MODEL, ident, state="cancel")
        return True

    def action_generate_serial(self, idents, context):
        """Create a lot named by the sequence; version 19 opens a wizard for many serials."""
        (ident,) = idents
        row = self.records.get(MODEL, ident)
        if self.records.version == 19 and self.tracking(ident) == "serial" and row["product_qty"] != 1:
            return {
                "type": "ir.actions.act_window",
                "res_model": "mrp.assign.serial.numbers",
                "xml_id": SERIAL_WIZARD,
            }
        lot = self.stock.new_lot(row["product_id"])
        self.records.set(
            MODEL,
            ident,
            **({"lot_producing_id": lot} if self.records.version == 17 else {"lot_producing_ids": [lot]}),
        )
        if self.tracking(ident) == "serial":
            self.records.set(MODEL, ident, qty_producing=1.0)
            self.follow_qty_producing(ident)
        return None

    # -- mark as done ---------------------------------------------------------------------------------------

    def button_mark_done(self, idents, context):
        """Close orders: True, or an action that asks first and has changed no stock."""
        asked = self._before_done(idents, context)
        if asked is not True:
            return asked
        split = [ident for ident in idents if ident in (context.get("mo_ids_to_backorder") or [])]
        for ident in idents:
            self.workorders.button_finish([row["id"] for row in self.workorders.of(ident)], context)
        backorders = [self._split(ident) for ident in split]
        for ident in idents:
            self._post(ident)
        if not backorders or context.get("skip_redirection"):
            return True
        return backorder_opened(backorders)

    def _before_done(self, idents, context):
        for ident in idents:
            self._serials_are_new(ident)
        for ident in idents:
            asked = self._fill_quantities(ident, context)
            if asked is not True:
                return asked
        issues = (
            []
            if context.get("skip_consumption")
            else [one for ident in idents for one in self._deviations(ident)]
        )
        if issues:
            return consumption_action(idents, issues, context)
        short = [] if context.get("skip_backorder") else [ident for ident in idents if self._left_over(ident)]
        return backorder_action(idents, short, context) if short else True

    def _fill_quantities(self, ident, context):
        """_set_quantities: an order nobody counted is taken as whole (17); 19 asks for lots first."""
        row = self.records.get(MODEL, ident)
        if self.records.version == 19 and not self._automatic(ident):
            return True if self.lots(ident) else self.action_generate_serial([ident], context)
        if row["qty_producing"] and self.records.version == 17:
            return True
        if self.tracking(ident) != "none" and not self.lots(ident):
            self.action_generate_serial([ident], context)
        if not self.records.get(MODEL, ident)["qty_producing"]:
            serial = self.tracking(ident) == "serial" and self.records.version == 17
            quantity = 1.0 if serial else row["product_qty"] - self.produced(ident)
            self.records.set(MODEL, ident, qty_producing=quantity)
            self.follow_qty_producing(ident)
        if self.records.version == 17 and self.records.get(MODEL, ident)["qty_producing"] <= 0:
            raise OdooError("The quantity to produce must be positive!")
        return True

    def _automatic(self, ident):
        return self.tracking(ident) != "serial" or self.records.get(MODEL, ident)["product_qty"] == 1

    def _serials_are_new(self, ident):
        if self.tracking(ident) != "serial":
            return
        if any(self.stock.produced_before(lot) for lot in self.lots(ident)):
            product = self.records.get("product.product", self.records.get(MODEL, ident)["product_id"])[
                "name"
            ]
            raise OdooError(
                f"This serial number for product {product} has already been produced"
                if self.records.version == 17
                else f"Serial number(s) for product {product} already produced"
            )

    def _deviations(self, ident):
        row = self.records.get(MODEL, ident)
        if row["consumption"] == "flexible":
            return
        for move in self._raw(ident):
            expected = move["product_uom_qty"] * row["qty_producing"] / row["product_qty"]
            used = move["quantity"] if move["picked"] else 0.0
            if abs(expected - used) > 1e-6:
                yield ident, row["consumption"], move["product_id"], used, expected

    def _left_over(self, ident):
        row = self.records.get(MODEL, ident)
        return max(row["product_qty"] - row["qty_producing"], 0)

    def _post(self, ident):
        """_post_inventory, then the order is done."""
        row = self.records.get(MODEL, ident)
        for move in self._raw(ident):
            if move["state"] not in OVER:
                self.records.set(MOVE, move["id"], state="done" if move["picked"] else "cancel")
        for workorder in self.workorders.of(ident):
            if workorder["state"] != "cancel":
                self.workorders.fill_duration(workorder["id"])
        for move in self._finished(ident):
            if move["state"] not in OVER:
                self._receive(ident, move, row["qty_producing"] - self.produced(ident))
        values = {"date_finished": self.records.now, "is_locked": True, "state": "done"}
        self.records.set(MODEL, ident, priority="0", **values)

    def _receive(self, ident, move, quantity):
        lots = self.lots(ident)
        product = self.records.get("product.product", move["product_id"])
        if self.tracking(ident) == "lot" and not lots:
            raise OdooError(f"You need to supply a Lot/Serial Number for product: \n - {product['name']}")
        if self.tracking(ident) == "serial":
            if self.records.version == 17 and quantity != 1:
                name = self.records.display_name("stock.lot", lots[0]) if lots else ""
                raise validation_error(
                    f"The serial number has already been assigned: \n Product: {product['name']},"
                    f" Serial Number: {name}"
                )
            if quantity > len(lots):
                raise OdooError(f"You need to supply a Lot/Serial Number for product: \n - {product['name']}")
        self.records.set(MOVE, move["id"], quantity=quantity, picked=True, state="done", lot_ids=lots)
        self.stock.receive(move["product_id"], lots, quantity, serial=self.tracking(ident) == "serial")

    # -- backorders -----------------------------------------------------------------------------------------

    def _split(self, ident):
        """_split_productions: both parts get a number of their own, -001 and -002 [the first is renamed]."""
        row = self.records.get(MODEL, ident)
        ordered, made = row["product_qty"], row["qty_producing"]
        sequence = row.get("backorder_sequence") or 1
        name = _backorder_name(row["name"], sequence)
        self.records.set(MODEL, ident, name=name, backorder_sequence=sequence, product_qty=made)
        copied = {
            key: value for key, value in row.items() if not key.startswith(("write_", "create_", "lot_"))
        }
        del copied["id"]
        rest = copied | {"product_qty": ordered - made, "qty_producing": 0.0, "state": "confirmed"}
        rest |= {"name": _backorder_name(name, sequence + 1), "backorder_sequence": sequence + 1}
        backorder = self.records.add(MODEL, **rest)
        self._split_moves(ident, backorder, made / ordered)
        self._split_workorders(ident, backorder, ordered)
        return backorder

    def _split_moves(self, ident, backorder, share):
        for move in self._raw(ident) + self._finished(ident):
            rest = {key: value for key, value in move.items() if key != "id"}
            owner = "production_id" if move.get("production_id") else "raw_material_production_id"
            ordered = move["product_uom_qty"]
            self.records.set(MOVE, move["id"], product_uom_qty=ordered * share)
            rest |= {
                owner: backorder,
                "product_uom_qty": ordered * (1 - share),
                "quantity": 0.0,
                "picked": False,
            }
            self.records.add(MOVE, **rest)

    def _split_workorders(self, ident, backorder, ordered):
        first = True
        for row in self.workorders.of(ident):
            carried = row.get("qty_reported_from_previous_wo") or 0
            left = max(ordered - carried - row["qty_produced"], 0)
            rest = {
                key: value for key, value in row.items() if key not in ("id", "date_start", "date_finished")
            }
            quantity = self.records.get(MODEL, backorder)["product_qty"]
            state = (
                "cancel"
                if not left
                else "ready"
                if first
                else ("pending" if self.records.version == 17 else "blocked")
            )
            rest |= {"production_id": backorder, "qty_produced": 0.0, "state": state}
            rest |= {"qty_reported_from_previous_wo": max(quantity - left, 0)}
            rest |= {"duration_expected": self.workorders.expected_minutes(row, quantity)}
            self.records.add(WORKORDER, **rest)
            first = first and not left


def backorder_opened(backorders):
    """Return the action button_mark_done ends with when it made backorders: the order IS done."""
    action = {"res_model": MODEL, "type": "ir.actions.act_window", "context": {"mo_ids_to_backorder": None}}
    if len(backorders) == 1:
        return action | {"views": [[False, "form"]], "view_mode": "form", "res_id": backorders[0]}
    return action | {"name": "Backorder MO", "domain": [["id", "in", backorders]], "view_mode": "tree,form"}


def _backorder_name(name, sequence):
    if re.search(r"-\d+$", name) and sequence > 1:
        return re.sub(r"-\d+$", f"-{sequence:03d}", name)
    return f"{name}-{sequence:03d}"
