"""Who we are to the ERP: one class per kind of authentication a profile may name.

Each gives the headers that travel with a call, and says after a 401 whether another try makes sense. What a
log-in fails with is told as a `Reply`, because it means for the message what the same reply to the call
itself would mean.
"""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from shared.domain.verdict import Reply, ReplyKind, Verdict
from shared.erp import assertion, oauth1
from shared.erp.client import Request
from shared.erp.cookies import Cookies
from shared.erp.reply import judged
from shared.errors import ConfigurationError, MappingError
from shared.mapping.body_out import encode_form
from shared.mapping.conversions import NO_TABLES, decimal, text
from shared.profiles.model import (
    BasicAuth,
    BearerAuth,
    ClientCredentialsAuth,
    HeaderAuth,
    NoAuth,
    OAuth1Auth,
    SessionAuth,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from shared.erp.client import HttpReply
    from shared.erp.reply import ReplyFacts
    from shared.erp.secrets import Secrets
    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Expression
    from shared.profiles.model import Auth, Call, Connection

    type Facts = dict[str, Any]

EARLY_SECONDS = 30  # a token this near to its end is replaced before it is used
DEFAULT_TOKEN_SECONDS = 3600
NOT_SET = "connection.auth: no {} is set: set it in the connection's settings"
UNAUTHORISED = 401


class Granted(NamedTuple):
    """What a log-in gave: headers for every call, for how many seconds (None: until refused), and its facts."""

    headers: dict[str, str]
    lasts: float | None = None
    login: Facts = {}  # noqa: RUF012 - never changed


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

    def seen(self, http: HttpReply) -> ReplyFacts:
        """Return a reply as expressions see it."""
        ...

    async def send_bare(self, request: Request) -> HttpReply:
        """Send without credentials."""
        ...


class Authenticator(Protocol):
    """Credentials for calls."""

    login: Facts

    async def headers(self, request: Request) -> dict[str, str]:
        """Return the headers that say who we are to `request`. What a log-in told is in `login` from then on.

        Raises:
            LoginFailed: there is no way to be anybody now.
        """
        ...

    async def renew(self, refused: dict[str, str]) -> bool:
        """After `refused` headers were refused: tell whether others can be had."""
        ...

    async def refuses(self, reply: HttpReply) -> bool:
        """Tell whether `reply` says that it does not know who we are."""
        ...


class Fixed:
    """Credentials that are the same for every call: none, basic, a key in a header, a bearer token."""

    def __init__(self, desk: Desk, make: Callable[[Facts], dict[str, str]]) -> None:
        self.login: Facts = {}
        self._desk = desk
        self._make = make
        self._headers: dict[str, str] | None = None

    async def headers(self, request: Request) -> dict[str, str]:
        """Return the headers, made once."""
        return await self._made()

    async def renew(self, refused: dict[str, str]) -> bool:
        """Ask the vault again: somebody may have rotated the secret."""
        if await self._desk.secrets.renewed():
            self._headers = None
        return await self._made() != refused

    async def refuses(self, reply: HttpReply) -> bool:
        """Tell whether it is a 401."""
        return is_unauthorised(reply)

    async def _made(self) -> dict[str, str]:
        if self._headers is None:
            self._headers = self._make(await self._desk.connection_facts())
            hide_credentials(self._desk, self._headers)
        return self._headers


class Signed:
    """Credentials made anew for every call, by signing it."""

    def __init__(self, desk: Desk, auth: OAuth1Auth) -> None:
        self.login: Facts = {}
        self._desk = desk
        self._auth = auth

    async def headers(self, request: Request) -> dict[str, str]:
        """Return the signature of `request`."""
        keys = oauth1.keys_of(self._auth, await self._desk.connection_facts())
        return {"Authorization": oauth1.authorization(keys, request, self._desk.now())}  # good for one call

    async def renew(self, refused: dict[str, str]) -> bool:
        """Ask the vault again: somebody may have rotated a secret."""
        return await self._desk.secrets.renewed()

    async def refuses(self, reply: HttpReply) -> bool:
        """Tell whether it is a 401."""
        return is_unauthorised(reply)


class Fetched:
    """Credentials the ERP hands out: OAuth tokens and sessions. One fetch serves all waiting calls."""

    def __init__(
        self, desk: Desk, fetch: Callable[[Desk], Awaitable[Granted]], refused: Expression | None = None
    ) -> None:
        self.login: Facts = {}
        self._desk = desk
        self._fetch = fetch
        self._refused = refused
        self._lock = asyncio.Lock()
        self._headers: dict[str, str] | None = None
        self._until: float | None = None

    async def headers(self, request: Request) -> dict[str, str]:
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

    async def refuses(self, reply: HttpReply) -> bool:
        """Tell whether it is a 401, or what the profile says a session that has ended looks like."""
        if self._refused is None or is_unauthorised(reply) or reply.kind is not ReplyKind.ANSWERED:
            return is_unauthorised(reply)
        seen = self._desk.seen(reply)
        return self._refused.holds(seen.over({"settings": {}, "login": self.login}))

    def _fresh(self) -> dict[str, str] | None:
        expired = self._until is not None and monotonic() >= self._until
        return None if expired else self._headers

    async def _fetched(self) -> dict[str, str]:
        headers, lasts, self.login = await self._fetch(self._desk)
        self._headers = headers
        self._until = None if lasts is None else monotonic() + max(lasts - EARLY_SECONDS, 0)
        return headers


def authenticator(auth: Auth, desk: Desk) -> Authenticator:
    """Return what serves the profile's kind of authentication."""
    match auth:
        case NoAuth() | BasicAuth() | HeaderAuth() | BearerAuth():
            return Fixed(desk, partial(_fixed, auth))
        case ClientCredentialsAuth():
            return Fetched(desk, lambda desk: _client_credentials(auth, desk))
        case OAuth1Auth():
            return Signed(desk, auth)
        case SessionAuth():
            return Fetched(desk, lambda desk: _session(auth, desk), auth.refused)


def _fixed(auth: NoAuth | BasicAuth | HeaderAuth | BearerAuth, facts: Facts) -> dict[str, str]:
    match auth:
        case BasicAuth():
            return {"Authorization": basic(auth.username(facts), auth.password(facts))}
        case HeaderAuth():
            return {auth.header: auth.value(facts)}
        case BearerAuth():
            token = text(auth.token(facts))
            if token is None:
                raise ConfigurationError(NOT_SET.format("token"))
            return {"Authorization": f"Bearer {token}"}
        case NoAuth():
            return {}


def basic(username: Raw, password: Raw) -> str:
    """Return the value of an `Authorization` header for a name and a password.

    Raises:
        ConfigurationError: one of them is not set.
    """
    name, secret = text(username), text(password)
    if name is None or secret is None:
        missing = "user name" if name is None else "password"
        raise ConfigurationError(NOT_SET.format(missing))
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def hide_credentials(desk: Desk, headers: Mapping[str, str]) -> None:
    """Keep out of all evidence what is really sent, beside the secrets it is made of."""
    for value in headers.values():
        desk.secrets.hide(value.rpartition(" ")[2])


def is_unauthorised(reply: HttpReply) -> bool:
    """Tell whether the ERP does not know who we are."""
    return reply.kind is ReplyKind.ANSWERED and reply.status == UNAUTHORISED


async def _client_credentials(auth: ClientCredentialsAuth, desk: Desk) -> Granted:
    facts = await desk.connection_facts()
    request = _token_request(auth, facts, desk)
    reply = desk.seen(await desk.send_bare(request))
    body = accepted(reply, facts, desk, "token request").get("body")
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not isinstance(body, dict):
        raise LoginFailed(refused("token request: the reply has no access_token"))
    desk.secrets.hide(token)
    if not (token.isascii() and token.isprintable()):
        raise LoginFailed(refused("token request: the access_token holds characters that no header can"))
    return Granted({"Authorization": f"Bearer {token}"}, _lasts(body.get("expires_in")))


def _lasts(stated: Raw) -> float:
    """Return for how many seconds a log-in lasts; where the reply does not say it in numbers, as long as most do."""
    try:
        return float(decimal(stated) or DEFAULT_TOKEN_SECONDS)
    except (MappingError, ArithmeticError):
        return DEFAULT_TOKEN_SECONDS


def _token_request(auth: ClientCredentialsAuth, facts: Facts, desk: Desk) -> Request:
    url = auth.token_url(facts)
    form = {
        "grant_type": "client_credentials",
        "scope": auth.scope(facts) if auth.scope else None,
        **{k: v(facts) for k, v in auth.extra.items()},
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    identity = text(auth.client_id(facts)) or ""
    secret = text(auth.client_secret(facts)) if auth.client_secret else None
    if auth.assertion:
        jwt = assertion.signed(auth.assertion, facts, identity, url, desk.now())
        desk.secrets.hide(jwt)
        form |= {"client_id": identity, "client_assertion_type": assertion.TYPE, "client_assertion": jwt}
    elif auth.credentials_in == "header":
        headers["Authorization"] = basic(identity, secret)
        hide_credentials(desk, {"Authorization": headers["Authorization"]})
    else:
        form |= {"client_id": identity, "client_secret": secret}
    return Request("POST", url, headers, encode_form(form))


async def _session(auth: SessionAuth, desk: Desk) -> Granted:
    facts = await desk.connection_facts()
    http = await desk.send_bare(desk.request(auth.call, facts))
    reply = desk.seen(http)
    accepted(reply, facts, desk, "log-in", auth)
    login = {name: value(reply.over(facts)) for name, value in auth.capture.items()}
    headers = {name: value({**facts, "login": login}) for name, value in auth.headers.items()}
    cookies = Cookies()
    cookies.take(http.cookies if auth.cookies else ())
    given = (value for value in login.values() if isinstance(value, str))  # a user's number is no secret
    for secret in (*given, *cookies.values, *(header.rpartition(" ")[2] for header in headers.values())):
        desk.secrets.hide(secret)
    stated = auth.lasts(reply.over(facts)) if auth.lasts else None
    return Granted({**headers, **cookies.headers()}, None if stated is None else _lasts(stated), login)


def accepted(seen: ReplyFacts, facts: Facts, desk: Desk, what: str, auth: SessionAuth | None = None) -> Facts:
    """Return the reply's facts, or raise: a refused log-in halts, any other failure comes back later."""
    rules = (*(auth.rules if auth else ()), *desk.connection.rules)
    decision = judged(seen, rules, facts, NO_TABLES, desk.now())
    if decision.verdict is Verdict.DONE:
        reply: Facts = seen.over(facts)["reply"]
        return reply
    if decision.verdict is Verdict.RETRY:
        raise LoginFailed(
            Reply(ReplyKind.UNREACHABLE, 0, decision.after, reason=f"{what}: {decision.reason}")
        )
    raise LoginFailed(refused(f"{what}: {decision.reason}"))


def refused(reason: str) -> Reply:
    """Return what a refused log-in means for whoever wanted to send: the connection halts."""
    return Reply(ReplyKind.ANSWERED, UNAUTHORISED, stated=Verdict.HALT, reason=reason)
