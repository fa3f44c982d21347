"""YAML as profiles are written in it: the data, and where in the file each key stands."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    type KeyPath = tuple[str | int, ...]

MERGE = "tag:yaml.org,2002:merge"


class Mark(NamedTuple):
    """A place in a file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Written(NamedTuple):
    """What a file says, and where it says it."""

    data: Any
    marks: dict[KeyPath, Mark]


def read_yaml(source: str, file: str) -> Written:
    """Return what the YAML text `source` says; `file` is its name in errors.

    Raises:
        ConfigurationError: it is not YAML, or gives a key twice; names the place.
    """
    try:
        root = yaml.compose(source, _Loader)
        marks = dict(_marks(root, (), file))
        data = yaml.load(source, _Loader)  # noqa: S506 - a SafeLoader, stricter than its parent
    except yaml.MarkedYAMLError as error:
        at = _mark(file, error.problem_mark) if error.problem_mark else Mark(file, 1, 1)
        raise ConfigurationError(f"{at}: {error.problem}") from error
    return Written(data, marks)


def _mark(file: str, mark: yaml.Mark) -> Mark:
    return Mark(file, mark.line + 1, mark.column + 1)


def _marks(node: yaml.Node | None, path: KeyPath, file: str) -> Iterator[tuple[KeyPath, Mark]]:
    """Yield every key path with its place; what is merged in stands where it was written, own keys go over it."""
    if isinstance(node, yaml.MappingNode):
        merged = [child for key, child in node.value if key.tag == MERGE]
        for child in merged:
            for one in child.value if isinstance(child, yaml.SequenceNode) else [child]:
                yield from _marks(one, path, file)
        for key, child in node.value:
            if key.tag != MERGE:
                yield (*path, key.value), _mark(file, key.start_mark)
                yield from _marks(child, (*path, key.value), file)
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield (*path, index), _mark(file, child.start_mark)
            yield from _marks(child, (*path, index), file)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types only: `no` is text, 0010 is text, 1.5 is exact; a key given twice is refused."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the shape PyYAML reads

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != MERGE:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key.value}' is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _exact_number(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value)


def _resolve(tag: str, pattern: str, first: str) -> None:

    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|false)$", "tf")
_resolve("null", r"^(?:null|~|)$", "n~")
_resolve("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789")
_resolve("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789")
_resolve("merge", r"^<<$", "<")
_Loader.yaml_implicit_resolvers.setdefault("", []).extend(_Loader.yaml_implicit_resolvers.get("~", [])[:1])
_Loader.add_constructor("tag:yaml.org,2002:float", _exact_number)
