"""`python -m cli`: the command line. A command translates its arguments, calls what does the work, prints."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from cli import db
from cli.connections import check
from cli.profile import commands as profiles
from cli.status import status
from devhost.errors import DevhostError
from devhost.settings import apply_values, load_local_settings
from shared.errors import IntegrationError

LOCAL = "http://127.0.0.1:7071"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 all is well, 1 something is not, 2 it was not understood."""
    given = _parser().parse_args(arguments)
    try:
        return _run(given)
    except (IntegrationError, DevhostError) as error:
        print(f"tascus-erp: {error}", file=sys.stderr)
        return 1


def _run(given: argparse.Namespace) -> int:
    if given.command == "demo":
        from demo.__main__ import main as play  # noqa: PLC0415 - the demo is no part of an installation

        return play(given.arguments)
    if given.command == "status":
        return status(given.url, os.environ.get("TASCUS_API_KEY", ""))
    if given.command == "db":
        return db.run(given)
    if given.command == "profile":
        if given.what == "try":
            apply_values(load_local_settings(given.settings).values, os.environ)
        return profiles.run(given)
    apply_values(load_local_settings(given.settings).values, os.environ)
    return asyncio.run(check())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tascus-erp", description="Tascus' link to the ERP.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="play a shift on a real ERP", add_help=False)
    demo.add_argument("arguments", nargs=argparse.REMAINDER, help="see `python -m demo --help`")
    shown = commands.add_parser("status", help="what runs, what waits, what a person has to look at")
    shown.add_argument("--url", default=os.environ.get("TASCUS_URL", LOCAL), help=f"default: {LOCAL}")
    profiles.add_to(commands)
    db.add_to(commands, Path("local.settings.json"))
    connections = commands.add_parser("connections", help="the configured ERPs").add_subparsers(
        dest="what", required=True
    )
    checked = connections.add_parser("check", help="whether each ERP answers and accepts our credentials")
    checked.add_argument(
        "--settings", type=Path, default=Path("local.settings.json"), help="values the environment lacks"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
