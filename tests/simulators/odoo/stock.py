"""Lots, scrap, unbuild and what lies in the warehouse.

Source: addons/stock/models/stock_lot.py, stock_scrap.py; addons/mrp/models/stock_scrap.py, mrp_unbuild.py.
"""

from tests.simulators.odoo.errors import OdooError, validation_error
from tests.simulators.odoo.records import COMPANY

LOT, SCRAP, UNBUILD = "stock.lot", "stock.scrap", "mrp.unbuild"


class Stock:
    """One warehouse: quantities by product and lot (None for untracked)."""

    def __init__(self, records):
        self.records = records
        self.held = {}
        records.defaults |= {
            LOT: lambda: {
                "name": self._number(LOT, "%07d"),
                "company_id": COMPANY if records.version == 19 else False,
            },
            SCRAP: lambda: {"name": "New", "state": "draft", "scrap_qty": 1.0, "company_id": COMPANY},
            UNBUILD: lambda: {"name": "New", "state": "draft", "product_qty": 1.0, "company_id": COMPANY},
        }
        records.computed |= {
            (LOT, "product_qty"): lambda ident: self._quantity(records.get(LOT, ident)["product_id"], ident),
            ("product.product", "qty_available"): self._quantity,
        }

    def _number(self, model, pattern):
        return pattern % (len(self.records.tables.get(model, {})) + 1)

    # -- lots -----------------------------------------------------------------------------------------------

    def create_lot(self, values, context=None):
        """Create a lot: its name is unique per product and company."""
        ident = self.records.create(LOT, values, context)
        row = self.records.get(LOT, ident)
        same = {name: row[name] for name in ("name", "product_id")}
        twins = [one for one in self.records.where(LOT, **same) if self._one_company(one, row)]
        if len(twins) > 1:
            raise validation_error(self._duplicate(row))
        return ident

    def _one_company(self, one, other):
        both = {one.get("company_id") or None, other.get("company_id") or None}
        return len(both) == 1 or None in both

    def _duplicate(self, row):
        product = self.records.display_name("product.product", row["product_id"])
        if self.records.version == 17:
            return (
                "The combination of serial number and product must be unique across a company.\nFollowing"
                f" combination contains duplicates:\n - Product: {product}, Serial Number: {row['name']}"
            )
        return (
            "The combination of lot/serial number and product must be unique within a company including when no"
            " company is defined.\nThe following combinations contain duplicates:\n"
            f" - Product: {product}, Lot/Serial Number: {row['name']}"
        )

    def new_lot(self, product):
        """Create a lot named by the sequence."""
        return self.create_lot({"product_id": product, "company_id": COMPANY})

    def produced_before(self, lot):
        """Tell whether a serial has been produced and not been unbuilt or scrapped since."""
        return self._quantity(self.records.get(LOT, lot)["product_id"], lot) > 0

    # -- quantities -----------------------------------------------------------------------------------------

    def _quantity(self, product, lot=None):
        if lot:
            return self.held.get((product, lot), 0.0)
        return sum(quantity for (held, _), quantity in self.held.items() if held == product)

    def receive(self, product, lots, quantity, *, serial):
        """Put finished goods into stock: one of each serial, or all on the one lot."""
        for lot in lots[: int(quantity)] if serial else [*lots[:1]] or [None]:
            self._add(product, lot, 1.0 if serial else quantity)

    def _add(self, product, lot, quantity):
        self.held = self.held | {
            (product, lot or None): self.held.get((product, lot or None), 0.0) + quantity
        }

    # -- scrap ----------------------------------------------------------------------------------------------

    def validate_scrap(self, idents, context):
        """action_validate: without enough on hand it asks by a wizard and scraps nothing."""
        (ident,) = idents
        row = self.records.get(SCRAP, ident)
        if not row["scrap_qty"]:
            raise OdooError("You can only enter positive quantities.")
        if not self._storable(row["product_id"]) or self._enough(row, row["scrap_qty"]):
            return self.do_scrap(idents, context)
        return self._insufficient(
            "stock.warn.insufficient.qty.scrap", row, "scrap_id", row["scrap_qty"], "Scrap"
        )

    def do_scrap(self, idents, context):
        """do_scrap: done now; again, where it is called again."""
        for ident in idents:
            row = self.records.get(SCRAP, ident)
            self._add(row["product_id"], row.get("lot_id"), -row["scrap_qty"])
            values = {"state": "done", "date_done": self.records.now, "times": (row.get("times") or 0) + 1}
            self.records.set(SCRAP, ident, name=f"SP/{ident:05d}", **values)
        return True

    def _storable(self, product):
        row = self.records.get("product.product", product)
        return row.get("type") == "product" if self.records.version == 17 else bool(row.get("is_storable"))

    def _enough(self, row, quantity):
        return self._quantity(row["product_id"], row.get("lot_id")) >= quantity

    def _insufficient(self, wizard, row, link, quantity, what):
        product = self.records.get("product.product", row["product_id"])
        asked = {
            "default_product_id": row["product_id"],
            f"default_{link}": row["id"],
            "default_quantity": quantity,
        }
        return {
            "name": f"{product['name']}: Insufficient Quantity To {what}",
            "type": "ir.actions.act_window",
            "res_model": wizard,
            "view_mode": "form",
            "target": "new",
            "context": asked,
        }

    # -- unbuild --------------------------------------------------------------------------------------------

    def validate_unbuild(self, idents, context):
        """action_validate of an unbuild order."""
        (ident,) = idents
        row = self.records.get(UNBUILD, ident)
        if self._enough(row, row["product_qty"]):
            return self.unbuild(idents, context)
        wizard = "stock.warn.insufficient.qty.unbuild"
        return self._insufficient(wizard, row, "unbuild_id", row["product_qty"], "Unbuild")

    def unbuild(self, idents, context):
        """action_unbuild: only of a done order, with the lot of a tracked product."""
        (ident,) = idents
        row = self.records.get(UNBUILD, ident)
        tracked = (self.records.get("product.product", row["product_id"]).get("tracking") or "none") != "none"
        if tracked and not row.get("lot_id"):
            raise OdooError("You should provide a lot number for the final product.")
        if row.get("mo_id") and self.records.get("mrp.production", row["mo_id"])["state"] != "done":
            raise OdooError("You cannot unbuild a undone manufacturing order.")
        self._add(row["product_id"], row.get("lot_id"), -row["product_qty"])
        self.records.set(UNBUILD, ident, state="done", name=f"UB/{ident:05d}")
        return True
