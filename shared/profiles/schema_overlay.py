"""The JSON Schema of what is laid over a profile, made from the schema of a whole one.

The same keys with the same values, but nothing is required, null takes a key away, and steps may be a mapping by
name. A list replaces a list, so its elements are whole. What may be written in several ways is one schema here, not a
choice of several: beneath a choice an editor could not say which key is wrong.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from shared.profiles.overlay import EXTENDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    type Node = dict[str, Any]

OVERLAY = "Overlay"
BY_NAME = "Step"  # lists of it are changed by name
NULL: Node = {"type": "null"}
BASE: Node = {"type": "string", "description": "the profile or the .yaml file beneath this one"}
PLAIN = "Text"
GROUP: Node = {"type": ["object", "null"], "description": "a group's name, with what the group is given"}
LEFT_OUT = frozenset({"required", "title", "default", "minProperties", "not", "discriminator"})


def with_overlays(parts: Mapping[str, Node], whole: str) -> dict[str, Node]:
    """Return `parts`, the definitions of a whole profile, and those of an overlay, of which OVERLAY is the first.

    `whole` is the definition of the profile itself.
    """
    return _Overlaying(parts).all(whole)


class _Overlaying:
    """Definitions being made from those of a whole profile, each when something refers to it."""

    def __init__(self, parts: Mapping[str, Node]) -> None:
        self._parts = parts
        self._made: dict[str, Node] = {}
        self._choices: dict[str, list[Node]] = {}  # what each that is made was made of: no two share a name

    def all(self, whole: str) -> dict[str, Node]:
        form = self._form(self._parts[whole])
        properties = {EXTENDS: BASE, **form["properties"]}
        top = {**form, "type": "object", "minProperties": 1, "properties": properties}
        return {**self._parts, OVERLAY: top, **self._made}

    def _form(self, node: Node) -> Node:
        """Return what may be written over `node`."""
        options = list(self._options(node))
        if len(options) > 1:
            return self._choice(options)
        kept = {key: value for key, value in (options[0] if options else node).items() if key not in LEFT_OUT}
        if kept.get("type") == "object":
            kept |= self._object(kept)
        elif kept.get("type") == "array" and self._is_by_name(kept["items"]):
            kept |= {"type": ["array", "object"], "additionalProperties": self._step(kept["items"])}
        return _or_null(kept)

    def _object(self, node: Node) -> Node:
        """Return those of the keywords of an object that are different over it."""
        formed: Node = {
            key: {name: self._named(each) for name, each in node[key].items()}
            for key in ("properties", "patternProperties")
            if key in node
        }
        if isinstance(node.get("additionalProperties"), dict):
            formed["additionalProperties"] = self._named(node["additionalProperties"])
        return formed

    def _named(self, node: Node) -> Node:
        """Return the form of `node`, as a definition of its own where it is made of definitions."""
        name = _name(node)
        options = list(self._options(node))
        if not name or self._choices.setdefault(name, options) != options:
            return self._form(node)
        if name not in self._made:
            self._made[name] = {}  # it may refer to itself
            self._made[name] = self._form(node)
        said = {key: node[key] for key in ("description",) if key in node}
        return {**said, "$ref": f"#/$defs/{name}"}

    def _options(self, node: Node) -> Iterator[Node]:
        """Yield the ways to write `node`, null left out."""
        if "$ref" in node:
            yield from self._options(self._parts[node["$ref"].rsplit("/", 1)[-1]])
        elif "anyOf" in node or "oneOf" in node:
            for each in node.get("anyOf") or node["oneOf"]:
                yield from self._options(each)
        elif node != NULL:
            yield node

    def _choice(self, options: list[Node]) -> Node:
        objects = [each for each in options if each.get("type") == "object"]
        others = [each for each in options if each.get("type") != "object"]
        if not objects:
            return {"anyOf": [self._form(each) for each in others]}
        merged = self._merged(objects)
        if not others:
            return merged
        if len(others) == 1 and "type" in others[0]:
            # Keywords are about their own type only: a text's pattern says nothing of an object.
            (other,) = others
            text = {key: value for key, value in other.items() if key not in {*LEFT_OUT, "description"}}
            return {**text, **merged, "type": [other["type"], *merged["type"]]}
        return {"anyOf": [*map(self._form, others), merged]}

    def _merged(self, objects: list[Node]) -> Node:
        """Return one object with the keys of all `objects`: which of them is meant shows only with what is beneath."""
        forms = [self._form(each) for each in objects]
        keys = dict.fromkeys(key for form in forms for key in form.get("properties", {}))
        merged: Node = {
            "type": ["object", "null"],
            "properties": {key: _either(_all_of(forms, key)) for key in keys},
            "additionalProperties": False if all("properties" in form for form in forms) else GROUP,
        }
        patterns = {key: value for form in forms for key, value in form.get("patternProperties", {}).items()}
        if patterns:
            merged["patternProperties"] = patterns
        kinds = list(_kinds(objects, keys))
        return {**merged, "allOf": kinds} if kinds else merged

    def _step(self, items: Node) -> Node:
        """Return what may be written over one step of a list: it can be changed, not taken away."""
        return {**self._named(items), "not": NULL}

    def _is_by_name(self, items: Node) -> bool:
        return BY_NAME in _names(items)


def _kinds(objects: Iterable[Node], keys: Iterable[str]) -> Iterator[Node]:
    """Yield for each kind that it has no other's keys, unless they are taken away."""
    for each in objects:
        kind = each.get("properties", {}).get("kind", {}).get("const")
        foreign = [key for key in keys if key not in each.get("properties", {})]
        if kind and foreign:
            said = {"properties": {"kind": {"const": kind}}, "required": ["kind"]}
            yield {"if": said, "then": {"properties": dict.fromkeys(foreign, NULL)}}


