"""The function imports of the confirmation service: their parameters, written as literals in the query string."""

from tests.simulators.odata import QueryError
from tests.simulators.odata_filter import literal, tokens
from tests.simulators.sap import fields
from tests.simulators.sap.errors import business

FUNCTIONS = {  # name -> (returned entity set, parameters)
    "CancelProdnOrdConf": (
        "ProdnOrdConf2",
        {
            "ConfirmationGroup": fields.STRING,
            "ConfirmationCount": fields.STRING,
            "PostingDate": fields.DATE,
            "ConfirmationText": fields.STRING,
            "ExternalSystemConfirmation": fields.GUID,
        },
    ),
    "GetConfProposal": (
        "",
        {
            "ConfirmationGroup": fields.STRING,
            "OrderID": fields.STRING,
            "Sequence": fields.STRING,
            "OrderOperation": fields.STRING,
            "OrderSuboperation": fields.STRING,
            "ConfirmationUnit": fields.STRING,
            "ConfirmationYieldQuantity": fields.DECIMAL,
            "ConfirmationScrapQuantity": fields.DECIMAL,
            "ConfirmationReworkQuantity": fields.DECIMAL,
            "QuantityIsToBeProposed": fields.FLAG,
            "ActivityIsToBeProposed": fields.FLAG,
            "DateAndTimeIsToBeProposed": fields.FLAG,
            "PersonnelIsToBeProposed": fields.FLAG,
        },
    ),
}
REQUIRED = {"CancelProdnOrdConf": ("ConfirmationGroup", "ConfirmationCount"), "GetConfProposal": ("OrderID",)}


def parameters_of(name, options, numbers):
    """Return the typed parameters of a call; RefusedError for one missing or of another type."""
    known = FUNCTIONS[name][1]
    given = {key: _value(key, known[key], text) for key, text in options.items() if key in known}
    missing = [key for key in REQUIRED[name] if key not in given]
    if missing:
        raise business(
            "/IWBEP/CM_MGW_RT/011", f"Parameter '{missing[0]}' is missing for function import {name}"
        )
    return {key: numbers.inside(key, value) for key, value in given.items()}


def _value(key, edm, text):
    found = _flag(text) if edm == fields.FLAG else _literal(text)
    if found is None or found[0] != edm:
        raise business("/IWBEP/CM_MGW_RT/012", f"Invalid literal {text} for parameter {key} of type {edm}")
    return found[1].date() if edm == fields.DATE else found[1]


def _flag(text):
    return (fields.FLAG, text == "true") if text in ("true", "false") else None


def _literal(text):
    try:
        pairs = tokens(text)
        found = literal(*pairs[0], 2) if len(pairs) == 1 else None
    except QueryError:
        return None
    return (found.type, found.value) if found else None
