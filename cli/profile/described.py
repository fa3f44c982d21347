"""What an ERP says of its own API, in one shape: record types with their fields. OpenAPI 3 or OData $metadata."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import yaml

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LISTS = ("value", "results", "items", "data", "records")


@dataclass(frozen=True, slots=True)
class RecordType:
    """One kind of record that can be listed.

    `path` lists it, `records` is where the list stands in the reply ("" = the reply itself); `fields` are names with
    the API's own types; `choices` the values an enumeration allows; `children` are nested lists of other records.
    """

    name: str
    path: str
    fields: Mapping[str, str]
    records: str = ""
    parameters: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    children: Mapping[str, RecordType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Described:
    """A whole API."""

    protocol: Literal["openapi", "odata2", "odata4"]
    title: str
    types: tuple[RecordType, ...]


def read(text: str) -> Described:
    """Read a description.

    Raises:
        ConfigurationError: it is neither OpenAPI 3 (JSON or YAML) nor OData $metadata (XML).
    """
    if text.lstrip("\ufeff \n\r\t").startswith("<"):
        return _odata(text)
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"neither XML nor JSON nor YAML: {error}") from error
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        raise ConfigurationError("give OpenAPI 3 (`openapi: 3.x` at its top) or OData $metadata (EDMX)")
    return Described("openapi", str(document.get("info", {}).get("title", "")), tuple(_listed(document)))


# --- OpenAPI ------------------------------------------------------------------------------------------------


def _listed(document: Mapping[str, Any]) -> Iterator[RecordType]:
    for path, item in document.get("paths", {}).items():
        get = item.get("get") if isinstance(item, dict) else None
        if not get or "{" in path:
            continue
        found = _list_in(document, _reply_of(document, get))
        if found is None:
            continue
        records, schema = found
        parameters = [
            _resolved(document, each) for each in (*item.get("parameters", ()), *get.get("parameters", ()))
        ]
        names = tuple(each["name"] for each in parameters if each.get("in") == "query")
        yield _record(document, path.rsplit("/", 1)[-1], path, records, schema, names)


def _reply_of(document: Mapping[str, Any], get: Mapping[str, Any]) -> Mapping[str, Any]:
    reply = _resolved(document, get.get("responses", {}).get("200", {}))
    content = reply.get("content", {}).get("application/json", {})
    return _resolved(document, content.get("schema", {}))


def _list_in(document: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    if schema.get("type") == "array":
        return "", _resolved(document, schema["items"])
    properties = schema.get("properties", {})
    for name in (*LISTS, *properties):
        inner = _resolved(document, properties.get(name, {}))
        if inner.get("type") == "array" and _resolved(document, inner["items"]).get("properties"):
            return name, _resolved(document, inner["items"])
    return None


def _record(
    document: Mapping[str, Any],
    name: str,
    path: str,
    records: str,
    schema: Mapping[str, Any],
    parameters: tuple[str, ...] = (),
    depth: int = 0,
) -> RecordType:
    properties = {key: _resolved(document, value) for key, value in schema.get("properties", {}).items()}
    plain = {key: str(each.get("format") or each.get("type", "")) for key, each in properties.items()}
    choices = {key: tuple(map(str, each["enum"])) for key, each in properties.items() if "enum" in each}
    children = {
        key: _record(document, key, "", "", _resolved(document, each["items"]), (), depth + 1)
        for key, each in properties.items()
        if each.get("type") == "array" and depth == 0 and _resolved(document, each["items"]).get("properties")
    }
    fields = {key: kind for key, kind in plain.items() if kind not in ("array", "object")}
    return RecordType(name, path, fields, records, parameters, choices, children)


def _resolved(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references within the document; parts of an `allOf` are laid over each other."""
    while "$ref" in part:
        steps = str(part["$ref"]).removeprefix("#/").split("/")
        part = document
        for step in steps:
            part = part.get(step, {})
    if "allOf" in part:
        parts = [_resolved(document, each) for each in part["allOf"]]
        properties = {key: value for each in parts for key, value in each.get("properties", {}).items()}
        return {**part, "type": "object", "properties": properties}
    return part


# --- OData --------------------------------------------------------------------------------------------------


def _odata(text: str) -> Described:
    try:
        root = ET.fromstring(text)  # noqa: S314 - the ERP's own document, chosen by the engineer
    except ET.ParseError as error:
        raise ConfigurationError(f"not OData $metadata: {error}") from error
    entities = {each.get("Name", ""): each for each in _all(root, "EntityType")}
    if not entities:
        raise ConfigurationError("not OData $metadata: it describes no EntityType")
    version = "odata4" if str(root.get("Version", "")).startswith("4") else "odata2"
    enums = {
        each.get("Name", ""): tuple(member.get("Name", "") for member in _all(each, "Member"))
        for each in _all(root, "EnumType")
    }
    targets = _associations(root)
    types = tuple(
        _entity(entities, enums, targets, entity_set.get("Name", ""), _last(entity_set.get("EntityType", "")))
        for entity_set in _all(root, "EntitySet")
        if _last(entity_set.get("EntityType", "")) in entities
    )
    return Described(version, "", types)  # type: ignore[arg-type]  # one of the two words above


def _entity(
    entities: Mapping[str, ET.Element],
    enums: Mapping[str, tuple[str, ...]],
    targets: Mapping[str, str],
    name: str,
    entity: str,
    depth: int = 0,
) -> RecordType:
    element = entities[entity]
    fields = {each.get("Name", ""): _last(each.get("Type", "")) for each in _all(element, "Property")}
    choices = {key: enums[kind] for key, kind in fields.items() if kind in enums}
    children = {}
    for each in _all(element, "NavigationProperty") if depth == 0 else ():
        target = _many(each, targets)
        if target in entities:
            called = each.get("Name", "")
            children[called] = _entity(entities, enums, targets, called, target, depth + 1)
    return RecordType(name, f"/{name}", fields, "", (), choices, children)


def _many(navigation: ET.Element, targets: Mapping[str, str]) -> str:
    """Return the entity a navigation property lists: V4 names it, V2 goes by way of an association."""
    listed = re.fullmatch(r"Collection\((.+)\)", navigation.get("Type", ""))
    if listed:
        return _last(listed[1])
    return targets.get(f"{_last(navigation.get('Relationship', ''))}/{navigation.get('ToRole')}", "")


def _associations(root: ET.Element) -> dict[str, str]:
    return {
        f"{each.get('Name')}/{end.get('Role')}": _last(end.get("Type", ""))
        for each in _all(root, "Association")
        for end in _all(each, "End")
        if end.get("Multiplicity") == "*"
    }


def _all(element: ET.Element, name: str) -> list[ET.Element]:
    """Return all elements of that name below, whatever the version of the namespace."""
    return [each for each in element.iter() if each.tag.rsplit("}", 1)[-1] == name]


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]
