"""Entra access tokens for SQL Server, kept until shortly before they expire.

The driver takes a token before it connects (connection attribute 1256, SQL_COPT_SS_ACCESS_TOKEN): a length of four
bytes, then UTF-16-LE. A token is looked at when signing in only; connections that are open outlive it.
"""

from __future__ import annotations

import struct
import threading
import time
from typing import TYPE_CHECKING, Protocol

from shared.errors import ConfigurationError, StoreUnavailable
from shared.store.sqlserver.address import Authentication

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.store.sqlserver.address import Address

ACCESS_TOKEN = 1256
SCOPE = "https://database.windows.net/.default"
EARLY_SECONDS = 300


class Token(Protocol):
    """What azure-identity answers."""

    @property
    def token(self) -> str:
        """The token itself."""

    @property
    def expires_on(self) -> int:
        """Seconds since 1970."""


class Credential(Protocol):
    """What azure-identity offers, of any kind."""

    def get_token(self, *scopes: str) -> Token:
        """Ask for a token."""


class Tokens:
    """Hands out one token until five minutes before it expires, then the next."""

    def __init__(self, credential: Credential, clock: Callable[[], float] = time.time) -> None:
        self._credential = credential
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None

    def current(self) -> str:
        """Return a token good for five minutes at least. Raises StoreUnavailable: none is to be had now."""
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - loaded with the credential

        with self._lock:
            if self._token is None or self._clock() > self._token.expires_on - EARLY_SECONDS:
                try:
                    self._token = self._credential.get_token(SCOPE)
                except AzureError as error:
                    raise StoreUnavailable(f"Entra gives no token for SQL: {first_line(error)}") from error
            return self._token.token


def first_line(error: BaseException) -> str:
    """Return how the error begins; the rest is advice over many lines."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def packed(token: str) -> bytes:
    """Return `token` as the driver wants it."""
    raw = token.encode("utf-16-le")
    return struct.pack(f"<I{len(raw)}s", len(raw), raw)


def tokens_for(address: Address) -> Tokens | None:
    """Return where tokens for `address` come from; None for a SQL login. Raises ConfigurationError."""
    if address.authentication is Authentication.SQL:
        return None
    return Tokens(_credential(address))


def _credential(address: Address) -> Credential:
    from azure import identity  # noqa: PLC0415 - seconds that only Entra should cost

    try:
        if address.authentication is Authentication.MANAGED_IDENTITY:
            return identity.ManagedIdentityCredential(client_id=address.client_id or None)
        if address.authentication is Authentication.SERVICE_PRINCIPAL:
            return identity.EnvironmentCredential()
        return identity.DefaultAzureCredential()
    except ValueError as error:
        raise ConfigurationError(f"TASCUS_SQL_URL: {first_line(error)}") from error
