"""The one place that opens sockets to an ERP: httpx requests, sent by the aiohttp engine.

Requests go straight to the transport: `httpx.AsyncClient.send` adds redirects, cookies and hooks no ERP
call wants (64 lanes in one process: 2,400 requests/s through a client, 4,000 straight to the transport, 6,500
with bare aiohttp). httpx and aiohttp are imported at the first call: who never talks to an ERP does not pay.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from shared.domain.verdict import ReplyKind
from shared.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from shared.domain.verdict import Reply
    from shared.profiles.model import Limits, Timeouts

UTF8, LATIN1 = "utf-8", "latin-1"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_OR_ZLIB = 47  # zlib's window bits for "recognise either header"


class Request(NamedTuple):
    """One HTTP request, ready to be sent."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back, its content unpacked. `problem` says why where nothing usable came.

    `instead` is set where the call was not made, because the log-in before it failed: what that means for the
    call.
    """

    kind: ReplyKind
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    problem: str = ""
    instead: Reply | None = None


class TooLargeError(Exception):
    """The reply is larger than the profile's `limits.reply_bytes`."""


class HttpClient:
    """Sends requests to one ERP. Sockets belong to the event loop of the first call."""

    def __init__(
        self, timeouts: Timeouts, limits: Limits, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._timeouts = timeouts
        self._limits = limits
        self._transport = transport
        self._extensions = {
            "timeout": {"connect": timeouts.connect, "pool": timeouts.connect, "read": timeouts.reply}
        }

    async def send(self, request: Request) -> HttpReply:
        """Return the reply to `request`; a failed exchange is a reply too, never an exception.

        Raises:
            MappingError: the address is none.
        """
        import httpx  # noqa: PLC0415 - see module docstring

        transport = self._transport or self._open()
        try:
            async with asyncio.timeout(self._timeouts.reply):
                return await self._exchange(transport, _httpx_request(request, self._extensions))
        except TimeoutError:
            return HttpReply(ReplyKind.AMBIGUOUS, problem=f"no reply within {self._timeouts.reply:g} s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise MappingError(f"{request.url}: {error}") from error
        except (httpx.HTTPError, OSError) as error:
            return _failed(error)
        except Exception as error:
            # The engine beneath leaks errors of its own that it does not map (a reply that is not HTTP, say).
            if type(error).__module__.split(".")[0] != "aiohttp":
                raise
            return _failed(error)

    async def close(self) -> None:
        """Close the sockets; the next call opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _open(self) -> httpx.AsyncBaseTransport:
        self._transport = _aiohttp_transport(self._limits.concurrency)
        return self._transport

    async def _exchange(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> HttpReply:
        response = await transport.handle_async_request(request)
        response.headers.encoding = LATIN1
        try:
            content = await self._read(response)
        except TooLargeError:
            problem = f"the reply is larger than {self._limits.reply_bytes} bytes"
            return HttpReply(ReplyKind.ANSWERED, response.status_code, problem=problem)
        finally:
            await response.stream.aclose()  # type: ignore[union-attr]
        return HttpReply(ReplyKind.ANSWERED, response.status_code, response.headers, content)

    async def _read(self, response: httpx.Response) -> bytes:
        most = self._limits.reply_bytes
        chunks, size = [], 0
        async for chunk in response.stream:  # type: ignore[union-attr]
            size += len(chunk)
            if size > most:
                raise TooLargeError
            chunks.append(chunk)
        content = b"".join(chunks)
        return _unpacked(content, most) if "content-encoding" in response.headers else content


def _unpacked(content: bytes, most: int) -> bytes:
    """Return content unpacked. Some ERPs announce gzip and send plain text: look, don't believe."""
    if not content.startswith(GZIP_MAGIC) and not content.startswith(b"\x78"):
        return content
    unpack = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        plain = unpack.decompress(content, most)
    except zlib.error:
        return content
    if unpack.unconsumed_tail:
        raise TooLargeError
    return plain


def _httpx_request(request: Request, extensions: dict[str, dict[str, float]]) -> httpx.Request:
    import httpx  # noqa: PLC0415

    made = httpx.Request(
        request.method, request.url, headers=request.headers, content=request.content, extensions=extensions
    )
    made.headers.encoding = UTF8  # else httpx finds it out anew for every header it is asked for
    return made


def _aiohttp_transport(concurrency: int) -> httpx.AsyncBaseTransport:
    import aiohttp  # noqa: PLC0415
    import httpx  # noqa: PLC0415
    from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415

    context = httpx.create_ssl_context()

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=concurrency, ssl=context)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    transport: httpx.AsyncBaseTransport = AiohttpTransport(verify=context, client=session)
    return transport


def _failed(error: Exception) -> HttpReply:
    problem = f"{type(error.__cause__ or error).__name__}: {error}"
    return HttpReply(_failure_kind(error), problem=problem)


def _failure_kind(error: Exception) -> ReplyKind:
    """Tell "nothing was sent" from "sent, no answer".

    The transport calls a connection dropped by the peer a connect time-out, so what it was made from decides.
    """
    import aiohttp  # noqa: PLC0415
    import httpx  # noqa: PLC0415

    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError | TimeoutError):
        unsent = isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    else:
        unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return ReplyKind.UNREACHABLE if unsent else ReplyKind.AMBIGUOUS
