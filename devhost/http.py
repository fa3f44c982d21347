"""HTTP triggers: one plain ASGI application on a loopback socket.

No web framework stands between the server and the function: a route is found, the request is handed over,
the answer is sent. Function keys are not asked for, as with Core Tools.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import uvicorn

from devhost.errors import DevhostError
from devhost.routes import Route, Router, compile_route
from devhost.worker import Function, HttpReply, HttpRequest, HttpTrigger, Worker

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type Fire = Callable[[], Awaitable[None]]

LOOPBACK: Final = "127.0.0.1"
_NOT_FOUND: Final = HttpReply(404, [], b"")
_NO_BODY: Final = frozenset({204, 304})


def listen(host: str, port: int) -> socket.socket:
    """Bind the loopback address.

    Raises:
        DevhostError: another address is asked for, or the port is taken.
    """
    if host not in (LOOPBACK, "localhost"):
        raise DevhostError(f"devhost asks for no keys, so it listens on {LOOPBACK} only, not on {host}")
    # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise DevhostError(
            f"port {port} cannot be used ({error.strerror}): choose another with --port"
        ) from None
    return listener


class HttpDoor:
    """The ASGI application. `timers` can be fired by hand, as with Core Tools: POST /admin/functions/NAME."""

    def __init__(
        self, worker: Worker, functions: list[Function], prefix: str, timers: Mapping[str, Fire]
    ) -> None:
        self._worker = worker
        self._router = Router([route for function in functions for route in _routes(function, prefix)])
        self._timers = timers
        self._background: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        body = await _body(receive)
        if body is None:
            return
        path = _path(scope)
        found = self._router.find(scope["method"], path)
        if found is not None:
            function, parameters = found
            reply = await self._worker.http(function, _request(scope, path, parameters, body))
        else:
            reply = self._administer(scope, path)
        await _send(send, reply)

    def _administer(self, scope: Scope, path: str) -> HttpReply:
        fire = self._timers.get(path.removeprefix("/admin/functions/"))
        if scope["method"] != "POST" or fire is None:
            return _NOT_FOUND
        # A page in a browser cannot post JSON to another origin unasked; a form or plain text it could.
        if not _headers(scope).get("content-type", "").startswith("application/json"):
            return HttpReply(415, [], b"")
        task = asyncio.ensure_future(fire())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return HttpReply(202, [], b"")

    async def drain(self) -> None:
        """Wait for timers fired by hand."""
        await asyncio.gather(*self._background)


class HttpServer(uvicorn.Server):
    """Uvicorn on our own socket; signals are the host's business."""

    def __init__(
        self, app: HttpDoor, listener: socket.socket, grace: float, announce: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                interface="asgi3",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(grace)),
            )
        )
        self._listener = listener
        self._announce = announce

    async def run_until(self, stop: asyncio.Event) -> None:
        """Serve until asked to stop, then let the requests under way finish."""
        serving = asyncio.create_task(self.serve(sockets=[self._listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self.should_exit = True
        await serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening and say so."""
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def _routes(function: Function, prefix: str) -> Iterator[Route[Function]]:
    if isinstance(function.trigger, HttpTrigger):
        template = f"{prefix}/{function.trigger.route.strip('/')}"
        yield compile_route(template, function.trigger.methods, function)


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None when the caller has gone."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return bytes(message.get("body", b""))
    chunks = []
    while message["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()
    return None


def _path(scope: Scope) -> str:
    """The decoded path, save that an encoded slash stays encoded, as the host leaves it."""
    raw: bytes = scope["raw_path"]
    if b"%2" not in raw:
        return str(scope["path"])
    return unquote(raw.decode("latin-1").replace("%2F", "%252F").replace("%2f", "%252f"))


def _request(scope: Scope, path: str, parameters: Mapping[str, str], body: bytes) -> HttpRequest:
    headers = _headers(scope)
    query = scope["query_string"].decode("latin-1")
    raw = scope["raw_path"].decode("latin-1") or path
    url = f"http://{headers.get('host', LOOPBACK)}{raw}{'?' + query if query else ''}"
    return HttpRequest(scope["method"], url, headers, _query(query) if query else {}, parameters, body)


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name. Like the host, join repeated ones by a comma and leave empty ones out."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        if raw_value:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _query(query: str) -> dict[str, str]:
    """Query values by name, joined and left out like headers."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query):
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


async def _send(send: Send, reply: HttpReply) -> None:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in reply.headers
        if name.lower() != "content-length"
    ]
    body = b"" if reply.status in _NO_BODY else reply.body
    if reply.status not in _NO_BODY:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
