"""YAML as profiles are written in it: the data, and where in the file each key stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from shared.errors import ConfigurationError
from shared.profiles.yaml_core import MERGE, QUOTE, CoreLoader, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    type KeyPath = tuple[str | int, ...]

MOST_VALUES = 20_000  # with what aliases stand for; the longest shipped profile has 800
DEEPEST = 50  # levels; the deepest shipped profile has 11


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


def read_file(path: Path) -> Written:
    """Return what the YAML file at `path` says.

    Raises:
        ConfigurationError: it cannot be read; names the place.
    """
    try:
        content = path.read_bytes()
        return read_yaml(content.decode("utf-8"), path.name)
    except OSError as error:
        raise ConfigurationError(f"{path.name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        at = _mark_after(path.name, content[: error.start].decode("utf-8"))
        raise ConfigurationError(f"{at}: the file is not UTF-8: save it as such") from error


def read_yaml(source: str, file: str) -> Written:
    """Return what the YAML text `source` says; `file` is its name in errors.

    Raises:
        ConfigurationError: it is not YAML, gives a key twice or is built without end; names the place.
    """
    try:
        root = yaml.compose(source, CoreLoader)
        marks: dict[KeyPath, Mark] = {(): Mark(file, 1, 1)}
        marks |= {path: _mark(file, node.start_mark) for path, node in _Places().beneath(root)}
        data = yaml.load(source, CoreLoader)  # noqa: S506 - a SafeLoader, stricter than its parent
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        at = _mark(file, where) if where else Mark(file, 1, 1)
        raise ConfigurationError(f"{at}: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        at = _mark_after(file, source[: error.position])
        raise ConfigurationError(
            f"{at}: the character {chr(error.character)!r} cannot stand in YAML"
        ) from error
    except RecursionError as error:
        raise ConfigurationError(f"{Mark(file, 1, 1)}: it is nested too deeply to be read") from error
    return Written(data, marks)


def _mark(file: str, mark: yaml.Mark) -> Mark:
    return Mark(file, mark.line + 1, mark.column + 1)


def _mark_after(file: str, text: str) -> Mark:
    """Return the place that `text`, the beginning of the file, leads to."""
    return Mark(file, text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


class _Places:
    """Where the keys of one file stand, aliases followed as far as sense goes."""

    def __init__(self) -> None:
        self._met = 0

    def beneath(self, node: yaml.Node | None, path: KeyPath = ()) -> Iterator[tuple[KeyPath, yaml.Node]]:
        """Yield every key path beneath `node`, which is at `path`, with the node it stands at.

        What is merged in stands where it was written, own keys go over it.

        Raises:
            yaml.MarkedYAMLError: there are too many of them, too deep, or a key is no text.
        """
        self._met += 1
        if node is not None and len(path) > DEEPEST:
            raise refused(f"nested more than {DEEPEST} levels deep, or an alias (*) holds itself", node)
        if node is not None and self._met > MOST_VALUES:
            raise refused(f"more than {MOST_VALUES} values, counting those that aliases (*) repeat", node)
        if isinstance(node, yaml.MappingNode):
            yield from self._of_mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                yield (*path, index), child
                yield from self.beneath(child, (*path, index))

    def _of_mapping(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[KeyPath, yaml.Node]]:
        merged = [child for key, child in node.value if key.tag == MERGE]
        for child in merged:
            for one in child.value if isinstance(child, yaml.SequenceNode) else [child]:
                yield from self.beneath(one, path)
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise refused(f"a key has to be text; {QUOTE}", key)
            if key.tag != MERGE:
                yield (*path, key.value), key
                yield from self.beneath(child, (*path, key.value))
