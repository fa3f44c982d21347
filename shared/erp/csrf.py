"""A token against forged requests, with the cookies it belongs to: fetched once, anew once when it is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared.domain.verdict import ReplyKind
from shared.erp.auth import LoginFailed, accepted, refused
from shared.erp.cookies import Cookies
from shared.erp.reply import header_facts
from shared.profiles.model import READING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.erp.auth import Desk
    from shared.erp.client import HttpReply, Request
    from shared.profiles.model import Csrf

    type Send = Callable[[Request, dict[str, str]], Awaitable[HttpReply]]
    type Facts = dict[str, Any]

UNAUTHORISED, FORBIDDEN = 401, 403
REQUIRED = "required"


class CsrfGuard:
    """Sends calls with the token. One fetch serves all that wait for it."""

    def __init__(self, csrf: Csrf, desk: Desk, send: Send) -> None:
        self._csrf = csrf
        self._desk = desk
        self._send = send
        self._lock = asyncio.Lock()
        self._cookies = Cookies()
        self._token: str | None = None

    async def send(self, request: Request, credentials: dict[str, str]) -> HttpReply:
        """Send `request` as `credentials`; a refused token is fetched anew, once.

        Raises:
            LoginFailed: no token was to be had, so nothing was sent.
        """
        if request.method in READING:
            return await self._send(request, {**credentials, **self._cookies.headers()})
        for last in (False, True):
            token, failed = await self._fetched(credentials)
            if failed is not None:
                return failed
            reply = await self._send(
                request, {**credentials, **self._cookies.headers(), self._csrf.header: token}
            )
            self._keep(reply)
            if last or not await self._is_refused(reply):
                return reply
            await self._forget(token)
        raise AssertionError  # the loop ends with `last`

    async def _fetched(self, credentials: dict[str, str]) -> tuple[str, HttpReply | None]:
        """Return the token; or the 401 that its fetch was answered with, which concerns the credentials."""
        async with self._lock:
            if self._token is not None:
                return self._token, None
            facts = await self._desk.connection_facts()
            call = self._desk.request(self._csrf.call, facts)
            call = call._replace(headers={self._csrf.header: "Fetch", **call.headers})
            reply = await self._send(call, {**credentials, **self._cookies.headers()})
            if reply.kind is ReplyKind.ANSWERED and reply.status == UNAUTHORISED:
                return "", reply
            accepted(self._desk.seen(reply), facts, self._desk, "CSRF token")
            self._keep(reply)
            self._token = self._read(reply)
            return self._token, None

    def _read(self, reply: HttpReply) -> str:
        token = header_facts(reply.headers).get(self._csrf.header.lower(), "")
        if not token or token.lower() == REQUIRED:
            raise LoginFailed(refused(f"CSRF token: the reply has none in {self._csrf.header}"))
        self._desk.secrets.hide(token)
        return token

    def _keep(self, reply: HttpReply) -> None:
        self._cookies.take(reply.cookies)
        for value in self._cookies.values:
            self._desk.secrets.hide(value)

    async def _forget(self, token: str) -> None:
        async with self._lock:
            if self._token == token:
                self._token = None
                self._cookies.forget()

    async def _is_refused(self, reply: HttpReply) -> bool:
        if reply.kind is not ReplyKind.ANSWERED:
            return False
        if self._csrf.refused is None:
            said = header_facts(reply.headers).get(self._csrf.header.lower(), "")
            return reply.status == FORBIDDEN and said.lower() == REQUIRED
        seen = self._desk.seen(reply)
        return self._csrf.refused.holds(seen.over(await self._desk.connection_facts()))
