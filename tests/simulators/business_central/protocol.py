"""The manners of Business Central's web services: error bodies, ETags, request bodies."""

import json
import uuid
from decimal import Decimal

from starlette.responses import JSONResponse

from tests.simulators.business_central.tables import AlError


def error_reply(code, text, status):
    """Return an error as the platform words it, with the correlation id its support asks for."""
    text = f"{text}  CorrelationId:  {uuid.uuid4()}."
    return JSONResponse({"error": {"code": code, "message": text}}, status)


def not_found(name):
    """Return the error for a set, a page or an action that is not there."""
    return AlError("BadRequest_ResourceNotFound", f"Resource not found for the segment '{name}'.", 404)


def no_method(method):
    """Return the error for a method the page does not allow."""
    return AlError("BadRequest_MethodNotAllowed", f"'{method}' requests are not allowed here.", 405)


def need(page, write, method):
    """Refuse a write the page does not allow."""
    if write not in page.writes:
        raise no_method(method)


def etag(shown):
    """Return the annotation that names a row's version."""
    return {"@odata.etag": f'W/"{shown["version"]}"'}


def match(request, shown):
    """A change needs If-Match: the row's ETag, or `*` for whatever it is now."""
    wanted = request.headers.get("if-match")
    if not wanted:
        raise AlError(
            "BadRequest_InvalidToken",
            "Could not validate the client concurrency token required by the service. Please provide a valid "
            "token in the client request.",
        )
    if wanted not in ("*", etag(shown)["@odata.etag"]):
        raise AlError("Request_EntityChanged", "Another user has already changed the record.", 409)


def json_of(body):
    """Return a request's body, which is an object."""
    try:
        found = json.loads(body, parse_float=Decimal)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise AlError("BadRequest", "Invalid Request Body")
    return found


def fields_of(page, body):
    """Return a request's body by AL field."""
    try:
        return page.given(body)
    except KeyError as error:
        raise AlError(
            "BadRequest", f"The property {error} does not exist on type '{page.entity.name}'."
        ) from None
    except AttributeError:
        raise AlError("BadRequest", "Cannot convert a literal to the type of an option field.") from None


def read_only(given, writable):
    """Refuse a field the caller may not set."""
    for name in given:
        if name not in writable:
            raise AlError("BadRequest_InvalidOperation", f"Control '{name}' is read-only.")
