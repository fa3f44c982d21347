"""ERPNext 15 as a test uses it: the planner's acts, the auditor's reading, the server of the base class."""

import json
import secrets
from decimal import Decimal
from urllib.parse import unquote

from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.settings import Settings
from tests.simulators.erpnext.site import Site
from tests.simulators.erpnext.web import Web
from tests.simulators.harness import Booked, BookedOperation, Simulator

COMPANY, WIP, FINISHED, STORES = "Example", "Work In Progress - E", "Finished Goods - E", "Stores - E"
COMPONENT = "RAW-MATERIAL"
OUT_OF_PLAY = ("Cancelled", "Stopped", "Closed")


class Erpnext(Simulator):
    """One ERPNext site; `zone` is its System Settings time zone, `key` and `secret` its integration user's."""

    def __init__(self, zone="Asia/Kolkata", **settings):
        super().__init__()
        self.zone = zone
        self.key, self.secret = "3a1b5c7d9e0f2a4", "b1946ac92492d23"
        self.site = Site(zone, Settings(**settings))
        self.web = Web(self.site, {self.key: self.secret})
        self._idents = {}
        self._master_data()

    async def app(self, scope, receive, send):
        """Answer as Frappe does."""
        await self.web.app(scope, receive, send)

    @property
    def headers(self):
        """The header an integration sends: for tests that call by hand."""
        return {"Authorization": f"token {self.key}:{self.secret}"}

    # -- the planner ----------------------------------------------------------------------------------------

    def release(self, order):
        """Submit a Work Order; its job cards appear with it."""
        with self.site.transaction():
            self._masters_of(order)
            doc = self.site.documents.insert("Work Order", self._work_order(order) | {"docstatus": 1})
        for row, planned in zip(doc["operations"], order.operations, strict=True):
            self._idents[row["name"]] = planned.ident
        return doc["name"]

    def change_quantity(self, number, quantity):
        """Cancel and amend: a submitted Work Order's quantity cannot change. Returns the amended number.

        Raises FrappeError once a job card or stock entry has been submitted, as ERPNext refuses the cancel.
        """
        with self.site.transaction():
            old = self.site.tables.get("Work Order", number)
            self.site.cancel("Work Order", number)
            new = old | {"qty": float(quantity), "docstatus": 1, "amended_from": number, "status": "Draft"}
            new["operations"] = [row | {"name": secrets.token_hex(5)} for row in old["operations"]]
            doc = self.site.documents.insert("Work Order", new | {"__newname": _amended(old)})
        for before, after in zip(old["operations"], doc["operations"], strict=True):
            self._idents[after["name"]] = self._idents[before["name"]]
        return doc["name"]

    def cancel(self, number):
        """Cancel the Work Order; where ERPNext refuses that (work submitted), stop it."""
        try:
            with self.site.transaction():
                self.site.cancel("Work Order", number)
        except FrappeError:
            with self.site.transaction():
                self.site.orders.stop_unstop(number, "Stopped")

    def revoke_credentials(self):
        """Generate a new API secret that nobody is told."""
        self.web.keys[self.key] = secrets.token_hex(8)

    def add_custom_field(self, doctype, name, *, unique=False, kind="Data"):
        """Add a custom field as the administrator does in Customize Form."""
        field = {"dt": doctype, "fieldname": name, "fieldtype": kind, "unique": int(unique)}
        with self.site.transaction():
            self.site.documents.insert("Custom Field", field | {"name": f"{doctype}-{name}"})

    def add_employee(self, name):
        """Hire somebody; returns the employee's number."""
        with self.site.transaction():
            return self.site.documents.insert("Employee", {"employee_name": name, "status": "Active"})["name"]

    # -- the auditor ----------------------------------------------------------------------------------------

    def booked(self, number):
        """Read the tables: the order's own totals, and per operation those of its job cards."""
        order = self.site.tables.get("Work Order", number)
        entries = [
            one for one in self.site.tables.select("Stock Entry", work_order=number) if one["docstatus"]
        ]
        goods = [
            row for one in entries if one["docstatus"] == 1 for row in one["items"] if row["is_finished_item"]
        ]
        operations = [self._booked_operation(number, row) for row in order["operations"]]
        _lost_before(operations)
        return Booked(
            state=_state(order, operations),
            good=_decimal(order["produced_qty"]),
            scrap=_decimal(order["process_loss_qty"]),
            serials=tuple(one for row in goods for one in (row["serial_no"] or "").split()),
            batches=tuple(dict.fromkeys(row["batch_no"] for row in goods if row["batch_no"])),
            operations=operations,
            postings=sum(one["docstatus"] for one in entries) + self._cards_posted(number),
        )

    def _cards_posted(self, number):
        return sum(card["docstatus"] for card in self.site.tables.select("Job Card", work_order=number))

    def _booked_operation(self, number, row):
        cards = self.site.tables.select("Job Card", work_order=number, operation_id=row["name"])
        live = [card for card in cards if card["docstatus"] < 2]
        submitted = [card for card in live if card["docstatus"] == 1]
        minutes = sum((_decimal(card["total_time_in_mins"]) for card in live), Decimal(0))
        return BookedOperation(
            ident=self._idents[row["name"]],
            state=_operation_state(row, live),
            good=sum((_decimal(card["total_completed_qty"]) for card in live), Decimal(0)),
            scrap=sum((_decimal(card["process_loss_qty"]) for card in submitted), Decimal(0)),
            run_seconds=round(minutes * 60, 2),
            reasons=tuple(scrap["item_code"] for card in live for scrap in card["scrap_items"]),
        )

    def order_of(self, method, path, body):
        """Return the Work Order a write is about."""
        try:
            sent = json.loads(body or b"{}")
        except ValueError:
            return ""
        if not isinstance(sent, dict):
            return ""
        args = sent.get("args") or {}
        card = args.get("job_card_id") if isinstance(args, dict) else None
        if "/Job Card/" in unquote(path):
            card = unquote(path).rsplit("/", 1)[1]
        if card and self.site.tables.has("Job Card", card):
            return self.site.tables.get("Job Card", card)["work_order"]
        return str(sent.get("work_order") or sent.get("work_order_id") or "")

    # -- master data ----------------------------------------------------------------------------------------

    def _master_data(self):
        with self.site.transaction():
            self.site.ensure("Company", COMPANY, company_name=COMPANY, abbr="E")
            for name in (WIP, FINISHED, STORES):
                self.site.ensure("Warehouse", name, warehouse_name=name, company=COMPANY)
            self.site.ensure("UOM", "Nos", uom_name="Nos", must_be_whole_number=1)
            self.site.ensure("Item", COMPONENT, item_code=COMPONENT, stock_uom="Nos")
            held = {"name": f"{COMPONENT}@{STORES}", "actual_qty": self.site.settings.component_stock}
            self.site.tables.put("Bin", held)

    def _masters_of(self, order):
        self.site.ensure("UOM", order.unit, uom_name=order.unit)
        tracking = {"has_serial_no": int(order.serials), "has_batch_no": int(order.batch)}
        self.site.ensure(
            "Item", order.part, item_code=order.part, item_name=order.part, stock_uom=order.unit, **tracking
        )
        self.site.ensure("BOM", f"BOM-{order.part}-001", item=order.part, component=COMPONENT)
        capacity = self.site.settings.production_capacity
        for planned in order.operations:
            centre = planned.work_centre
            self.site.ensure("Workstation", centre, workstation_name=centre, production_capacity=capacity)
            self.site.ensure("Operation", planned.name, workstation=centre)

    def _work_order(self, order):
        rows = [
            _operation_row(order, planned, place) for place, planned in enumerate(order.operations, start=1)
        ]
        return {
            "production_item": order.part,
            "item_name": order.part,
            "bom_no": f"BOM-{order.part}-001",
            "qty": float(order.quantity),
            "stock_uom": order.unit,
            "company": COMPANY,
            "skip_transfer": 1,
            "source_warehouse": STORES,
            "wip_warehouse": WIP,
            "fg_warehouse": FINISHED,
            "has_serial_no": int(order.serials),
            "has_batch_no": int(order.batch),
            "planned_start_date": str(self.site.tables.now().replace(microsecond=0)),
            "expected_delivery_date": order.due,
            "transfer_material_against": "Work Order",
            "operations": rows,
        }


