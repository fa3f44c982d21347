"""Which facts an expression may read where: a misspelt one is refused when the profile loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from shared.mapping.expressions import Expression, Template, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Reads

    type Path = tuple[str | int, ...]
    type Found = tuple[Path, Expression | Reads]

HOLDING = frozenset({"link", "lookup", "need"})
MESSAGE = frozenset({"message", "told", "order", "operation", "settings", "values"})
PUSH = MESSAGE | {"captured", "item"}
PAGE = frozenset({"size", "number", "offset", "cursor"})
TOLD = frozenset(
    {"id", "mark", "kind", "began", "occurred_at", "good", "scrap", "rework", "seconds", "serials", "batch"}
    | {"unit", "scrap_reason", "rework_reason", "outcome", "time_kind", "operator", "work_centre", "reason"}
    | {"last_operation", "implied", "event_id", "source"}
)
PULL = frozenset({"settings", "since", "page", "keys"})
CONNECTION = frozenset({"settings", "login"})
READS_REPLY = frozenset(
    {"rules", "capture", "found", "expect", "records", "next", "total", "verified", "compare"}
    | {"rate_headers", "refused", "lasts", "result"}
)
READS_RECORD = frozenset({"map", "key", "after", "order_key", "number", "state"})


def check_scopes(profile: BaseModel) -> None:
    """Refuse an expression of `profile` that reads a fact which is not in scope where it stands.

    Raises:
        PydanticCustomError: naming the key path, the fact and the valid ones.
    """
    found = list(_expressions(profile, ()))
    known = {**_known_fields(profile), "page": PAGE, "told": TOLD}
    for path, expression in found:
        valid = _scope(path)
        for fact, field in sorted(expression.fields) if valid else ():
            if fact in known and field not in known[fact]:
                listed = ", ".join(sorted(known[fact])) or "(none)"
                _refuse(path, f"{fact} has no {field!r}; valid: {listed}")
        for root in sorted(expression.roots - valid) if valid else ():
            _refuse(path, f"{root!r} is not a fact here; valid: {', '.join(sorted(valid))}")
        holding = expression.functions & HOLDING
        if holding and path[0] in {"push", "groups", "finds"} and path[2] != "values":
            _refuse(
                path,
                f"{min(holding)}() belongs in `values`: a missing code holds the message before any call",
            )


def _known_fields(profile: BaseModel) -> dict[str, set[str]]:
    """Return what the profile itself names: its settings, values and captures, wherever in it they are."""
    known: dict[str, set[str]] = {"settings": set(), "values": set(), "captured": set(), "login": set()}
    for path, mapping in _mappings(profile, ()):
        if path == ("settings",):
            known["settings"] |= set(mapping)
        elif path[0] == "push" and path[-1] == "values":
            known["values"] |= set(mapping)
        elif path[-1] == "capture":
            known["login" if path[0] == "connection" else "captured"] |= set(mapping)
    return known


def _mappings(part: Raw, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(part, dict) and path:
        yield path, part
    for name, child in _children(part):
        yield from _mappings(child, (*path, name))


def _refuse(path: Path, problem: str) -> None:
    raise PydanticCustomError("out_of_scope", "{problem}", {"path": path, "problem": problem})


def _scope(path: Path) -> frozenset[str]:
    """Return the facts in scope at `path`; empty means a record, whose fields only the ERP knows."""
    names = [part for part in path if isinstance(part, str)]
    reply = frozenset({"reply"} if READS_REPLY.intersection(names) else ())
    if names[0] == "connection":
        return CONNECTION | (frozenset({"body", "path"}) if names[1] == "envelope" else reply)
    if names[0] == "pull":
        return frozenset() if _reads_record(names) else PULL | reply
    if names[0] == "groups":
        return PUSH | {"given"} | reply
    if names[0] == "finds":
        return PUSH | {"given", "reply"}
    if names[2] == "values":
        return MESSAGE
    return (MESSAGE if names[-1] == "for_each" else PUSH) | reply


def _reads_record(names: list[str]) -> bool:
    return bool(READS_RECORD.intersection(names)) or names[-2:] == ["watermark", "value"]


def _expressions(part: Raw, path: Path) -> Iterator[Found]:
    if isinstance(part, Expression):
        yield path, part
    elif isinstance(part, Template | Value):
        yield from ((path, expression) for expression in part.expressions)
    else:
        for name, child in _children(part):
            yield from _expressions(child, (*path, name))


def _children(part: Raw) -> Iterator[tuple[str | int, Any]]:
    if isinstance(part, BaseModel):
        aliases = type(part).model_fields
        return ((aliases[name].alias or name, child) for name, child in part)
    if isinstance(part, dict):
        return iter(part.items())
    return enumerate(part) if isinstance(part, tuple) else iter(())
