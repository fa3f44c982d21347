"""Says that the host is ready: a line for people, a file for programs."""

import json
import os
from pathlib import Path

from devhost.worker import Function, HttpTrigger, QueueTrigger


class ReadyFile:
    """A JSON file with url, port and pid that exists only while the host is ready. No path, no file."""

    def __init__(self, path: Path | None) -> None:
        # The app's folder becomes the working folder later on.
        self._path = path.resolve() if path else None
        self.remove()

    def announce(self, port: int, functions: list[Function], prefix: str) -> None:
        """Print the ready line and the functions, then write the file in one piece."""
        url = f"http://127.0.0.1:{port}"
        lines = [f"  {function.name}: {describe(function, url, prefix)}" for function in functions]
        print("\n".join([f"devhost ready {url}", *lines]), flush=True)
        if self._path:
            draft = self._path.with_name(self._path.name + ".part")
            names = [function.name for function in functions]
            draft.write_text(json.dumps({"url": url, "port": port, "pid": os.getpid(), "functions": names}))
            draft.replace(self._path)

    def remove(self) -> None:
        """Take the file away."""
        if self._path:
            self._path.unlink(missing_ok=True)


def describe(function: Function, url: str, prefix: str) -> str:
    """What starts a function, in one line."""
    trigger = function.trigger
    if isinstance(trigger, HttpTrigger):
        methods = ",".join(sorted(trigger.methods)) or "any method"
        path = "/".join(part for part in (url, prefix, trigger.route.strip("/")) if part)
        return f"[{methods}] {path}"
    if isinstance(trigger, QueueTrigger):
        return f"queue {trigger.queue}"
    return f"timer {trigger.schedule}"
