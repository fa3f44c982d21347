"""A plant for tests: worker processes that can be killed, a shift's events, and the books compared.

The plain ERP is the witness: it names every effect in the order in which it happened (`history`).
"""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update

from devhost.process import HostProcess
from shared.domain.identity import message_id, order_key
from shared.store.reading import ZERO, read_order
from shared.store.tables import (
    connection_state,
    execution_event,
    outbound_message,
    stream,
    warning,
)
from shared.wiring import App
from tests.fakes.plain_erp import PlainErp
from tests.integration.kit import event

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


def wait_until[T](met: Callable[[], T], what: str, patience: float = PATIENCE_SECONDS) -> T:
    """Poll until `met` returns something true; the patience only bounds a failing test."""
    deadline = time.monotonic() + patience
    while not (found := met()):
        if time.monotonic() > deadline:
            pytest.fail(f"still waiting for: {what}")
        time.sleep(0.02)
    return found


async def eventually[T](met: Callable[[], T], what: str, patience: float = PATIENCE_SECONDS) -> T:
    """Do `wait_until` without keeping this process's own flows from running."""
    deadline = time.monotonic() + patience
    while not (found := met()):
        if time.monotonic() > deadline:
            pytest.fail(f"still waiting for: {what}")
        await asyncio.sleep(0.02)
    return found


class Worker:
    """A deliver worker in a process of its own. It takes its settings from this process's environment."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._ready = folder / f"worker-{id(self)}.ready"
        self._log = folder / f"worker-{id(self)}.log"
        command = [sys.executable, "-m", "tests.integration.worker_process", str(self._ready)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ready(self) -> Self:
        wait_until(self._has_started, "the worker to start")
        return self

    def _has_started(self) -> bool:
        assert self._process.poll() is None, self.log()
        return self._ready.exists()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def log(self) -> str:
        return self._log.read_text(errors="replace")


@contextlib.contextmanager
def hosting(folder: Path, **settings: str) -> Iterator[HostProcess]:
    """A devhost with all doors, on this process's settings. It sweeps every second and pulls when it is told."""
    never = "0 0 0 1 1 *"
    schedules = {
        "TASCUS_PULL_SCHEDULE": never,
        "TASCUS_RECONCILE_SCHEDULE": never,
        "TASCUS_SWEEP_SCHEDULE": "* * * * * *",
    }
    log = folder / "devhost.log"
    with HostProcess(ROOT, schedules | settings, ["--lease", "5"], log) as host:
        try:
            yield host
        finally:
            host.kill()  # what a test wants to end gently it stops itself
        assert "Traceback" not in host.log()


def post_to(url: str, events: list[dict[str, Any]]) -> int:
    """Post events over HTTP; return the status, 0 when no answer came."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("POST", "/api/v1/events", json.dumps(events))
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


@contextlib.contextmanager
def sql_locked(path: Path) -> Iterator[None]:
    """Hold SQLite's only write lock: whoever wants to commit waits, and fails in the end."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=20)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


def impatient(here: App, seconds: float = 0.05) -> App:
    """Have the App's SQL give up quickly on a locked file. Before its first transaction."""
    from sqlalchemy import event as sql_event

    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    here.store.absence.rest_seconds = 0
    sql_event.listen(here.store.engine, "connect", configure)
    here.store.engine.dispose()
    return here


def shift(order: str, operations: list[str], reports: int = 1) -> list[dict[str, Any]]:
    """All events of one works order from its start to its end, every kind of message among them."""
    events = []
    for place, operation in enumerate(operations):
        minutes = iter(range(place * 30, 60))

        def say(type_: str, minutes=minutes, operation=operation, **data: Any) -> dict[str, Any]:
            return event(type_, order, operation, next(minutes), data=data)

        events.append(say("operation.started"))
        for number in range(reports):
            events.append(say("production.reported", good="2", scrap="0.5", serials=[f"{order}-{number}"]))
            events.append(say("time.recorded", kind="run", seconds="30.25"))
        events += [say("operation.paused"), say("operation.resumed"), say("operation.completed")]
    return events


