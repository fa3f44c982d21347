"""Makes the calls a profile describes: requests from facts, credentials, and the ERP's limits kept."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from shared.domain.verdict import Reply, ReplyKind
from shared.erp.auth import LoginFailed, authenticator, refused
from shared.erp.client import HttpReply, Request
from shared.erp.csrf import CsrfGuard
from shared.erp.pace import Pace, quiet_until, wait_of
from shared.erp.reply import ReplyFacts, parsed
from shared.errors import ConfigurationError, ErpUnavailable, MappingError
from shared.mapping.body_out import encode_form, encode_json, query_text
from shared.mapping.conversions import Tables, decimal, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from urllib.parse import SplitResult

    from shared.erp.client import HttpClient
    from shared.erp.secrets import Secrets
    from shared.profiles.model import Call, Profile

    type Facts = dict[str, Any]

log = logging.getLogger(__name__)

TOO_MANY = 429
PORTS = {"http": 80, "https": 443}
LONGEST_REST = timedelta(seconds=5)  # that a call waits for its turn; beyond, it is put off
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
        self._csrf = CsrfGuard(profile.connection.csrf, self, self._send) if profile.connection.csrf else None
        self._common: dict[str, str] | None = None
        self._lanes = asyncio.Semaphore(profile.connection.limits.concurrency)
        self._rates = profile.connection.limits.rate_headers
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

    def seen(self, http: HttpReply) -> ReplyFacts:
        """Return a reply as expressions see it."""
        connection = self.connection
        return ReplyFacts(http, self.secrets.redacted, connection.result, connection.answers)

    async def send(self, request: Request) -> HttpReply:
        """Send with credentials; a 401 is answered once with fresh ones. Never raises for a reply.

        Raises:
            MappingError: the address or a header is none.
        """
        async with self._lanes:
            try:
                self._let_rest()
                reply = await self._send_as_us(request)
            except LoginFailed as failed:
                return HttpReply(failed.reply.kind, failed.reply.status, instead=failed.reply)
            except ConfigurationError as error:  # a secret, key or certificate that is not there or no good
                halted = refused(self.secrets.redacted(str(error)))
                return HttpReply(halted.kind, halted.status, instead=halted)
        return self._allowance(reply) if self._rates else reply

    def _let_rest(self) -> None:
        """Raise while the ERP takes nothing: nothing is sent, and the connection comes back at the end of that."""
        rest = self._pace.resting()
        if rest > LONGEST_REST:
            raise LoginFailed(Reply(ReplyKind.UNREACHABLE, 0, rest, reason="the ERP's allowance is used up"))
        hours = self.connection.limits.quiet_hours
        until = quiet_until(hours, self.settings, self.now()) if hours else None
        if until is not None:
            reason = f"the ERP's quiet hours last until {until:%Y-%m-%d %H:%M} UTC"
            raise LoginFailed(Reply(ReplyKind.UNREACHABLE, 0, until - self.now(), reason=reason))

    def _allowance(self, reply: HttpReply) -> HttpReply:
        """Keep to the allowance a reply states: with none left, every call waits until it is full again."""
        rates = self._rates
        if rates is None or reply.kind is not ReplyKind.ANSWERED:
            return reply
        facts = self.seen(reply).over({"settings": self.settings})
        try:
            remaining = decimal(rates.remaining(facts)) if rates.remaining else None
            if reply.status == TOO_MANY or (remaining is not None and remaining <= 0):
                self._pace.rest(wait_of(rates.reset(facts), self.now()) or timedelta())
        except MappingError as error:  # the call has been made: what cannot be read changes nothing about it
            log.warning("the ERP's allowance cannot be read: %s", self.secrets.redacted(str(error)))
        return reply

    async def send_bare(self, request: Request) -> HttpReply:
        """Send without credentials: a log-in."""
        return await self._client.send_log_in(await self._complete(request, {}))

    async def close(self) -> None:
        """Give back sockets."""
        await self._client.close()

    async def _send_as_us(self, request: Request) -> HttpReply:
        credentials = await self._auth.headers(request)
        reply = await self._guarded(request, credentials)
        if await self._auth.refuses(reply) and await self._auth.renew(credentials):
            return await self._guarded(request, await self._auth.headers(request))
        return reply

    async def _guarded(self, request: Request, credentials: dict[str, str]) -> HttpReply:
        if self.connection.envelope is not None and request.content:
            request = request._replace(content=await self._wrapped(request))
        if self._csrf is not None:
            return await self._csrf.send(request, credentials)
        return await self._send(request, credentials)

    async def _wrapped(self, request: Request) -> bytes:
        """Return a JSON body in its envelope. Secrets get in here, after the evidence was taken."""
        assert self.connection.envelope is not None  # noqa: S101 - asked before
        path = unquote(request.url.removeprefix(self._base).partition("?")[0])
        call = {"body": parsed(request.content), "path": path}
        facts = {**await self.connection_facts(), "login": self._auth.login, **call}
        return encode_json(self.connection.envelope(facts, self.tables), self.connection.decimals)

    async def _send(self, request: Request, credentials: dict[str, str]) -> HttpReply:
        return await self._client.send(await self._complete(request, credentials))

    async def _complete(self, request: Request, credentials: dict[str, str]) -> Request:
        """Wait until it may go, and add the headers that travel with every call."""
        if self._common is None:
            self._common = await self._common_headers()
        await self._pace.wait()
        method, url, headers, content = request
        return Request(method, url, {**self._common, **headers, **credentials}, content)

    async def _common_headers(self) -> dict[str, str]:
        facts = await self.connection_facts()
        own = {name: text(value(facts, self.tables)) for name, value in self.connection.headers.items()}
        return {**COMMON_HEADERS, **{name: value for name, value in own.items() if value is not None}}

    def _address(self, call: Call, facts: Facts) -> str:
        path = call.path(facts, self.tables, _quoted)
        if not path.startswith("/"):  # it would lengthen the host's name, and our credentials would go there
            raise MappingError(f"{path!r} does not begin with /: an address of another host")
        if not call.query:
            return f"{self._base}{path}"
        query = query_text({name: value(facts, self.tables) for name, value in call.query.items()})
        address = f"{self._base}{path}"
        return f"{address}{'&' if '?' in address else '?'}{query}"

    def _followed(self, url: str) -> str:
        """Return the absolute address of a link. It gets our credentials, so it must be our ERP's."""
        ours = urlsplit(self._base)
        try:
            theirs = urlsplit(urljoin(f"{self._base}/", url))
            same = _origin(theirs) == _origin(ours)
        except ValueError as error:
            raise ErpUnavailable(f"the ERP's link {url!r} is no address: {error}") from error
        if not same:
            raise ErpUnavailable(f"the ERP's link leads to another host: {theirs.netloc}")
        return theirs._replace(scheme=ours.scheme, netloc=ours.netloc).geturl()

    def _encoded(self, call: Call, facts: Facts) -> bytes:
        body = call.body(facts, self.tables) if call.body is not None else None
        return encode_form(body) if call.form else encode_json(body, self.connection.decimals)


def _origin(address: SplitResult) -> tuple[str, str, str | None, int | None]:
    """Return what has to be equal for two addresses to be one server's; a port left out is the scheme's own."""
    user = address.netloc.rpartition("@")[0]
    return address.scheme, user, address.hostname, address.port or PORTS.get(address.scheme)


def _quoted(part: str) -> str:
    return quote(part, safe="")
