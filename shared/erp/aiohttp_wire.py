"""The wire for calls: aiohttp, straight. Knows nothing of ERPs; `client.Wire` says what it promises."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import aiohttp
import certifi
from yarl import URL

from shared.erp.client import Answer, NoReplyError, NothingSentError
from shared.errors import MappingError

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType

    from shared.erp.client import Request, Tls
    from shared.profiles.model import Limits, Timeouts

ALLOWED = "!#$%&'()*+,/:;=?@[]~"  # what may stand in an address as it is; a `%` begins an escape
RESENT = frozenset({"PUT", "DELETE"})  # writes that aiohttp sends again by itself on a new connection
UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class AiohttpWire:
    """One session with as many sockets as calls may be under way."""

    def __init__(self, timeouts: Timeouts, limits: Limits, tls: Tls | None = None) -> None:
        self._timeouts = timeouts
        self._limits = limits
        self._tls = tls
        self._opening = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, request: Request) -> Answer:
        """See `client.Wire`."""
        session = self._session or await self._open()
        try:
            return await self._answer(session, request)
        except UNSENT as error:
            raise NothingSentError(f"{type(error).__name__}: {error}") from error
        except (aiohttp.InvalidURL, ValueError) as error:  # a line break in a header is a ValueError
            raise MappingError(f"{request.url}: {error}") from error
        except TimeoutError as error:
            raise NoReplyError(f"no reply within {self._timeouts.reply:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoReplyError(f"{type(error).__name__}: {error}") from error

    async def _answer(self, session: aiohttp.ClientSession, request: Request) -> Answer:
        method, url, headers, content = request
        response = await session.request(
            method,
            address(url),
            data=content or None,
            headers=headers,
            allow_redirects=False,
            middlewares=(sent_once,) if method in RESENT else (),
        )
        try:
            return Answer(response.status, response.headers, await self._read(response))
        finally:
            response.release()  # of no effect once all is read

    async def close(self) -> None:
        """Close the sockets; the next exchange opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:  # of many first calls one opens
            if self._session is None:
                self._session = self._new_session(await self._tls() if self._tls else trusted())
            return self._session

    def _new_session(self, context: ssl.SSLContext) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limits.concurrency, ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeouts.reply, sock_connect=self._timeouts.connect),
            auto_decompress=False,  # see client.unpacked
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Return the content as it came; None, with the connection given up, if there is more than allowed."""
        most, stream = self._limits.reply_bytes, response.content
        chunks, size = [], 0
        while not stream.at_eof():
            chunk = await stream.readany()
            size += len(chunk)
            if size > most:
                response.close()
                return None
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class DroppedError(aiohttp.ClientError):
    """The connection was dropped after the request had gone out."""


async def sent_once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a write again by itself: we look first."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise DroppedError(f"{type(error).__name__}: {error}") from error


@lru_cache(1024)
def address(url: str) -> URL:
    """Return `url` with what may not stand in an address escaped and everything else exactly as it is.

    Raises:
        ValueError: it has no host, or is not for HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an address that begins with http:// or https:// and names a host")
    rest = quote(url.split("//", 1)[1][len(parts.netloc) :], safe=ALLOWED)
    return URL(f"{parts.scheme}://{parts.netloc}").join(URL(rest or "/", encoded=True))


@cache
def trusted() -> ssl.SSLContext:
    """Trust whom the system trusts (`SSL_CERT_FILE` included) and the list that comes with certifi; read once."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
