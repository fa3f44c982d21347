"""The one door to an ERP's network: a request goes out, and whatever becomes of it comes back as a reply.

Calls travel by aiohttp (`aiohttp_wire.py`), log-ins and what tests replace by httpx (`httpx_wire.py`): with many lanes
in one process a call through httpx's model of a request takes twice the processor time of the call itself. One
suite holds both wires to the same answers. Either is imported at the first call: who never talks to an ERP does
not pay.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

from multidict import CIMultiDict

from shared.domain.verdict import ReplyKind

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    import httpx
    from multidict import MultiMapping

    from shared.domain.verdict import Reply
    from shared.profiles.model import Limits, Timeouts

    type Tls = Callable[[], Awaitable[ssl.SSLContext]]

GZIP_MAGIC, ZLIB_MAGIC = b"\x1f\x8b", b"\x78"
GZIP_OR_ZLIB = 47  # zlib's window bits for "recognise either header"
NO_HEADERS: MultiMapping[str] = CIMultiDict()


class Request(NamedTuple):
    """One HTTP request, ready to be sent."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes = b""


class HttpReply(NamedTuple):
    """What came back, its content unpacked. `problem` says why where nothing usable came.

    `headers` answers to names in any case. `instead` is set where the call was not made, because the log-in before
    it failed: what that means for the call.
    """

    kind: ReplyKind
    status: int = 0
    headers: MultiMapping[str] = NO_HEADERS
    content: bytes = b""
    problem: str = ""
    instead: Reply | None = None

    @property
    def cookies(self) -> tuple[str, ...]:
        """The values of `Set-Cookie`, one a cookie, as they came."""
        return tuple(self.headers.getall("set-cookie", ()))


class Answer(NamedTuple):
    """What a wire has read: content as it came, None if it is larger than allowed."""

    status: int
    headers: MultiMapping[str]
    content: bytes | None


class NothingSentError(Exception):
    """Nobody was there to talk to: the ERP cannot have noticed anything."""


class NoReplyError(Exception):
    """It was sent, wholly or in part, and no reply was read: what the ERP has done is unknown."""


class Wire(Protocol):
    """Carries one request and its answer. Redirects, cookies and repetition are left to the caller."""

    async def exchange(self, request: Request) -> Answer:
        """Send `request` once and read the answer.

        Raises:
            NothingSentError: nobody was there.
            NoReplyError: it was sent and no answer was read.
            MappingError: the address or a header is none.
        """
        ...

    async def close(self) -> None:
        """Close the sockets; the next exchange opens new ones."""
        ...


class HttpClient:
    """Sends requests to one ERP. Sockets belong to the event loop of the first call."""

    def __init__(
        self,
        timeouts: Timeouts,
        limits: Limits,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: Tls | None = None,
    ) -> None:
        """`transport` replaces the network in tests; `tls` gives a certificate of our own, asked when sockets open."""
        self._timeouts = timeouts
        self._limits = limits
        self._transport = transport
        self._tls = tls
        self._calls: Wire | None = None
        self._log_ins: Wire | None = None

    async def send(self, request: Request) -> HttpReply:
        """Return the reply to `request`; a failed exchange is a reply too, never an exception.

        Raises:
            MappingError: the address or a header is none.
        """
        return await self._replied(self._calls or self._open_calls(), request)

    async def send_log_in(self, request: Request) -> HttpReply:
        """Do what `send` does for a log-in or token call: rare, and often to another host than the ERP's."""
        return await self._replied(self._log_ins or self._open_log_ins(), request)

    async def close(self) -> None:
        """Close the sockets; the next call opens new ones."""
        for wire in (self._calls, self._log_ins):
            if wire is not None:
                await wire.close()

    def _open_calls(self) -> Wire:
        if self._transport is not None:
            self._calls = self._log_ins or self._open_log_ins()
            return self._calls
        from shared.erp.aiohttp_wire import AiohttpWire  # noqa: PLC0415 - see module docstring

        self._calls = AiohttpWire(self._timeouts, self._limits, self._tls)
        return self._calls

    def _open_log_ins(self) -> Wire:
        from shared.erp.httpx_wire import HttpxWire  # noqa: PLC0415 - see module docstring

        self._log_ins = HttpxWire(self._timeouts, self._limits, self._transport, self._tls)
        return self._log_ins

    async def _replied(self, wire: Wire, request: Request) -> HttpReply:
        try:
            status, headers, content = await wire.exchange(request)
        except NothingSentError as error:
            return HttpReply(ReplyKind.UNREACHABLE, problem=str(error))
        except NoReplyError as error:
            return HttpReply(ReplyKind.AMBIGUOUS, problem=str(error))
        if content is not None and "content-encoding" in headers:
            content = unpacked(content, self._limits.reply_bytes)
        if content is None:
            problem = f"the reply is larger than {self._limits.reply_bytes} bytes"
            return HttpReply(ReplyKind.ANSWERED, status, problem=problem)
        return HttpReply(ReplyKind.ANSWERED, status, headers, content)


def unpacked(content: bytes, most: int) -> bytes | None:
    """Return content unpacked, None if it is larger. Some ERPs announce gzip and send plain text: look first."""
    if not content.startswith((GZIP_MAGIC, ZLIB_MAGIC)):
        return content
    unpack = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        plain = unpack.decompress(content, most)
    except zlib.error:
        return content
    return None if unpack.unconsumed_tail else plain
