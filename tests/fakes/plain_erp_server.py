"""The plain ERP on HTTP: a hand-written ASGI app over the books, with faults on request.

A write takes effect when it arrives and is answered `latency_ms` later: whoever dies in between leaves an
effect behind without knowing it, which is the case worth testing. A write is in flight from arrival to reply,
a hanging one until its caller gives up; a second write on the same order in that time is an overlap. Without
latency a write is over at once and nothing can overlap: give a test of overlaps some milliseconds.
"""

import argparse
import asyncio
import os
import pickle
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import orjson
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.fakes.plain_erp_books import OPERATION_MOVES, Books, RefusedError

FAULTS = "drop_after_effect|drop_before_effect|hang|hang_after_effect|status:N|status:N:retry_after|error_200"
POSTINGS = {"results": "post_result", "times": "post_time", "corrections": "post_correction"}
NOTICE_SECONDS = 0.01


@dataclass
class Reply:
    """Status, JSON bytes, seconds for a Retry-After header."""

    status: int
    body: bytes
    retry_after: str = ""


@dataclass
class Erp:
    """The running ERP: its books, its faults and who is writing right now."""

    books: Books
    api_key: str
    latency_ms: float = 0
    script: list = field(default_factory=list)
    in_flight: Counter = field(default_factory=Counter)
    hanging: Counter = field(default_factory=Counter)
    overlaps: int = 0
    calls: int = 0

    async def handle(self, method, path, query, headers, body, gone):
        """Return a Reply, or None to break the connection; `gone` waits for the caller to leave."""
        if path.startswith("/__"):
            return self.control(method, path, body)
        self.calls += 1
        refusal = self.refuse_key(headers)
        if refusal:
            return refusal
        parts = path.strip("/").split("/")
        if method == "POST" and len(parts) > 1:
            return await self.handle_write(method, path, query, body, gone)
        return await self.answer(method, path, query, body, gone)

    async def handle_write(self, method, path, query, body, gone):
        """Hold the order as being written while the request is answered."""
        number = path.split("/")[2]
        self.overlaps += await self.is_written(number)
        self.in_flight[number] += 1
        try:
            return await self.answer(method, path, query, body, gone)
        finally:
            self.in_flight[number] -= 1

    async def is_written(self, number):
        """Whether somebody else is writing the order; one who has just hung up has a moment to be noticed."""
        if self.in_flight[number] and self.in_flight[number] == self.hanging[number]:
            await asyncio.sleep(NOTICE_SECONDS)
        return self.in_flight[number] > 0

    async def answer(self, method, path, query, body, gone):
        """Apply the request, or the fault in its place, and take `latency_ms` over it."""
        fault = self.next_fault(f"{method} {path}")
        parts = path.strip("/").split("/")
        reply = self.effect(fault, method, parts, query, body)
        if fault.startswith("hang"):
            return await self.hang(parts[1] if len(parts) > 1 else "", gone)
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        return None if fault.startswith("drop") else reply

    async def hang(self, number, gone):
        """Never answer: wait until the caller gives up."""
        self.hanging[number] += 1
        try:
            await gone()
        finally:
            self.hanging[number] -= 1

    def refuse_key(self, headers):
        key = headers.get(b"x-api-key")
        if key is None:
            return error(403, "X-Api-Key is missing")
        return None if key.decode("latin-1") == self.api_key else error(401, "X-Api-Key is wrong")

    def next_fault(self, line):
        """Take one turn of the first fault whose `match` is part of "METHOD /path"."""
        for fault in self.script:
            if fault["match"] in line and fault["times"] > 0:
                fault["times"] -= 1
                return fault["do"]
        return ""

    def effect(self, fault, method, parts, query, body):
        """Apply the request to the books unless the fault comes first, and choose the reply."""
        if fault.startswith("status:"):
            return scripted(fault)
        if fault == "error_200":
            return error(200, "scripted error")
        if fault in {"drop_before_effect", "hang"}:
            return None
        return self.apply(method, parts, query, body)

    def apply(self, method, parts, query, body):
        try:
            if method == "GET":
                return self.read(parts, query)
            return self.write(parts, decoded(body))
        except RefusedError as refusal:
            self.books.refused += method == "POST"
            return error(refusal.status, str(refusal))

    def read(self, parts, query):
        match parts:
            case ["orders"]:
                return self.list_orders(query)
            case ["open-orders"]:
                numbers, more = self.books.open_page(query.get("after", ""), limit_of(query))
                return reply(200, {"numbers": numbers, "next": more})
            case ["orders", number]:
                return reply(200, self.books.order(number))
            case ["postings"]:
                return reply(200, {"postings": self.books.postings(query.get("reference", ""))})
        raise RefusedError(404, "no such path")

    def list_orders(self, query):
        statuses = set(filter(None, query.get("status", "").split(",")))
        wires, more = self.books.page(
            statuses, query.get("changed_since", ""), query.get("after", ""), limit_of(query)
        )
        return Reply(200, b'{"orders":[' + b",".join(wires) + b'],"next":' + orjson.dumps(more) + b"}")

    def write(self, parts, body):
        match parts:
            case ["orders", number, "start"]:
                return reply(200, self.books.start_order(number))
            case ["orders", number, "complete"]:
                return reply(200, self.books.complete_order(number))
            case ["orders", number, "operations", operation, verb] if verb in OPERATION_MOVES:
                return reply(200, self.books.move_operation(number, operation, verb))
            case ["orders", number, kind] if kind in POSTINGS:
                return reply(201, getattr(self.books, POSTINGS[kind])(number, body))
        raise RefusedError(404, "no such path")

    def control(self, method, path, body):
        """The doors of the test itself: no key, no latency, no faults, not counted."""
        actions = {
            "POST /__faults": self.set_faults,
            "POST /__orders": self.plan,
            "POST /__reset": self.reset,
            "GET /__writes": lambda _: {"writes": self.books.writes},
            "GET /__report": lambda _: self.books.report() | {"overlaps": self.overlaps, "calls": self.calls},
        }
        action = actions.get(f"{method} {path}")
        if action is None:
            return error(404, f"no such path; there are {', '.join(actions)}")
        try:
            return reply(200, action(decoded(body)))
        except RefusedError as refusal:
            return error(refusal.status, str(refusal))

    def set_faults(self, body):
        """Replace the script when one is given, change the latency when one is given."""
        script = [{"match": "", "times": 1} | fault for fault in body.get("script", self.script)]
        for fault in script:
            check_fault(fault.get("do", ""))
        self.script = script
        self.latency_ms = body.get("latency_ms", self.latency_ms)
        return {"latency_ms": self.latency_ms, "script": self.script}

    def plan(self, body):
        """Play the planner: {"add": [record], "change": [record], "cancel": [number]}."""
        self.books.add(body.get("add", []))
        self.books.change(body.get("change", []))
        self.books.cancel(body.get("cancel", []))
        return {"orders": len(self.books.orders)}

    def reset(self, body):
        """Begin again with {"orders": N, "operations": M}: new books, no faults, counts at zero."""
        self.books = Books(body.get("orders", 0), body.get("operations", 8))
        self.script, self.latency_ms, self.overlaps, self.calls = [], 0, 0, 0
        return {"orders": len(self.books.orders)}


