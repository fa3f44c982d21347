"""Alembic's entry point: runs migrations on the engine that `shared.store.schema` hands over.

Offline (`--sql`) it prints them instead, for a database whose owner wants to read first; `dialect` names which kind.
"""

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from shared.store.tables import SCHEMA, metadata


def run() -> None:
    """Migrate in one transaction; whoever comes second waits for the first and finds nothing left to do."""
    engine = context.config.attributes["engine"]
    with engine.connect().execution_options(begin="IMMEDIATE") as connection:
        schema = None if engine.dialect.name == "sqlite" else SCHEMA
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table_schema=schema,
            transaction_per_migration=False,
        )
        with context.begin_transaction():
            if schema is not None:
                make_schema(connection)
            context.run_migrations()


def make_schema(connection: Connection) -> None:
    """Create schema `tascus` and take a lock that holds off other instances until the commit."""
    connection.execute(
        text("EXEC sp_getapplock @Resource='tascus-migrate', @LockMode='Exclusive', @LockTimeout=60000")
    )
    connection.execute(text(f"IF SCHEMA_ID('{SCHEMA}') IS NULL EXEC('CREATE SCHEMA {SCHEMA}')"))


def render() -> None:
    """Print the statements for a database that nobody is connected to."""
    context.configure(
        dialect_name=context.config.attributes["dialect"],
        target_metadata=metadata,
        version_table_schema=SCHEMA,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    render()
else:
    run()
