"""Rules of the Work Order. Source: erpnext/manufacturing/doctype/work_order/work_order.py."""

from tests.simulators.erpnext.documents import CANCELLED, SUBMITTED
from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.values import PRECISION, flt


class WorkOrders:
    """What a Work Order does on its own; `unseen` are the Stock Entries a parallel transaction cannot see yet."""

    def __init__(self, documents, settings):
        self.documents = documents
        self.tables = documents.tables
        self.settings = settings
        self.unseen = set()
        self.stale = {}

    def hooks(self):
        """Return the hooks by doctype and event."""
        return {
            ("Work Order", "validate"): self.validate,
            ("Work Order", "on_submit"): self.create_job_cards,
            ("Work Order", "on_cancel"): self.on_cancel,
        }

    def validate(self, doc):
        """validate: quantity and status."""
        if not flt(doc["qty"]) > 0:
            raise FrappeError("Quantity to Manufacture must be greater than 0.")
        doc["status"] = self.status_of(doc)

    def status_of(self, doc):
        """get_status: what the stock entries say; job cards do not move it."""
        if doc["docstatus"] != SUBMITTED:
            return "Cancelled" if doc["docstatus"] == CANCELLED else "Draft"
        made = flt(doc["produced_qty"]) + flt(doc["process_loss_qty"])
        if doc["skip_transfer"] and doc["produced_qty"] and doc["qty"] > made:
            return "In Process"
        if doc["status"] == "Stopped":
            return "Stopped"
        if made >= doc["qty"]:
            return "Completed"
        return "In Process" if flt(doc["material_transferred_for_manufacturing"]) > 0 else "Not Started"

    # -- job cards ------------------------------------------------------------------------------------------

    def create_job_cards(self, doc):
        """on_submit: one draft job card per operation."""
        for row in doc["operations"]:
            self.create_job_card(doc, row, doc["qty"])

    def create_job_card(self, order, row, quantity):
        """create_job_card: a draft for `quantity` of one operation."""
        return self.documents.insert(
            "Job Card",
            {
                "work_order": order["name"],
                "operation": row.get("operation"),
                "workstation": row.get("workstation"),
                "operation_id": row.get("name"),
                "sequence_id": row.get("sequence_id"),
                "for_quantity": quantity,
                "bom_no": order["bom_no"],
                "company": order["company"],
                "wip_warehouse": order["wip_warehouse"],
                "production_item": order["production_item"],
                "posting_date": str(self.tables.now().date()),
            },
            trusted=True,
        )

    def make_job_card(self, number, rows):
        """The whitelisted make_job_card: more cards, each checked against the `pending_qty` the caller says."""
        order = self.tables.get("Work Order", number)
        for row in rows:
            quantity = flt(row.get("qty"))
            if quantity <= 0:
                raise FrappeError(
                    f"Quantity to Manufacture can not be zero for the operation {row.get('operation')}"
                )
            if quantity > flt(row.get("pending_qty")):
                raise FrappeError(
                    f"For operation {row.get('operation')}: Quantity ({quantity}) can not be greter than"
                    f" pending quantity({flt(row.get('pending_qty'))})"
                )
            self.create_job_card(order, row, quantity)

    # -- what job cards and stock entries tell it ------------------------------------------------------------

    def operation_reported(self, card, completed, lost, minutes, times):
        """update_work_order_data: the totals of the submitted cards of one operation."""
        order = self.tables.get("Work Order", card["work_order"])
        for row in order["operations"]:
            if row["name"] == card["operation_id"]:
                row |= {
                    "completed_qty": completed,
                    "process_loss_qty": lost,
                    "actual_operation_time": minutes,
                }
                row |= {"actual_start_time": times[0], "actual_end_time": times[1]}
                row["workstation"] = card["workstation"]
            row["status"] = self._operation_status(order, row)
        order["actual_start_date"] = _extreme(min, order, "actual_start_time") or order["actual_start_date"]
        order["actual_end_date"] = _extreme(max, order, "actual_end_time") or order["actual_end_date"]
        self.documents.save("Work Order", order, rules=False)

    def _operation_status(self, order, row):
        done = flt(flt(row["completed_qty"]) + flt(row["process_loss_qty"]), PRECISION)
        if not done:
            return "Pending"
        if done < order["qty"]:
            return "Work in Progress"
        if done > self.settings.allowed(order["qty"]):
            raise FrappeError("Completed Qty cannot be greater than 'Qty to Manufacture'")
        return "Completed"

    def goods_entered(self, number):
        """update_work_order_qty, then update_status: what the submitted Manufacture entries add up to."""
        order = self.tables.get("Work Order", number)
        entries = [entry for entry in self._manufactured(number) if entry["name"] not in self.unseen]
        produced = sum(entry["fg_completed_qty"] - flt(entry["process_loss_qty"]) for entry in entries)
        if produced > self.settings.allowed(order["qty"]):
            raise FrappeError(
                f"Manufactured Qty ({produced}) cannot be greater than planned quantity"
                f" ({self.settings.allowed(order['qty'])}) in Work Order {number}",
                "StockOverProductionError",
            )
        lost = sum(flt(entry["process_loss_qty"]) for entry in entries)
        self.documents.set_value("Work Order", number, produced_qty=produced, process_loss_qty=lost)
        self.update_status(number)

    def _manufactured(self, number):
        return self.tables.select(
            "Stock Entry", work_order=number, purpose="Manufacture", docstatus=SUBMITTED
        )

    def produced_as_seen(self, order):
        """Return what this transaction believes has been produced: not what another wrote meanwhile [seen]."""
        return flt(self.stale.get(order["name"], order["produced_qty"]))

    # -- the planner ----------------------------------------------------------------------------------------

    def update_status(self, number, status=""):
        """update_status: Stopped and Closed are set as they come, everything else is computed."""
        order = self.tables.get("Work Order", number)
        new = (
            status
            if status in ("Stopped", "Closed")
            else self.status_of(order | {"status": status or order["status"]})
        )
        self.documents.set_value("Work Order", number, status=new)
        return new

    def stop_unstop(self, number, status):
        """The whitelisted stop_unstop."""
        if self.tables.get("Work Order", number)["status"] == "Closed":
            raise FrappeError("Closed Work Order can not be stopped or Re-opened")
        return self.update_status(number, status)

    def close(self, number, status):
        """The whitelisted close_work_order: not while a job card is in progress."""
        running = self.tables.select("Job Card", work_order=number, status="Work In Progress")
        if running:
            names = ", ".join(card["name"] for card in running)
            raise FrappeError(
                f"Can not close Work Order. Since {names} Job Cards are in Work In Progress state."
            )
        return self.update_status(number, status)

    def on_cancel(self, doc):
        """on_cancel: not with goods entered; takes its job cards along, drafts with recorded time too."""
        if doc["status"] == "Stopped":
            raise FrappeError("Stopped Work Order cannot be cancelled, Unstop it first to cancel")
        entries = self.tables.select("Stock Entry", work_order=doc["name"], docstatus=SUBMITTED)
        if entries:
            raise FrappeError(f"Cannot cancel because submitted Stock Entry {entries[0]['name']} exists")
        for card in list(self.tables.select("Job Card", work_order=doc["name"])):
            self.documents.delete("Job Card", card["name"])
        self.documents.set_value("Work Order", doc["name"], status="Cancelled")


def _extreme(pick, order, column):
    return pick((row[column] for row in order["operations"] if row[column]), default=None)
