"""The doctypes a works order touches: their fields as the JSON files of erpnext declare them.

One field is `name:Type>Target!+=default`: `>` the doctype a link or table points to, `!` mandatory,
`+` may change after submit, `=` default. Source: erpnext/**/doctype/<name>/<name>.json.
"""

from dataclasses import dataclass

STANDARD = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
CHILD = ("parent", "parentfield", "parenttype")


@dataclass
class Field:
    """One declared field of a doctype."""

    name: str
    kind: str
    target: str = ""
    required: bool = False
    after_submit: bool = False
    default: str = ""
    unique: bool = False


@dataclass
class Doctype:
    """One doctype: its fields, how a new document is named and whether it can be submitted."""

    name: str
    fields: dict
    series: str = ""
    named_by: str = ""
    submittable: bool = False
    child: bool = False

    @property
    def tables(self):
        """Return the fields that hold child rows."""
        return [field for field in self.fields.values() if field.kind == "Table"]

    @property
    def columns(self):
        """Return the names a query may use."""
        own = [field.name for field in self.fields.values() if field.kind != "Table"]
        return [*STANDARD, *(CHILD if self.child else ()), *own]


def _field(text):
    head, _, default = text.partition("=")
    name, _, kind = head.partition(":")
    marks = {mark for mark in "!+" if mark in kind}
    kind, _, target = kind.rstrip("!+").partition(">")
    return Field(name, kind, target.replace("_", " "), "!" in marks, "+" in marks, default)


def _doctype(name, fields, **extra):
    parsed = [_field(text) for text in fields.split()]
    return Doctype(name, {field.name: field for field in parsed}, **extra)


def shipped():
    """Return a fresh set of doctypes; a site may add custom fields to its own."""
    return {kind.name: kind for kind in (*_transactions(), *_children(), *_masters())}


def _transactions():
    return (
        _doctype(
            "Work Order",
            "naming_series:Select status:Select production_item:Link>Item! item_name:Data bom_no:Link>BOM!"
            " skip_transfer:Check=0 company:Link>Company! qty:Float!=1.0"
            " material_transferred_for_manufacturing:Float=0 produced_qty:Float=0 sales_order:Data+ project:Data"
            " from_wip_warehouse:Check=0 wip_warehouse:Link>Warehouse fg_warehouse:Link>Warehouse!"
            " source_warehouse:Link>Warehouse planned_start_date:Datetime!+ actual_start_date:Datetime+"
            " planned_end_date:Datetime+ actual_end_date:Datetime+ expected_delivery_date:Date+"
            " transfer_material_against:Select operations:Table>Work_Order_Operation description:Text"
            " stock_uom:Link>UOM amended_from:Link>Work_Order lead_time:Float has_serial_no:Check=0"
            " has_batch_no:Check=0 process_loss_qty:Float=0",
            series="MFG-WO-2026-#####",
            submittable=True,
        ),
        _doctype(
            "Job Card",
            "naming_series:Select work_order:Link>Work_Order! bom_no:Link>BOM workstation:Link>Workstation!"
            " operation:Link>Operation! posting_date:Date company:Link>Company! for_quantity:Float"
            " wip_warehouse:Link>Warehouse time_logs:Table>Job_Card_Time_Log total_completed_qty:Float=0"
            " total_time_in_mins:Float=0 operation_id:Data transferred_qty:Float=0 project:Data remarks:Text"
            " status:Select=Open started_time:Datetime amended_from:Link>Job_Card production_item:Data"
            " current_time:Int sequence_id:Int is_corrective_job_card:Check=0 serial_no:Text"
            " batch_no:Link>Batch scrap_items:Table>Job_Card_Scrap_Item workstation_type:Data process_loss_qty:Float=0"
            " time_required:Float actual_start_date:Datetime actual_end_date:Datetime",
            series="PO-JOB#####",
            submittable=True,
        ),
        _doctype(
            "Stock Entry",
            "naming_series:Select stock_entry_type:Data! purpose:Select company:Link>Company!"
            " work_order:Link>Work_Order posting_date:Date posting_time:Time set_posting_time:Check=0"
            " from_bom:Check=0 bom_no:Link>BOM fg_completed_qty:Float=0 use_multi_level_bom:Check=1"
            " from_warehouse:Link>Warehouse to_warehouse:Link>Warehouse items:Table>Stock_Entry_Detail!"
            " project:Data remarks:Text amended_from:Link>Stock_Entry process_loss_qty:Float=0"
            " process_loss_percentage:Percent=0 job_card:Link>Job_Card",
            series="MAT-STE-2026-#####",
            submittable=True,
        ),
    )


