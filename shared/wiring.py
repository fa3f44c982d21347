"""Puts everything together, once per process and as late as possible. The only file that sees every room."""
# ruff: noqa: PLC0415 - the rooms are entered when the first App is built: importing the doors pays for none of them

from __future__ import annotations

import os
import socket
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING
from uuid import uuid4

from shared import settings as settings_module

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy import Connection

    from shared.erp.port import Erp
    from shared.flows.account import Accounts
    from shared.flows.connected import ConnectedErp, ReferenceData
    from shared.flows.deliver import Deliverer
    from shared.flows.health import HealthCheck
    from shared.flows.intake import Intake
    from shared.flows.link import Linker
    from shared.flows.look import Look
    from shared.flows.pull import Puller
    from shared.flows.queued import Queued
    from shared.flows.receive import Receiver
    from shared.flows.retain import Retained
    from shared.flows.review import Review
    from shared.queues.sender import QueueSender
    from shared.settings import ConnectionSettings, Settings
    from shared.store.engine import Store
    from shared.store.limits import Limits


@dataclass(slots=True)
class App:
    """Everything a door may need: a flow for each thing it can be asked, and what the flows share."""

    settings: Settings
    store: Store
    queues: QueueSender
    references: ReferenceData
    erps: Mapping[str, ConnectedErp]
    receiver: Receiver
    deliverer: Deliverer
    puller: Puller
    intake: Intake
    queued: Queued
    sweep: Callable[[], Awaitable[int]]
    retain: Callable[[], Awaitable[Retained]]
    look: Look
    accounts: Accounts
    health: HealthCheck
    review: Review
    linker: Linker
    worker: str = field(default="")

    async def close(self) -> None:
        """Give back sockets, connections and threads."""
        await self.receiver.close()
        await self.puller.close()
        await self.deliverer.close()
        for connected in self.erps.values():
            await connected.close()
        await self.queues.close()
        self.store.close()


_lock = threading.Lock()


def app() -> App:
    """Return this process's App, built on first use from the environment."""
    with _lock:
        return _built()


@cache
def _built() -> App:
    return build(settings_module.load())


def build(settings: Settings) -> App:
    """Build an App for `settings`. Connects to nothing yet."""
    # SQL threads hand the interpreter back at every row; at the default of 5 ms each, a busy event loop starves them,
    # and much less than a millisecond is spent on handing it over.
    sys.setswitchinterval(0.001)
    from shared.flows.account import Accounts
    from shared.flows.connected import ReferenceData
    from shared.flows.deliver import Deliverer
    from shared.flows.health import HealthCheck
    from shared.flows.intake import Intake
    from shared.flows.link import Linker
    from shared.flows.look import Look
    from shared.flows.pull import Puller
    from shared.flows.queued import Queued
    from shared.flows.receive import Receiver
    from shared.flows.retain import retain
    from shared.flows.review import Review
    from shared.flows.sweep import sweep
    from shared.queues.sender import StorageQueues
    from shared.store.engine import Store

    names = [entry.name for entry in settings.connections]
    store = Store(settings.sql_url, prepare=partial(prepare, names=names), limits=limits_of(settings))
    queues = StorageQueues(settings.storage)
    references = ReferenceData(store)
    erps = {entry.name: connected(entry, settings) for entry in settings.connections}
    worker = f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid4().hex[:8]}"
    receiver = Receiver(store, queues, references)
    deliverer = Deliverer(store, queues, erps, references, worker, settings.lease)
    return App(
        settings=settings,
        store=store,
        queues=queues,
        references=references,
        erps=erps,
        receiver=receiver,
        deliverer=deliverer,
        puller=Puller(store, queues, references),
        intake=Intake(receiver, queues),
        queued=Queued(store, queues, receiver, deliverer, settings.default_connection),
        sweep=partial(sweep, store, queues, deliverer),
        retain=partial(retain, store, settings.keep_attempts, settings.keep_archive),
        look=Look(store),
        accounts=Accounts(store, queues),
        health=HealthCheck(store, queues, names),
        review=Review(store, queues),
        linker=Linker(store, queues, references),
        worker=worker,
    )


def limits_of(settings: Settings) -> Limits:
    """Return how much of SQL this process may use, and for how long."""
    from shared.store.limits import Limits

    return Limits(
        busy_seconds=settings.sql_busy_seconds,
        writers=settings.sql_writers,
        connect_seconds=settings.sql_connect_seconds,
        command_seconds=settings.sql_command_seconds,
    )


def prepare(store: Store, names: list[str]) -> None:
    """Bring the schema up to date and greet the configured connections; runs before the first transaction."""
    from shared.store import connections, warnings
    from shared.store.schema import upgrade

    def greet(tx: Connection) -> None:
        connections.ensure(tx, names)
        warnings.resolve_unknown_connections(tx, names, datetime.now(UTC))

    upgrade(store.engine)
    store.write_now(greet)


def connected(entry: ConnectionSettings, settings: Settings) -> ConnectedErp:
    """Return connection `entry`, its ERP made on first use: profiles and HTTP clients are not for every door."""
    from shared.flows.connected import ConnectedErp

    async def make() -> Erp:
        from shared.erp.engine import build as build_erp
        from shared.profiles.loader import load_profile
        from shared.secrets import vault

        return build_erp(
            load_profile(entry.profile),
            entry.settings,
            vault(settings.key_vault_url),
            lambda: datetime.now(UTC),
        )

    return ConnectedErp(entry.name, make)
