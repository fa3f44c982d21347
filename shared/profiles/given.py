"""What uses of groups give against what the groups read: neither may miss the other."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from shared.profiles.walk import Read, listed, reads_in, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.profiles.model import AnyStep, Profile, Use
    from shared.profiles.walk import Path

GIVEN = "given"
AT_ITS_END = ("rules", "capture", "compare", "read_back")  # of a use: they go with the last step of its group


def check_given(profile: Profile) -> None:
    """Refuse what a use gives and its group does not read, and what a group needs and no use gives.

    A group may do without what it reads in `||`, `&&`, `!`, `default()` and the like, under a key that ends in `?`,
    or in a step whose `when` asks for it.

    Raises:
        PydanticCustomError: naming the key path and what the group reads, or is given.
    """
    parts = _Parts(profile)
    given: dict[str, set[str]] = defaultdict(set)
    for path, use in parts.uses:
        _check_read(path, use, parts.read[use.use])
        given[use.use] |= set(use.given)
    for group, names in given.items():
        _check_given(group, names, parts.read[group])


def _check_read(path: Path, use: Use, read: Sequence[Read]) -> None:
    fields = _fields(read)
    for name in use.given if "" not in fields else ():
        if name not in fields:
            problem = f"group {use.use!r} does not read `given.{name}`; it reads: {listed(fields)}"
            refuse((*path, "with", use.use, name), problem)


def _check_given(group: str, given: set[str], read: Sequence[Read]) -> None:
    spared = {field for _, reads in read for fact, field in reads.doubted if fact == GIVEN}
    for path, reads in read:
        for field in sorted(_fields([Read(path, reads)]) - given - spared - {""}):
            refuse(path, f"no use of group {group!r} gives {field!r}; given: {listed(given)}")


def _fields(read: Iterable[Read]) -> set[str]:
    return {field for _, reads in read for fact, field in reads.fields if fact == GIVEN}


def ends_of_uses(profile: Profile) -> frozenset[Path]:
    """Return where uses add to the last step of their groups: what these are given is known there, too."""
    return frozenset((*path, name) for path, _ in _Parts(profile).uses for name in AT_ITS_END)


class _Parts:
    """The uses of a profile, and for each group all that reads what it is given."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.uses: list[tuple[Path, Use]] = []
        self.read: dict[str, list[Read]] = defaultdict(list)
        for name, steps in profile.groups.items():
            self._list(steps, ("groups", name), name)
        for kind, push in profile.push.items():
            self._list(push.steps, ("push", kind, "steps"), "")

    def _list(self, parts: Sequence[AnyStep], path: Path, group: str) -> None:
        for number, part in enumerate(parts):
            self._part(part, (*path, number), group)

    def _part(self, part: Any, path: Path, group: str) -> None:  # noqa: ANN401 - told apart by what they have
        if hasattr(part, "for_each"):
            self._take(part, path, group, ("for_each",))
            self._list(part.steps, (*path, "steps"), group)
        elif hasattr(part, "use"):
            self.uses.append((path, part))
            self._take(part, path, group, ("when", GIVEN))
            self._take(part, path, _last_group(self._profile, part.use), AT_ITS_END)
        else:
            self._take(part, path, group, type(part).model_fields)
            if isinstance(part.find, str) and part.find in self._profile.finds:
                self.read[group] += reads_in(self._profile.finds[part.find], ("finds", part.find))

    def _take(self, part: Any, path: Path, group: str, names: Iterable[str]) -> None:  # noqa: ANN401 - as above
        found = [read for name in names for read in reads_in(getattr(part, name), (*path, name))]
        if _asks(part):
            found = [Read(path, reads._replace(doubted=reads.fields)) for path, reads in found]
        self.read[group] += found


def _asks(part: Any) -> bool:  # noqa: ANN401 - a step or a use
    """Tell whether the `when` of `part` reads what is given."""
    when = getattr(part, "when", None)
    return when is not None and GIVEN in when.reads.roots


def _last_group(profile: Profile, group: str) -> str:
    """Return the group that the last step of `group` stands in: itself, or one that it uses at its end."""
    met: list[str] = []
    while group in profile.groups and group not in met:
        met.append(group)
        last: Any = profile.groups[group][-1]
        while hasattr(last, "for_each"):
            last = last.steps[-1]
        if not hasattr(last, "use"):
            break
        group = last.use
    return group
