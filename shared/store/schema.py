"""Brings the schema up to date. Alembic is only loaded when there is something to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from shared.store.tables import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0001"
"""The revision this code needs; a test compares it with the newest migration."""


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing, if any. Safe when several instances start at once."""
    if current(engine) == NEWEST:
        return
    from alembic import command  # noqa: PLC0415 - a tenth of a second that only a new schema should cost
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    command.upgrade(config, "head")


def current(engine: Engine) -> str | None:
    """Return the revision the database is at; None = nothing there yet."""
    schema = None if engine.dialect.name == "sqlite" else SCHEMA
    with engine.connect().execution_options(begin="DEFERRED") as connection:
        if not inspect(connection).has_table("alembic_version", schema=schema):
            return None
        table = "alembic_version" if schema is None else f"{schema}.alembic_version"
        found = connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608 - our own constant
        return None if found is None else str(found)
