"""Odoo as a test uses it: the planner's acts, the auditor's reading, the server of the base class."""

import json
from datetime import datetime
from decimal import Decimal

from starlette.applications import Starlette

from tests.simulators.harness import Booked, BookedOperation, Simulator
from tests.simulators.odoo.database import PRODUCTION, READS, WORKORDER, Database
from tests.simulators.odoo.errors import OdooError
from tests.simulators.odoo.fields import Field
from tests.simulators.odoo.json2 import Json2
from tests.simulators.odoo.jsonrpc import JsonRpc
from tests.simulators.odoo.records import COMPANY, USER
from tests.simulators.odoo.stock import SCRAP, UNBUILD
from tests.simulators.odoo.users import Users


class Odoo(Simulator):
    """One Odoo database of version 17 or 19.

    `consumption` is the policy of new bills of material (shipped: warning); `components` False leaves them
    without any, so that no consumption question can come up.
    """

    def __init__(self, version=17, *, consumption="warning", components=True):
        super().__init__()
        if version not in (17, 19):
            raise ValueError(f"no Odoo {version!r} here; valid: 17, 19")
        self.version = version
        self.consumption = consumption
        self.components = components
        self.users = Users("production", "tascus@example.com")
        self.database = Database(version)
        self.rpc = JsonRpc(self.database, self.users)
        faces = Json2(self.database, self.users).routes() if version == 19 else []
        self._web = Starlette(routes=[*faces, *self.rpc.routes()])
        self._chains = {}
        self._idents = {}
        self._master_data()

    async def app(self, scope, receive, send):
        """Answer as Odoo does."""
        await self._web(scope, receive, send)

    @property
    def headers(self):
        """The headers of a /json/2 call: for tests that call by hand."""
        return {"Authorization": f"bearer {self.users.key}", "X-Odoo-Database": self.users.database}

    # -- the planner ----------------------------------------------------------------------------------------

    def release(self, order):
        """Confirm a manufacturing order of a bill of material made for it."""
        with self.database.transaction():
            bom, routing = self._bill(order)
            ident = self._production(order, bom)
            self._moves(ident, order)
            self._work_orders(ident, order, routing)
        number = self.database.records.get(PRODUCTION, ident)["name"]
        self._chains[number] = ident
        return number

    def enter(self, order):
        """Enter a manufacturing order and leave it a draft."""
        number = self.release(order)
        self.database.records.set(PRODUCTION, self._chains[number], state="draft")
        return number

    def change_quantity(self, number, quantity):
        """Use the wizard "Change Quantity To Produce" on what is still open of the order."""
        ident = self._open(number)
        with self.database.transaction():
            values = {"mo_id": ident, "product_qty": float(quantity)}
            wizard = self.database.records.create("change.production.qty", values)
            self.database.wizards.change_quantity([wizard], {})
        return number

    def cancel(self, number):
        """Press Cancel on what is still open of the order."""
        with self.database.transaction():
            self.database.productions.action_cancel([self._open(number)], {})

    def expire_credentials(self):
        """Forget all web sessions; passwords and API keys do not expire by themselves."""
        self.rpc.sessions.clear()

    def revoke_credentials(self):
        """Change the password and delete the API key."""
        self.users.revoke()
        self.rpc.sessions.clear()

    def add_custom_field(self, model, name, kind="char"):
        """Add a manual field as Settings > Technical > Fields does; its name has to start with x_."""
        if not name.startswith("x_"):
            raise ValueError("Custom fields must have a name that starts with 'x_'!")
        self.database.records.models[model][name] = Field(name, kind)

    # -- the auditor ----------------------------------------------------------------------------------------

    def booked(self, number):
        """Read the tables: the order and its backorders together.

        Good is what lies in stock of it: produced, less what was scrapped of the product (a scrap is a move out of
        the location, stock_scrap.py do_scrap), less what was unbuilt. Goods are posted when an order is done; of one
        still open it is what its last work order has as produced, and its lots are those being produced.
        """
        records = self.database.records
        orders = [records.get(PRODUCTION, ident) for ident in self._chain(number)]
        scraps, unbuilds = (
            self._documents(SCRAP, "production_id", orders),
            self._documents(UNBUILD, "mo_id", orders),
        )
        scrapped = self._scrapped(scraps, orders[0]["product_id"])
        made = sum((self._made(row) for row in orders), Decimal(0))
        unbuilt = sum((_decimal(row["product_qty"]) for row in unbuilds), Decimal(0))
        tracking = self.database.productions.tracking(orders[0]["id"])
        lots = self._lots(orders, scraps)
        return Booked(
            state=_state(orders),
            good=made - scrapped - unbuilt,
            scrap=scrapped,
            serials=lots if tracking == "serial" else (),
            batches=lots if tracking == "lot" else (),
            operations=[
                self._booked_operation(orders, operation) for operation in self._operations(orders[0]["id"])
            ],
            postings=sum(row["state"] == "done" for row in orders)
            + sum(row.get("times", 1) for row in scraps)
            + len(unbuilds),
        )

    def _made(self, order):
        steps = [row for row in self.database.workorders.of(order["id"]) if row["state"] != "cancel"]
        if order["state"] in ("done", "cancel") or not steps:
            return _decimal(self.database.productions.produced(order["id"]))
        return _decimal(steps[-1]["qty_produced"])

    def _lots(self, orders, scraps):
        tracking = self.database.productions.tracking(orders[0]["id"])
        gone = {row.get("lot_id") for row in scraps} if tracking == "serial" else set()
        held = [lot for row in orders for lot in self.database.productions.lots(row["id"]) if lot not in gone]
        return tuple(self.database.records.get("stock.lot", lot)["name"] for lot in held)

    def _documents(self, model, link, orders):
        idents = {row["id"] for row in orders}
        rows = self.database.records.where(model, state="done")
        return [row for row in rows if row.get(link) in idents]

    def _scrapped(self, scraps, product):
        return sum(
            (_decimal(row["scrap_qty"]) * row["times"] for row in scraps if row["product_id"] == product),
            Decimal(0),
        )

    def operation_ids(self, number):
        """Return the ids of an order's operations as text, in the order of its work orders."""
        return [str(ident) for ident in self._operations(self._chains[number])]

    def _operations(self, ident):
        return [row["operation_id"] for row in self.database.workorders.of(ident)]

    def _booked_operation(self, orders, operation):
        idents = {row["id"] for row in orders}
        rows = self.database.records.where(WORKORDER, operation_id=operation)
        rows = [row for row in rows if row["production_id"] in idents]
        scraps = [
            scrap
            for row in rows
            for scrap in self.database.records.where(SCRAP, workorder_id=row["id"], state="done")
        ]
        lines = [line for row in rows for line in self.database.timers.lines(row["id"])]
        minutes = sum((_decimal(self.database.timers.minutes_of(line["id"])) for line in lines), Decimal(0))
        return BookedOperation(
            ident=self._idents[operation],
            state=self._operation_state(rows),
            good=sum((_decimal(row["qty_produced"]) for row in rows), Decimal(0)),
            scrap=self._scrapped(scraps, orders[0]["product_id"]),
            run_seconds=minutes * 60,
            reasons=tuple(
                self._tag(tag) for scrap in scraps for tag in scrap.get("scrap_reason_tag_ids") or ()
            ),
        )

    def _tag(self, ident):
        return self.database.records.get("stock.scrap.reason.tag", ident)["name"]

    def _operation_state(self, rows):
        live = [row for row in rows if row["state"] != "cancel"]
        if live and all(row["state"] == "done" for row in live):
            return "completed"
        begun = [row for row in live if row["state"] == "progress"]
        if any(self.database.timers.open_lines(row["id"]) for row in begun):
            return "running"
        return "paused" if begun or any(row["state"] == "done" for row in live) else "pending"

    # -- whose order is written -----------------------------------------------------------------------------

    def order_of(self, method, path, body):
        """Return the manufacturing order a call is about."""
        try:
            sent = json.loads(body or b"{}")
            model, name, subject = _subject(path, sent)
        except (ValueError, LookupError, TypeError, AttributeError):
            return ""
        if name in READS:
            return ""
        return self._order_id(model, subject)

    def _order_id(self, model, subject):
        """Follow an id or the values of a new record to the order."""
        records = self.database.records
        if isinstance(subject, int):
            if subject not in records.tables.get(model, {}):
                return ""
            if model == PRODUCTION:
                return str(subject)
            subject = records.get(model, subject)
        if subject.get("workorder_id"):
            return self._order_id(WORKORDER, subject["workorder_id"])
        return str(subject.get("production_id") or subject.get("mo_id") or "")

    def _chain(self, number):
        """Return the order and its backorders: they share the name up to the backorder's number."""
        root = self._chains[number]
        family = [row["id"] for row in self.database.records.where(PRODUCTION) if row["root"] == root]
        return sorted(family)

    def _open(self, number):
        chain = self._chain(number)
        live = [
            one
            for one in chain
            if self.database.records.get(PRODUCTION, one)["state"] not in ("done", "cancel")
        ]
        if not live:
            raise OdooError("You cannot change a manufacturing order that is done or cancelled.")
        return live[-1]

    # -- master data ----------------------------------------------------------------------------------------

    def _master_data(self):
        records = self.database.records
        records.add("res.company", name="Example")
        self._stock = records.add("stock.location", name="WH/Stock", usage="internal", company_id=COMPANY)
        records.add("res.users", name="Administrator", login="admin", company_id=COMPANY)
        records.add("res.users", name="Tascus", login=self.users.login, company_id=COMPANY)
        if self.version == 19:
            for name in ("Material defect", "Machine", "Operator"):
                records.add("stock.scrap.reason.tag", name=name)
        self._component = self._product(
            "RAW-MATERIAL", self._named("uom.uom", "Units", rounding=0.01), "none"
        )

    def _named(self, model, name, **values):
        found = self.database.records.where(model, name=name)
        return found[0]["id"] if found else self.database.records.add(model, name=name, **values)

    def _product(self, part, unit, tracking):
        kind = {"type": "product"} if self.version == 17 else {"type": "consu", "is_storable": True}
        common = {"default_code": part, "uom_id": unit, "tracking": tracking, "active": True}
        return self._named("product.product", part, **common, **kind)

    def _bill(self, order):
        tracking = "serial" if order.serials else "lot" if order.batch else "none"
        unit = self._named("uom.uom", order.unit, rounding=0.01, active=True)
        product = self._product(order.part, unit, tracking)
        bom = self.database.records.add(
            "mrp.bom",
            name=order.part,
            product_id=product,
            product_qty=1.0,
            consumption=self.consumption,
            active=True,
        )
        return bom, [
            self._routing_step(bom, place, planned) for place, planned in enumerate(order.operations, start=1)
        ]

    def _routing_step(self, bom, place, planned):
        centre = self._named(
            "mrp.workcenter",
            planned.work_centre,
            code=planned.work_centre,
            time_start=_minutes(planned.setup_seconds),
            working_state="normal",
            active=True,
            company_id=COMPANY,
        )
        sequence = int(planned.ident) if planned.ident.isdecimal() else place * 10
        ident = self.database.records.add(
            "mrp.routing.workcenter",
            name=planned.name,
            bom_id=bom,
            workcenter_id=centre,
            sequence=sequence,
            time_mode="manual",
            time_cycle_manual=_minutes(planned.run_seconds),
            active=True,
        )
        self._idents[ident] = planned.ident
        return ident

    def _production(self, order, bom):
        records = self.database.records
        product = records.get("mrp.bom", bom)["product_id"]
        number = len(records.tables.get(PRODUCTION, {})) + 1
        ident = records.add(
            PRODUCTION,
            name=f"WH/MO/{number:05d}",
            product_id=product,
            product_qty=float(order.quantity),
            product_uom_id=records.get("product.product", product)["uom_id"],
            qty_producing=0.0,
            bom_id=bom,
            state="confirmed",
            consumption=self.consumption,
            date_deadline=datetime.fromisoformat(order.due),
            date_start=records.now.replace(microsecond=0),
            priority="0",
            company_id=COMPANY,
            user_id=USER,
            is_locked=True,
            backorder_sequence=0,
            reservation_state="assigned",
            location_src_id=self._stock,
            location_dest_id=self._stock,
        )
        records.set(PRODUCTION, ident, root=ident)
        return ident

    def _moves(self, ident, order):
        records = self.database.records
        common = {
            "product_uom_qty": float(order.quantity),
            "picked": False,
            "quantity": 0.0,
            "state": "assigned",
        }
        product = records.get(PRODUCTION, ident)["product_id"]
        records.add(
            "stock.move", name="New", product_id=product, production_id=ident, unit_factor=1.0, **common
        )
        if self.components:
            raw = {"product_id": self._component, "raw_material_production_id": ident, "unit_factor": 1.0}
            records.add("stock.move", name="New", **raw, **common)

    def _work_orders(self, ident, order, routing):
        before = []
        waiting = "pending" if self.version == 17 else "blocked"
        for step, planned in zip(routing, order.operations, strict=True):
            minutes = _minutes(planned.setup_seconds) + _minutes(planned.run_seconds) * float(order.quantity)
            row = self.database.records.get("mrp.routing.workcenter", step)
            workorder = self.database.records.add(
                WORKORDER,
                name=planned.name,
                production_id=ident,
                operation_id=step,
                workcenter_id=row["workcenter_id"],
                sequence=row["sequence"],
                state=waiting if before else "ready",
                qty_produced=0.0,
                qty_reported_from_previous_wo=0.0,
                duration_expected=minutes,
                blocked_by_workorder_ids=list(before),
            )
            before = [workorder]


def _subject(path, sent):
    """Return (model, method, id or values) of a call in either envelope."""
    if path.startswith("/json/2/"):
        _, _, _, model, name = path.split("/")
        subject = sent.get("ids") or sent.get("vals_list") or {}
    elif path == "/jsonrpc":
        model, name, given = sent["params"]["args"][3:6]
        subject = given[0]
    else:
        params = sent["params"]
        model, name, subject = params["model"], params["method"], params["args"][0]
    return model, name, subject[0] if isinstance(subject, list) else subject


def _state(orders):
    states = [row["state"] for row in orders]
    if all(state == "cancel" for state in states):
        return "cancelled"
    if all(state in ("done", "cancel") for state in states):
        return "completed"
    return "released" if set(states) <= {"confirmed"} else "started"


def _minutes(seconds):
    return float(seconds or 0) / 60


def _decimal(value):
    return Decimal(str(value or 0))
