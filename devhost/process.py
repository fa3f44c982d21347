"""A devhost in a process of its own, for tests and the demo: start it, wait for it, stop or kill it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Self

from devhost.errors import DevhostError

_ROOT: Final = Path(__file__).parent.parent


class HostProcess:
    """`with HostProcess(app, {...}) as host: ... host.url`. Leaving the block stops it gracefully.

    Settings are added to the environment; arguments are those of `python -m devhost`. Its log is in `log()`,
    and `ready_file` is where it says that it is ready.
    """

    def __init__(
        self,
        app: Path,
        settings: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        self._app = app
        self._settings = dict(settings or {})
        self._arguments = list(arguments)
        self._folder = tempfile.TemporaryDirectory(prefix="devhost-")
        self.ready_file = Path(self._folder.name) / "ready.json"
        self._log = log or Path(self._folder.name) / "devhost.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self.start()
        except DevhostError:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    def start(self, timeout: float = 60.0) -> None:
        """Start on a free port and wait until it is ready.

        Raises:
            DevhostError: it ended, or was not ready in time (seconds); the message holds its log.
        """
        self._output = self._log.open("ab")
        self._process = subprocess.Popen(
            self._command(),
            cwd=_ROOT,
            env=os.environ | self._settings,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + timeout
        while not self.ready_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self.log()
                self.kill()
                raise DevhostError(f"devhost did not become ready:\n{said}")
            time.sleep(0.02)
        self.url = json.loads(self.ready_file.read_text())["url"]

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._running().send_signal(number)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for its end, at most some seconds; returns the exit code."""
        code = self._running().wait(timeout)
        self._forget()
        return code

    def stop(self) -> int:
        """Ask it to stop and wait; returns the exit code, 0 for one that is not running."""
        if self._process is None:
            return 0
        self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it at once, as a crash would; returns the exit code, 0 for one that is not running."""
        if self._process is None:
            return 0
        self.signal(signal.SIGKILL)
        self.ready_file.unlink(missing_ok=True)
        return self.wait()

    def log(self) -> str:
        """All it has said so far."""
        return self._log.read_text(errors="replace")

    def _command(self) -> list[str]:
        fixed = ["--app", str(self._app), "--port", "0", "--ready-file", str(self.ready_file)]
        return [sys.executable, "-m", "devhost", *fixed, *self._arguments]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DevhostError("this devhost is not running")
        return self._process

    def _forget(self) -> None:
        self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None
