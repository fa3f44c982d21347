"""Puts everything together, once per process and as late as possible. The only file that sees every room."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING
from uuid import uuid4

from shared import settings as settings_module
from shared.flows.connected import ConnectedErp, ReferenceData
from shared.flows.deliver import Deliverer
from shared.flows.pull import Puller
from shared.flows.receive import Receiver
from shared.queues.sender import StorageQueues
from shared.secrets import vault
from shared.store import connections
from shared.store.engine import Store
from shared.store.schema import upgrade

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from shared.erp.port import Erp
    from shared.queues.sender import QueueSender
    from shared.settings import ConnectionSettings, Settings


@dataclass(slots=True)
class App:
    """Everything a door may need."""

    settings: Settings
    store: Store
    queues: QueueSender
    references: ReferenceData
    erps: Mapping[str, ConnectedErp]
    receiver: Receiver
    deliverer: Deliverer
    puller: Puller
    worker: str = field(default="")

    async def close(self) -> None:
        """Give back sockets, connections and threads."""
        await self.receiver.close()
        await self.puller.close()
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
    names = [entry.name for entry in settings.connections]
    store = Store(settings.sql_url, prepare=partial(prepare, names=names))
    queues = StorageQueues(settings.storage)
    references = ReferenceData(store)
    erps = {entry.name: connected(entry, settings) for entry in settings.connections}
    worker = f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid4().hex[:8]}"
    return App(
        settings,
        store,
        queues,
        references,
        erps,
        Receiver(store, queues, references),
        Deliverer(store, queues, erps, references, worker, settings.lease),
        Puller(store, queues, references),
        worker,
    )


def prepare(store: Store, names: list[str]) -> None:
    """Bring the schema up to date and give every configured connection its row; runs before the first transaction."""
    upgrade(store.engine)

    def rows(tx: Connection) -> None:
        connections.ensure(tx, names)

    store.write_now(rows)


def connected(entry: ConnectionSettings, settings: Settings) -> ConnectedErp:
    """Return connection `entry`, its ERP made on first use: profiles and HTTP clients are not for every door."""

    async def make() -> Erp:
        from shared.erp.engine import build as build_erp  # noqa: PLC0415 - loads the HTTP client
        from shared.profiles.loader import load_profile  # noqa: PLC0415 - loads YAML

        return build_erp(
            load_profile(entry.profile),
            entry.settings,
            vault(settings.key_vault_url),
            lambda: datetime.now(UTC),
        )

    return ConnectedErp(entry.name, make)
