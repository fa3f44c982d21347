"""Start a server of ours as a process, and stop that process and no other."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def started(module: str, *arguments: str) -> Iterator[str]:
    """Run `python -m module` and yield the URL it prints as its first line."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError(f"{module} ended before it was ready")
            yield url
        finally:
            process.terminate()
            process.wait(10)


def bound_socket() -> socket.socket:
    """Bind a free loopback port; the protocol is named because only then asyncio turns Nagle's delay off."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def announce(listener: socket.socket) -> None:
    """Print the URL `started` waits for; connections queue on the socket until the server accepts them."""
    listener.listen(1024)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