EFFECTS = {
    "order.started": "start",
    "order.completed": "complete",
    "operation.started": "{op} start",
    "operation.paused": "{op} pause",
    "operation.resumed": "{op} resume",
    "operation.completed": "{op} complete",
    "production.reported": "result {id}",
    "time.recorded": "time {id}",
    "correction": "correction {id}",
}


def messages(here: App, order: str | None = None, connection: str = "main") -> list[Any]:
    """Rows of outbound_message in sequence."""
    statement = select(outbound_message).order_by(outbound_message.c.stream_key, outbound_message.c.sequence)
    if order is not None:
        statement = statement.where(outbound_message.c.stream_key == order_key(connection, order))
    return here.store.read_now(lambda tx: tx.execute(statement).all())


def states(here: App, order: str | None = None) -> dict[str, int]:
    """Count messages by state."""
    counted: dict[str, int] = defaultdict(int)
    for row in messages(here, order):
        counted[row.state] += 1
    return dict(counted)


def told(here: App, order: str) -> list[str]:
    """What the ERP should have seen of an order by now, in this order and once each: our messages that are done."""
    return [
        EFFECTS[row.kind].format(op=row.operation_id, id=message_id(row.stream_key, row.sequence))
        for row in messages(here, order)
        if row.state == "done"
    ]


def floor_totals(here: App, order: str) -> dict[str, Decimal]:
    """Good, scrap and rework over all operations, and seconds, as the floor has them: in the order's unit."""
    found = here.store.read_now(lambda tx: read_order(tx, order_key("main", order)).operations)
    totals = {name: sum((getattr(op, name) for op in found), ZERO) for name in ("good", "scrap", "rework")}
    return totals | {"seconds": sum((op.run_seconds + op.setup_seconds for op in found), ZERO)}


def recorded_ids(here: App) -> list[str]:
    return here.store.read_now(lambda tx: list(tx.scalars(select(execution_event.c.event_id))))


def warnings_of(here: App, *kinds: str, state: str | None = None) -> list[Any]:
    """Rows of warning, of these kinds (all when none is given)."""
    rows = here.store.read_now(lambda tx: tx.execute(select(warning).order_by(warning.c.first_seen_at)).all())
    return [row for row in rows if (not kinds or row.kind in kinds) and state in (None, row.state)]


def stream_of_order(here: App, order: str, connection: str = "main") -> Any:
    key = order_key(connection, order)
    return here.store.read_now(lambda tx: tx.execute(select(stream).where(stream.c.stream_key == key)).one())


def drained(here: App) -> bool:
    """Whether nothing waits: no message is pending or held."""
    return not {"pending", "held"} & states(here).keys()


def assert_books_agree(here: App, erp: PlainErp, orders: list[str]) -> None:
    """Nothing lost, nothing doubled, nothing out of turn: floor and ERP say the same, to the last digit."""
    report = erp.report()
    assert states(here).keys() <= {"done", "voided", "exempt"}
    assert report["duplicates"] == 0
    for order in orders:
        assert report["orders"][order]["history"] == told(here, order), order
        theirs = {
            name: Decimal(report["orders"][order][name]) for name in ("good", "scrap", "rework", "seconds")
        }
        assert theirs == floor_totals(here, order), order


async def wake_ups_sent(here: App) -> None:
    """Wait until the wake-ups of everything received and pulled so far are on the queue."""
    await here.receiver.close()  # a closed one goes on when it is used again
    await here.puller.close()


async def deliver_all(here: App) -> None:
    """Work off every stream of this process's App, as far as it goes now."""
    keys = here.store.read_now(lambda tx: list(tx.scalars(select(stream.c.stream_key))))
    await asyncio.gather(*(here.deliverer.deliver(key) for key in keys))


def past(here):
    """Turn the clock of halts and back-offs to the end of their waits."""
    now = datetime.now(UTC) - timedelta(seconds=1)

    def work(tx):
        halted = connection_state.c.halted_until.is_not(None)
        tx.execute(update(connection_state).values(halted_until=now).where(halted))
        tx.execute(update(stream).values(due_at=now).where(stream.c.due_at.is_not(None)))
        tx.execute(update(stream).values(lease_until=now).where(stream.c.lease_owner.is_(None)))

    here.store.write_now(work)
    here.deliverer.breaker._read_at = datetime.min.replace(tzinfo=UTC)
