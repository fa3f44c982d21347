"""One Odoo database: its models' public methods, found and bound as the RPC layer does it.

Source: odoo/service/model.py, odoo/api.py (17), odoo/addons/rpc/controllers/json2.py (19).
"""

import asyncio
import contextlib
import inspect
import threading

from tests.simulators.odoo import timers as timers_module
from tests.simulators.odoo.backorders import BACKORDER, CONSUMPTION, Wizards
from tests.simulators.odoo.errors import OdooError, value_error
from tests.simulators.odoo.productions import Productions
from tests.simulators.odoo.records import Records, utc_now
from tests.simulators.odoo.stock import LOT, SCRAP, UNBUILD, Stock
from tests.simulators.odoo.timers import Timers
from tests.simulators.odoo.workorders import Workorders

MODEL_METHODS = ("search", "search_count", "search_read", "web_search_read", "create", "fields_get")
READS = ("read", "web_read", "search", "search_count", "search_read", "web_search_read", "fields_get")
PRODUCTION, WORKORDER = "mrp.production", "mrp.workorder"


class Database:
    """The books of one company; `call` is what every face ends in."""

    def __init__(self, version):
        self.version = version
        self.commit_seconds = 0.0
        self.records = Records(version)
        self.timers = Timers(self.records)
        self.stock = Stock(self.records)
        self.workorders = Workorders(self.records, self.timers)
        self.productions = Productions(self.records, self.workorders, self.stock)
        self.wizards = Wizards(self.records, self.productions, self.workorders)
        self.creators = {LOT: self.stock.create_lot, timers_module.MODEL: self.timers.create}
        self.methods = self._methods()
        self._one_at_a_time = threading.RLock()

    def _methods(self):
        orders, steps, wizards, stock = self.productions, self.workorders, self.wizards, self.stock
        found = {
            (PRODUCTION, "write"): orders.write,
            (PRODUCTION, "unlink"): self.unlink_production,
            (PRODUCTION, "action_confirm"): orders.action_confirm,
            (PRODUCTION, "action_cancel"): orders.action_cancel,
            (PRODUCTION, "action_generate_serial"): orders.action_generate_serial,
            (PRODUCTION, "button_mark_done"): orders.button_mark_done,
            (WORKORDER, "write"): steps.write,
            (WORKORDER, "button_start"): steps.button_start,
            (WORKORDER, "button_pending"): steps.button_pending,
            (WORKORDER, "button_finish"): steps.button_finish,
            (WORKORDER, "action_cancel"): steps.action_cancel,
            (WORKORDER, "action_mark_as_done"): steps.action_mark_as_done,
            (SCRAP, "action_validate"): stock.validate_scrap,
            (SCRAP, "do_scrap"): stock.do_scrap,
            (SCRAP, "unlink"): self.unlink_scrap,
            (UNBUILD, "action_validate"): stock.validate_unbuild,
            (UNBUILD, "action_unbuild"): stock.unbuild,
            (BACKORDER, "action_close_mo"): wizards.close_mo,
            (BACKORDER, "action_backorder"): wizards.backorder,
            (CONSUMPTION, "action_confirm"): wizards.confirm_consumption,
            (CONSUMPTION, "action_set_qty"): wizards.set_consumption,
            ("change.production.qty", "change_prod_qty"): wizards.change_quantity,
            ("stock.warn.insufficient.qty.scrap", "action_done"): self._scrap_anyway,
            ("stock.warn.insufficient.qty.unbuild", "action_done"): self._unbuild_anyway,
        }
        if self.version == 19:
            found[PRODUCTION, "set_qty_producing"] = orders.set_qty_producing
        return found

    @contextlib.contextmanager
    def transaction(self, at=None):
        """Run one call: all or nothing; `at` is when it began."""
        with self._one_at_a_time:
            held = self.stock.held
            self.records.begin(at)
            try:
                yield
            except BaseException:
                self.records.rollback()
                self.stock.held = held
                raise

    async def while_others_commit(self, name):
        """Let a write take `commit_seconds`; returns the time it began, which is what it will be stamped with."""
        at = utc_now()
        if self.commit_seconds and name not in READS:
            await asyncio.sleep(self.commit_seconds)
        return at

    # -- calls ----------------------------------------------------------------------------------------------

    def knows(self, model):
        """Tell whether the model exists."""
        return model in self.records.models

    def find(self, model, name):
        """Return (method, whether it is a model's and takes no ids); refuses private and unknown names."""
        if name.startswith("_"):
            what = f"'{model}.{name}'" if self.version == 19 else name
            raise OdooError(
                f"Private methods (such as {what}) cannot be called remotely.", "odoo.exceptions.AccessError"
            )
        if name in MODEL_METHODS:
            return getattr(self, name), True
        method = self.methods.get((model, name)) or {
            "read": self.read,
            "web_read": self.web_read,
            "write": self.write,
            "unlink": self.unlink,
        }.get(name)
        if method is None:
            raise OdooError(f"The method '{model}.{name}' does not exist", "builtins.AttributeError")
        return method, False

    def call(self, model, name, idents, context, args, kwargs):
        """Call a public method; arguments that do not fit its signature are a TypeError."""
        method, of_model = self.find(model, name)
        generic = of_model or (model, name) not in self.methods
        first = (model, context) if of_model else ((model, idents, context) if generic else (idents, context))
        try:
            bound = inspect.signature(method).bind(*first, *args, **kwargs)
        except TypeError as wrong:
            raise OdooError(str(wrong), "builtins.TypeError") from wrong
        if not of_model:
            for ident in idents:
                self.records.get(model, ident)
        return method(*bound.args, **bound.kwargs)

    # -- the ORM --------------------------------------------------------------------------------------------

    def search(self, model, context, domain, offset=0, limit=None, order=None):
        """Return ids."""
        return self.records.search(model, domain, offset, limit, order)

    def search_count(self, model, context, domain, limit=None):
        """Return how many there are."""
        return len(self.records.search(model, domain, limit=limit))

    def search_read(self, model, context, domain=None, fields=None, offset=0, limit=None, order=None):
        """Search, then read."""
        idents = self.records.search(model, domain or [], offset, limit, order)
        return self.records.read(model, idents, fields)

    def web_search_read(
        self, model, context, domain, specification, offset=0, limit=None, order=None, count_limit=None
    ):
        """Search, then read with nested records; the length is counted on only where the limit was reached."""
        idents = self.records.search(model, domain, offset, limit, order)
        rows = self.records.web_read(model, idents, specification)
        if not rows:
            return {"length": 0, "records": []}
        reached = limit and len(rows) == limit and not (count_limit and count_limit <= len(rows) + offset)
        every = self.records.search(model, domain, limit=count_limit) if reached else rows
        return {"length": len(every) if reached else len(rows) + offset, "records": rows}

    def create(self, model, context, vals_list):
        """Create one record or several; returns ids."""
        if model == PRODUCTION:
            raise value_error(
                "creating a manufacturing order is the planner's: use the simulator's release()"
            )
        creator = self.creators.get(model, lambda values, ctx: self.records.create(model, values, ctx))
        given = [vals_list] if isinstance(vals_list, dict) else vals_list
        return [creator(values, context) for values in given]

    def fields_get(self, model, context, allfields=None, attributes=None):
        """Describe fields."""
        found = {}
        for name, field in self.records.models[model].items():
            if allfields and name not in allfields:
                continue
            about = {
                "type": field.kind,
                "string": name,
                "required": field.required,
                "readonly": field.computed,
            }
            about |= {"relation": field.model} if field.model else {}
            found[name] = {key: value for key, value in about.items() if not attributes or key in attributes}
        return found

    def read(self, model, idents, context, fields=None, load="_classic_read"):
        """Read records by id."""
        return self.records.read(model, idents, fields)

    def web_read(self, model, idents, context, specification):
        """Read records by id, with nested records."""
        return self.records.web_read(model, idents, specification)

    def write(self, model, idents, context, vals):
        """Write fields."""
        self.records.write(model, idents, vals)
        return True

    def unlink(self, model, idents, context):
        """Delete records."""
        self.records.may_change(model)
        for ident in idents:
            self.records.remove(model, ident)
        return True

    def unlink_production(self, idents, context):
        """Delete orders: drafts and cancelled ones only."""
        for ident in idents:
            row = self.records.get(PRODUCTION, ident)
            if row["state"] == "done":
                raise OdooError("Cannot delete a manufacturing order in done state.")
            if row["state"] not in ("draft", "cancel"):
                raise OdooError(f"{row['name']} cannot be deleted. Try to cancel them before.")
            self.records.remove(PRODUCTION, ident)
        return True

    def unlink_scrap(self, idents, context):
        """A stock user makes and changes scrap orders; deleting them is a manager's."""
        raise OdooError(
            "You are not allowed to delete 'Scrap' (stock.scrap) records.", "odoo.exceptions.AccessError"
        )

    def _scrap_anyway(self, idents, context):
        scraps = [
            self.records.get("stock.warn.insufficient.qty.scrap", ident)["scrap_id"] for ident in idents
        ]
        return self.stock.do_scrap(scraps, context)

    def _unbuild_anyway(self, idents, context):
        (ident,) = idents
        unbuild = self.records.get("stock.warn.insufficient.qty.unbuild", ident)["unbuild_id"]
        return self.stock.unbuild([unbuild], context)
