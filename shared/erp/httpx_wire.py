"""The wire for log-ins, and the one tests can replace: httpx. `client.Wire` says what it promises.

Requests go straight to the transport: `httpx.AsyncClient.send` adds redirects, cookies and hooks no log-in wants.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from multidict import CIMultiDict

from shared.erp.client import Answer, NoReplyError, NothingSentError
from shared.errors import MappingError

if TYPE_CHECKING:
    import ssl

    from shared.erp.client import Request, Tls
    from shared.profiles.model import Limits, Timeouts

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class HttpxWire:
    """One transport; `transport` replaces the network."""

    def __init__(
        self,
        timeouts: Timeouts,
        limits: Limits,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._most = limits.reply_bytes
        self._transport = transport
        self._tls = tls
        self._extensions = {
            "timeout": {"connect": timeouts.connect, "pool": timeouts.connect, "read": timeouts.reply}
        }

    async def exchange(self, request: Request) -> Answer:
        """See `client.Wire`."""
        transport = self._transport or self._open(await self._tls() if self._tls else None)
        try:
            async with asyncio.timeout(self._timeouts.reply):
                return await self._exchange(transport, self._written(request))
        except TimeoutError as error:
            raise NoReplyError(f"no reply within {self._timeouts.reply:g} s") from error
        except UNSENT as error:
            raise NothingSentError(f"{type(error).__name__}: {error}") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise MappingError(f"{request.url}: {error}") from error
        except (httpx.HTTPError, OSError) as error:
            raise NoReplyError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close the sockets; the next exchange opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _open(self, context: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
        if self._transport is None:
            # Nothing is kept open between log-ins: the next one is an hour away.
            limits = httpx.Limits(max_keepalive_connections=0)
            self._transport = httpx.AsyncHTTPTransport(
                verify=context or httpx.create_ssl_context(), limits=limits
            )
        return self._transport

    def _written(self, request: Request) -> httpx.Request:
        method, url, headers, content = request
        made = httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)
        if not made.url.host:
            raise httpx.InvalidURL("it names no host")
        return made

    async def _exchange(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> Answer:
        response = await transport.handle_async_request(request)
        try:
            headers = CIMultiDict(response.headers.multi_items())
            return Answer(response.status_code, headers, await self._read(response))
        finally:
            await response.stream.aclose()  # type: ignore[union-attr]  # an asynchronous transport's stream

    async def _read(self, response: httpx.Response) -> bytes | None:
        chunks, size = [], 0
        async for chunk in response.stream:  # type: ignore[union-attr]  # an asynchronous transport's stream
            size += len(chunk)
            if size > self._most:
                return None
            chunks.append(chunk)
        return b"".join(chunks)