def _all_of(forms: Iterable[Node], key: str) -> Iterator[Node]:
    return (form["properties"][key] for form in forms if key in form.get("properties", {}))


def _either(forms: Iterable[Node]) -> Node:
    """Return the one form a key has, or a choice of them."""
    different: list[Node] = []
    for form in forms:
        if form not in different:
            different.append(form)
    if all("enum" in form for form in different):
        words = dict.fromkeys(word for form in different for word in form["enum"] if word is not None)
        return {**different[0], "enum": [*words, None]}
    return different[0] if len(different) == 1 else {"anyOf": different}


def _or_null(node: Node) -> Node:
    """Return `node`, which null may take away."""
    nullable = dict(node)
    if "const" in nullable:
        nullable["enum"] = [nullable.pop("const")]
    if "enum" in nullable:
        nullable["enum"] = [*nullable["enum"], None]
    if "type" in nullable:
        types = nullable["type"] if isinstance(nullable["type"], list) else [nullable["type"]]
        nullable["type"] = [*types, "null"]
    return nullable


def _name(node: Node) -> str:
    """Return what the form of `node` is called: after all it is made of; "" where that is no definition."""
    names = list(dict.fromkeys(_names(node)))
    if not set(names) - {PLAIN}:
        return ""
    return f"{_shared_end(names) or 'Or'.join(names)}Over"


def _shared_end(names: Iterable[str]) -> str:
    """Return what all `names` end with: the kinds of `Auth`, the kinds of `Paging`."""
    last_first = zip(*(reversed(name) for name in names), strict=False)
    return "".join(letters[0] for letters in takewhile(lambda each: len(set(each)) == 1, last_first))[::-1]


def _names(node: Node) -> Iterator[str]:
    """Yield the definitions that `node` is made of, itself or the choices it gives, and PLAIN for other choices."""
    if "$ref" in node:
        yield node["$ref"].rsplit("/", 1)[-1]
    elif "anyOf" in node or "oneOf" in node:
        for each in node.get("anyOf") or node["oneOf"]:
            yield from _names(each)
    elif node != NULL:
        yield PLAIN
