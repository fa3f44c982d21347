"""What Frappe refuses with: an exception type, its HTTP status and the module its traceback line names.

Source: frappe/exceptions.py; the manufacturing errors are classes of their own modules in erpnext.
"""

STATUS = {
    "AuthenticationError": 401,
    "PermissionError": 403,
    "DoesNotExistError": 404,
    "DuplicateEntryError": 409,
}
SERVER_ERRORS = {
    "JSONDecodeError",
    "TypeError",
    "AttributeError",
    "ParserError",
    "NotImplementedError",
}  # client mistakes nobody caught
MODULES = {
    "OverlapError": "erpnext.manufacturing.doctype.job_card.job_card",
    "OperationSequenceError": "erpnext.manufacturing.doctype.job_card.job_card",
    "JobCardCancelError": "erpnext.manufacturing.doctype.job_card.job_card",
    "StockOverProductionError": "erpnext.manufacturing.doctype.work_order.work_order",
    "OperationsNotCompleteError": "erpnext.stock.doctype.stock_entry.stock_entry",
    "DuplicateEntryForWorkOrderError": "erpnext.stock.doctype.stock_entry.stock_entry",
    "FinishedGoodError": "erpnext.stock.doctype.stock_entry.stock_entry",
    "SerialNoDuplicateError": "erpnext.stock.doctype.serial_and_batch_bundle.serial_and_batch_bundle",
    "NegativeStockError": "erpnext.stock.stock_ledger",
    "JSONDecodeError": "json.decoder",
    "ParserError": "dateutil.parser._parser",
    "TypeError": "builtins",
    "AttributeError": "builtins",
    "NotImplementedError": "builtins",
}


class FrappeError(Exception):
    """One refusal; `kind` is what the reply's `exc_type` says."""

    def __init__(self, message, kind="ValidationError"):
        super().__init__(message)
        self.kind = kind

    @property
    def status(self):
        """HTTP status of the reply: 417 for every ValidationError, 500 for what nobody caught."""
        return 500 if self.kind in SERVER_ERRORS else STATUS.get(self.kind, 417)

    @property
    def traceback_line(self):
        """The last line of the traceback, which the reply carries as `exception`."""
        module = MODULES.get(self.kind, "frappe.exceptions")
        return f"{self.kind if module == 'builtins' else f'{module}.{self.kind}'}: {self}"
