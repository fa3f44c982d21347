"""One Tryton server on a copy of the seeded database, on loopback, that can go away and come back."""

import http.client
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.tryton.environment import DATABASE, SeededTryton, write_config
from devhost.ports import free_port

START_SECONDS = 60
STOP_SECONDS = 15
POLL_SECONDS = 0.1


class TrytonDidNotStartError(RuntimeError):
    """The server ended, or did not answer in time; the message ends with its log."""


class TrytonServer:
    """A server of its own: own folder, own database copy, own port, kept over every restart.

    `folder` receives the database, the configuration and `trytond.log`. Nothing runs until `start`.
    """

    def __init__(self, seeded: SeededTryton, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.seeded = seeded
        self.folder = folder
        self.database = folder / f"{DATABASE}.sqlite"
        self.port = free_port()
        self.log = folder / "trytond.log"
        self._config = folder / "trytond.conf"
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copyfile(seeded.database_template, self.database)
        write_config(self._config, folder, f"127.0.0.1:{self.port}")

    @property
    def url(self) -> str:
        """Where the ERP answers, without its database name."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def rest_url(self) -> str:
        """The base address a connection is configured with."""
        return f"{self.url}/{DATABASE}/rest/model"

    def start(self) -> None:
        """Serve, and return once the server answers a read of an order. A running one stays as it is."""
        if self._process is None:
            command = [str(self.seeded.trytond), "-c", str(self._config), "-d", DATABASE]
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            self._wait_until_it_answers()

    def stop(self) -> None:
        """End the server: from now on connections are refused. The database keeps what was committed."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let the server hang: it takes connections and answers nobody until `thaw`.

        What was sent meanwhile is carried out after the thaw, when its sender has long given up. That is
        the reply nobody can know, made on purpose.
        """
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End a freeze. A server that is not frozen stays as it is."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the Tryton server is not running: call start() first")
        return self._process

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._running().poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise TrytonDidNotStartError(self.log.read_text()[-4000:])
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        """Whether a read works, which also loads everything a first call would have waited for."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        headers = {"Authorization": f"Bearer {self.seeded.facts['api_key']}"}
        try:
            connection.request("GET", f"/{DATABASE}/rest/model/production?s=1&f=number", headers=headers)
            return connection.getresponse().status == http.client.OK
        except ConnectionError:
            return False
        finally:
            connection.close()


@contextmanager
def running_tryton(seeded: SeededTryton, folder: Path) -> Iterator[TrytonServer]:
    """A started server on a fresh copy of the seeded database, stopped at the end."""
    server = TrytonServer(seeded, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
