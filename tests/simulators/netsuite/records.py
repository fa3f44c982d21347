"""Rows of the account's tables as the REST record API shows them, and the names a body may use."""

from tests.simulators.netsuite.errors import invalid_content
from tests.simulators.netsuite.suiteql import to_char
from tests.simulators.netsuite.tables import TASK, WORK_ORDER, one

COMMON = {
    "externalId",
    "memo",
    "tranDate",
    "customForm",
    "location",
    "department",
    "class",
    "subsidiary",
    "postingPeriod",
}
NAMES = {
    "workOrderCompletion": COMMON
    | {
        "startOperation",
        "endOperation",
        "completedQuantity",
        "scrapQuantity",
        "quantity",
        "isBackflush",
        "inventoryDetail",
        "operation",
        "component",
        "units",
    },
    "assemblyBuild": COMMON | {"quantity", "inventoryDetail", "component", "units"},
    "workOrderClose": COMMON,
    "manufacturingOperationTask": {
        "status",
        "actualSetupTime",
        "actualRunTime",
        "machineResources",
        "laborResources",
        "message",
        "title",
        "estimatedWork",
        "startDate",
        "endDate",
    },
    "operation": {
        "operationSequence",
        "completedQuantity",
        "machineSetupTime",
        "laborSetupTime",
        "machineRunTime",
        "laborRunTime",
        "recordSetup",
    },
}


def check_names(kind, body, strictness):
    """Refuse names the record does not have where the caller asks for it; else they are passed over in silence."""
    unknown = sorted(set(body) - NAMES[kind])
    if unknown and strictness == "Error":
        raise invalid_content(f"Unknown reference or field '{unknown[0]}' in record {kind}.", unknown[0])


def work_order(books, row, root, *, expanded):
    """Return a workOrder."""
    line = books.line(row["id"])
    code = row["status"].partition(":")[2]
    return {
        "links": _self(root, "workOrder", row["id"]),
        "id": str(row["id"]),
        "tranId": row["tranid"],
        "assemblyItem": _item(books, line["item"], root),
        "quantity": line["quantity"],
        "built": line["quantityshiprecv"],
        "isWip": row["iswip"] == "T",
        "orderStatus": {"id": code, "refName": WORK_ORDER[code]},
        "status": {"id": WORK_ORDER[code], "refName": WORK_ORDER[code]},
        "createdDate": _instant(row["createddate"]),
        "lastModifiedDate": _instant(row["lastmodifieddate"]),
        "endDate": to_char(row["enddate"], "YYYY-MM-DD"),
        "item": {"links": [], "items": []}
        if expanded
        else {"links": _self(root, "workOrder", f"{row['id']}/item")},
    }


def report(books, kind, row, root, *, expanded):
    """Return a workOrderCompletion, an assemblyBuild or a workOrderClose."""
    details, line = books.details[row["id"]], books.line(row["id"])
    lines = details["operations"]
    shown = {
        "links": _self(root, kind, row["id"]),
        "id": str(row["id"]),
        "tranId": row["tranid"],
        "createdFrom": {
            "links": _self(root, "workOrder", line["createdfrom"]),
            "id": str(line["createdfrom"]),
        },
        "quantity": float(details["built"]),
        "tranDate": to_char(row["trandate"], "YYYY-MM-DD"),
    }
    shown |= {
        name: row[column] for name, column in (("externalId", "externalid"), ("memo", "memo")) if row[column]
    }
    if kind == "workOrderCompletion":
        shown |= {"completedQuantity": float(details["good"]), "scrapQuantity": float(details["scrap"])}
        if lines:
            shown |= {
                "startOperation": {"id": str(lines[0]["task"])},
                "endOperation": {"id": str(lines[-1]["task"])},
            }
        links = _self(root, kind, f"{row['id']}/operation")
        shown["operation"] = _operations(lines, links) if expanded else {"links": links}
    return shown


def task(books, row, root):
    """Return a manufacturingOperationTask."""
    centre = one(
        books.database, "select groupname from entitygroup where id = ?", row["manufacturingworkcenter"]
    )
    return {
        "links": _self(root, "manufacturingOperationTask", row["id"]),
        "id": str(row["id"]),
        "title": row["title"],
        "operationSequence": row["operationsequence"],
        "workOrder": {"id": str(row["workorder"])},
        "manufacturingWorkCenter": {
            "id": str(row["manufacturingworkcenter"]),
            "refName": centre["groupname"],
        },
        "status": {"id": row["status"], "refName": TASK[row["status"]]},
        "inputQuantity": row["inputquantity"],
        "completedQuantity": row["completedquantity"],
        "setupTime": row["setuptime"],
        "runRate": row["runrate"],
        "actualSetupTime": row["actualsetuptime"],
        "actualRunTime": row["actualruntime"],
    }


def _operations(lines, links):
    items = [
        {
            "operationSequence": line["sequence"],
            "taskId": line["task"],
            "completedQuantity": float(line["completed"]),
            **{name: float(value) for name, value in line.items() if name.endswith("Time")},
        }
        for line in lines
    ]
    return {"links": links, "count": len(items), "hasMore": False, "items": items, "totalResults": len(items)}


def _self(root, kind, key):
    return [{"rel": "self", "href": f"{root}/services/rest/record/v1/{kind}/{key}"}]


def _item(books, key, root):
    row = one(books.database, "select itemid from item where id = ?", key)
    return {"links": _self(root, "assemblyItem", key), "id": str(key), "refName": row["itemid"]}


def _instant(value):
    return to_char(value, "YYYY-MM-DD") + "T" + to_char(value, "HH24:MI:SS") + "Z"
