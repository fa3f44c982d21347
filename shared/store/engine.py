"""One SQL database: its engine, its threads and its transactions.

Every unit of work handed to `write` is safe to run again from the start: inserts are idempotent by key, updates
compare before they set. So one policy can retry what the server says is transient, even a commit whose answer
was lost.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import IntegrityError

from shared.errors import StoreUnavailable
from shared.store.absence import Absence
from shared.store.faults import REPEATABLE, Fault, fault_of, wait_before_repeat
from shared.store.limits import BUSY_SECONDS, Limits
from shared.store.tables import SCHEMA

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from sqlalchemy import Connection


NOT_THERE = frozenset({Fault.AWAY, Fault.DROPPED, Fault.BUSY})
PREPARE_PATIENCE = 10.0  # seconds that others wait for the one who prepares: migrations, at a start


class Store:
    """Runs units of work in transactions, off the event loop. SQLite has one writer, so it gets one thread."""

    def __init__(
        self,
        url: str,
        busy_seconds: float = BUSY_SECONDS,
        prepare: Callable[[Store], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`prepare` runs once, before the first unit of work; while it fails, SQL counts as away."""
        limits = limits or Limits(busy_seconds=busy_seconds)
        self.engine = make_engine(url, limits=limits)
        self._reading = reading_engine(self.engine, url, limits)
        self.absence = Absence(limits.rest_seconds)
        self._prepare = prepare
        self._preparing = threading.RLock()  # what prepares writes through this very store
        self._ready = prepare is None
        writers = 1 if self.engine.dialect.name == "sqlite" else limits.writers
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="sql-write")
        self._readers = ThreadPoolExecutor(limits.readers, thread_name_prefix="sql-read")

    async def write[T](self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it.

        Raises:
            StoreUnavailable: SQL cannot be reached or stays locked; nothing was written, or the same will be
                written again by a repeat.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writers, self.write_now, work)

    async def read[T](self, work: Callable[[Connection], T]) -> T:
        """Run `work` against a consistent snapshot without taking a write lock. Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def write_now[T](self, work: Callable[[Connection], T]) -> T:
        """Do `write` on the caller's own thread."""
        self.absence.check()
        self._make_ready()
        return self._attempt(self.engine, work, "IMMEDIATE")

    def read_now[T](self, work: Callable[[Connection], T]) -> T:
        """Do `read` on the caller's own thread."""
        self.absence.check()
        self._make_ready()
        return self._attempt(self._reading, work, "DEFERRED")

    def _make_ready(self) -> None:
        """Hold everybody back until `prepare` has gone through; the next caller tries again if it fails."""
        if self._ready:
            return
        if not self._preparing.acquire(timeout=PREPARE_PATIENCE):
            raise StoreUnavailable("SQL cannot be used now: it is still being made ready")
        try:
            prepare, self._prepare = self._prepare, None
            if prepare is None:
                return
            try:
                prepare(self)
            except BaseException as error:  # an interrupt, too: the next caller has to prepare again
                self._prepare = prepare
                raise self._noted(error) from error
            self._ready = True
        finally:
            self._preparing.release()

    def _attempt[T](self, engine: Engine, work: Callable[[Connection], T], begin: str) -> T:
        failed = 0
        while True:
            try:
                with engine.connect().execution_options(begin=begin) as connection, connection.begin():
                    done = work(connection)
                self.absence.over()
            except REPEATABLE as error:
                failed += 1
                wait = wait_before_repeat(fault_of(error), failed)
                if wait is None:
                    raise self._noted(error) from error
            except BaseException:
                self.absence.over()  # it is the work that failed: SQL was there
                raise
            else:
                return done
            time.sleep(wait)

    def _noted(self, error: BaseException) -> BaseException:
        """Name the failure after what the caller does; if that is to wait, so does everybody else for a moment."""
        named = translated(error)
        if isinstance(error, REPEATABLE) and fault_of(error) in NOT_THERE:
            self.absence.noted(str(named))
        elif not isinstance(error, StoreUnavailable):  # what a unit of work within this one has noted stands
            self.absence.over()
        return named

    def close(self) -> None:
        """Finish running work and give back connections."""
        self._writers.shutdown()
        self._readers.shutdown()
        self.engine.dispose()
        self._reading.dispose()


def translated(error: BaseException) -> BaseException:
    """Name the failure after what the caller does: buffer and come back, or report a defect."""
    if not isinstance(error, REPEATABLE):
        return error
    if isinstance(error, IntegrityError) or fault_of(error) is Fault.DEFECT:
        return error  # a key that is there time and again is no race
    return StoreUnavailable(f"SQL cannot be used now: {type(error).__name__}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """Return the driver's own words, without the statement and its parameters (they may be long, or private)."""
    return str(getattr(error, "orig", error)).splitlines()[0][:300]


def make_engine(url: str, busy_seconds: float = BUSY_SECONDS, limits: Limits | None = None) -> Engine:
    """Create the engine for `url`, with the settings each kind of database needs. Connects to nothing yet."""
    limits = limits or Limits(busy_seconds=busy_seconds)
    if url.startswith("sqlite"):
        return _sqlite(url, limits.busy_seconds)
    from shared.store.sqlserver.connect import sql_server  # noqa: PLC0415 - no driver where none is needed

    return sql_server(url, limits)


def reading_engine(engine: Engine, url: str, limits: Limits) -> Engine:
    """Return the engine whose transactions see one snapshot: on SQLite all do, SQL Server has to be asked."""
    if engine.dialect.name == "sqlite":
        return engine
    from shared.store.sqlserver.connect import sql_server  # noqa: PLC0415

    return sql_server(url, limits, snapshot=True)


def _sqlite(url: str, busy_seconds: float) -> Engine:
    arguments: dict[str, Any] = {"timeout": busy_seconds, "check_same_thread": False, "isolation_level": None}
    engine = create_engine(
        url, connect_args=arguments, pool_size=5, execution_options={"schema_translate_map": {SCHEMA: None}}
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # a 202 means that it is on the disk
        connection.execute("PRAGMA wal_autocheckpoint=8000")  # 32 MB: the same pages change again and again
        connection.execute("PRAGMA cache_size=-65536")
        connection.execute("PRAGMA temp_store=MEMORY")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer says so from the start: upgrading a read lock half-way could fail with "locked" at any statement.
        mode = connection.get_execution_options().get("begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine
