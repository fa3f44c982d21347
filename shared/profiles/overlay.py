"""A user's own file laid over a profile: custom fields, further settings, other codes; the profile stays untouched.

- a mapping goes into the mapping beneath it, key by key;
- a mapping over a list of steps goes into the steps it names;
- null takes a key away;
- anything else replaces what is beneath.

What comes out is checked like any profile, so an overlay cannot take away what a profile must say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.errors import ConfigurationError
from shared.profiles.blanks import check_blanks
from shared.profiles.yaml_file import Written

if TYPE_CHECKING:
    from shared.profiles.yaml_file import KeyPath, Mark

EXTENDS = "extends"
STEP_KEYS = frozenset({"name", "when", "capture", "rules", "compare", "read_back", "back_to", "with", "use"})


def laid_over(base: Written, over: Written) -> Written:
    """Return `base` with `over` laid over it; every key is marked where it was written last.

    Raises:
        ConfigurationError: `over` names a step that is not beneath it, or says that a required field is blank; `base`
            holds no keys.
    """
    if not isinstance(base.data, dict):
        found = "; the file is empty" if base.data is None else f", not {_worded(base.data)}"
        raise ConfigurationError(
            f"{_at(over, (EXTENDS,))}: {EXTENDS}: {_at(base, ())}: keys with values have to stand here{found}"
        )
    check_blanks(over)
    return _Laying(base, over).laid()


class _Laying:
    """One overlay being laid over one profile."""

    def __init__(self, base: Written, over: Written) -> None:
        self._base = base
        self._over = over
        self._marks = dict(base.marks)

    def laid(self) -> Written:
        """Return the two as one."""
        top = {key: value for key, value in self._over.data.items() if key != EXTENDS}
        data = self._mapping(self._base.data, top, (), ())
        return Written(data, self._marks)

    def _value(self, base: Any, over: Any, path: KeyPath, written: KeyPath) -> Any:  # noqa: ANN401 - any YAML
        """Return `over` laid over `base` at `path`; `written` is where the overlay has it."""
        if isinstance(base, dict) and isinstance(over, dict):
            return self._mapping(base, over, path, written)
        if isinstance(base, list) and isinstance(over, dict) and all(map(name_of, base)):
            return self._steps(base, over, path, written)
        self._forget(path)
        self._mark(path, written)
        return over

    def _mapping(
        self, base: dict[str, Any], over: dict[str, Any], path: KeyPath, written: KeyPath
    ) -> dict[str, Any]:
        laid = dict(base)
        for key, value in over.items():
            here, there = (*path, key), (*written, key)
            self._marks[here] = _at(self._over, there)
            if value is None:
                laid.pop(key, None)
                self._forget(here)
            elif key in laid:
                laid[key] = self._value(laid[key], value, here, there)
            else:
                laid[key] = value
                self._mark(here, there)
        return laid

    def _steps(self, base: list[Any], over: dict[str, Any], path: KeyPath, written: KeyPath) -> list[Any]:
        laid = list(base)
        places = {name_of(step): index for index, step in enumerate(base)}
        for name, change in over.items():
            if name not in places:
                where = f"{_at(self._over, (*written, name))}: {'.'.join(map(str, path))}"
                raise ConfigurationError(f"{where}: no step is called {name!r}; valid: {', '.join(places)}")
            index = places[name]
            beneath = {"use": base[index]} if isinstance(base[index], str) else base[index]
            laid[index] = self._value(beneath, change, (*path, index), (*written, name))
        return laid

    def _mark(self, path: KeyPath, written: KeyPath) -> None:
        """Mark everything beneath `path` where the overlay has it."""
        for place, mark in self._over.marks.items():
            if place[: len(written)] == written:
                self._marks[(*path, *place[len(written) :])] = mark

    def _forget(self, path: KeyPath) -> None:
        """Drop the marks of what is no longer there beneath `path`."""
        for place in [p for p in self._marks if len(p) > len(path) and p[: len(path)] == path]:
            del self._marks[place]


def _at(written: Written, path: KeyPath) -> Mark:
    return written.marks.get(path) or written.marks[()]


def _worded(data: Any) -> str:  # noqa: ANN401 - any YAML
    return "a list" if isinstance(data, list) else f"{data!r}"


def name_of(step: Any) -> str:  # noqa: ANN401 - any YAML
    """Return what a step is called in an overlay: its name, or its group's; "" for what is no step."""
    if isinstance(step, str):
        return step
    if not isinstance(step, dict):
        return ""
    groups = [key for key in step if key not in STEP_KEYS] if "call" not in step else []
    return str(step.get("name") or step.get("use") or (groups[0] if len(groups) == 1 else ""))