def _amended(old):
    """Name the amendment as Frappe does: the first name, then -1, -2 and so on."""
    if not old["amended_from"]:
        return f"{old['name']}-1"
    stem, _, turn = old["name"].rpartition("-")
    return f"{stem}-{int(turn) + 1}"


def _operation_row(order, planned, place):
    """One Work Order Operation; ERPNext has minutes for the whole quantity and no setup time of its own."""
    seconds = (planned.setup_seconds or 0) + (planned.run_seconds or 0) * order.quantity
    return {
        "operation": planned.name,
        "workstation": planned.work_centre,
        "sequence_id": int(planned.ident) if planned.ident.isdecimal() else place,
        "time_in_mins": float(seconds) / 60,
    }


def _lost_before(operations):
    """Take off each operation's loss what earlier ones have lost: ERPNext counts against the order's quantity."""
    before = Decimal(0)
    for one in operations:
        lost = one.scrap
        one.scrap = max(lost - before, Decimal(0))
        before = max(before, lost)


def _state(order, operations):
    if order["docstatus"] == 2 or order["status"] in OUT_OF_PLAY:
        return "cancelled"
    if order["status"] == "Completed":
        return "completed"
    begun = order["produced_qty"] or any(one.state != "pending" for one in operations)
    return "started" if begun else "released"


def _operation_state(row, cards):
    logs = [log for card in cards for log in card["time_logs"]]
    if row["status"] == "Completed":
        return "completed"
    if any(not log["to_time"] for log in logs):
        return "running"
    return "paused" if logs else "pending"


def _decimal(value):
    return Decimal(str(value or 0))
