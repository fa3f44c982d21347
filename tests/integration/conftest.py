"""A real store and real queues: a fresh SQLite file for every test, one Azurite for the session.

`here` is the App the doors use while a test runs. A module that wants other connections overrides the fixture
`connections`; a test that wants to be there when the App is made takes `open_app`.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
import pytest_asyncio

from devhost.azurite import Azurite
from shared import wiring
from shared.queues.envelope import FLOOR_QUEUE, WAKE_QUEUE
from shared.store.engine import make_engine
from shared.store.schema import upgrade
from shared.wiring import App
from tests.fakes.plain_erp import PlainErp
from tests.integration.kit import NOBODY, empty_queue, plain_connection

type OpenApp = Callable[..., Awaitable[App]]


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with Azurite() as storage:
        yield storage


@pytest.fixture(scope="session")
def plain_erp_process() -> Iterator[PlainErp]:
    with PlainErp.start(orders=0) as erp:
        yield erp


@pytest.fixture
def plain_erp(plain_erp_process: PlainErp) -> PlainErp:
    """The plain ERP, running, with ten orders of two operations and no faults."""
    plain_erp_process.reset(orders=10, operations=2)
    return plain_erp_process


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the present schema and nothing in it, to be copied."""
    path = tmp_path_factory.mktemp("schema") / "empty.sqlite"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def connections() -> list[dict[str, Any]]:
    """What the App is connected to: one plain ERP that nobody answers for."""
    return [plain_connection("main", NOBODY)]


@pytest_asyncio.fixture
async def open_app(
    azurite: Azurite, empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenApp]:
    """Make the App of this process: `await open_app(connections, TASCUS_MAX_BATCH="3")`; closed after the test."""
    made: list[App] = []
    for name in (WAKE_QUEUE, FLOOR_QUEUE):
        empty_queue(azurite.connection_string, name)
    copyfile(empty_database, tmp_path / "tascus.sqlite")

    async def open_one(connections: list[dict[str, Any]], **environment: str) -> App:
        defaults = {
            "TASCUS_SQL_URL": f"sqlite:///{tmp_path / 'tascus.sqlite'}",
            "TASCUS_CONNECTIONS": json.dumps(connections),
            "TASCUS_SECRET_PLAIN_KEY": "plain-key",
            "AzureWebJobsStorage": azurite.connection_string,
        }
        for name, value in (defaults | environment).items():
            monkeypatch.setenv(name, value)
        wiring._built.cache_clear()
        made.append(wiring.app())
        return made[-1]

    yield open_one
    for app in made:
        await app.close()
    wiring._built.cache_clear()


@pytest_asyncio.fixture
async def here(open_app: OpenApp, connections: list[dict[str, Any]]) -> App:
    """The App the doors use, on a fresh SQLite file and empty queues."""
    return await open_app(connections)
