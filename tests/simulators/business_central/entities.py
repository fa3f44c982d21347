"""The pages over the tables: custom API pages, Microsoft's analytics API, and published web services.

A page is a table, the fields it shows and its key. API pages name a field in camelCase and take SystemId as key; a
published web service names it by the rule of the docs ("Prod. Order No." -> `Prod_Order_No`) and takes the primary
key. Option values travel with their blanks encoded: `In_x0020_Progress`, `_x0020_` for the empty one.
"""

import re
from dataclasses import dataclass

from tests.simulators.odata import EntityType

DECIMAL, TEXT, DATE, STAMP, WHOLE, GUID, FLAG = (
    "Edm.Decimal",
    "Edm.String",
    "Edm.Date",
    "Edm.DateTimeOffset",
    "Edm.Int32",
    "Edm.Guid",
    "Edm.Boolean",
)
OPTIONS = {
    "Status",
    "Routing Status",
    "Type",
    "Entry Type",
    "Order Type",
    "Source Type",
    "Flushing Method",
}
EDM = (
    dict.fromkeys(("Due Date", "Finished Date", "Last Date Modified", "Posting Date", "Document Date"), DATE)
    | dict.fromkeys(("SystemCreatedAt", "SystemModifiedAt"), STAMP)
    | dict.fromkeys(
        ("Line No.", "Order Line No.", "Entry No.", "Applies-to Entry", "Routing Reference No."), WHOLE
    )
    | dict.fromkeys(("Blocked", "Finished", "Open", "Positive", "Reversed", "Item Tracking on Lines"), FLAG)
    | dict.fromkeys(
        (
            "Quantity",
            "Finished Quantity",
            "Remaining Quantity",
            "Scrap %",
            "Setup Time",
            "Run Time",
            "Stop Time",
            "Output Quantity",
            "Scrap Quantity",
            "Lot Size",
        ),
        DECIMAL,
    )
    | {"SystemId": GUID}
)
SYSTEM = ("SystemId", "SystemCreatedAt", "SystemModifiedAt")
ORDER = (
    "Status",
    "No.",
    "Description",
    "Source Type",
    "Source No.",
    "Routing No.",
    "Quantity",
    "Due Date",
    "Finished Date",
    "Location Code",
    "Blocked",
    "Last Date Modified",
)
LINE = (
    "Status",
    "Prod. Order No.",
    "Line No.",
    "Item No.",
    "Description",
    "Quantity",
    "Finished Quantity",
    "Remaining Quantity",
    "Scrap %",
    "Due Date",
    "Unit of Measure Code",
    "Routing No.",
)
ROUTING_IN_ANALYTICS = (
    "Routing Status",
    "Status",
    "Prod. Order No.",
    "Type",
    "No.",
    "Description",
    "Routing No.",
    "Routing Reference No.",
    "Operation No.",
    "Work Center No.",
    "Setup Time",
    "Run Time",
)
ROUTING = (
    *ROUTING_IN_ANALYTICS,
    "Next Operation No.",
    "Previous Operation No.",
    "Setup Time Unit of Meas. Code",
    "Run Time Unit of Meas. Code",
    "Lot Size",
    "Flushing Method",
)
JOURNAL = (
    "Journal Template Name",
    "Journal Batch Name",
    "Line No.",
    "Posting Date",
    "Document Date",
    "Document No.",
    "External Document No.",
    "Entry Type",
    "Order Type",
    "Order No.",
    "Order Line No.",
    "Item No.",
    "Operation No.",
    "Type",
    "No.",
    "Work Center No.",
    "Description",
    "Output Quantity",
    "Scrap Quantity",
    "Scrap Code",
    "Setup Time",
    "Run Time",
    "Stop Time",
    "Cap. Unit of Measure Code",
    "Unit of Measure Code",
    "Finished",
    "Serial No.",
    "Lot No.",
    "Applies-to Entry",
)
POSTED = (
    "Entry No.",
    "Posting Date",
    "Document No.",
    "External Document No.",
    "Description",
    "Order Type",
    "Order No.",
    "Order Line No.",
    "Item No.",
)
CAPACITY = (
    *POSTED,
    "Type",
    "No.",
    "Work Center No.",
    "Routing No.",
    "Operation No.",
    "Setup Time",
    "Run Time",
    "Stop Time",
    "Quantity",
    "Cap. Unit of Measure Code",
    "Output Quantity",
    "Scrap Quantity",
    "Scrap Code",
    "Reversed",
)
LEDGER = (
    *POSTED,
    "Entry Type",
    "Quantity",
    "Remaining Quantity",
    "Open",
    "Positive",
    "Serial No.",
    "Lot No.",
    "Applies-to Entry",
    "Unit of Measure Code",
)
BATCHES = ("Journal Template Name", "Name", "Description", "Item Tracking on Lines")


def api_name(field):
    """Return a field's name on an API page: `Prod. Order No.` -> prodOrderNo; SystemId is `id`."""
    if field == "SystemId":
        return "id"
    words = re.findall(r"[A-Za-z0-9]+", field.replace("%", "Percent"))
    return words[0][0].lower() + words[0][1:] + "".join(word[0].upper() + word[1:] for word in words[1:])


def page_name(field):
    """Return a field's name in a published web service: `Prod. Order No.` -> Prod_Order_No."""
    return re.sub(r"[ /-]", "_", re.sub(r"[.()]", "", field)).replace("%", "Percent")


def encoded(value):
    """Return an option's value as JSON has it."""
    return value.replace(" ", "_x0020_")


