"""Which facts an expression may read where: a misspelt one is refused when the profile loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.profiles.given import ends_of_uses
from shared.profiles.walk import listed, mappings_in, reads_in, refuse

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from shared.mapping.expressions import Reads
    from shared.profiles.model import Profile
    from shared.profiles.walk import Path

HOLDING = frozenset({"link", "lookup", "need"})
MESSAGE = frozenset({"message", "told", "order", "operation", "settings", "values"})
PUSH = MESSAGE | {"captured", "item"}
PULL = frozenset({"settings", "since", "page", "keys"})
CONNECTION = frozenset({"settings", "login"})
READS_REPLY = frozenset(
    {"rules", "capture", "found", "expect", "records", "next", "total", "verified", "compare"}
    | {"rate_headers", "refused", "lasts", "result", "answers"}
)
READS_RECORD = frozenset({"map", "key", "after", "order_key", "number", "state"})
BARE_RECORD = frozenset({"key", "order_key", "number"})  # whose own field `settings` nothing hides
NAMING = frozenset({"groups", "finds", "push"})  # what comes next is a name
HOLDS_NAMES = frozenset(
    {"call", "with", "values", "headers"} | READS_RECORD - {"state"}
)  # the ERP's or the profile's

BODY = frozenset(
    {"event_id", "source", "occurred_at", "work_centre", "operator", "unit", "good", "scrap", "rework"}
    | {"scrap_reason", "rework_reason", "outcome", "serials", "batch", "time_kind", "seconds", "reason"}
    | {"last_operation", "implied"}
)
TOLD = BODY | {"id", "kind", "mark", "began"}
FIXED: Mapping[str, frozenset[str]] = {
    "message": BODY | {"id", "kind", "sequence", "operation_id", "voids"},
    "told": TOLD,
    "order": frozenset({"number", "part", "quantity", "unit", "erp_ref", "operations"}),
    "operation": frozenset({"operation_id", "position", "name", "work_centre", "erp_ref"}),
    "reply": frozenset({"status", "headers", "body", "result"}),
    "page": frozenset({"size", "number", "offset", "cursor"}),
}
"""The fields of the facts that we make. What is in `erp_ref`, in a reply's body and in an item is the ERP's."""

OURS_ALONE = frozenset({"told", "captured", "given"})  # no ERP's record has fields called so
UNSEEN = "stands in a projection, which sees its element alone; valid: pick(list, field, value), pick_all(), `for_each`"


def check_scopes(profile: Profile) -> None:
    """Refuse an expression of `profile` that reads a fact which is not in scope where it stands.

    Raises:
        PydanticCustomError: naming the key path, the fact and the valid ones.
    """
    scopes = _Scopes(profile)
    for path, reads in reads_in(profile):
        scopes.check(path, reads)
        holding = reads.functions & HOLDING
        if holding and path[0] in NAMING and path[2] != "values":
            problem = (
                f"{min(holding)}() belongs in `values`: a missing code holds the message before any call"
            )
            refuse(path, problem)


class _Scopes:
    """What may be read where, of one profile."""

    def __init__(self, profile: Profile) -> None:
        self._known = {**FIXED, **_named_fields(profile)}
        self._settings = frozenset(profile.settings)
        self._ends = ends_of_uses(profile)

    def check(self, path: Path, reads: Reads) -> None:
        """Refuse facts and fields that are not there at `path`."""
        valid = _scope(path)
        if any(path[:length] in self._ends for length in range(len(path))):
            valid |= {"given"}
        if valid:
            self._check_fields(path, reads, self._known)
        elif not BARE_RECORD.intersection(_words_of_ours(path)):
            self._check_fields(path, reads, ("settings",))
        for root in sorted(reads.roots - valid) if valid else ():
            refuse(path, f"{root!r} is not a fact here; valid: {listed(valid)}")
        for fact, field in sorted(reads.hidden):
            if field and fact in OURS_ALONE & valid:
                refuse(path, f"`{fact}.{field}` {UNSEEN}")

    def _check_fields(self, path: Path, reads: Reads, facts: Container[str]) -> None:
        for fact, field in sorted(reads.fields):
            if not field or fact not in facts or fact not in self._known or field in self._known[fact]:
                continue
            secret = fact == "settings" and field in self._settings
            if secret and path[0] != "connection":
                refuse(path, f"{field!r} is a secret: only `connection` may read it")
            if not secret:
                refuse(path, f"{fact} has no {field!r}; valid: {listed(self._known[fact])}")


def _named_fields(profile: Profile) -> dict[str, frozenset[str]]:
    """Return the fields that the profile itself names: its open settings, and what a log-in captures."""
    login: set[str] = set()
    for path, mapping in mappings_in(profile.connection):
        login |= set(mapping) if path[-1] == "capture" else set()
    settings = frozenset(name for name, setting in profile.settings.items() if not setting.secret)
    return {"settings": settings, "login": frozenset(login)}


def _scope(path: Path) -> frozenset[str]:
    """Return the facts in scope at `path`; empty means a record, whose fields only the ERP knows."""
    part, names = str(path[0]), _words_of_ours(path)
    reply = frozenset({"reply"} if READS_REPLY.intersection(names) else ())
    if part == "connection":
        return CONNECTION | (frozenset({"body", "path"}) if names[0] == "envelope" else reply)
    if part == "pull":
        return frozenset() if _reads_record(names) else PULL | reply
    if part == "groups":
        return PUSH | {"given"} | reply
    if part == "finds":
        return PUSH | {"given", "reply"}
    if names[0] == "values":
        return MESSAGE
    return (MESSAGE if names[-1] == "for_each" else PUSH) | reply


def _words_of_ours(path: Path) -> list[str]:
    """Return the keys in `path` that the language gives a meaning: no names of groups, query fields and the like."""
    names = [part for part in path[2 if path[0] in NAMING else 1 :] if isinstance(part, str)]
    ends = [place for place, name in enumerate(names, 1) if name in HOLDS_NAMES]
    return names[: min(ends, default=len(names))]


def _reads_record(names: list[str]) -> bool:
    return bool(READS_RECORD.intersection(names)) or names[-2:] == ["watermark", "value"]
