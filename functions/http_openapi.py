"""GET /api/v1/openapi.json: the OpenAPI 3.1 document, made from the registered routes and the shapes doors validate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Literal

import azure.functions as func

from functions.doors import Description, description_of, door
from functions.problems import JSON_TYPE, MEDIA_TYPE, TITLES, answer
from functions.replies import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it

type Mode = Literal["validation", "serialization"]
PLACEHOLDER = re.compile(r"\{(\w+)\}")
REFERENCE = "#/components/schemas/{model}"
SAID = {
    202: "Taken; the ERP hears of it soon",
    207: "Some of the events were refused",
    503: "Not available now",
}


@bp.function_name("openapi")
@bp.route(route="api/v1/openapi.json", methods=["GET"])
@door({200: dict[str, Any]})
async def openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger's own argument
    """Show this document."""
    return answer(document())


@dataclass(frozen=True, slots=True)
class Registered:
    """One HTTP function: its name, method and path, who may call it, and what it says of itself."""

    name: str
    method: str
    path: str
    anonymous: bool
    text: str
    described: Description


def registered() -> Iterator[Registered]:
    """Yield every HTTP function, as the host sees them."""
    from functions import http_events, http_health, http_orders, http_pull, http_review  # noqa: PLC0415 - only here

    host = func.FunctionApp()
    for blueprint in (http_events.bp, http_pull.bp, http_orders.bp, http_review.bp, http_health.bp, bp):
        host.register_functions(blueprint)
    for function in host.get_functions():
        handler, bound = function.get_user_function(), function.get_trigger()
        trigger = bound.get_dict_repr() if bound else {}
        for method in trigger["methods"]:
            yield Registered(
                name=function.get_function_name() or handler.__name__,
                method=method.value.lower(),
                path="/" + trigger["route"],
                anonymous=trigger["authLevel"] is func.AuthLevel.ANONYMOUS,
                text=handler.__doc__ or "",
                described=description_of(handler),
            )


@cache
def document() -> dict[str, Any]:
    """Build the document; once, and only for those who ask."""
    doors = list(registered())
    shapes = Shapes.of(doors)
    paths: dict[str, dict[str, Any]] = {}
    for each in doors:
        paths.setdefault(each.path, {})[each.method] = _operation(each, shapes)
    apart = queries(doors)
    components = {name: shape for name, shape in shapes.components.items() if name not in apart}
    key = {"type": "apiKey", "in": "header", "name": "x-functions-key"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tascus ERP integration",
            "version": "1",
            "description": "Events from the shop floor in; progress, messages, warnings and review out.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"functions_key": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"functions_key": key}},
    }


@dataclass(frozen=True, slots=True)
class Shapes:
    """The schema of every shape by (key, mode), and what those refer to."""

    by_key: Mapping[Any, Mapping[str, Any]]
    components: dict[str, Any]

    @classmethod
    def of(cls, doors: Iterable[Registered]) -> Shapes:
        """Describe everything the doors take and answer."""
        from pydantic import TypeAdapter  # noqa: PLC0415 - only for those who ask for the document

        wanted: dict[tuple[str, Mode], Any] = {("problem", "serialization"): Problem}
        for each in doors:
            wanted |= {
                (f"{each.name} {status}", "serialization"): it
                for status, it in each.described.replies.items()
            }
            taken = {"query": each.described.query, "body": each.described.body}
            wanted |= {
                (f"{each.name} {what}", "validation"): it() for what, it in taken.items() if it is not None
            }
        adapters = [(key, mode, TypeAdapter(it)) for (key, mode), it in wanted.items()]
        by_key, rest = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)
        return cls({key: schema for (key, _), schema in by_key.items()}, rest.get("$defs", {}))

    def resolved(self, key: str) -> Mapping[str, Any]:
        """Return the schema itself where `key` only refers to it."""
        schema = self.by_key[key]
        return self.components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def queries(doors: Iterable[Registered]) -> set[str]:
    """Return the names of the shapes that are taken apart into parameters."""
    return {each.described.query().__name__ for each in doors if each.described.query is not None}


def _operation(each: Registered, shapes: Shapes) -> dict[str, Any]:
    summary, _, more = each.text.partition("\n")
    operation: dict[str, Any] = {
        "operationId": each.name,
        "summary": summary,
        "parameters": [*_path_parameters(each.path), *_query_parameters(each, shapes)],
        "responses": _responses(each, shapes),
    }
    if more.strip():
        operation["description"] = cleandoc(more)
    if each.anonymous:
        operation["security"] = []
    if each.described.body is not None:
        content = {JSON_TYPE: {"schema": shapes.by_key[f"{each.name} body"]}}
        operation["requestBody"] = {"required": each.described.body_required, "content": content}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PLACEHOLDER.findall(path)
    ]


def _query_parameters(each: Registered, shapes: Shapes) -> list[dict[str, Any]]:
    if each.described.query is None:
        return []
    properties = shapes.resolved(f"{each.name} query")["properties"]
    return [_query_parameter(name, dict(schema)) for name, schema in properties.items()]


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter left out is not null: it is left out."""
    parameter: dict[str, Any] = {"name": name, "in": "query"}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    if schema.get("default", "") is None:
        del schema["default"]
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    return parameter | {"schema": schema | (kinds[0] if kinds else {})}


def _responses(each: Registered, shapes: Shapes) -> dict[str, Any]:
    said = {
        str(status): _response(
            SAID.get(status, "As asked"), JSON_TYPE, shapes.by_key[f"{each.name} {status}"]
        )
        for status in each.described.replies
    }
    refused = {
        str(status): _response(TITLES[status], MEDIA_TYPE, shapes.by_key["problem"])
        for status in sorted(each.described.problems)
    }
    return refused | said


def _response(description: str, media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}
