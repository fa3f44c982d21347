"""Who we are to the ERP: one class per kind of authentication a profile may name.

Each gives the headers that travel with a call, and says after a 401 whether another try makes sense. What a
log-in fails with is told as a `Reply`, because it means for the message what the same reply to the call
itself would mean.
"""

from __future__ import annotations

import asyncio
import base64
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from shared.domain.verdict import Reply, ReplyKind, Verdict
from shared.erp.client import Request
from shared.erp.reply import ReplyFacts, judged
from shared.mapping.body_out import encode_form
from shared.mapping.conversions import NO_TABLES, text
from shared.profiles.model import (
    BasicAuth,
    BearerAuth,
    ClientCredentialsAuth,
    HeaderAuth,
    NoAuth,
    SessionAuth,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from shared.erp.client import HttpReply
    from shared.erp.secrets import Secrets
    from shared.mapping.conversions import Raw
    from shared.profiles.model import Auth, Call, Connection

    type Facts = dict[str, Any]

EARLY_SECONDS = 30  # a token this near to its end is replaced before it is used
DEFAULT_TOKEN_SECONDS = 3600


class LoginFailed(Exception):  # noqa: N818 - an outcome that is carried up, not a fault of ours
    """No credentials, so no call was made. `reply` is what that means for whoever wanted it."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.reason)
        self.reply = reply


class Desk(Protocol):
    """What authentication needs: settings with secrets, a way to build a call, a way to send it."""

    connection: Connection
    secrets: Secrets
    now: Callable[[], datetime]

    async def connection_facts(self) -> Facts:
        """Return `settings`, secret ones too."""
        ...

    def request(self, call: Call, facts: Facts) -> Request:
        """Return the request `call` stands for."""
        ...

    async def send_bare(self, request: Request) -> HttpReply:
        """Send without credentials."""
        ...


class Authenticator(Protocol):
    """Credentials for calls."""

    async def headers(self) -> dict[str, str]:
        """Return the headers that say who we are.

        Raises:
            LoginFailed: there is no way to be anybody now.
        """
        ...

    async def renew(self, refused: dict[str, str]) -> bool:
        """After a 401 to `refused` headers: tell whether others can be had."""
        ...


class Fixed:
    """Credentials that are the same for every call: none, basic, a key in a header, a bearer token."""

    def __init__(self, desk: Desk, make: Callable[[Facts], dict[str, str]]) -> None:
        self._desk = desk
        self._make = make
        self._headers: dict[str, str] | None = None

    async def headers(self) -> dict[str, str]:
        """Return the headers, made once."""
        if self._headers is None:
            self._headers = self._make(await self._desk.connection_facts())
        return self._headers

    async def renew(self, refused: dict[str, str]) -> bool:
        """Ask the vault again: somebody may have rotated the secret."""
        if await self._desk.secrets.renewed():
            self._headers = None
        return await self.headers() != refused


class Fetched:
    """Credentials the ERP hands out: OAuth tokens and sessions. One fetch serves all waiting calls."""

    def __init__(
        self, desk: Desk, fetch: Callable[[Desk], Awaitable[tuple[dict[str, str], float | None]]]
    ) -> None:
        self._desk = desk
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._headers: dict[str, str] | None = None
        self._until: float | None = None

    async def headers(self) -> dict[str, str]:
        """Return the headers last fetched, or fetch new ones where they have run out."""
        headers = self._fresh()
        if headers is not None:
            return headers
        async with self._lock:
            headers = self._fresh()
            return await self._fetched() if headers is None else headers

    async def renew(self, refused: dict[str, str]) -> bool:
        """Fetch new credentials, unless somebody has done so since."""
        async with self._lock:
            if self._headers is refused:
                await self._desk.secrets.renewed()
                await self._fetched()
        return True

    def _fresh(self) -> dict[str, str] | None:
        expired = self._until is not None and monotonic() >= self._until
        return None if expired else self._headers

    async def _fetched(self) -> dict[str, str]:
        headers, lasts = await self._fetch(self._desk)
        self._headers = headers
        self._until = None if lasts is None else monotonic() + max(lasts - EARLY_SECONDS, 0)
        return headers


def authenticator(auth: Auth, desk: Desk) -> Authenticator:
    """Return what serves the profile's kind of authentication."""
    match auth:
        case NoAuth():
            return Fixed(desk, lambda _facts: {})
        case BasicAuth():
            return Fixed(
                desk, lambda facts: {"Authorization": basic(auth.username(facts), auth.password(facts))}
            )
        case HeaderAuth():
            return Fixed(desk, lambda facts: {auth.header: auth.value(facts)})
        case BearerAuth():
            return Fixed(desk, lambda facts: {"Authorization": f"Bearer {auth.token(facts)}"})
        case ClientCredentialsAuth():
            return Fetched(desk, lambda desk: _client_credentials(auth, desk))
        case SessionAuth():
            return Fetched(desk, lambda desk: _session(auth, desk))


def basic(username: Raw, password: Raw) -> str:
    """Return the value of an `Authorization` header for a name and a password."""
    return "Basic " + base64.b64encode(f"{text(username)}:{text(password)}".encode()).decode()


async def _client_credentials(auth: ClientCredentialsAuth, desk: Desk) -> tuple[dict[str, str], float | None]:
    facts = await desk.connection_facts()
    reply = ReplyFacts(await desk.send_bare(_token_request(auth, facts)), desk.secrets.redacted)
    body = _accepted(reply, facts, desk, "token request").get("body")
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(token, str):
        raise LoginFailed(_refused("token request: the reply has no access_token"))
    desk.secrets.hide(token)
    lasts = float(body.get("expires_in") or DEFAULT_TOKEN_SECONDS)  # type: ignore[union-attr]
    return {"Authorization": f"Bearer {token}"}, lasts


def _token_request(auth: ClientCredentialsAuth, facts: Facts) -> Request:
    identity, secret = auth.client_id(facts), auth.client_secret(facts)
    scope = auth.scope(facts) if auth.scope else None
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        **{k: v(facts) for k, v in auth.extra.items()},
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if auth.credentials_in == "header":
        headers["Authorization"] = basic(identity, secret)
    else:
        form |= {"client_id": identity, "client_secret": secret}
    return Request("POST", auth.token_url(facts), headers, encode_form(form))


async def _session(auth: SessionAuth, desk: Desk) -> tuple[dict[str, str], float | None]:
    facts = await desk.connection_facts()
    reply = ReplyFacts(await desk.send_bare(desk.request(auth.call, facts)), desk.secrets.redacted)
    _accepted(reply, facts, desk, "log-in", auth)
    login = {name: value(reply.over(facts)) for name, value in auth.capture.items()}
    for value in login.values():
        desk.secrets.hide(str(value))
    headers = {name: value({**facts, "login": login}) for name, value in auth.headers.items()}
    for header in headers.values():
        desk.secrets.hide(header.rpartition(" ")[2])
    return headers, None


def _accepted(
    seen: ReplyFacts, facts: Facts, desk: Desk, what: str, auth: SessionAuth | None = None
) -> Facts:
    """Return the reply's facts, or raise: a refused log-in halts, any other failure comes back later."""
    rules = (*(auth.rules if auth else ()), *desk.connection.rules)
    decision = judged(seen, rules, facts, NO_TABLES, desk.now())
    if decision.verdict is Verdict.DONE:
        accepted: Facts = seen.over(facts)["reply"]
        return accepted
    if decision.verdict is Verdict.RETRY:
        raise LoginFailed(
            Reply(ReplyKind.UNREACHABLE, 0, decision.after, reason=f"{what}: {decision.reason}")
        )
    raise LoginFailed(_refused(f"{what}: {decision.reason}"))


def _refused(reason: str) -> Reply:
    return Reply(ReplyKind.ANSWERED, 401, stated=Verdict.HALT, reason=reason)
