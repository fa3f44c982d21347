"""`db upgrade|current|check|script`: the schema of the database that TASCUS_SQL_URL names."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from devhost.settings import apply_values, load_local_settings
from shared import settings as settings_module
from shared.errors import StoreUnavailable
from shared.store import schema
from shared.store.engine import make_engine, translated
from shared.store.sqlserver.owner import OPTIONS, ROLES, SESSION, missing_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: Path) -> None:
    """Add the command `db` with what it can do; `settings`: where values are that the environment lacks."""
    db = commands.add_parser("db", help="the database's schema").add_subparsers(dest="what", required=True)
    db.add_parser("upgrade", help="run the migrations that are missing")
    db.add_parser("current", help="print the revision the database is at")
    db.add_parser("check", help="whether revision and options are what the app needs")
    printed = db.add_parser("script", help="print T-SQL for a DBA: options, migrations, roles")
    printed.add_argument("--from", dest="start", default="", help="the revision the database is at already")
    for command in db.choices.values():
        command.add_argument("--settings", type=type(settings), default=settings, help=argparse.SUPPRESS)


def run(given: argparse.Namespace) -> int:
    """Run one of them; 0 all is well, 1 it is not."""
    if given.what == "script":
        print(script(given.start))
        return 0
    apply_values(load_local_settings(given.settings).values, os.environ)
    engine = make_engine(settings_module.load().sql_url)
    try:
        return COMMANDS[given.what](engine)
    except Exception as error:  # SQL is away, which has a name, or it is raised as it came
        named = translated(error)
        if isinstance(named, StoreUnavailable):
            raise named from error
        raise
    finally:
        engine.dispose()


def script(start: str = "") -> str:
    """Return T-SQL that brings a database from revision `start` ("" = an empty one) to where the app needs it."""
    migrations = schema.script(f"{start}:head" if start else "head")
    return "\n".join([SESSION, migrations, ROLES] if start else [SESSION, OPTIONS, migrations, ROLES])


def upgrade(engine: Engine) -> int:
    """Migrate, and say from where to where."""
    before = schema.current(engine)
    schema.upgrade(engine)
    print(f"{before or 'empty'} -> {schema.current(engine)}")
    return 0


def current(engine: Engine) -> int:
    """Print the revision."""
    print(schema.current(engine) or "empty")
    return 0


def check(engine: Engine) -> int:
    """Say what keeps the app from working with this database as it should."""
    found = schema.current(engine)
    faults = [] if found == schema.NEWEST else [f"revision {found or 'none'}; the app needs {schema.NEWEST}"]
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            faults += missing_options(connection)
    print("\n".join(faults) or f"revision {found}, all as it should be")
    return 1 if faults else 0


COMMANDS: dict[str, Callable[[Engine], int]] = {"upgrade": upgrade, "current": current, "check": check}