def _children():
    return (
        _doctype(
            "Work Order Operation",
            "operation:Link>Operation! description:Text completed_qty:Float=0 status:Select=Pending"
            " workstation:Link>Workstation planned_start_time:Datetime planned_end_time:Datetime"
            " time_in_mins:Float! hour_rate:Float=0 actual_start_time:Datetime actual_end_time:Datetime"
            " actual_operation_time:Float=0 batch_size:Float=0 sequence_id:Int workstation_type:Data"
            " process_loss_qty:Float=0",
            child=True,
        ),
        _doctype(
            "Job Card Time Log",
            "from_time:Datetime to_time:Datetime time_in_mins:Float=0 completed_qty:Float=0"
            " employee:Link>Employee operation:Link>Operation",
            child=True,
        ),
        _doctype(
            "Job Card Scrap Item",
            "item_code:Link>Item! item_name:Data description:Text stock_qty:Float! stock_uom:Link>UOM",
            child=True,
        ),
        _doctype(
            "Stock Entry Detail",
            "s_warehouse:Link>Warehouse t_warehouse:Link>Warehouse item_code:Link>Item! item_name:Data"
            " description:Text qty:Float! uom:Link>UOM! conversion_factor:Float! stock_uom:Link>UOM!"
            " transfer_qty:Float! serial_no:Text batch_no:Link>Batch actual_qty:Float+ bom_no:Link>BOM"
            " is_scrap_item:Check=0 is_finished_item:Check=0 use_serial_batch_fields:Check=0"
            " serial_and_batch_bundle:Data",
            child=True,
        ),
    )


def _masters():
    return (
        _doctype(
            "Item",
            "item_code:Data! item_name:Data item_group:Data stock_uom:Link>UOM! has_serial_no:Check=0"
            " has_batch_no:Check=0 disabled:Check=0 is_stock_item:Check=1 description:Text",
            named_by="item_code",
        ),
        _doctype(
            "Operation",
            "workstation:Link>Workstation description:Text is_corrective_operation:Check=0",
            named_by="name",
        ),
        _doctype(
            "Workstation",
            "workstation_name:Data! production_capacity:Int=1 hour_rate:Float=0 workstation_type:Data status:Select",
            named_by="workstation_name",
        ),
        _doctype("UOM", "uom_name:Data! must_be_whole_number:Check=0 enabled:Check=1", named_by="uom_name"),
        _doctype(
            "Warehouse",
            "warehouse_name:Data! company:Link>Company is_group:Check=0",
            named_by="warehouse_name",
        ),
        _doctype("Company", "company_name:Data! abbr:Data", named_by="company_name"),
        _doctype(
            "BOM", "item:Link>Item! quantity:Float=1 is_active:Check=1 component:Link>Item", named_by="name"
        ),
        _doctype("Employee", "employee_name:Data! status:Select", series="HR-EMP-#####"),
        _doctype("Batch", "batch_id:Data! item:Link>Item! disabled:Check=0", named_by="batch_id"),
        _doctype(
            "Serial No",
            "serial_no:Data! item_code:Link>Item! warehouse:Link>Warehouse work_order:Link>Work_Order"
            " batch_no:Link>Batch status:Select",
            named_by="serial_no",
        ),
        _doctype(
            "Custom Field",
            "dt:Data! fieldname:Data! label:Data fieldtype:Select! options:Text insert_after:Data unique:Check=0"
            " reqd:Check=0 allow_on_submit:Check=0 read_only:Check=0",
            named_by="name",
        ),
    )
