"""The YAML that profiles are written in: YAML 1.2's core types, and nothing that builds anything else."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

CORE = "tag:yaml.org,2002:"
MERGE = f"{CORE}merge"
QUOTE = 'text that begins with a brace or bracket has to be quoted: "{...}"'


class CoreLoader(yaml.SafeLoader):
    """`no` is text, 0010 is text, 1.5 is exact; a key given twice is refused, and so is a key that is no text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the shape PyYAML reads
    yaml_constructors: ClassVar[dict[Any, Any]] = {
        f"{CORE}seq": yaml.SafeLoader.construct_yaml_seq,
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the data of a mapping, each of whose keys is given once."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != MERGE:
                raise refused(f"key '{key.value}' is given twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def refused(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    """Return the error that says `problem` where `node` begins."""
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _scalar(name: str, pattern: str, first: str, read: Callable[[str], Any]) -> None:
    """Take texts that match `pattern`, whose first letter is one of `first`, as a `name`; `!!name` says it of them."""
    whole = re.compile(pattern)

    def construct(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - what it reads
        if not isinstance(node, yaml.ScalarNode) or not whole.match(node.value):
            raise refused(f"not a value of type {name}", node)
        try:
            return read(str(loader.construct_scalar(node)))
        except ValueError as error:
            raise refused(f"not a value of type {name}: {error}", node) from error

    CoreLoader.add_constructor(f"{CORE}{name}", construct)
    CoreLoader.add_implicit_resolver(f"{CORE}{name}", whole, list(first))


def _text(loader: CoreLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise refused("half a surrogate pair is no text", node)
    return text


def _mapping(loader: CoreLoader, node: yaml.Node) -> Any:  # noqa: ANN401 - in two steps, as PyYAML asks
    if not isinstance(node, yaml.MappingNode):
        raise refused("not a mapping", node)
    return loader.construct_yaml_map(node)


def _unknown(_loader: CoreLoader, node: yaml.Node) -> None:
    raise refused(
        f"unknown tag {node.tag.replace(CORE, '!!')!r}; valid: !!str, !!int, !!float, !!bool, !!null", node
    )


_scalar("bool", r"^(?:true|false)\Z", "tf", lambda text: text == "true")
_scalar("null", r"^(?:null|~|)\Z", "n~", lambda _text: None)
_scalar("int", r"^-?(?:0|[1-9][0-9]*)\Z", "-0123456789", int)
_scalar("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+\Z", "-0123456789", Decimal)
CoreLoader.add_implicit_resolver(MERGE, re.compile(r"^<<\Z"), ["<"])
CoreLoader.yaml_implicit_resolvers.setdefault("", []).extend(CoreLoader.yaml_implicit_resolvers["~"][:1])
CoreLoader.add_constructor(f"{CORE}str", _text)
CoreLoader.add_constructor(f"{CORE}map", _mapping)
CoreLoader.add_constructor(None, _unknown)
