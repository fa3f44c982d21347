"""Connects to SQL Server: one connection per thread that may need one, checked when it has been idle."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.exc import DisconnectionError

from shared.store.batch import keep_writes
from shared.store.sqlserver.address import read_address
from shared.store.sqlserver.dialect import Dialect
from shared.store.sqlserver.driver import find_driver
from shared.store.sqlserver.token import ACCESS_TOKEN, packed, tokens_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.store.limits import Limits
    from shared.store.sqlserver.address import Address

log = logging.getLogger(__name__)

IDLE_SECONDS = 60  # a connection that was used since needs no question whether it lives
OLDEST_SECONDS = 1500  # Azure's gateway drops what idles for half an hour
SNAPSHOT_ON = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"


def sql_server(url: str, limits: Limits, *, snapshot: bool = False) -> Engine:
    """Create an engine for the SQL Server at `url`; `snapshot`: for transactions that read one state of all tables.

    Raises:
        ConfigurationError: the URL cannot be read, or there is no driver.
    """
    registry.register("mssql.tascus", Dialect.__module__, Dialect.__name__)
    engine = create_engine(
        "mssql+tascus://",  # no address: what is in the URL would be printed with it
        creator=connector(read_address(url), limits, snapshot=snapshot),
        pool_size=limits.readers if snapshot else limits.writers,
        max_overflow=2,  # whoever looks in from a thread of their own: health, a migration
        pool_timeout=limits.connect_seconds,
        pool_recycle=OLDEST_SECONDS,
        use_setinputsizes=True,
    )
    event.listen(engine, "checkin", note_use)
    event.listen(engine, "checkout", check_idle)
    keep_writes(engine)
    return engine


def connector(address: Address, limits: Limits, *, snapshot: bool) -> Callable[[], Any]:
    """Return what opens one connection. The driver and the credential are looked for once, here."""
    import pyodbc  # noqa: PLC0415 - only where SQL Server is used

    pyodbc.pooling = False  # SQLAlchemy keeps the pool
    text = address.connection_string(_driver(address))
    tokens = tokens_for(address)
    wait = int(limits.connect_seconds)

    def connect() -> Any:  # noqa: ANN401 - pyodbc is not typed
        signed: Mapping[int, bytes] = {} if tokens is None else {ACCESS_TOKEN: packed(tokens.current())}
        connection = pyodbc.connect(text, timeout=wait, attrs_before=dict(signed))
        connection.timeout = int(limits.command_seconds)
        prepare(connection, limits, snapshot=snapshot)
        return connection

    return connect


def _driver(address: Address) -> str:
    if not address.driver:
        return find_driver()
    by_path = address.driver.startswith(("/", "{")) or "\\" in address.driver
    return address.driver if by_path else f"{{{address.driver}}}"


def prepare(connection: Any, limits: Limits, *, snapshot: bool) -> None:  # noqa: ANN401
    """Set what holds for the whole session: an error undoes its transaction, a lock is not waited for without end."""
    cursor = connection.cursor()
    cursor.execute(f"SET XACT_ABORT ON; SET LOCK_TIMEOUT {int(limits.busy_seconds * 1000)}")
    connection.commit()
    if snapshot:
        _see_snapshots(connection, cursor)
    cursor.close()


def _see_snapshots(connection: Any, cursor: Any) -> None:  # noqa: ANN401
    """Let every transaction of the session see one moment, if the database keeps row versions (`db script`)."""
    row = cursor.execute(SNAPSHOT_ON).fetchone()
    connection.commit()
    if row is None or row[0] != 1:
        log.warning("the database does not allow snapshot isolation: a report may mix what two moments knew")
        return
    connection.autocommit = True  # a level is set outside a transaction
    cursor.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    connection.autocommit = False


def note_use(_connection: object, record: Any) -> None:  # noqa: ANN401 - the pool's own record
    """Remember when the connection was last given back."""
    record.info["used"] = time.monotonic()


def check_idle(connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401
    """Ask a connection that has been idle whether it lives; a dead one is replaced before anybody notices."""
    if connection.closed:
        raise DisconnectionError
    if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_SECONDS:
        return
    import pyodbc  # noqa: PLC0415

    try:
        connection.execute("SELECT 1").close()
        connection.rollback()
    except pyodbc.Error as error:
        raise DisconnectionError from error
