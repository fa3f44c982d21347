"""What every simulator shares: a server on a free loopback port, faults on request, and what a test may ask.

A simulator is a `Simulator`: its `app` speaks the vendor's protocol, its methods play the planner and the auditor.

    with Erpnext() as erp:
        number = erp.release(PlannedOrder("BOLT", Decimal(10), operations=(PlannedOperation("10", "Turn", "LATHE"),)))
        erp.fault("POST /api/resource", "drop_after_effect")
        ...
        assert erp.booked(number).operation("10").good == 10
"""

import asyncio
import contextlib
import functools
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import uvicorn
from uvicorn.server import ServerState

ZERO = Decimal(0)
FAULTS = (
    "drop_before_effect",
    "drop_after_effect",
    "hang_before_effect",
    "hang_after_effect",
    "gateway",
    "status",
)
HANG_SECONDS = 30
SECRET_HEADERS = {b"x-api-key", b"x-csrf-token"}
SESSION_LENGTH = 16  # shorter cookies are preferences


@dataclass(frozen=True)
class PlannedOperation:
    """One operation as a planner enters it; times in seconds, None where the planner gives none."""

    ident: str
    name: str
    work_centre: str
    setup_seconds: Decimal | None = None
    run_seconds: Decimal | None = None


@dataclass(frozen=True)
class PlannedOrder:
    """What a planner releases. `serials`: the part is tracked by serial number; `batch`: by batch."""

    part: str
    quantity: Decimal
    operations: tuple[PlannedOperation, ...]
    unit: str = "pcs"
    due: str = "2026-12-01"
    serials: bool = False
    batch: bool = False


@dataclass
class BookedOperation:
    """What the ERP's own tables say of one operation; None where this ERP keeps no such figure."""

    ident: str
    state: str = "pending"  # pending | running | paused | completed
    good: Decimal | None = ZERO
    scrap: Decimal | None = ZERO
    rework: Decimal | None = None
    setup_seconds: Decimal | None = None
    run_seconds: Decimal | None = ZERO
    reasons: tuple[str, ...] = ()


@dataclass
class Booked:
    """What the ERP's own tables say of one order, read by no API."""

    state: str = "released"  # released | started | completed | cancelled
    good: Decimal = ZERO
    scrap: Decimal | None = ZERO
    serials: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    operations: list[BookedOperation] = field(default_factory=list)
    postings: int = 0  # documents, journal lines or messages that took effect, reversals counted too

    def operation(self, ident):
        """Return the operation `ident`."""
        return next(found for found in self.operations if found.ident == ident)


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose "METHOD /path?query" contains `match`."""

    match: str
    do: str
    times: int = 1


class Simulator:
    """Base of all simulators; a subclass gives `app` (ASGI) and the five methods below the line.

    Every request is logged as "METHOD /path?query" in `calls`, with its status in `statuses`; the tokens and session
    cookies it came with are kept in `credentials`. `overlaps` counts
    writes that met another write on the same order, as `order_of` (a subclass may give it) tells them apart.
    """

    def __init__(self):
        self.calls = []
        self.credentials = set()
        self.statuses = Counter()
        self.overlaps = 0
        self.latency_ms = 0
        self._faults = []
        self._choose = None
        self._writing = Counter()
        self._before = []
        self._server = None
        self.url = ""

    # -- what a subclass gives ------------------------------------------------------------------------------

    async def app(self, scope, receive, send):
        """Answer one HTTP request as the vendor's specs say."""
        raise NotImplementedError

    def release(self, order):
        """Enter and release `order` (PlannedOrder) as a planner would; returns the ERP's order number."""
        raise NotImplementedError

    def change_quantity(self, number, quantity):
        """Change an order's quantity as a planner would, in mid-flight too where the ERP allows it."""
        raise NotImplementedError

    def cancel(self, number):
        """Cancel (or delete, or close) an order as a planner would."""
        raise NotImplementedError

    def booked(self, number):
        """Return what the ERP's own tables say of the order: `Booked`."""
        raise NotImplementedError

    def expire_credentials(self):
        """Make every token and session handed out so far worthless; a new log-in works."""

    def revoke_credentials(self):
        """Make the log-in itself worthless, as a wrong or withdrawn password is."""
        raise NotImplementedError

    def order_of(self, method, path, body):
        """Return the order a write belongs to, "" where it belongs to none (then it cannot overlap)."""
        return ""

    # -- what a test asks -----------------------------------------------------------------------------------

    def fault(self, match, do, times=1):
        """Let the next `times` requests that contain `match` fail: `do` is one of FAULTS, "status:N[:retry_after]"."""
        if do.split(":")[0] not in FAULTS:
            raise ValueError(
                f"no fault {do!r}; valid: {', '.join(FAULTS)} (status:N or status:N:retry_after)"
            )
        self._faults.append(Fault(match, do, times))

    def fault_by(self, choose):
        """Let `choose("METHOD /path?query")` name each request's fault, "" for none; None ends it."""
        self._choose = choose

    def no_faults(self):
        """Forget all faults."""
        self._faults.clear()

    def before(self, match, act):
        """Call `act()` once, just before the next request that contains `match` is answered: page drift, say."""
        self._before.append((match, act))

    # -- the server -----------------------------------------------------------------------------------------

    def __enter__(self):
        # By the protocol's number asyncio knows TCP and turns Nagle's delay off: else every reply takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = Listening.on(listener, self._faulty)
        return self

    def __exit__(self, *_):
        self._server.stop()

    async def _faulty(self, scope, receive, send):
        """Answer through the faults; a write holds its order while it is being answered."""
        body = await _whole(receive)
        line = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}".rstrip("?")
        self.calls.append(line)
        self.credentials.update(_credentials(scope["headers"]))
        self._act_before(line)
        fault = self._next_fault(line)
        order = self.order_of(scope["method"], scope["path"], body) if scope["method"] != "GET" else ""
        with self._written(order):
            await self._answer({**scope, "caller_gave_up": _until_gone(receive)}, body, send, fault)

    async def _answer(self, scope, body, send, fault):
        if fault.startswith("status:"):
            await _scripted(send, fault)
            return
        if fault == "gateway":
            await _in_its_place(send)
            return
        replies = []
        if not fault.endswith("before_effect"):
            await self.app(scope, _replayed(body), _collected(replies))
        if fault.startswith("hang"):
            await scope["caller_gave_up"]()
        elif self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        if fault:
            send.__self__.transport.abort()  # uvicorn's cycle of this request: the only way to end it without a reply
            return
        for reply in replies:
            if reply["type"] == "http.response.start":
                self.statuses[reply["status"]] += 1
            await send(reply)

    def _act_before(self, line):
        due = next((pair for pair in self._before if pair[0] in line), None)
        if due:
            self._before.remove(due)
            due[1]()

    def _next_fault(self, line):
        chosen = self._choose(line) if self._choose else ""
        if chosen:
            return chosen
        for fault in self._faults:
            if fault.times and fault.match in line:
                fault.times -= 1
                return fault.do
        return ""

    @contextlib.contextmanager
    def _written(self, order):
        self.overlaps += bool(order and self._writing[order])
        self._writing[order] += 1
        try:
            yield
        finally:
            self._writing[order] -= 1