@dataclass
class Page:
    """One entity set: its table, what it shows, and what may be done through it."""

    entity: EntityType
    table: object
    fields: dict[str, str]  # property -> AL field
    writes: tuple[str, ...] = ()  # "insert", "modify", "delete"

    def rows(self):
        """Return the table's rows under the page's names."""
        return [self.shown(row) for row in self.table.rows]

    def shown(self, row):
        """Return a table's row under the page's names, its SystemId and version beside them."""
        shown = {
            name: encoded(row[field]) if field in OPTIONS else row[field]
            for name, field in self.fields.items()
        }
        return shown | {"system_id": row["SystemId"], "version": row["version"]}

    def row_of(self, shown):
        """Return the table's row that `shown` shows."""
        return self.table.get(system_id=shown["system_id"])

    def given(self, body):
        """Return a request's body by AL field; a property the page has not raises KeyError."""
        return {
            self.fields[name]: value.replace("_x0020_", " ") if self.fields[name] in OPTIONS else value
            for name, value in body.items()
            if not name.startswith("@")
        }


def page(name, table, fields, naming, keys, writes=(), navigation=None):
    """Build a page from AL field names."""
    named = {naming(field): field for field in fields}
    types = {prop: EDM.get(field, TEXT) for prop, field in named.items()}
    entity = EntityType(f"Microsoft.NAV.{name}", tuple(naming(key) for key in keys), types, navigation or {})
    return Page(entity, table, named, writes)


def api_pages(books):
    """Return the custom API pages an extension would bring."""
    lines = page("prodOrderLine", books.lines, (*SYSTEM, *LINE), api_name, ("SystemId",))
    routing = page(
        "prodOrderRoutingLine", books.routing, (*SYSTEM, *ROUTING), api_name, ("SystemId",), ("modify",)
    )
    orders = page(
        "productionOrder",
        books.orders,
        (*SYSTEM, *ORDER),
        api_name,
        ("SystemId",),
        (),
        {
            "prodOrderLines": (lines.entity, _children(lines)),
            "prodOrderRoutingLines": (routing.entity, _children(routing)),
        },
    )
    everything = ("insert", "modify", "delete")
    return {
        "productionOrders": orders,
        "prodOrderLines": lines,
        "prodOrderRoutingLines": routing,
        "itemJournalBatches": page(
            "itemJournalBatch", books.batches, (*SYSTEM, *BATCHES), api_name, ("SystemId",)
        ),
        "itemJournalLines": page(
            "itemJournalLine", books.journal, (*SYSTEM, *JOURNAL), api_name, ("SystemId",), everything
        ),
        "capacityLedgerEntries": page(
            "capacityLedgerEntry", books.capacity, (*SYSTEM, *CAPACITY), api_name, ("SystemId",)
        ),
        "itemLedgerEntries": page(
            "itemLedgerEntry", books.ledger, (*SYSTEM, *LEDGER), api_name, ("SystemId",)
        ),
        "items": page(
            "item",
            books.items,
            (*SYSTEM, "No.", "Description", "Base Unit of Measure"),
            api_name,
            ("SystemId",),
        ),
        "workCenters": page(
            "workCenter", books.work_centres, (*SYSTEM, "No.", "Name"), api_name, ("SystemId",)
        ),
        "unitsOfMeasure": page(
            "unitOfMeasure", books.units, (*SYSTEM, "Code", "Description"), api_name, ("SystemId",)
        ),
        "scrapCodes": page(
            "scrapCode", books.scrap_codes, (*SYSTEM, "Code", "Description"), api_name, ("SystemId",)
        ),
    }


def analytics_pages(books):
    """Return Microsoft's read-only analytics API: no SystemId, no SystemModifiedAt, no time units."""
    brief = (
        "Status",
        "No.",
        "Source Type",
        "Source No.",
        "Routing No.",
        "Due Date",
        "Quantity",
        "Description",
    )
    return {
        "manufacturingProductionOrders": page(
            "manufacturingProductionOrder", books.orders, brief, api_name, ("Status", "No.")
        ),
        "manufacturingProdOrderLines": page(
            "manufacturingProdOrderLine",
            books.lines,
            LINE,
            api_name,
            ("Status", "Prod. Order No.", "Line No."),
        ),
        "prodOrderRoutingLines": page(
            "prodOrderRoutingLine",
            books.routing,
            ROUTING_IN_ANALYTICS,
            api_name,
            ("Status", "Prod. Order No.", "Operation No."),
        ),
        "capacityLedgerEntries": page(
            "capacityLedgerEntry", books.capacity, CAPACITY, api_name, ("Entry No.",)
        ),
    }


def web_services(books):
    """Return standard pages published as OData V4 web services: no SystemId, no SystemModifiedAt."""
    return {
        "ReleasedProductionOrders": page(
            "ReleasedProductionOrders", books.orders, ORDER, page_name, ("Status", "No.")
        ),
        "ProdOrderLines": page(
            "ProdOrderLines", books.lines, LINE, page_name, ("Status", "Prod. Order No.", "Line No.")
        ),
        "ProdOrderRouting": page(
            "ProdOrderRouting",
            books.routing,
            ROUTING,
            page_name,
            ("Status", "Prod. Order No.", "Operation No."),
            ("modify",),
        ),
        "OutputJournal": page(
            "OutputJournal",
            books.journal,
            JOURNAL,
            page_name,
            ("Journal Template Name", "Journal Batch Name", "Line No."),
            ("insert", "modify", "delete"),
        ),
        "CapacityLedgerEntries": page(
            "CapacityLedgerEntries", books.capacity, CAPACITY, page_name, ("Entry No.",)
        ),
        "ItemLedgerEntries": page("ItemLedgerEntries", books.ledger, LEDGER, page_name, ("Entry No.",)),
    }


def _children(child):
    def follow(order):
        return [
            row
            for row in child.rows()
            if (row["status"], row["prodOrderNo"]) == (order["status"], order["no"])
        ]

    return follow
