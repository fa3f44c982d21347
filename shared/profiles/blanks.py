"""Fields that every record must have, said to be blank by an overlay: as good as taken away, and refused like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.errors import ConfigurationError, MappingError
from shared.mapping.expressions import Value
from shared.profiles.model import OperationMap, OrderMap, ReferenceMap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.profiles.model import Part
    from shared.profiles.yaml_file import KeyPath, Written

EVERY = "*"
MAPS: tuple[tuple[KeyPath, type[Part]], ...] = (
    (("pull", "orders", "map"), OrderMap),
    (("pull", "orders", "map", "operations", "map"), OperationMap),
    (("pull", "operations", "map"), OperationMap),
    (("pull", "reference", EVERY, "map"), ReferenceMap),
)
OF_THE_RECORD = frozenset("@*[")  # with them an expression may read a record without naming one of its fields


def check_blanks(over: Written) -> None:
    """Check what an overlay puts into the fields that every record must have.

    Raises:
        ConfigurationError: nothing that a record could change; names the places.
    """
    problems = [
        f"{over.marks[path]}: {'.'.join(map(str, path))}: {path[-1]!r} is required: it cannot be blank"
        for path, value in _required(over.data)
        if is_blank(value)
    ]
    if problems:
        raise ConfigurationError("\n".join(problems))


def is_blank(source: Any) -> bool:  # noqa: ANN401 - any YAML
    """Tell whether the text `source`, a value of the language, comes to nothing whatever the record holds."""
    if not isinstance(source, str):
        return False
    try:
        value = Value(source)
        if OF_THE_RECORD.intersection(source) or any(reads.roots for reads in value.expressions):
            return False
        found = value({})
    except (ValueError, MappingError):  # what is wrong with it is said when the whole is checked
        return False
    return found is None or (isinstance(found, str) and not found.strip())


def _required(data: Any) -> Iterator[tuple[KeyPath, Any]]:  # noqa: ANN401 - any YAML
    for place, part in MAPS:
        needed = [name for name, field in part.model_fields.items() if field.is_required()]
        for path, mapping in _beneath(data, place, ()):
            yield from (((*path, name), mapping[name]) for name in needed if name in mapping)


def _beneath(data: Any, place: KeyPath, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:  # noqa: ANN401
    """Yield the mappings at `place`, each with its path; where something else stands, none."""
    if not isinstance(data, dict):
        return
    if not place:
        yield path, data
        return
    for key in data if place[0] == EVERY else [place[0]]:
        yield from _beneath(data.get(key), place[1:], (*path, key))
