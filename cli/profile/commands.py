"""`profile new|check|try|explain|matrix`: arguments in, one of this folder's rooms, lines out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from shared.domain.message import MessageKind
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

KINDS = [kind.value for kind in MessageKind]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `profile` to the command line."""
    profile = commands.add_parser("profile", help="write, check and try the YAML that teaches us an ERP")
    whats = profile.add_subparsers(dest="what", required=True)
    new = whats.add_parser("new", help="draft a profile from the ERP's OpenAPI or OData $metadata")
    new.add_argument("name", help="what to call it")
    new.add_argument("--from", dest="source", type=Path, required=True, help="file with the description")
    new.add_argument("--to", type=Path, help="file to write; left out: print")
    check = whats.add_parser("check", help="find mistakes without an ERP")
    check.add_argument("names", nargs="+", metavar="profile", help="a shipped profile's name or a YAML file")
    try_ = whats.add_parser("try", help="read a few real orders; show a push without sending it")
    try_.add_argument("connection", help="name of a configured connection")
    try_.add_argument("--orders", type=int, default=2, help="how many to read (default: 2)")
    try_.add_argument("--push", choices=KINDS, help="kind of message to render")
    try_.add_argument(
        "--settings", type=Path, default=Path("local.settings.json"), help="values the environment lacks"
    )
    explain = whats.add_parser("explain", help="what is called, in order, per kind of message")
    explain.add_argument("name", help="a shipped profile's name or a YAML file")
    explain.add_argument("kind", nargs="?", choices=KINDS, help="one kind only")
    whats.add_parser("matrix", help="print docs/erps.md: what each ERP can do, and how that is proven")


def run(given: argparse.Namespace) -> int:
    """Run one of them. Raises ConfigurationError, and ErpUnavailable from `try`."""
    if given.what == "new":
        return _new(given.name, given.source, given.to)
    if given.what == "check":
        from cli.profile.checking import check  # noqa: PLC0415 - a command loads what it needs

        return check(given.names, print)
    if given.what == "try":
        from cli.profile.trying import try_out  # noqa: PLC0415

        kind = MessageKind(given.push) if given.push else None
        return asyncio.run(try_out(given.connection, given.orders, kind, print))
    if given.what == "matrix":
        from cli.profile.matrix import page  # noqa: PLC0415

        print(page(), end="")
        return 0
    from cli.profile.explain import explain  # noqa: PLC0415
    from shared.profiles.loader import load_profile  # noqa: PLC0415

    for line in explain(load_profile(given.name), MessageKind(given.kind) if given.kind else None):
        print(line)
    return 0


def _new(name: str, source: Path, to: Path | None) -> int:
    from cli.profile.described import read  # noqa: PLC0415
    from cli.profile.proposing import propose  # noqa: PLC0415

    draft = propose(read(_content(source)), name)
    if to is None:
        print(draft, end="")
        return 0
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(draft)
    except FileExistsError as error:
        raise ConfigurationError(f"{to} is there already; name another file") from error
    except OSError as error:
        raise ConfigurationError(f"{to} cannot be written: {error.strerror}") from error
    print(f"{to} written; next: profile check {to}")
    return 0


def _content(source: Path) -> str:
    try:
        return source.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{source}: the file is not UTF-8: save it as such") from error
