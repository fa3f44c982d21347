"""The load generator: N connections, each sends the next request when its last one is answered.

Bodies are made from templates and replies are only skimmed, so that it costs a fraction of any server it
measures; `python -m bench.bare.load` alone measures it against a server that does nothing.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from itertools import count
from urllib.parse import urlsplit

from bench.bare.figures import Figures, figures_of, show
from bench.bare.process import ROOT, announce, bound_socket, started

EVENT = (
    b'{"source":"line-1","id":"%s-%d","type":"production.reported","time":"2026-11-23T06:00:00.000Z",'
    b'"order":"WO-%06d","operation":"%d","work_centre":"WC-%d",'
    b'"data":{"good":"5","scrap":"1","scrap_reason":"S1","unit":"pcs"}}'
)
WARM_UP_SECONDS = 1.0


class LoadError(Exception):
    """The server did not accept what it was sent; the message shows the reply."""


def event_maker(orders: int) -> Callable[[], bytes]:
    """Return a maker of events with ids nobody has used, spread evenly over orders 1..`orders`."""
    run = uuid.uuid4().hex[:12].encode()
    numbers = count()

    def make() -> bytes:
        number = next(numbers)
        step = number // orders % 8 + 1
        return EVENT % (run, number, number % orders + 1, step * 10, step)

    return make


def body_maker(batch: int, orders: int) -> Callable[[], bytes]:
    """Return a maker of request bodies: an array of `batch` events, or one bare object when `batch` is 1."""
    make = event_maker(orders)
    if batch == 1:
        return make
    return lambda: b"[" + b",".join([make() for _ in range(batch)]) + b"]"


class Tally:
    """Latencies of the requests answered inside the measured time, and every acknowledgement."""

    def __init__(self, seconds: float) -> None:
        self.begin = time.perf_counter() + WARM_UP_SECONDS
        self.end = self.begin + seconds
        self.latencies: list[float] = []
        self.acknowledged = 0

    def add(self, sent: float, answered: float) -> None:
        """Note one acknowledged request."""
        self.acknowledged += 1
        if self.begin <= answered <= self.end:
            self.latencies.append(answered - sent)


class Lane(asyncio.Protocol):
    """One keep-alive connection: send, wait for the whole reply, send again until the time is over."""

    def __init__(self, head: bytes, make_body: Callable[[], bytes], tally: Tally) -> None:
        self.head, self.make_body, self.tally = head, make_body, tally
        self.buffer = b""
        self.sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin at once."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.send()

    def send(self) -> None:
        """Send the next body; the clock starts when it is handed to the kernel."""
        body = self.make_body()
        self.sent = time.perf_counter()
        self.transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (self.head, len(body), body))

    def data_received(self, data: bytes) -> None:
        """Go on when the reply is whole."""
        self.buffer += data
        size = reply_size(self.buffer)
        if size is None or len(self.buffer) < size:
            return
        answered = time.perf_counter()
        if self.buffer[9:12] != b"202":
            self.fail(LoadError(self.buffer[:600].decode("latin-1")))
            return
        self.buffer = b""
        self.tally.add(self.sent, answered)
        if answered < self.tally.end:
            self.send()
        else:
            self.transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends early is a failure: its last request was never acknowledged."""
        self.fail(exc or LoadError("the server closed the connection"))

    def fail(self, error: Exception) -> None:
        """End this lane with an error, once."""
        if not self.done.done():
            self.done.set_exception(error)
        self.transport.close()


def reply_size(reply: bytes) -> int | None:
    """Return the bytes of the whole reply, None while its head is not complete."""
    end = reply.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = reply[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        raise LoadError("the reply has no Content-Length")
    return end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])


async def drive(
    url: str, seconds: float, batch: int, connections: int, orders: int, headers: Mapping[str, str]
) -> tuple[Tally, Figures]:
    """Drive the load from this process; returns the tally of requests and the figures of events."""
    parts = urlsplit(url)
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n{extra}"
    make_body = body_maker(batch, orders)
    tally = Tally(seconds)
    loop = asyncio.get_running_loop()
    lanes = [
        await loop.create_connection(
            lambda: Lane(head.encode(), make_body, tally), parts.hostname, parts.port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(lane.done for _, lane in lanes))
    name = f"{connections} connections, {batch} a request"
    return tally, figures_of(name, len(tally.latencies) * batch, seconds, tally.latencies)


def run_load(
    url: str,
    seconds: float = 5,
    batch: int = 100,
    connections: int = 16,
    orders: int = 500,
    headers: Mapping[str, str] | None = None,
) -> tuple[Figures, int]:
    """Load `url` from a process of its own; latencies are of requests, the rate is of events.

    Returns:
        The figures of the measured seconds, and all events acknowledged, the warm-up included: what must be
        found in the database afterwards.

    Raises:
        LoadError: anything but 202 was answered.
    """
    given = [url, seconds, batch, connections, orders, json.dumps(dict(headers or {}))]
    names = ["--url", "--seconds", "--batch", "--connections", "--orders", "--headers"]
    options = [str(part) for pair in zip(names, given, strict=True) for part in pair]
    command = [sys.executable, "-m", "bench.bare.load", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(done.stderr.strip()[-800:])
    answer = json.loads(done.stdout)
    return Figures(**answer["figures"]), answer["acknowledged"]


class Nothing(asyncio.Protocol):
    """A server that answers 202 to whatever ends a body: the ceiling of the generator."""

    REPLY = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answer at the end of an array or of a single event."""
        if data.endswith((b"}}]", b"}}")):
            self.transport.write(self.REPLY)


async def serve_nothing() -> None:
    """Serve until the process is stopped."""
    listener = bound_socket()
    server = await asyncio.get_running_loop().create_server(Nothing, sock=listener)
    announce(listener)
    await server.serve_forever()


def run_ceiling(seconds: float, batch: int, connections: int) -> Figures:
    """Measure the generator against a server that does nothing."""
    with started("bench.bare.load", "--serve-nothing") as url:
        return run_load(f"{url}/api/v1/events", seconds, batch, connections)[0]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="without it, the generator measures itself")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--headers", type=json.loads, default={})
    parser.add_argument("--serve-nothing", action="store_true")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    if given.serve_nothing:
        asyncio.run(serve_nothing())
    elif given.url:
        load = drive(given.url, given.seconds, given.batch, given.connections, given.orders, given.headers)
        tally, figures = asyncio.run(load)
        answer = {"figures": figures.as_dict(), "acknowledged": tally.acknowledged * given.batch}
        print(json.dumps(answer))
    else:
        for batch in (given.batch, 1):
            show(run_ceiling(given.seconds, batch, given.connections))


if __name__ == "__main__":
    main()
