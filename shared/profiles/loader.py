"""YAML -> Profile. What cannot work is refused, with file, line, column, key path and the valid values."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.profiles.model import Profile
from shared.profiles.overlay import EXTENDS, laid_over
from shared.profiles.yaml_file import Mark, Written, read_file, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from shared.profiles.yaml_file import KeyPath

SHIPPED = Path(__file__).parent
PROTOCOLS = SHIPPED / "protocols"
NO_KEYS = "keys with values have to stand here"


@lru_cache(maxsize=32)
def load_profile(name_or_path: str) -> Profile:
    """Return the shipped profile called `name_or_path`, or that YAML file's. Loaded once per process.

    A file that says `extends: <profile>` is laid over that profile (`overlay.py`).

    Raises:
        ConfigurationError: no such profile, or it is wrong; the message says where and what would be valid.
    """
    return _profile(written_profile(_find(name_or_path)))


def shipped_profiles() -> list[str]:
    """Return the names of the profiles that come with the project."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml") if not path.stem.endswith(".checklist"))


def shipped_protocols() -> list[str]:
    """Return what profiles may extend that are no profiles themselves: how to talk to a kind of server."""
    return sorted(f"{PROTOCOLS.name}/{path.stem}" for path in PROTOCOLS.glob("*.yaml"))


def parse_profile(source: str, file: str) -> Profile:
    """Return the profile in the YAML text `source`; `file` is its name in errors.

    Raises:
        ConfigurationError: naming file, line, column, key path and problem of every mistake found.
    """
    return _profile(_extended(read_yaml(source, file), Path(), ()))


def written_profile(path: Path) -> Written:
    """Return what the file at `path` says, with the profile it extends beneath it.

    Raises:
        ConfigurationError: one of them cannot be read, or is not there.
    """
    return _extended(read_file(path), path.parent, (path.resolve(),))


def _extended(written: Written, folder: Path, above: tuple[Path, ...]) -> Written:
    """Return `written` laid over the profile it extends, which may extend another."""
    if not isinstance(written.data, dict) or EXTENDS not in written.data:
        return written
    at = written.marks[(EXTENDS,)]
    try:
        path = _find(str(written.data[EXTENDS]), folder, shipped_protocols())
    except ConfigurationError as error:
        raise ConfigurationError(f"{at}: {EXTENDS}: {error}") from None
    if path.resolve() in above:
        raise ConfigurationError(f"{at}: {EXTENDS}: {path.name} extends itself")
    beneath = _extended(read_file(path), path.parent, (*above, path.resolve()))
    return laid_over(beneath, written)


def _profile(written: Written) -> Profile:
    try:
        return Profile.model_validate(written.data)
    except ValidationError as error:
        problems = [_problem(written.marks, details) for details in error.errors()]
        raise ConfigurationError("\n".join(dict.fromkeys(problems))) from error


def _find(name_or_path: str, folder: Path = Path(), beside: Sequence[str] = ()) -> Path:
    """Return the file of a profile; `beside` are names that are valid here beside the shipped profiles."""
    given = Path(name_or_path)
    if given.suffix in {".yaml", ".yml"} and not given.name.endswith(".checklist.yaml"):
        path = folder / given
        if _is_file(path):
            return path
        # abspath asks nobody: a name may be none that a file can have
        raise ConfigurationError(f"no file {name_or_path!r}; looked for it at {os.path.abspath(path)}")  # noqa: PTH100
    valid = [*shipped_profiles(), *beside]
    if name_or_path not in valid:
        raise ConfigurationError(
            f"no profile {name_or_path!r}; give a .yaml file or one of: {', '.join(valid)}"
        )
    return SHIPPED / f"{name_or_path}.yaml"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _problem(marks: dict[KeyPath, Mark], details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    given: KeyPath = tuple(context.get("path", ())) or tuple(details["loc"])
    known = tuple(_known(given, marks))
    if details["type"] == "key":
        known = (*known, context["key"])
    where = ".".join(str(part) for part in known) or "(top)"
    return f"{_mark(marks, known)}: {where}: {_words(details)}"


def _words(details: ErrorDetails) -> str:
    if details["type"] == "missing":
        return f"'{details['loc'][-1]}' is required; nothing takes its place"
    if details["type"] == "model_type":
        return NO_KEYS
    context = details.get("ctx", {})
    return str(context["error"]) if "error" in context else details["msg"]


def _known(path: Sequence[str | int], marks: dict[KeyPath, Mark]) -> Iterator[str | int]:
    """Yield those parts of a pydantic location that are keys of the file: it names validators too."""
    so_far: KeyPath = ()
    for part in path:
        if (*so_far, part) in marks:
            so_far = (*so_far, part)
            yield part


def _mark(marks: dict[KeyPath, Mark], path: KeyPath) -> Mark:
    """Return the place of `path`, or of what is nearest around it."""
    while path and path not in marks:
        path = path[:-1]
    return marks[path]
