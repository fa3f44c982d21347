"""A real devhost, in its own process, against a real Azurite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from devhost_kit import APP, Journal, Queue, Shared, open_queue, settings_of

from devhost.azurite import Azurite
from devhost.process import HostProcess

_numbers = count(1)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with Azurite() as storage:
        yield storage


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


@pytest.fixture
def queue(azurite: Azurite) -> Iterator[Queue]:
    with open_queue(azurite.connection_string, f"work-{next(_numbers)}") as made:
        yield made


@pytest.fixture
def poison(azurite: Azurite, queue: Queue) -> Iterator[Queue]:
    """The poison queue of `queue`; nobody has created it."""
    with open_queue(azurite.connection_string, queue.name + "-poison", create=False) as made:
        yield made


@pytest.fixture(scope="session")
def shared(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One devhost for all tests that leave its queue empty."""
    journal = Journal(tmp_path_factory.mktemp("shared") / "journal.jsonl")
    name = f"shared-{next(_numbers)}"
    settings = settings_of(azurite, journal, name)
    with (
        open_queue(azurite.connection_string, name) as queue,
        open_queue(azurite.connection_string, name + "-poison", create=False) as poison,
        HostProcess(APP, settings, ["--timers", "off"]) as host,
    ):
        yield Shared(host, queue, poison, journal)


@pytest.fixture
def start(azurite: Azurite, journal: Journal, queue: Queue) -> Iterator[Callable[..., HostProcess]]:
    """Start a devhost that reads `queue`; arguments go to the command line, settings to the environment."""
    with ExitStack() as hosts:

        def start_one(*arguments: str, app: Path = APP, **settings: str) -> HostProcess:
            defaults = settings_of(azurite, journal, queue.name)
            host = hosts.enter_context(HostProcess(app, defaults | settings, arguments))
            # What a test does not stop itself need not be stopped gently.
            hosts.callback(host.kill)
            return host

        yield start_one
