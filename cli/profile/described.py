"""What an ERP says of its own API, in one shape: record types with their fields. OpenAPI 3 or OData $metadata."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

import yaml

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    try:
        if text.lstrip("\ufeff \n\r\t").startswith("<"):
            return _odata(text)
        return _openapi(_Document(_data(text)))
    except RecursionError as error:
        raise ConfigurationError("the description is nested too deeply to be read") from error


# --- OpenAPI ------------------------------------------------------------------------------------------------


def _data(text: str) -> Any:  # noqa: ANN401 - whatever stands in it
    try:
        return json.loads(text)
    except ValueError:
        pass  # YAML, then
    try:
        return yaml.load(text, yaml.BaseLoader)  # noqa: S506 - lists, mappings and texts, nothing else
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"neither XML nor JSON nor YAML: {error}") from error


def _openapi(document: _Document) -> Described:
    if not _word(document.root.get("openapi")).startswith("3."):
        raise ConfigurationError("give OpenAPI 3 (`openapi: 3.x` at its top) or OData $metadata (EDMX)")
    title = _word(_mapping(document.root.get("info")).get("title"))
    return Described("openapi", title, tuple(_listed(document)))


class _Document:
    """A description whose references are followed, wherever they lead."""

    def __init__(self, root: Any) -> None:  # noqa: ANN401 - whatever stands in the file
        self.root = _mapping(root)
        self._known: dict[int, tuple[Any, Mapping[str, Any]]] = {}

    def resolved(self, part: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Return `part` with its reference followed and the parts of its `allOf` laid over each other.

        A part that leads back to itself adds nothing there: it says nothing that could be read.
        """
        part = _mapping(part)
        if id(part) not in self._known:
            self._known[id(part)] = part, {}
            self._known[id(part)] = part, self._followed(part)
        return self._known[id(part)][1]

    def _followed(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in part:
            return self.resolved(self._at(_word(part["$ref"])))
        if "allOf" not in part:
            return part
        parts = [*map(self.resolved, _sequence(part["allOf"])), part]
        properties = {key: value for each in parts for key, value in _mapping(each.get("properties")).items()}
        return {**part, "type": "object", "properties": properties}

    def _at(self, reference: str) -> Any:  # noqa: ANN401
        """Return what stands at a reference within the document (a JSON Pointer, RFC 6901), {} where nothing does."""
        part: Any = self.root
        for step in unquote(reference.removeprefix("#/")).split("/"):
            part = _mapping(part).get(step.replace("~1", "/").replace("~0", "~"), {})
        return part


def _listed(document: _Document) -> Iterator[RecordType]:
    for path, each in _mapping(document.root.get("paths")).items():
        item = document.resolved(each)
        get = document.resolved(item.get("get"))
        if not get or not path.startswith("/") or set(path) & set("{}"):
            continue
        found = _list_in(document, _reply_of(document, get))
        if found is None:
            continue
        records, schema = found
        parameters = [*_sequence(item.get("parameters")), *_sequence(get.get("parameters"))]
        names = [
            _word(each.get("name"))
            for each in map(document.resolved, parameters)
            if each.get("in") == "query"
        ]
        yield _record(document, path.rsplit("/", 1)[-1], path, records, schema, tuple(names))


def _reply_of(document: _Document, get: Mapping[str, Any]) -> Mapping[str, Any]:
    reply = document.resolved(_mapping(get.get("responses")).get("200"))
    content = _mapping(_mapping(reply.get("content")).get("application/json"))
    return document.resolved(content.get("schema"))


def _list_in(document: _Document, schema: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    if _type(schema) == "array":
        return "", document.resolved(schema.get("items"))
    properties = _mapping(schema.get("properties"))
    for name in (*LISTS, *properties):
        elements = _elements(document, document.resolved(properties.get(name)))
        if elements.get("properties"):
            return name, elements
    return None


def _record(
    document: _Document,
    name: str,
    path: str,
    records: str,
    schema: Mapping[str, Any],
    parameters: tuple[str, ...] = (),
    depth: int = 0,
) -> RecordType:
    properties = {key: document.resolved(each) for key, each in _mapping(schema.get("properties")).items()}
    plain = {key: _word(each.get("format")) or _type(each) for key, each in properties.items()}
    choices = {key: _words(each["enum"]) for key, each in properties.items() if "enum" in each}
    lists = {key: _elements(document, each) for key, each in properties.items()} if depth == 0 else {}
    children = {
        key: _record(document, key, "", "", each, (), depth + 1)
        for key, each in lists.items()
        if each.get("properties")
    }
    fields = {key: kind for key, kind in plain.items() if kind not in ("array", "object")}
    return RecordType(name, path, fields, records, parameters, choices, children)


def _elements(document: _Document, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the elements of a list are; of anything else, nothing."""
    return document.resolved(schema.get("items")) if _type(schema) == "array" else {}


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema's type; where it may be null too (OpenAPI 3.1), the other one."""
    kinds = [_word(each) for each in _sequence(schema.get("type"))] or [_word(schema.get("type"))]
    return next((kind for kind in kinds if kind != "null"), "")


def _mapping(part: Any) -> Mapping[str, Any]:  # noqa: ANN401
    return part if isinstance(part, dict) else {}


def _sequence(part: Any) -> Sequence[Any]:  # noqa: ANN401
    return part if isinstance(part, list) else ()


def _words(part: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return the texts in a list, each once."""
    return tuple(dict.fromkeys(filter(None, map(_word, _sequence(part)))))


def _word(part: Any) -> str:  # noqa: ANN401
    """Return a text or number as text; "" where something else stands."""
    return str(part) if isinstance(part, str | int | float) else ""


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
        for entity_set in _named(root, "EntitySet")
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
    fields = {each.get("Name", ""): _last(each.get("Type", "")) for each in _named(element, "Property")}
    choices = {key: enums[kind] for key, kind in fields.items() if kind in enums}
    children = {}
    for each in _named(element, "NavigationProperty") if depth == 0 else ():
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


def _named(element: ET.Element, name: str) -> list[ET.Element]:
    """Return those that have a name which OData allows (CSDL, SimpleIdentifier)."""
    return [each for each in _all(element, name) if each.get("Name", "").isidentifier()]


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]
