"""Through a profile: every expression and mapping in it with its key path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from shared.mapping.expressions import Expression, Reads, Template, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.mapping.conversions import Raw

    type Path = tuple[str | int, ...]


class Read(NamedTuple):
    """What one expression draws on, and where it stands."""

    path: Path
    reads: Reads


def reads_in(part: Raw, path: Path = ()) -> Iterator[Read]:
    """Yield what every expression in `part`, which is at `path`, draws on."""
    if isinstance(part, Expression):
        yield Read(path, part.reads)
    elif isinstance(part, Template):
        yield from (Read(path, hole.reads) for hole in part.expressions)
    elif isinstance(part, Value):
        yield from (Read(path, reads) for reads in part.expressions)
    else:
        for name, child in children(part):
            yield from reads_in(child, (*path, name))


def mappings_in(part: Raw, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every mapping in `part` whose keys the profile chooses."""
    if isinstance(part, dict) and path:
        yield path, part
    for name, child in children(part):
        yield from mappings_in(child, (*path, name))


def children(part: Raw) -> Iterator[tuple[str | int, Any]]:
    """Yield what is directly in `part`, by the key it has in the file."""
    if isinstance(part, BaseModel):
        fields = type(part).model_fields
        return ((field.alias or name, getattr(part, name)) for name, field in fields.items())
    if isinstance(part, dict):
        return iter(part.items())
    return enumerate(part) if isinstance(part, tuple) else iter(())


def refuse(path: Path, problem: str) -> NoReturn:
    """Say what is wrong at `path`."""
    raise PydanticCustomError("out_of_scope", "{problem}", {"path": path, "problem": problem})


def listed(names: Iterable[str]) -> str:
    """Return names as an error lists the valid ones."""
    return ", ".join(sorted(names)) or "(none)"
