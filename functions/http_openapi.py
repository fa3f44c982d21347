"""GET /api/v1/openapi.json: the OpenAPI 3.1 document, made from the registered routes and the shapes doors validate."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import azure.functions as func

from functions.doors import DESCRIBED, Description, door
from functions.problems import JSON_TYPE, MEDIA_TYPE, TITLES, answer

if TYPE_CHECKING:
    from collections.abc import Iterable

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it

PLACEHOLDER = re.compile(r"\{(\w+)\}")
HTTP_TRIGGER = "httpTrigger"
SHAPES = "#/components/schemas/{model}"


@bp.function_name("openapi")
@bp.route(route="api/v1/openapi.json", methods=["GET"])
@door({200: dict[str, Any]})
async def openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger's own argument
    """Show this document."""
    return answer(document())


@cache
def document() -> dict[str, Any]:
    """Build the document; once, and only for those who ask."""
    doors = list(registered())
    shapes, components = _schemas(doors)
    paths: dict[str, dict[str, Any]] = {}
    for each in doors:
        paths.setdefault(each.path, {})[each.method] = _operation(each, shapes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tascus ERP integration",
            "version": "1",
            "description": "Events from the shop floor in, progress and review out.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
            },
        },
    }


@dataclass(frozen=True, slots=True)
class Registered:
    """One HTTP function: its name, method and path, who may call it, and what it says of itself."""

    name: str
    method: str
    path: str
    anonymous: bool
    summary: str
    described: Description


def registered() -> Iterable[Registered]:
    """Yield every HTTP function of this app, as the host sees them."""
    from functions import http_events, http_health, http_orders, http_pull, http_review  # noqa: PLC0415 - this door is one of them

    host = func.FunctionApp()
    for blueprint in (http_events.bp, http_pull.bp, http_orders.bp, http_review.bp, http_health.bp, bp):
        host.register_functions(blueprint)
    for function in host.get_functions():
        trigger = function.get_trigger().get_dict_repr()
        handler = function.get_user_function()
        for method in trigger["methods"]:
            yield Registered(
                function.get_function_name(),
                str(method).lower(),
                f"/{trigger['route']}",
                str(trigger["authLevel"]).upper().endswith("ANONYMOUS"),
                (handler.__doc__ or "").strip(),
                DESCRIBED[handler.__name__],
            )
