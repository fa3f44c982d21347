"""The wizards between a question and its answer: consumption, backorder, quantity, insufficient stock.

Source: addons/mrp/wizard/*.py, addons/stock/wizard/stock_warn_insufficient_qty.py.
"""

from tests.simulators.odoo.errors import OdooError

WINDOW = {"type": "ir.actions.act_window", "target": "new", "view_mode": "form"}
BACKORDER, CONSUMPTION = "mrp.production.backorder", "mrp.consumption.warning"


def consumption_action(idents, issues, context):
    """Return the action that asks about components used otherwise than planned."""
    lines = [
        [
            0,
            0,
            {
                "mrp_production_id": ident,
                "product_id": product,
                "consumption": policy,
                "product_consumed_qty_uom": used,
                "product_expected_qty_uom": expected,
            },
        ]
        for ident, policy, product, used, expected in issues
    ]
    asked = {"default_mrp_production_ids": list(idents), "default_mrp_consumption_warning_line_ids": lines}
    return WINDOW | {"name": "Consumption Warning", "res_model": CONSUMPTION, "context": context | asked}


def backorder_action(idents, short, context):
    """Return the action that asks whether the rest becomes an order of its own."""
    lines = [[0, 0, {"mrp_production_id": ident, "to_backorder": True}] for ident in short]
    asked = {"default_mrp_production_ids": list(idents), "default_mrp_production_backorder_line_ids": lines}
    name = "You produced less than initial demand"
    return WINDOW | {"name": name, "res_model": BACKORDER, "context": context | asked}


class Wizards:
    """The answers."""

    def __init__(self, records, productions, workorders):
        self.records = records
        self.productions = productions
        self.workorders = workorders

    def _one(self, model, idents):
        if len(idents) != 1:
            raise OdooError(f"Expected singleton: {model}{tuple(idents)}", "builtins.ValueError")
        return self.records.get(model, idents[0])

    def close_mo(self, idents, context):
        """Close the order short: no backorder."""
        orders = self._one(BACKORDER, idents)["mrp_production_ids"]
        return self.productions.button_mark_done(
            orders, context | {"skip_backorder": True, "mo_ids_to_backorder": []}
        )

    def backorder(self, idents, context):
        """Close the order and make a backorder of the rest."""
        wizard = self._one(BACKORDER, idents)
        lines = self.records.where(f"{BACKORDER}.line", mrp_production_backorder_id=wizard["id"])
        wanted = [line["mrp_production_id"] for line in lines if line.get("to_backorder")]
        context = context | {"skip_backorder": True, "mo_ids_to_backorder": wanted}
        return self.productions.button_mark_done(wizard["mrp_production_ids"], context)

    def confirm_consumption(self, idents, context):
        """Go on with what was consumed."""
        orders = self._one(CONSUMPTION, idents)["mrp_production_ids"]
        return self.productions.button_mark_done(orders, context | {"skip_consumption": True})

    def set_consumption(self, idents, context):
        """Set what was consumed to what was expected, then go on."""
        for line in self.records.where(f"{CONSUMPTION}.line", mrp_consumption_warning_id=idents[0]):
            order, product = line["mrp_production_id"], line["product_id"]
            for move in self.records.where(
                "stock.move", raw_material_production_id=order, product_id=product
            ):
                expected = line["product_expected_qty_uom"]
                self.records.set("stock.move", move["id"], quantity=expected, picked=True)
        return self.confirm_consumption(idents, context)

    def change_quantity(self, idents, context):
        """change_prod_qty: order, components and durations change; finished operations may come alive again."""
        wizard = self._one("change.production.qty", idents)
        ident, new = wizard["mo_id"], wizard["product_qty"]
        old = self.records.get("mrp.production", ident)["product_qty"]
        for side in ("production_id", "raw_material_production_id"):
            for move in self.records.where("stock.move", **{side: ident}):
                self.records.set(
                    "stock.move", move["id"], product_uom_qty=move["product_uom_qty"] * new / old
                )
        self.records.set("mrp.production", ident, product_qty=new)
        for row in self.workorders.of(ident):
            self.records.set(
                "mrp.workorder",
                row["id"],
                duration_expected=(row.get("duration_expected") or 0) * new / old,
                state=_state_after_change(row, new),
            )
        self.productions.compute_state(ident)
        return {}


def _state_after_change(row, ordered):
    if row["state"] == "done" and row["qty_produced"] < ordered:
        return "progress"
    if row["state"] == "progress" and row["qty_produced"] == ordered:
        return "done"
    return row["state"]
