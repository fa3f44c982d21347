"""Makes the calls a profile describes: requests from facts, credentials, and the ERP's limits kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from shared.domain.verdict import ReplyKind
from shared.erp.auth import LoginFailed, authenticator
from shared.erp.client import HttpReply, Request
from shared.errors import ErpUnavailable
from shared.mapping.body_out import encode_form, encode_json, query_text
from shared.mapping.conversions import Tables, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from shared.erp.client import HttpClient
    from shared.erp.secrets import Secrets
    from shared.profiles.model import Call, Profile

    type Facts = dict[str, Any]

UNAUTHORISED = 401
COMMON_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",  # always said, because some ERPs send it unasked
    "User-Agent": "tascus-erp-integration",
}


class Caller:
    """One connection's calls. `settings` are the open ones; secrets reach `connection` alone."""

    def __init__(
        self,
        profile: Profile,
        settings: Facts,
        secrets: Secrets,
        client: HttpClient,
        now: Callable[[], datetime],
    ) -> None:
        self.connection = profile.connection
        self.settings = settings
        self.secrets = secrets
        self.now = now
        self.tables = Tables(profile.codes, {})
        self._client = client
        self._base = profile.connection.base_url({"settings": settings}).rstrip("/")
        self._auth = authenticator(profile.connection.auth, self)
        self._common: dict[str, str] | None = None
        self._lanes = asyncio.Semaphore(profile.connection.limits.concurrency)
        self._pace = Pace(profile.connection.limits.requests_per_second)

    async def connection_facts(self) -> Facts:
        """Return what expressions under `connection` see: all settings, secret ones too."""
        return {"settings": {**self.settings, **await self.secrets.values()}}

    def request(
        self, call: Call, facts: Facts, headers: Mapping[str, str] | None = None, url: str | None = None
    ) -> Request:
        """Return the request that `call` stands for; `url` replaces its address, `headers` are added.

        Raises:
            MappingError: a part of the address or body cannot be worked out.
        """
        content = b""
        all_headers = {**headers} if headers else {}
        if call.body is not None:
            content = self._encoded(call, facts)
            all_headers["Content-Type"] = (
                "application/x-www-form-urlencoded" if call.form else "application/json"
            )
        for name, value in call.headers.items():
            plain = text(value(facts, self.tables))
            if plain is not None:
                all_headers[name] = plain
        return Request(
            call.method, self._followed(url) if url else self._address(call, facts), all_headers, content
        )

    async def send(self, request: Request) -> HttpReply:
        """Send with credentials; a 401 is answered once with fresh ones. Never raises for a reply."""
        async with self._lanes:
            try:
                return await self._send_as_us(request)
            except LoginFailed as failed:
                return HttpReply(failed.reply.kind, failed.reply.status, instead=failed.reply)

    async def send_bare(self, request: Request) -> HttpReply:
        """Send without credentials."""
        return await self._send(request, {})

    async def close(self) -> None:
        """Give back sockets."""
        await self._client.close()

    async def _send_as_us(self, request: Request) -> HttpReply:
        credentials = await self._auth.headers()
        reply = await self._send(request, credentials)
        refused = reply.kind is ReplyKind.ANSWERED and reply.status == UNAUTHORISED
        if refused and await self._auth.renew(credentials):
            return await self._send(request, await self._auth.headers())
        return reply

    async def _send(self, request: Request, credentials: dict[str, str]) -> HttpReply:
        if self._common is None:
            self._common = await self._common_headers()
        await self._pace.wait()
        headers = {**self._common, **request.headers, **credentials}
        return await self._client.send(request._replace(headers=headers))

    async def _common_headers(self) -> dict[str, str]:
        facts = await self.connection_facts()
        own = {name: text(value(facts, self.tables)) for name, value in self.connection.headers.items()}
        return {**COMMON_HEADERS, **{name: value for name, value in own.items() if value is not None}}

    def _address(self, call: Call, facts: Facts) -> str:
        path = call.path(facts, self.tables, _quoted)
        if not call.query:
            return f"{self._base}{path}"
        query = query_text({name: value(facts, self.tables) for name, value in call.query.items()})
        return f"{self._base}{path}?{query}"

    def _followed(self, url: str) -> str:
        """Return the absolute address of a link. It gets our credentials, so it must be our ERP's."""
        absolute = urljoin(f"{self._base}/", url)
        if urlsplit(absolute)[:2] != urlsplit(self._base)[:2]:
            raise ErpUnavailable(f"the ERP's link leads to another host: {urlsplit(absolute).netloc}")
        return absolute

    def _encoded(self, call: Call, facts: Facts) -> bytes:
        body = call.body(facts, self.tables) if call.body is not None else None
        return encode_form(body) if call.form else encode_json(body, self.connection.decimals)


class Pace:
    """At most so many requests a second, evenly spaced; None = as fast as the lanes go."""

    def __init__(self, per_second: float | None) -> None:
        self._gap = 1 / per_second if per_second else 0
        self._next = 0.0

    async def wait(self) -> None:
        """Return when the next request may go."""
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._gap
        await asyncio.sleep(turn - now)


def _quoted(part: str) -> str:
    return quote(part, safe="")
