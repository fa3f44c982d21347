"""Alembic's entry point: runs migrations on the engine that `shared.store.schema` hands over.

Offline (`--sql`) it prints them instead, for a database whose owner wants to read first; `dialect` names which kind.
"""

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from shared.errors import StoreUnavailable
from shared.store.tables import SCHEMA, metadata

MAKE_SCHEMA = f"IF SCHEMA_ID('{SCHEMA}') IS NULL EXEC('CREATE SCHEMA {SCHEMA}')"
LOCK = """
DECLARE @taken INT;
EXEC @taken = sp_getapplock @Resource='tascus-migrate', @LockMode='Exclusive', @LockTimeout=60000;
SELECT @taken;"""


def run() -> None:
    """Migrate in one transaction; whoever comes second waits for the first and finds nothing left to do."""
    engine = context.config.attributes["engine"]
    with engine.connect().execution_options(begin="IMMEDIATE") as connection:
        schema = None if engine.dialect.name == "sqlite" else SCHEMA
        if schema is not None:
            take_time(connection)
        # begun here, not by Alembic: on SQLite it would commit after every migration, and another instance slip in
        with connection.begin():
            context.configure(
                connection=connection,
                target_metadata=metadata,
                version_table_schema=schema,
            )
            if schema is not None:
                make_schema(connection)
            context.run_migrations()


def make_schema(connection: Connection) -> None:
    """Create schema `tascus` and take a lock that holds off other instances until the commit."""
    if connection.execute(text(LOCK)).scalar_one() < 0:
        raise StoreUnavailable("another instance has been migrating the database for a minute")
    connection.execute(text(MAKE_SCHEMA))


def take_time(connection: Connection) -> None:
    """A migration may run for long and wait for locks; the connection is closed after it, not used again."""
    connection.execute(text("SET LOCK_TIMEOUT 60000"))
    connection.commit()
    connection.connection.dbapi_connection.timeout = 0  # type: ignore[union-attr]  # pyodbc is not typed
    connection.detach()


def render() -> None:
    """Print the statements for a database that nobody is connected to."""
    context.configure(
        dialect_name=context.config.attributes["dialect"],
        target_metadata=metadata,
        version_table_schema=SCHEMA,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.execute(MAKE_SCHEMA)
        context.run_migrations()


if context.is_offline_mode():
    render()
else:
    run()
