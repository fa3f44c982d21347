"""What the tests of devhost look at: a journal, a queue, and the settings of a host."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.storage.queue import QueueClient

from devhost.azurite import Azurite
from devhost.process import HostProcess

APP = Path(__file__).parent / "app"


class Journal:
    """What the app's functions wrote down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self, kind: str, state: str | None = None) -> list[dict[str, Any]]:
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        facts = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [each for each in facts if each["kind"] == kind and state in (None, each.get("state"))]

    def wait(self, number: int, kind: str, state: str | None = None) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.lines(kind, state)) >= number, f"{number} x {kind} {state or ''}")
        return self.lines(kind, state)


class Queue:
    """A queue as an ERP-side sender would use it; texts are base64 unless raw."""

    def __init__(self, client: QueueClient) -> None:
        self.client = client
        self.name = client.queue_name

    def send(self, text: str | bytes, *, raw: bool = False) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.client.send_message(data.decode() if raw else base64.b64encode(data).decode())

    def depth(self) -> int:
        """All messages, hidden ones included."""
        return self.client.get_queue_properties().approximate_message_count or 0

    def visible(self) -> int:
        return len(self.client.peek_messages(max_messages=32))


@dataclass
class Shared:
    """A running devhost with its queue, its poison queue and its journal."""

    host: HostProcess
    queue: Queue
    poison: Queue
    journal: Journal

    def drained(self) -> None:
        wait_until(lambda: self.queue.depth() == 0, "the queue to be empty")


def settings_of(azurite: Azurite, journal: Journal, queue: str) -> dict[str, str]:
    return {
        "AzureWebJobsStorage": azurite.connection_string,
        "JOURNAL": str(journal.path),
        "WORK_QUEUE": queue,
        "TICK": "0 0 0 1 1 *",
    }


def wait_until(met: Callable[[], bool], what: str, patience: float = 30.0) -> None:
    """Poll until a condition holds; the patience only bounds a failing test."""
    deadline = time.monotonic() + patience
    while not met():
        assert time.monotonic() < deadline, f"still waiting for: {what}"
        time.sleep(0.02)


@contextmanager
def open_queue(connection: str, name: str, *, create: bool = True) -> Iterator[Queue]:
    with QueueClient.from_connection_string(connection, name) as client:
        if create:
            client.create_queue()
        yield Queue(client)
