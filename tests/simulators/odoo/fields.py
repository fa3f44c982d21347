"""The models a manufacturing order touches and their fields, per version.

One field is `name:type>model.inverse!`: `!` required, `?` computed (never stored). Source: addons/mrp/models,
addons/stock/models, addons/product/models of Odoo 17 and 19.
"""

from dataclasses import dataclass

LOG = "id:integer create_date:datetime create_uid:many2one>res.users write_date:datetime write_uid:many2one>res.users"
NAMED = " name:char! display_name:char?"


@dataclass(frozen=True)
class Field:
    """One field; `model` and `inverse` where it points to other records."""

    name: str
    kind: str
    model: str = ""
    inverse: str = ""
    required: bool = False
    computed: bool = False


BOTH = {
    "mrp.production": " priority:char origin:char product_id:many2one>product.product! product_qty:float!"
    " product_uom_id:many2one>uom.uom! qty_producing:float qty_produced:float? bom_id:many2one>mrp.bom"
    " state:selection consumption:selection date_deadline:datetime date_start:datetime date_finished:datetime"
    " workorder_ids:one2many>mrp.workorder.production_id move_raw_ids:one2many>stock.move.raw_material_production_id"
    " move_finished_ids:one2many>stock.move.production_id scrap_ids:one2many>stock.scrap.production_id"
    " unbuild_ids:one2many>mrp.unbuild.mo_id company_id:many2one>res.company user_id:many2one>res.users"
    " is_locked:boolean backorder_sequence:integer product_tracking:char? reservation_state:selection"
    " location_src_id:many2one>stock.location location_dest_id:many2one>stock.location",
    "mrp.workorder": " production_id:many2one>mrp.production! workcenter_id:many2one>mrp.workcenter!"
    " operation_id:many2one>mrp.routing.workcenter product_id:many2one>product.product? state:selection"
    " qty_production:float? qty_produced:float qty_producing:float? qty_remaining:float?"
    " qty_reported_from_previous_wo:float duration_expected:float duration:float? is_user_working:boolean?"
    " date_start:datetime date_finished:datetime time_ids:one2many>mrp.workcenter.productivity.workorder_id"
    " scrap_ids:one2many>stock.scrap.workorder_id blocked_by_workorder_ids:many2many>mrp.workorder"
    " production_state:char? working_state:char?",
    "mrp.workcenter": " code:char time_start:float time_stop:float working_state:selection active:boolean"
    " company_id:many2one>res.company",
    "mrp.routing.workcenter": " workcenter_id:many2one>mrp.workcenter! bom_id:many2one>mrp.bom! sequence:integer"
    " time_cycle_manual:float time_mode:selection active:boolean",
    "mrp.bom": " product_id:many2one>product.product code:char product_qty:float consumption:selection"
    " operation_ids:one2many>mrp.routing.workcenter.bom_id active:boolean",
    "mrp.workcenter.productivity": " workorder_id:many2one>mrp.workorder workcenter_id:many2one>mrp.workcenter!"
    " loss_id:many2one>mrp.workcenter.productivity.loss! loss_type:char? user_id:many2one>res.users"
    " description:text date_start:datetime! date_end:datetime duration:float? production_id:many2one>mrp.production?"
    " company_id:many2one>res.company",
    "mrp.workcenter.productivity.loss": " loss_type:selection manual:boolean sequence:integer",
    "mrp.unbuild": " product_id:many2one>product.product! product_qty:float! product_uom_id:many2one>uom.uom"
    " mo_id:many2one>mrp.production lot_id:many2one>stock.lot state:selection company_id:many2one>res.company",
    "stock.move": " product_id:many2one>product.product! product_uom_qty:float quantity:float picked:boolean"
    " state:selection raw_material_production_id:many2one>mrp.production production_id:many2one>mrp.production"
    " unit_factor:float lot_ids:many2many>stock.lot",
    "stock.lot": " product_id:many2one>product.product! ref:char note:text product_qty:float?",
    "stock.scrap": " origin:char product_id:many2one>product.product! product_uom_id:many2one>uom.uom"
    " scrap_qty:float! lot_id:many2one>stock.lot production_id:many2one>mrp.production"
    " workorder_id:many2one>mrp.workorder state:selection date_done:datetime should_replenish:boolean"
    " company_id:many2one>res.company location_id:many2one>stock.location",
    "stock.location": " usage:selection company_id:many2one>res.company",
    "product.product": " default_code:char barcode:char tracking:selection type:selection uom_id:many2one>uom.uom!"
    " qty_available:float? active:boolean",
    "uom.uom": " rounding:float factor:float active:boolean",
    "res.users": " login:char! company_id:many2one>res.company",
    "res.company": "",
    "change.production.qty": " mo_id:many2one>mrp.production! product_qty:float!",
    "mrp.production.backorder": " mrp_production_ids:many2many>mrp.production"
    " mrp_production_backorder_line_ids:one2many>mrp.production.backorder.line.mrp_production_backorder_id",
    "mrp.production.backorder.line": " mrp_production_backorder_id:many2one>mrp.production.backorder"
    " mrp_production_id:many2one>mrp.production! to_backorder:boolean",
    "mrp.consumption.warning": " mrp_production_ids:many2many>mrp.production"
    " mrp_consumption_warning_line_ids:one2many>mrp.consumption.warning.line.mrp_consumption_warning_id",
    "mrp.consumption.warning.line": " mrp_consumption_warning_id:many2one>mrp.consumption.warning"
    " mrp_production_id:many2one>mrp.production! product_id:many2one>product.product! consumption:char"
    " product_uom_id:many2one>uom.uom product_consumed_qty_uom:float product_expected_qty_uom:float",
    "stock.warn.insufficient.qty.scrap": " product_id:many2one>product.product! scrap_id:many2one>stock.scrap"
    " quantity:float! product_uom_name:char location_id:integer",
    "stock.warn.insufficient.qty.unbuild": " product_id:many2one>product.product! unbuild_id:many2one>mrp.unbuild"
    " quantity:float! product_uom_name:char location_id:integer",
}
ONLY = {
    17: {
        "mrp.production": " lot_producing_id:many2one>stock.lot",
        "mrp.workorder": " finished_lot_id:many2one>stock.lot?",
        "stock.lot": " company_id:many2one>res.company!",
        "product.product": "",
    },
    19: {
        "mrp.production": " lot_producing_ids:many2many>stock.lot",
        "mrp.workorder": " sequence:integer barcode:char",
        "stock.lot": " company_id:many2one>res.company",
        "stock.scrap": " scrap_reason_tag_ids:many2many>stock.scrap.reason.tag",
        "stock.scrap.reason.tag": " sequence:integer",
        "product.product": " is_storable:boolean",
    },
}
UNNAMED = {
    "change.production.qty",
    "mrp.workcenter.productivity",
    "mrp.production.backorder",
    "mrp.production.backorder.line",
    "mrp.consumption.warning",
    "mrp.consumption.warning.line",
    "stock.warn.insufficient.qty.scrap",
    "stock.warn.insufficient.qty.unbuild",
}
ORDER = {
    "mrp.production": "priority desc, date_start asc, id",
    "mrp.unbuild": "id desc",
    "stock.scrap": "id desc",
}
READ_ONLY = {  # group mrp_user: read, no more (addons/mrp/security/ir.model.access.csv)
    "mrp.workcenter": "Work Center",
    "mrp.routing.workcenter": "Work Center Usage",
    "mrp.bom": "Bill of Material",
    "mrp.workcenter.productivity.loss": "Workcenter Productivity Losses",
    "product.product": "Product Variant",
    "uom.uom": "Product Unit of Measure",
    "res.users": "User",
    "res.company": "Companies",
    "stock.location": "Inventory Locations",
    "stock.scrap.reason.tag": "Scrap Reason Tag",
}


def models(version):
    """Return {model: {field name: Field}} of a version."""
    own = ONLY[version]
    texts = {name: BOTH.get(name, "") + own.get(name, "") for name in {**BOTH, **own}}
    return {name: _fields(name, text) for name, text in texts.items()}


def _fields(model, text):
    named = " display_name:char?" if model in UNNAMED else NAMED
    parsed = [_field(one) for one in (LOG + named + text).split()]
    return {field.name: field for field in parsed}


def _field(text):
    name, _, rest = text.partition(":")
    kind, _, target = rest.rstrip("!?").partition(">")
    model, inverse = target, ""
    if kind == "one2many":
        model, _, inverse = target.rpartition(".")
    return Field(name, kind, model, inverse, "!" in rest, "?" in rest)
