"""What Kinetic refuses: the status, the layer that says no, and the text."""

import uuid

BUSINESS = "Ice.Common.BusinessObjectException"
REST = "Epicor.RESTApi.ErrorHandling.ApiException"
ODATA = "Microsoft.OData.ODataException"
NOT_FOUND = "Ice.Common.RecordNotFoundException"


class RefusedError(Exception):
    """A request Kinetic does not carry out."""

    def __init__(self, status, kind, text, table="", field=""):
        super().__init__(text)
        self.status, self.kind, self.text, self.table, self.field = status, kind, text, table, field

    def body(self):
        """Return the JSON body."""
        detail = {"Message": self.text, "Type": "Error", "Table": self.table, "Field": self.field}
        return {
            "HttpStatus": self.status,
            "ReasonPhrase": "REST API Exception",
            "ErrorMessage": self.text,
            "ErrorType": self.kind,
            "ErrorDetails": [detail] if self.kind == BUSINESS else None,
            "CorrelationId": str(uuid.uuid4()),
        }


def business(text, field=""):
    """Return the refusal of a rule of the business: status 400, the row of LaborDtl at fault."""
    return RefusedError(400, BUSINESS, text, "LaborDtl", field)


def no_record(what):
    """Return the answer to a key nobody has."""
    return RefusedError(404, NOT_FOUND, f"Record not found. {what}")
