"""YAML -> Profile. What cannot work is refused, with file, line, key path and the valid values."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.profiles.model import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    type KeyPath = tuple[str | int, ...]

SHIPPED = Path(__file__).parent


@lru_cache(maxsize=32)
def load_profile(name_or_path: str) -> Profile:
    """Return the shipped profile called `name_or_path`, or that YAML file's. Loaded once per process.

    Raises:
        ConfigurationError: no such profile, or it is wrong; the message says where and what would be valid.
    """
    path = _find(name_or_path)
    return parse_profile(path.read_text(encoding="utf-8"), path.name)


def shipped_profiles() -> list[str]:
    """Return the names of the profiles that come with the project."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml") if not path.stem.endswith(".checklist"))


def parse_profile(source: str, file: str) -> Profile:
    """Return the profile in the YAML text `source`; `file` is its name in errors.

    Raises:
        ConfigurationError: naming file, line, key path and problem of every mistake found.
    """
    try:
        root = yaml.compose(source, _Loader)
        lines = dict(_lines(root, ()))
        data = yaml.load(source, _Loader)  # noqa: S506 - a SafeLoader, stricter than its parent
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{file}:{line}: {error.problem}") from error
    try:
        return Profile.model_validate(data)
    except ValidationError as error:
        problems = [_problem(file, lines, details) for details in error.errors()]
        raise ConfigurationError("\n".join(problems)) from error


def _find(name_or_path: str) -> Path:
    given = Path(name_or_path)
    path = given if given.suffix in {".yaml", ".yml"} else SHIPPED / f"{name_or_path}.yaml"
    if not path.is_file() or given.name.endswith(".checklist.yaml"):
        raise ConfigurationError(
            f"no profile {name_or_path!r}; give a .yaml file or one of: {', '.join(shipped_profiles())}"
        )
    return path


def _problem(file: str, lines: dict[KeyPath, int], details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    given: KeyPath = tuple(context.get("path", ())) or tuple(details["loc"])
    known = tuple(_known(given, lines))
    if details["type"] == "key":
        known = (*known, context["key"])
    where = ".".join(str(part) for part in known) or "(top)"
    problem = str(context["error"]) if "error" in context else details["msg"]
    return f"{file}:{_line(lines, known)}: {where}: {problem}"


def _known(path: Sequence[str | int], lines: dict[KeyPath, int]) -> Iterator[str | int]:
    """Yield those parts of a pydantic location that are keys of the file: it names validators too."""
    so_far: KeyPath = ()
    for part in path:
        if (*so_far, part) in lines:
            so_far = (*so_far, part)
            yield part


def _line(lines: dict[KeyPath, int], path: KeyPath) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _lines(node: yaml.Node | None, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if node is None:
        return
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _lines(child, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield (*path, index), child.start_mark.line + 1
            yield from _lines(child, (*path, index))


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types only: `no` is text, 0010 is text, 1.5 is exact; a key given twice is refused."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the shape PyYAML reads

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
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
