"""Everything the demo needs running: a seeded Tryton, Azurite and the function app; and everything stopped again."""

import json
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from demo.tryton.environment import prepare
from demo.tryton.server import TrytonServer, running_tryton
from devhost.azurite import Azurite
from devhost.ports import free_port
from devhost.process import HostProcess

ROOT: Final = Path(__file__).parent.parent
CACHE: Final = ROOT / ".cache"
LOGS: Final = CACHE / "demo"
SECRET: Final = "tryton-key"  # noqa: S105  # the name of the secret, not the secret
TOLD_TO_STOP: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DAY: Final = 24 * 60 * 60
SETTINGS_OF: Final = ("company", "employee", "storage_location", "scrap_location")

Say = Callable[[str], None]


class PortBusyError(RuntimeError):
    """Something else listens on the port that was asked for."""


@dataclass(frozen=True)
class Stage:
    """What runs: the app at `url` with its connection, the ERP behind it, and the folder with their logs."""

    url: str
    connection: str
    tryton: TrytonServer
    folder: Path


@contextmanager
def running(port: int, sql_url: str, say: Say) -> Iterator[Stage]:
    """Prepare and start everything; stop all of it at the end, whatever happened in between.

    The folder with the logs stays when the block raised. Raises PortBusyError before anything is started.
    """
    port = claim(port)
    folder = _fresh(LOGS / str(port))
    seeded = prepare(CACHE / "tryton", say)
    with ExitStack() as stack:
        say("Starting Tryton, Azurite and the function app")
        tryton = stack.enter_context(running_tryton(seeded, folder / "tryton"))
        storage = stack.enter_context(Azurite())
        name = f"tryton-{datetime.now(UTC):%H%M%S}" if sql_url else "tryton"
        settings = {
            **_app_settings(tryton, name),
            "AzureWebJobsStorage": storage.connection_string,
            "TASCUS_SQL_URL": sql_url or f"sqlite:///{folder / 'tascus.sqlite'}",
        }
        host = HostProcess(ROOT, settings, _arguments(port, folder), folder / "devhost.log")
        stack.enter_context(host)
        stack.callback(_take_no_more_signals)
        yield Stage(host.url, name, tryton, folder)
    shutil.rmtree(folder)


def claim(port: int) -> int:
    """Return a port nothing listens on: `port`, or for 0 any. Raises PortBusyError."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            choose = f"stop what listens there, or choose another: make demo PORT={port + 1}"
            raise PortBusyError(f"port {port} of 127.0.0.1 is busy: {choose}") from error
    return port


def _fresh(folder: Path) -> Path:
    """An empty folder; those of runs that broke off more than a day ago go as well."""
    long_ago = time.time() - DAY
    old = [other for other in folder.parent.glob("*") if other.stat().st_mtime < long_ago]
    for gone in (folder, *old):
        shutil.rmtree(gone, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _app_settings(tryton: TrytonServer, name: str) -> dict[str, str]:
    """App settings of a floor that wants to see things happen: short schedules, one connection."""
    facts = tryton.seeded.facts
    settings = {key: facts[key] for key in SETTINGS_OF} | {"base_url": tryton.rest_url, "api_key": SECRET}
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "TASCUS_CONNECTIONS": json.dumps([{"name": name, "profile": "tryton", "settings": settings}]),
        "TASCUS_SECRET_TRYTON_KEY": facts["api_key"],
        "TASCUS_KEY_VAULT_URL": "",
        "TASCUS_PULL_SCHEDULE": "*/5 * * * * *",
        "TASCUS_RECONCILE_SCHEDULE": "0 */15 * * * *",
        "TASCUS_SWEEP_SCHEDULE": "*/2 * * * * *",
    }


def _arguments(port: int, folder: Path) -> list[str]:
    """Of devhost. Settings of its own, so that a local.settings.json lying about does not play along."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": {}}))
    return ["--port", str(port), "--settings", str(settings)]


def _take_no_more_signals() -> None:
    """From here on everything is being stopped; a second Ctrl-C must not leave half of it running."""
    for number in TOLD_TO_STOP:
        signal.signal(number, signal.SIG_IGN)
