"""Rules of the Stock Entry of purpose Manufacture. Source: erpnext/stock/doctype/stock_entry/stock_entry.py."""

from tests.simulators.erpnext.documents import CANCELLED, SUBMITTED
from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.values import PRECISION, flt

PURPOSES = (
    "Material Issue",
    "Material Receipt",
    "Material Transfer",
    "Material Transfer for Manufacture",
    "Manufacture",
    "Repack",
    "Send to Subcontractor",
    "Material Consumption for Manufacture",
    "Disassemble",
)


class StockEntries:
    """What a Stock Entry checks, and the stock it moves; `bins` is quantity by item and warehouse."""

    def __init__(self, documents, orders, settings):
        self.documents = documents
        self.tables = documents.tables
        self.orders = orders
        self.settings = settings

    def hooks(self):
        """Return the hooks by doctype and event."""
        return {
            ("Stock Entry", "validate"): self.validate,
            ("Stock Entry", "on_submit"): self.on_submit,
            ("Stock Entry", "on_cancel"): self.on_cancel,
        }

    # -- make_stock_entry -----------------------------------------------------------------------------------

    def make_stock_entry(self, number, purpose, quantity=None):
        """The whitelisted make_stock_entry: an unsaved document, already checked."""
        if purpose != "Manufacture":
            raise FrappeError(f"this simulator makes no stock entry for {purpose!r}", "NotImplementedError")
        order = self.tables.get("Work Order", number)
        left = flt(order["qty"]) - flt(order["produced_qty"])
        doc = self.documents.new(
            "Stock Entry",
            {
                "purpose": purpose,
                "stock_entry_type": purpose,
                "work_order": number,
                "company": order["company"],
                "from_bom": 1,
                "bom_no": order["bom_no"],
                "fg_completed_qty": left if quantity is None else flt(quantity),
                "from_warehouse": order["wip_warehouse"],
                "to_warehouse": order["fg_warehouse"],
                "posting_date": str(self.tables.now().date()),
                "posting_time": str(self.tables.now().time()),
            },
        )
        self._against_order(doc)
        self._process_loss(doc)
        items = [self._component(order, doc), self._finished(order, doc), *self._scrapped(order)]
        doc["items"] = self.documents.new("Stock Entry", {"items": items})["items"]
        return doc | {"__islocal": 1}

    def _component(self, order, doc):
        component = self.tables.get("BOM", order["bom_no"])["component"]
        return self._row(component, doc["fg_completed_qty"], s_warehouse=order["source_warehouse"])

    def _finished(self, order, doc):
        quantity = doc["fg_completed_qty"] - flt(doc["process_loss_qty"])
        return self._row(
            order["production_item"], quantity, t_warehouse=order["fg_warehouse"], is_finished_item=1
        )

    def _scrapped(self, order):
        cards = self.tables.select("Job Card", work_order=order["name"], docstatus=SUBMITTED)
        entries = self.tables.select("Stock Entry", work_order=order["name"], docstatus=SUBMITTED)
        totals = {}
        for card in cards:
            for row in card["scrap_items"]:
                totals[row["item_code"]] = totals.get(row["item_code"], 0) + row["stock_qty"]
        for entry in entries:
            for row in entry["items"]:
                if row["is_scrap_item"]:
                    totals[row["item_code"]] = totals.get(row["item_code"], 0) - row["qty"]
        where = order["fg_warehouse"]
        return [
            self._row(item, left, t_warehouse=where, is_scrap_item=1)
            for item, left in totals.items()
            if left > 0
        ]

    def _row(self, item, quantity, **where):
        unit = self.tables.get("Item", item)["stock_uom"]
        common = {"item_code": item, "qty": quantity, "transfer_qty": quantity, "conversion_factor": 1}
        return common | {"uom": unit, "stock_uom": unit} | where

    # -- validate -------------------------------------------------------------------------------------------

    def validate(self, doc):
        """validate, in the order of the source."""
        if doc["purpose"] is None:
            doc["purpose"] = doc["stock_entry_type"]
        if doc["purpose"] not in PURPOSES:
            raise FrappeError(f"Purpose must be one of {', '.join(PURPOSES)}")
        for row in doc["items"]:
            self._quantity(row)
        self._against_order(doc)
        self._process_loss(doc)
        if doc["purpose"] == "Manufacture":
            self._finished_goods(doc)
            self._finished_quantity(doc)
        if not doc["from_bom"]:
            doc["fg_completed_qty"] = 0.0

    def _quantity(self, row):
        if not flt(row["qty"]):
            raise FrappeError(f"Row {row['idx']}: Qty is mandatory")
        if not flt(row["conversion_factor"]):
            raise FrappeError(f"Row {row['idx']}: UOM Conversion Factor is mandatory")
        if not row["s_warehouse"] and not row["t_warehouse"]:
            raise FrappeError("Atleast one warehouse is mandatory")
        row["transfer_qty"] = flt(row["qty"] * row["conversion_factor"], PRECISION)

    def _against_order(self, doc):
        if doc["purpose"] != "Manufacture" or not doc["work_order"]:
            return
        if not doc["fg_completed_qty"]:
            raise FrappeError("For Quantity (Manufactured Qty) is mandatory")
        self._operations_completed(doc)
        self._not_entered_already(doc)

    def _operations_completed(self, doc):
        order = self.tables.get("Work Order", doc["work_order"])
        wanted = doc["fg_completed_qty"] + self.orders.produced_as_seen(order)
        for row in order["operations"]:
            if wanted > self.settings.allowed(flt(row["completed_qty"])) + flt(row["process_loss_qty"]):
                raise FrappeError(
                    f"Row #{row['idx']}: Operation {row['operation']} is not completed for {wanted} qty of finished"
                    f" goods in Work Order {order['name']}. Please update operation status via Job Card.",
                    "OperationsNotCompleteError",
                )

    def _not_entered_already(self, doc):
        order = self.tables.get("Work Order", doc["work_order"])
        others = [
            entry
            for entry in self.tables.select("Stock Entry", work_order=order["name"], purpose=doc["purpose"])
            if entry["docstatus"] != CANCELLED and entry["name"] not in {doc["name"], *self.orders.unseen}
        ]
        rows = [row for entry in others for row in entry["items"] if not row["s_warehouse"]]
        entered = sum(row["transfer_qty"] for row in rows if row["item_code"] == order["production_item"])
        if entered and entered >= order["qty"]:
            names = ", ".join(entry["name"] for entry in others)
            raise FrappeError(
                f"Stock Entries already created for Work Order {order['name']}: {names}",
                "DuplicateEntryForWorkOrderError",
            )

    def _process_loss(self, doc):
        """set_process_loss_qty: the largest loss of any operation, again on every entry [seen]."""
        if doc["purpose"] == "Manufacture" and doc["work_order"]:
            order = self.tables.get("Work Order", doc["work_order"])
            doc["process_loss_qty"] = max(
                (flt(row["process_loss_qty"]) for row in order["operations"]), default=0.0
            )
        if doc["process_loss_qty"] and doc["fg_completed_qty"]:
            doc["process_loss_percentage"] = doc["process_loss_qty"] / doc["fg_completed_qty"] * 100

    def _finished_goods(self, doc):
        order = self.tables.get("Work Order", doc["work_order"]) if doc["work_order"] else None
        if order and not any(row["is_finished_item"] and row["t_warehouse"] for row in doc["items"]):
            _mark(doc["items"], order["production_item"])
        finished = [row for row in doc["items"] if row["is_finished_item"]]
        for row in finished if order else ():
            if row["item_code"] != order["production_item"]:
                raise FrappeError(
                    f"Finished Item {row['item_code']} does not match with Work Order {order['name']}"
                )
            if row["transfer_qty"] > doc["fg_completed_qty"]:
                raise FrappeError(
                    f"Quantity in row {row['idx']} ({row['transfer_qty']}) must be same as manufactured quantity"
                    f" {doc['fg_completed_qty']}"
                )
        if not finished:
            raise FrappeError(
                "There must be atleast 1 Finished Good in this Stock Entry", "FinishedGoodError"
            )
        if order and doc["fg_completed_qty"] > self.settings.allowed(order["qty"]):
            raise FrappeError(
                f"For quantity {doc['fg_completed_qty']} should not be greater than allowed quantity"
                f" {self.settings.allowed(order['qty'])}"
            )

    def _finished_quantity(self, doc):
        """validate_fg_completed_qty: the loss is taken off the finished row, whatever it said [seen]."""
        finished = [row for row in doc["items"] if row["is_finished_item"]]
        if doc["process_loss_qty"]:
            for row in finished:
                row["qty"] = row["transfer_qty"] = doc["fg_completed_qty"] - doc["process_loss_qty"]
        total = flt(sum(row["qty"] for row in finished), PRECISION)
        if doc["fg_completed_qty"] > total and not doc["process_loss_qty"]:
            doc["process_loss_qty"] = flt(doc["fg_completed_qty"] - total, PRECISION)
        total += flt(doc["process_loss_qty"], PRECISION)
        if doc["fg_completed_qty"] != total:
            raise FrappeError(
                f"The finished product {finished[0]['item_code']} quantity {total} and For Quantity"
                f" {doc['fg_completed_qty']} cannot be different"
            )

    # -- submit and cancel ----------------------------------------------------------------------------------

    def on_submit(self, doc):
        """Serials and batches, the stock ledger, then the order's quantities and status."""
        for row in doc["items"]:
            self._trace(doc, row)
            self._move(row, +1)
        if doc["work_order"]:
            self._order_takes_entries(doc["work_order"])
            self.orders.goods_entered(doc["work_order"])

    def on_cancel(self, doc):
        """The same the other way round; serial numbers stay, out of any warehouse."""
        if doc["work_order"]:
            self._order_takes_entries(doc["work_order"])
            self.orders.goods_entered(doc["work_order"])
        for row in doc["items"]:
            self._move(row, -1)
            for serial in _serials(row):
                self.documents.set_value("Serial No", serial, warehouse=None, status="Inactive")

    def _order_takes_entries(self, number):
        order = self.tables.get("Work Order", number)
        if order["docstatus"] != SUBMITTED:
            raise FrappeError(f"Work Order {number} must be submitted")
        if order["status"] == "Stopped":
            raise FrappeError(f"Transaction not allowed against stopped Work Order {number}")

    def _trace(self, doc, row):
        item = self.tables.get("Item", row["item_code"])
        if not row["t_warehouse"] or not (item["has_serial_no"] or item["has_batch_no"]):
            return
        serials = _serials(row) if row["use_serial_batch_fields"] else []
        if item["has_batch_no"] and not (row["use_serial_batch_fields"] and row["batch_no"]):
            raise FrappeError(f"Batch No is mandatory for Item {item['name']}")
        if item["has_serial_no"] and len(serials) != row["transfer_qty"]:
            raise FrappeError(
                f"Row {row['idx']}: {row['transfer_qty']} Serial Nos are needed for Item {item['name']},"
                f" {len(serials)} given"
            )
        for serial in serials:
            self._receive(doc, row, serial)

    def _receive(self, doc, row, serial):
        if len(set(_serials(row))) != len(_serials(row)):
            raise FrappeError(f"Duplicate Serial No {serial} found")
        known = self.tables.has("Serial No", serial)
        if known and self.tables.get("Serial No", serial)["warehouse"]:
            raise FrappeError(
                f"Serial No {serial} is already present in the warehouse {row['t_warehouse']}.",
                "SerialNoDuplicateError",
            )
        values = {"warehouse": row["t_warehouse"], "work_order": doc["work_order"], "status": "Active"}
        values |= {"batch_no": row["batch_no"], "item_code": row["item_code"]}
        if known:
            self.documents.set_value("Serial No", serial, **values)
        else:
            self.documents.insert("Serial No", {"serial_no": serial, **values})

    def _move(self, row, sign):
        for warehouse, change in ((row["s_warehouse"], -sign), (row["t_warehouse"], sign)):
            if warehouse:
                self._book(row["item_code"], warehouse, change * row["transfer_qty"])

    def _book(self, item, warehouse, change):
        name = f"{item}@{warehouse}"
        held = (
            self.tables.get("Bin", name)
            if self.tables.has("Bin", name)
            else {"name": name, "actual_qty": 0.0}
        )
        held["actual_qty"] += change
        if held["actual_qty"] < 0:
            raise FrappeError(
                f"{-held['actual_qty']} units of Item {item} needed in Warehouse {warehouse} to complete this"
                " transaction.",
                "NegativeStockError",
            )
        self.tables.put("Bin", held)


def _mark(rows, production_item):
    for row in rows:
        received = bool(row["t_warehouse"] and not row["s_warehouse"])
        row["is_finished_item"] = int(received and row["item_code"] == production_item)
        row["is_scrap_item"] = int(received and row["item_code"] != production_item)


def _serials(row):
    return [text.strip() for text in (row["serial_no"] or "").replace(",", "\n").split("\n") if text.strip()]
