"""The whitelisted methods a shop floor calls: /api/method/<dotted path>. Anything else is refused as unknown.

A method gets the arguments its signature names and no others: Frappe drops the rest.
"""

import json

from tests.simulators.erpnext.errors import FrappeError

WORK_ORDER = "erpnext.manufacturing.doctype.work_order.work_order"
JOB_CARD = "erpnext.manufacturing.doctype.job_card.job_card"


def call(site, path, args):
    """Return the method's `message`; None is no message at all."""
    if path not in METHODS:
        raise FrappeError(f"Failed to get method for command {path} with module has no such attribute")
    return METHODS[path](site, args)


def _parsed(value):
    return json.loads(value) if isinstance(value, str) else value


def _make_time_log(site, args):
    (given,) = site.need(args, "args")
    given = dict(_parsed(given))
    given["employees"] = _parsed(given.get("employees") or [])
    site.cards.make_time_log(given)


def _make_stock_entry(site, args):
    number, purpose = site.need(args, "work_order_id", "purpose")
    doc = site.entries.make_stock_entry(number, purpose, args.get("qty"))
    return site.documents.public("Stock Entry", doc, nulls=True)


def _make_job_card(site, args):
    number, rows = site.need(args, "work_order", "operations")
    site.orders.make_job_card(number, _parsed(rows))


def _stop_unstop(site, args):
    return site.orders.stop_unstop(*site.need(args, "work_order", "status"))


def _close(site, args):
    return site.orders.close(*site.need(args, "work_order", "status"))


def _submit(site, args):
    (given,) = site.need(args, "doc")
    doc = _parsed(given)
    changed = site.documents.update(doc["doctype"], doc["name"], doc | {"docstatus": 1})
    return site.documents.public(doc["doctype"], changed, nulls=True)


def _cancel(site, args):
    doctype, name = site.need(args, "doctype", "name")
    return site.documents.public(doctype, site.cancel(doctype, name), nulls=True)


def _get_count(site, args):
    (doctype,) = site.need(args, "doctype")
    return len(site.query(doctype).rows(_parsed(args.get("filters")), length=0))


def _get_list(site, args):
    (doctype,) = site.need(args, "doctype")
    length = int(args.get("limit_page_length", 20))
    start = int(args.get("limit_start") or 0)
    filters, fields = _parsed(args.get("filters")), _parsed(args.get("fields"))
    return site.query(doctype).rows(filters, fields, args.get("order_by"), start, length)


METHODS = {
    f"{JOB_CARD}.make_time_log": _make_time_log,
    f"{WORK_ORDER}.make_stock_entry": _make_stock_entry,
    f"{WORK_ORDER}.make_job_card": _make_job_card,
    f"{WORK_ORDER}.stop_unstop": _stop_unstop,
    f"{WORK_ORDER}.close_work_order": _close,
    "frappe.client.submit": _submit,
    "frappe.client.cancel": _cancel,
    "frappe.client.get_count": _get_count,
    "frappe.client.get_list": _get_list,
    "frappe.auth.get_logged_user": lambda site, _: site.documents.user,
    "frappe.ping": lambda *_: "pong",
}
OPEN_TO_GUESTS = {"frappe.ping"}