def reply(status, content):
    return Reply(status, orjson.dumps(content))


def error(status, reason):
    return reply(status, {"error": reason})


def scripted(fault):
    """Answer "status:429:2": the status, and how long to stay away."""
    _, status, *wait = fault.split(":")
    return Reply(int(status), orjson.dumps({"error": f"scripted {status}"}), wait[0] if wait else "")


def check_fault(do):
    plain = {"drop_after_effect", "drop_before_effect", "hang", "hang_after_effect", "error_200"}
    if do not in plain and not (do.startswith("status:") and do.split(":")[1].isdigit()):
        raise RefusedError(400, f"do: {do!r} is not one of {FAULTS}")


def decoded(body):
    try:
        content = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as wrong:
        raise RefusedError(400, f"body: not JSON: {wrong}") from None
    if not isinstance(content, dict):
        raise RefusedError(400, "body: a JSON object is needed")
    return content


def limit_of(query):
    limit = query.get("limit", "100")
    if not limit.isdigit() or int(limit) == 0:
        raise RefusedError(400, "limit: a whole number above zero is needed")
    return int(limit)


def application(erp):
    """Return the ASGI app of the ERP."""

    async def app(scope, receive, send):
        body = await read_body(receive)
        query = dict(parse_qsl(scope["query_string"].decode()))
        headers = dict(scope["headers"])
        answer = await erp.handle(
            scope["method"], scope["path"], query, headers, body, lambda: until_gone(receive)
        )
        if answer is None:
            scope["transport"].abort()
        else:
            await send_reply(send, answer)

    return app


async def read_body(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def until_gone(receive):
    """Wait for the caller to give up; only then is the request over."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_reply(send, answer):
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer.body))]
    if answer.retry_after:
        headers.append((b"retry-after", answer.retry_after.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


class CuttableProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1, with the transport in the scope so that the app can break the connection."""

    def connection_made(self, transport):
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope, receive, send):
            scope["transport"] = transport
            await app(scope, receive, send)

        self.app = with_transport


class Server(uvicorn.Server):
    """Says when it is ready, and calls back once nothing can change any more."""

    def __init__(self, config, on_ready: Callable, on_end: Callable):
        super().__init__(config)
        self.on_ready, self.on_end = on_ready, on_end

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.on_ready()

    async def shutdown(self, sockets=None):
        await super().shutdown(sockets)
        self.on_end()


def write_whole(path, content):
    """Write a file so that nobody ever reads half of it."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def bound_socket(port):
    """Bind a loopback socket; port 0 asks for a free one.

    asyncio turns Nagle's delay off only on sockets that say TCP: without it every reply takes 40 ms.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def opened_books(options):
    """The books of the last run when a snapshot exists, else new ones."""
    if options.snapshot and options.snapshot.exists():
        return pickle.loads(options.snapshot.read_bytes())  # noqa: S301 - our own file, written below
    return Books(options.orders, options.operations)


def arguments():
    parser = argparse.ArgumentParser(description="A small ERP that counts what reaches it.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--operations", type=int, default=8)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--api-key", default="plain-key")
    parser.add_argument("--ready-file", type=Path)
    parser.add_argument(
        "--snapshot", type=Path, help="books are read from it at start and written to it at the end"
    )
    return parser.parse_args()


def main():
    options = arguments()
    erp = Erp(opened_books(options), options.api_key, options.latency_ms)
    listener = bound_socket(options.port)
    port = listener.getsockname()[1]

    def ready():
        if options.ready_file:
            facts = {"url": f"http://127.0.0.1:{port}", "port": port, "pid": os.getpid()}
            write_whole(options.ready_file, orjson.dumps(facts))

    def end():
        if options.snapshot:
            write_whole(options.snapshot, pickle.dumps(erp.books))

    config = uvicorn.Config(
        application(erp),
        http=CuttableProtocol,
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    Server(config, ready, end).run([listener])