class Listening:
    """One app on one port, on the event loop all simulators share: starting and stopping costs nothing worth naming."""

    def __init__(self, state):
        self._state = state
        self._server = None

    @classmethod
    def on(cls, listener, app):
        """Serve `app` (ASGI) on the bound socket `listener`."""
        config = uvicorn.Config(
            app, log_level="critical", interface="asgi3", lifespan="off", proxy_headers=False
        )
        config.load()
        listening = cls(ServerState())
        asyncio.run_coroutine_threadsafe(listening._start(config, listener), shared_loop()).result()
        return listening

    def stop(self):
        """Close the port and every connection, whatever is under way."""
        asyncio.run_coroutine_threadsafe(self._stop(), shared_loop()).result()

    async def _start(self, config, listener):
        protocol = functools.partial(
            config.http_protocol_class, config=config, server_state=self._state, app_state={}
        )
        self._server = await asyncio.get_running_loop().create_server(protocol, sock=listener)

    async def _stop(self):
        self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        under_way = list(self._state.tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


@functools.cache
def shared_loop():
    """Return the event loop of the simulators, in a thread of its own until the process ends."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="simulators").start()
    return loop


def _credentials(headers):
    """Yield the tokens, keys and session cookies among the headers of a request."""
    for name, value in headers:
        plain = value.decode("latin-1")
        if name == b"cookie":
            values = (pair.partition("=")[2] for pair in plain.split("; "))
            yield from (one for one in values if len(one) >= SESSION_LENGTH)
        elif name == b"authorization" and not plain.startswith("OAuth "):
            yield plain.rpartition(" ")[2]
        elif name in SECRET_HEADERS:
            yield plain


async def _whole(receive):
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _until_gone(receive):
    async def gone():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_SECONDS):
                while (await receive())["type"] != "http.disconnect":
                    pass

    return gone


def _replayed(body):
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _collected(replies):
    async def send(message):
        replies.append(message)

    return send


async def _in_its_place(send):
    """Answer as a gateway does whose ERP is away: 200 and JSON, and no word of what was asked."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": b"{}"})


async def _scripted(send, fault):
    _, status, *after = fault.split(":")
    headers = [(b"content-type", b"text/plain")] + [(b"retry-after", value.encode()) for value in after]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": b"scripted"})
