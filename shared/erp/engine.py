"""An `Erp` made of a profile and a connection's settings. No ERP is named here; the YAML differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.domain.verdict import Verdict
from shared.erp.caller import Caller
from shared.erp.client import HttpClient
from shared.erp.pulling import Puller
from shared.erp.pushing import Pusher
from shared.erp.reply import judged
from shared.erp.secrets import Secrets
from shared.errors import ConfigurationError, MappingError
from shared.mapping import conversions
from shared.mapping.conversions import NO_TABLES

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    import httpx

    from shared.domain.combine import Combine
    from shared.domain.message import Message, MessageKind, Progress
    from shared.erp.port import (
        Advance,
        Exempt,
        Missing,
        PlannedPush,
        Preview,
        PulledPage,
        PushContext,
        ReferenceValue,
        Sample,
    )
    from shared.erp.secrets import SecretResolver
    from shared.mapping.conversions import Raw
    from shared.profiles.model import Profile, Setting


def build(
    profile: Profile,
    settings: Mapping[str, Any],
    secrets: SecretResolver,
    clock: Callable[[], datetime],
    transport: httpx.AsyncBaseTransport | None = None,
) -> ProfileErp:
    """Return the ERP that `profile` and a connection's `settings` describe. Nothing is called yet.

    `secrets` resolves the vault name a secret setting holds; `transport` replaces the network in tests.

    Raises:
        ConfigurationError: a setting is missing, unknown or not of its type; lists every one.
    """
    checked = checked_settings(profile, settings)
    names = {
        name: str(checked.pop(name))
        for name, setting in profile.settings.items()
        if setting.secret and name in checked
    }
    vault = Secrets(names, secrets)
    tls = _showing(profile, checked, vault) if profile.connection.certificate else None
    client = HttpClient(profile.connection.timeouts, profile.connection.limits, transport, tls=tls)
    try:
        caller = Caller(profile, checked, vault, client, clock)
    except MappingError as error:
        raise ConfigurationError(f"connection: {error}") from error
    return ProfileErp(profile, caller)


def _showing(
    profile: Profile, settings: Mapping[str, Any], secrets: Secrets
) -> Callable[[], Awaitable[ssl.SSLContext]]:
    async def context() -> ssl.SSLContext:
        from shared.erp.tls import showing  # noqa: PLC0415 - only where a profile shows a certificate

        facts = {"settings": {**settings, **await secrets.values()}}
        return showing(str(profile.connection.certificate(facts) if profile.connection.certificate else ""))

    return context


class ProfileErp:
    """An ERP spoken to by a profile. See `port.Erp` for what each method promises."""

    def __init__(self, profile: Profile, caller: Caller) -> None:
        self._profile = profile
        self._caller = caller
        self._puller = Puller(profile, caller)
        self._pusher = Pusher(profile, caller)

    def pull(self, since: str | None) -> AsyncIterator[PulledPage]:
        """Yield the orders released or changed since watermark `since`, page by page."""
        return self._puller.orders(since)

    def open_orders(self) -> AsyncIterator[Sequence[str]]:
        """Yield the numbers of all orders still open in the ERP, page by page."""
        return self._puller.open_numbers()

    def reference_kinds(self) -> Sequence[str]:
        """Return the kinds of reference data the profile can list."""
        return list(self._profile.pull.reference)

    def reference(self, kind: str) -> AsyncIterator[Sequence[ReferenceValue]]:
        """Yield what the ERP knows of `kind`, page by page."""
        return self._puller.reference(kind)

    def plan(self, message: Message, context: PushContext) -> PlannedPush | Missing | Exempt:
        """Translate `message`; pure."""
        return self._pusher.plan(message, context)

    async def advance(self, push: PlannedPush, progress: Progress, attempts: int) -> Advance:
        """Do the step `progress` stands at, looking first where its outcome is unknown."""
        return await self._pusher.advance(push, progress, attempts)

    def preview(self, push: PlannedPush, progress: Progress) -> Preview | None:
        """Return the call `advance` would make next, without making it; None = nothing is left to do."""
        return self._pusher.preview(push, progress)

    async def samples(self, most: int) -> list[Sample]:
        """Return up to `most` released orders, raw beside mapped. Raises ErpUnavailable."""
        return await self._puller.samples(most)

    def pushes(self, kind: MessageKind) -> bool:
        """Tell whether the profile has a push for `kind` at all."""
        return self._pusher.pushes(kind)

    def combines(self) -> Mapping[MessageKind, Combine]:
        """Return what becomes of several messages of a kind that wait together."""
        return {kind: push.combine for kind, push in self._profile.push.items() if push.combine}

    async def probe(self) -> str | None:
        """Return None when the ERP answers and accepts our credentials, else the reason in words."""
        caller, facts = self._caller, {"settings": self._caller.settings}
        try:
            http = await caller.send(caller.request(caller.connection.probe, facts))
            seen = caller.seen(http)
            decision = judged(seen, caller.connection.rules, facts, NO_TABLES, caller.now())
        except MappingError as error:
            return caller.secrets.redacted(str(error))
        return None if decision.verdict is Verdict.DONE else caller.secrets.redacted(decision.reason)

    async def close(self) -> None:
        """Give back sockets and sessions."""
        await self._caller.close()


def checked_settings(profile: Profile, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` with defaults, each value of its type; a secret one stays the name it is.

    Raises:
        ConfigurationError: listing every setting that is missing, unknown or not of its type.
    """
    problems = [
        f"unknown setting {name!r}; valid: {', '.join(profile.settings)}"
        for name in given
        if name not in profile.settings
    ]
    checked: dict[str, Any] = {}
    for name, setting in profile.settings.items():
        value = given.get(name, setting.default)
        if value is None or value == "":
            problems += [f"setting {name!r} is missing: {setting.help}"] if setting.required else []
            checked[name] = None
            continue
        try:
            checked[name] = _typed(setting, value)
        except MappingError as error:
            problems.append(f"setting {name!r}: {error}")
    if problems:
        raise ConfigurationError(f"{profile.profile}: " + "; ".join(problems))
    return {
        name: value
        for name, value in checked.items()
        if value is not None or not profile.settings[name].secret
    }


def _typed(setting: Setting, value: Raw) -> Raw:
    if setting.choices and str(value) not in setting.choices:
        raise MappingError(f"{value!r} is not valid; valid: {', '.join(setting.choices)}")
    return str(value) if setting.secret else _TYPES[setting.type](value)


def _url(value: Raw) -> str:
    plain = str(value).rstrip("/")
    if not plain.startswith(("http://", "https://")):
        raise MappingError(f"{value!r} is not an address that begins with http:// or https://")
    if "@" in urlsplit(plain).netloc:
        raise MappingError(
            "an address must not hold a user or a password: use the connection's auth, with a secret"
        )
    return plain


def _boolean(value: Raw) -> bool:
    words = {"true": True, "false": False}
    if str(value).lower() not in words:
        raise MappingError(f"{value!r} is not true or false")
    return words[str(value).lower()]


def _zone(value: Raw) -> str:
    conversions.instant("2000-01-01", str(value))
    return str(value)


def _exact(value: Raw) -> Decimal | None:
    return conversions.decimal(value)


_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "text": str,
    "url": _url,
    "integer": conversions.integer,
    "decimal": _exact,
    "boolean": _boolean,
    "zone": _zone,
}
