"""Rules of the Job Card: times, sequence, overlap, quantities. Source: erpnext/.../job_card/job_card.py."""

from tests.simulators.erpnext.documents import CANCELLED, DRAFT, SUBMITTED
from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.values import PRECISION, flt, moment


class JobCards:
    """What a Job Card checks and computes."""

    def __init__(self, documents, orders, settings):
        self.documents = documents
        self.tables = documents.tables
        self.orders = orders
        self.settings = settings

    def hooks(self):
        """Return the hooks by doctype and event."""
        return {
            ("Job Card", "validate"): self.validate,
            ("Job Card", "on_update"): self.quantity_fits_order,
            ("Job Card", "on_submit"): self.on_submit,
            ("Job Card", "on_cancel"): self.on_cancel,
        }

    # -- make_time_log --------------------------------------------------------------------------------------

    def make_time_log(self, args):
        """The whitelisted make_time_log: start, pause, resume, complete, told apart by the keys given."""
        card = self.tables.get("Job Card", args.get("job_card_id"))
        self.in_sequence(card)
        card["started_time"] = None
        self._take_status(card, args)
        if card["time_logs"] and args.get("complete_time"):
            self._close_logs(card, args)
        elif args.get("start_time"):
            self._open_logs(card, args)
        if card["status"] == "On Hold" and not card["time_logs"]:
            raise FrappeError("'list' object has no attribute 'to_time'", "AttributeError")
        self.documents.save("Job Card", card)

    def _take_status(self, card, args):
        status = args.get("status")
        if status in ("Work In Progress", "Complete"):
            card["current_time"] = 0
        if status == "Work In Progress":
            card["started_time"] = moment(args.get("start_time"))
        if status:
            card["status"] = "Work In Progress" if status == "Resume Job" else status

    def _close_logs(self, card, args):
        last = card["time_logs"][-1]
        for row in card["time_logs"]:
            if not row["to_time"]:
                row["to_time"] = moment(args["complete_time"])
                row["completed_qty"] = flt(args.get("completed_qty")) if row is last else 0.0

    def _open_logs(self, card, args):
        people = [one.get("employee") for one in args.get("employees") or []] or [None]
        rows = [{"from_time": args["start_time"], "completed_qty": 0.0, "employee": who} for who in people]
        more = self.documents.new("Job Card", {"time_logs": [*card["time_logs"], *rows]})
        card["time_logs"] = more["time_logs"]

    # -- validate -------------------------------------------------------------------------------------------

    def validate(self, doc):
        """validate and before_save: totals, overlap, status, sequence, process loss."""
        self._times(doc)
        self._set_status(doc)
        self.in_sequence(doc)
        self._actual_dates(doc)
        short = flt(doc["for_quantity"], PRECISION) - doc["total_completed_qty"]
        doc["process_loss_qty"] = flt(short, PRECISION) if doc["total_completed_qty"] and short > 0 else 0.0

    def _times(self, doc):
        doc["total_time_in_mins"] = doc["total_completed_qty"] = 0.0
        for row in doc["time_logs"]:
            if not row["from_time"]:
                raise FrappeError(
                    "'>' not supported between instances of 'NoneType' and 'datetime'", "TypeError"
                )
            if row["to_time"] and row["from_time"] > row["to_time"]:
                raise FrappeError(f"Row {row['idx']}: From time must be less than to time")
            self._no_overlap(doc, row)
            if row["from_time"] and row["to_time"]:
                hours = round((row["to_time"] - row["from_time"]).total_seconds() / 3600, 6)
                row["time_in_mins"] = hours * 60
                doc["total_time_in_mins"] += row["time_in_mins"]
            doc["total_completed_qty"] += flt(row["completed_qty"])
        doc["total_completed_qty"] = flt(doc["total_completed_qty"], PRECISION)

    def _no_overlap(self, doc, row):
        met = [other for other in self._other_logs(doc, row) if _overlap(other, row)]
        if not met:
            return
        if row["employee"] and self._works_elsewhere(doc, row["employee"]):
            raise FrappeError(
                f"Employee {row['employee']} is currently working on another workstation."
                " Please assign another employee.",
                "OverlapError",
            )
        if _lanes(met) >= self._capacity(doc):
            raise FrappeError(
                f"Row {row['idx']}: From Time and To Time of {doc['name']} is overlapping with {met[0]['parent']}",
                "OverlapError",
            )

    def _other_logs(self, doc, row):
        for card in self.tables.select("Job Card", workstation=doc["workstation"]):
            if card["name"] == doc["name"] or card["docstatus"] == CANCELLED:
                continue
            for log in card["time_logs"]:
                if log["to_time"] and row["employee"] in (None, log["employee"]):
                    yield log

    def _works_elsewhere(self, doc, employee):
        cards = self.tables.select("Job Card", docstatus=DRAFT)
        return any(
            log["employee"] == employee
            for card in cards
            if card["name"] != doc["name"]
            for log in card["time_logs"]
        )

    def _capacity(self, doc):
        if not self.tables.has("Workstation", doc["workstation"]):
            return 1
        return self.tables.get("Workstation", doc["workstation"])["production_capacity"] or 1

    def _set_status(self, doc):
        if doc["status"] == "On Hold" and doc["docstatus"] == DRAFT:
            return
        doc["status"] = {DRAFT: "Open", SUBMITTED: "Submitted"}[doc["docstatus"]]
        if flt(doc["for_quantity"]) <= flt(doc["transferred_qty"]):
            doc["status"] = "Material Transferred"
        if doc["time_logs"]:
            doc["status"] = "Work In Progress"
        if doc["docstatus"] == SUBMITTED:  # no items: materials are not transferred per job card here
            doc["status"] = "Completed"

    def _actual_dates(self, doc):
        if doc["time_logs"]:
            doc["actual_start_date"] = min(row["from_time"] for row in doc["time_logs"])
            ends = [row["to_time"] for row in doc["time_logs"] if row["to_time"]]
            doc["actual_end_date"] = max(ends) if doc["time_logs"][-1]["to_time"] else None

    def in_sequence(self, doc):
        """validate_sequence_id: not more done than every earlier operation has done."""
        if doc["is_corrective_job_card"] or not (doc["work_order"] and doc["sequence_id"]):
            return
        done = self._reported(doc)[0] + flt(doc["total_completed_qty"])
        order = self.tables.get("Work Order", doc["work_order"])
        earlier = [row for row in order["operations"] if row["sequence_id"] < doc["sequence_id"]]
        for row in sorted(earlier, key=lambda one: (one["sequence_id"], one["idx"])):
            if flt(row["completed_qty"]) >= done:
                continue
            if row["status"] != "Completed":
                raise FrappeError(
                    f"Job Card {doc['name']}: As per the sequence of the operations in the work order"
                    f" {doc['work_order']}, complete the operation {row['operation']} before the operation"
                    f" {doc['operation']}.",
                    "OperationSequenceError",
                )
            raise FrappeError(
                f"The completed quantity {done} of an operation {doc['operation']} cannot be greater than the"
                f" completed quantity {row['completed_qty']} of a previous operation {row['operation']}."
            )

    # -- after the save -------------------------------------------------------------------------------------

    def quantity_fits_order(self, doc):
        """validate_job_card_qty: the open cards of an operation ask for no more than the order."""
        if not (doc["operation_id"] and doc["work_order"]):
            return
        order = self.tables.get("Work Order", doc["work_order"])
        row = next((row for row in order["operations"] if row["name"] == doc["operation_id"]), None)
        cards = self.tables.select("Job Card", work_order=doc["work_order"], operation_id=doc["operation_id"])
        asked = sum(flt(card["for_quantity"]) for card in cards if card["docstatus"] != CANCELLED)
        if row and asked - flt(row["completed_qty"]) > self.settings.allowed(order["qty"]):
            raise FrappeError(
                "Qty To Manufacture in the job card cannot be greater than Qty To Manufacture in the work order"
                f" for the operation {doc['operation']}."
            )

    def on_submit(self, doc):
        """validate_job_card, then the order's operation row gets the new totals."""
        if self.tables.get("Work Order", doc["work_order"])["status"] == "Stopped":
            raise FrappeError(f"Transaction not allowed against stopped Work Order {doc['work_order']}")
        if not doc["time_logs"]:
            raise FrappeError(f"Time logs are required for Job Card {doc['name']}")
        total = flt(doc["total_completed_qty"] + flt(doc["process_loss_qty"]), PRECISION)
        if doc["for_quantity"] and total != flt(doc["for_quantity"], PRECISION):
            raise FrappeError(
                f"The Total Completed Qty ({total}) must be equal to Qty to Manufacture ({doc['for_quantity']})"
            )
        self._tell_order(doc)
        self.documents.set_value("Job Card", doc["name"], transferred_qty=doc["for_quantity"])

    def on_cancel(self, doc):
        """update_work_order on cancel: not below what has been produced already."""
        completed, lost, _ = self._reported(doc)
        if self.tables.get("Work Order", doc["work_order"])["produced_qty"] > completed + lost:
            raise FrappeError(
                f"The Job Card {doc['name']} is used to calculate the valuation cost for the finished good"
                f" {doc['production_item']}. Kindly cancel the Manufacturing Entries first against the work order"
                f" {doc['work_order']}.",
                "JobCardCancelError",
            )
        self._tell_order(doc)
        self.documents.set_value("Job Card", doc["name"], status="Cancelled")

    def _tell_order(self, doc):
        cards = self._submitted(doc)
        logs = [log for card in cards for log in card["time_logs"]]
        first = min((log["from_time"] for log in logs), default=None)
        last = max((log["to_time"] for log in logs if log["to_time"]), default=None)
        self.orders.operation_reported(doc, *self._reported(doc), (first, last))

    def _submitted(self, doc):
        return self.tables.select(
            "Job Card", work_order=doc["work_order"], operation_id=doc["operation_id"], docstatus=SUBMITTED
        )

    def _reported(self, doc):
        cards = self._submitted(doc)
        columns = ("total_completed_qty", "process_loss_qty", "total_time_in_mins")
        return tuple(sum(flt(card[column]) for card in cards) for column in columns)


def _overlap(other, row):
    """The three conditions of get_time_logs; without an end only "runs at the start" can hold."""
    start, end = row["from_time"], row["to_time"]
    if other["from_time"] < start < other["to_time"]:
        return True
    if end is None:
        return False
    return other["from_time"] < end < other["to_time"] or (
        start <= other["from_time"] and other["to_time"] <= end
    )


def _lanes(logs):
    """Return how many jobs run beside each other at most, as has_overlap counts its lanes."""
    lanes = []
    for log in sorted(logs, key=lambda one: one["from_time"]):
        free = next((lane for lane, until in enumerate(lanes) if until <= log["from_time"]), None)
        if free is None:
            lanes.append(log["to_time"])
        else:
            lanes[free] = log["to_time"]
    return len(lanes)
