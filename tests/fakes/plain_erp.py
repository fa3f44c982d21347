"""The plain ERP as a test uses it: start it, plan and fault it, read its report.

    with PlainErp.start(orders=50, latency_ms=20) as erp:
        erp.faults(script=[{"match": "results", "times": 1, "do": "drop_after_effect"}])
        ...
        assert erp.report()["duplicates"] == 0

It runs as a process of its own, so that it stays a witness whatever happens to the code under test. Alone:
`python -m tests.fakes.plain_erp --port 8080 --orders 500`.
"""

import json
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from devhost.ports import free_port

ROOT = Path(__file__).parents[2]
START_WITHIN_SECONDS = 30


class PlainErp:
    """A plain ERP in its own process; a context manager. `url` has no trailing slash."""

    def __init__(self, orders=100, operations=8, latency_ms=0, api_key="plain-key"):
        self.api_key = api_key
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="plain-erp-")
        self._options = {
            "--orders": orders,
            "--operations": operations,
            "--latency-ms": latency_ms,
            "--api-key": api_key,
            "--ready-file": Path(self._folder.name, "ready.json"),
            "--snapshot": Path(self._folder.name, "books.pickle"),
        }
        self._process = None

    @classmethod
    def start(cls, orders=100, operations=8, latency_ms=0, api_key="plain-key"):
        """Start an ERP on a free loopback port and return it once it answers."""
        erp = cls(orders, operations, latency_ms, api_key)
        try:
            erp.start_again()
        except BaseException:
            erp.close()
            raise
        return erp

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        """The process id, None while it is stopped."""
        return self._process.pid if self._process else None

    def start_again(self):
        """Start after `stop`: same port, same books; the latency of the first start, no faults."""
        ready = self._options["--ready-file"]
        ready.unlink(missing_ok=True)
        options = [str(part) for pair in self._options.items() for part in pair]
        command = [sys.executable, "-m", "tests.fakes.plain_erp", "--port", str(self.port), *options]
        self._process = subprocess.Popen(command, cwd=ROOT)
        self._wait_for(ready)

    def _wait_for(self, ready):
        give_up = time.monotonic() + START_WITHIN_SECONDS
        while not ready.exists():
            if self._process.poll() is not None:
                raise RuntimeError(f"the plain ERP ended at once with code {self._process.returncode}")
            if time.monotonic() > give_up:
                raise RuntimeError(f"the plain ERP was not ready within {START_WITHIN_SECONDS} s")
            time.sleep(0.02)

    def stop(self):
        """Play an outage: connections are refused, the books are kept for `start_again`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self):
        """Stop for good and forget the books."""
        self.stop()
        self._folder.cleanup()

    def report(self):
        """Return what was counted: orders, overlaps, duplicates, calls, writes, refused."""
        return self._ask("GET", "/__report")

    def writes(self):
        """Return how many writes were counted: what may be asked often, while the report costs the ERP time."""
        return self._ask("GET", "/__writes")["writes"]

    def order(self, number):
        """Return one order as the ERP shows it: record, state of each operation, totals."""
        return self._ask("GET", f"/orders/{number}")

    def faults(self, script=None, latency_ms=None):
        """Set the fault script and the latency; what is not given stays. An empty script ends all faults."""
        given = {"script": script, "latency_ms": latency_ms}
        return self._ask(
            "POST", "/__faults", {name: value for name, value in given.items() if value is not None}
        )

    def orders(self, add=(), change=(), cancel=()):
        """Play the planner: `add` and `change` take (partial) order records, `cancel` numbers."""
        return self._ask("POST", "/__orders", {"add": [*add], "change": [*change], "cancel": [*cancel]})

    def reset(self, orders=100, operations=8):
        """Begin again with new books, no faults and no latency."""
        return self._ask("POST", "/__reset", {"orders": orders, "operations": operations})

    def _ask(self, method, path, body=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = json.dumps(body) if body is not None else None
            connection.request(method, path, content, {"X-Api-Key": self.api_key})
            response = connection.getresponse()
            content = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(content["error"])
        return content


if __name__ == "__main__":
    from tests.fakes.plain_erp_server import main

    main()
