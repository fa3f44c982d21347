"""Brings the schema up to date. Alembic is only loaded when there is something to do."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text

from shared.store.tables import SCHEMA

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0003"
"""The revision this code needs; a test compares it with the newest migration."""


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing, if any. Safe when several instances start at once."""
    if current(engine) == NEWEST:
        return
    from alembic import command  # noqa: PLC0415 - a tenth of a second that only a new schema should cost

    command.upgrade(_config(engine=engine), "head")


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Undo the migrations after `revision`; `base` drops everything. Data that an older schema cannot hold is lost."""
    if current(engine) is None:
        return
    from alembic import command  # noqa: PLC0415

    command.downgrade(_config(engine=engine), revision)


def script(revisions: str = "head") -> str:
    """Return the migrations as T-SQL, for a database whose owner runs them by hand; `0001:head` = from 0001 on."""
    from alembic import command  # noqa: PLC0415

    printed = StringIO()
    command.upgrade(_config(printed, dialect="mssql"), revisions, sql=True)
    return printed.getvalue()


def _config(output: StringIO | None = None, **attributes: Any) -> Config:  # noqa: ANN401 - what env.py looks for
    from alembic.config import Config  # noqa: PLC0415

    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(attributes)
    return config


def current(engine: Engine) -> str | None:
    """Return the revision the database is at; None = nothing there yet."""
    schema = None if engine.dialect.name == "sqlite" else SCHEMA
    with engine.connect().execution_options(begin="DEFERRED") as connection:
        if not inspect(connection).has_table("alembic_version", schema=schema):
            return None
        table = "alembic_version" if schema is None else f"{schema}.alembic_version"
        found = connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608 - our own constant
        return None if found is None else str(found)
