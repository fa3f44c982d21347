"""Our side of every bench: the whole app in devhost, Azurite and the plain ERP, each in a process of its own."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from devhost.azurite import Azurite
from devhost.process import HostProcess
from tests.fakes.plain_erp import PlainErp

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class System:
    """A running app with the ERP it is connected to."""

    host: HostProcess
    erp: PlainErp
    database: Path

    @property
    def events_url(self) -> str:
        """Where the floor posts."""
        return f"{self.host.url}/api/v1/events"

    def pull(self) -> dict[str, object]:
        """Pull now; returns the report of the pull."""
        answer = httpx.post(f"{self.host.url}/api/v1/connections/main/pull", timeout=300)
        answer.raise_for_status()
        return answer.json()  # type: ignore[no-any-return]

    def enlarge_orders(self) -> None:
        """Give every order a quantity no load exceeds: over-completion is a warning, not what ingest usually does."""
        numbers = list(self.erp.report()["orders"])
        self.erp.orders(change=[{"number": number, "quantity": "1000000"} for number in numbers])

    def completeness(self) -> dict[str, object]:
        """What became of every event."""
        return httpx.get(f"{self.host.url}/api/v1/completeness", timeout=60).json()  # type: ignore[no-any-return]


@contextmanager
def running(
    orders: int = 500, operations: int = 8, latency_ms: float = 0, timers: str = "off"
) -> Iterator[System]:
    """Start everything on free loopback ports with a fresh database; stop it all afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        PlainErp.start(orders=orders, operations=operations, latency_ms=latency_ms) as erp,
        Azurite() as azurite,
    ):
        database = Path(folder, "bench.sqlite")
        settings = {
            "AzureWebJobsStorage": azurite.connection_string,
            "TASCUS_SQL_URL": f"sqlite:///{database}",
            "TASCUS_CONNECTIONS": json.dumps([connection(erp)]),
            "TASCUS_SECRET_PLAIN_KEY": erp.api_key,
            "TASCUS_PULL_SCHEDULE": "0 0 0 1 1 *",
            "TASCUS_RECONCILE_SCHEDULE": "0 0 0 1 1 *",
            "TASCUS_SWEEP_SCHEDULE": "*/2 * * * * *",
        }
        with HostProcess(ROOT, settings, ["--timers", timers]) as host:
            yield System(host, erp, database)


def connection(erp: PlainErp) -> dict[str, object]:
    """The connection entry that points at the plain ERP."""
    profile = str(ROOT / "tests/fakes/plain.yaml")
    return {"name": "main", "profile": profile, "settings": {"base_url": erp.url, "api_key": "plain-key"}}


def wait_until(true: object, seconds: float = 120, every: float = 0.05) -> None:
    """Wait until `true()` holds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError("the bench waited in vain")
        time.sleep(every)
