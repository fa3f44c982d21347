"""Azurite's queue service on a free loopback port, for tests and the demo."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import IO, Final, Self

from devhost.errors import DevhostError
from devhost.ports import free_port
from devhost.settings import development_connection_string

_SCRIPT: Final = Path(__file__).parent / "node_modules" / "azurite" / "dist" / "src" / "queue" / "main.js"
_LISTENING: Final = re.compile(r"successfully listens on http://127\.0\.0\.1:(\d+)")


class Azurite:
    """A queue service of one's own: `with Azurite() as storage: ... storage.connection_string`.

    With a folder the data outlives `stop()` and `start()`, which is how an outage is played; without one it
    is kept in memory and gone after `stop()`.
    """

    def __init__(self, folder: Path | None = None, port: int = 0) -> None:
        self._folder = folder
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def connection_string(self) -> str:
        """What an app setting such as AzureWebJobsStorage holds; stays the same from the first start on."""
        return development_connection_string(self._port)

    @property
    def port(self) -> int:
        """The loopback port, 0 before the first start."""
        return self._port

    def start(self) -> None:
        """Start, on the same port as before if there was one, and wait until it listens.

        Raises:
            DevhostError: Node.js or Azurite is not installed, or Azurite did not start.
        """
        if self._process is not None:
            return
        self._port = self._port or free_port()
        process = subprocess.Popen(
            self._command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None  # noqa: S101 -- asked for in the line above
        try:
            self._port = _announced_port(process.stdout)
        except DevhostError:
            _end(process)
            raise
        self._process = process

    def stop(self) -> None:
        """Stop it; data kept in a folder stays."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def _command(self) -> list[str]:
        node = shutil.which("node")
        if node is None or not _SCRIPT.exists():
            missing = "Node.js" if node is None else "Azurite"
            raise DevhostError(f"{missing} is not installed: install Node.js and run `make setup`")
        where = ["--location", str(self._folder)] if self._folder else ["--inMemoryPersistence"]
        switches = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--disableProductStyleUrl"]
        listen = ["--queueHost", "127.0.0.1", "--queuePort", str(self._port)]
        return [node, str(_SCRIPT), *listen, *where, *switches]


def _announced_port(output: IO[str]) -> int:
    """Read until Azurite names its port."""
    said = []
    for line in output:
        if match := _LISTENING.search(line):
            return int(match.group(1))
        said.append(line)
    raise DevhostError("Azurite did not start: " + "".join(said).strip())


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
