"""Where secrets come from: Key Vault, or the environment that the platform fills from Key Vault references."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PREFIX = "TASCUS_SECRET_"
API_VERSION = "7.4"


def vault(url: str) -> Callable[[str], Awaitable[str]]:
    """Return the resolver of secret names: Key Vault at `url`, or with no URL the environment."""
    return KeyVault(url).read if url else from_environment


async def from_environment(name: str) -> str:
    """Return secret `name` from the variable TASCUS_SECRET_<NAME> ("plant-key" -> TASCUS_SECRET_PLANT_KEY)."""
    variable = PREFIX + name.upper().replace("-", "_").replace(".", "_")
    value = os.environ.get(variable)
    if value is None:
        raise ConfigurationError(
            f"secret {name!r} is not there: set the app setting {variable}, or TASCUS_KEY_VAULT_URL"
        )
    return value


class KeyVault:
    """Azure Key Vault, read with the managed identity."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def read(self, name: str) -> str:
        """Return the newest version of secret `name`. Raises ConfigurationError when it cannot be read."""
        import httpx  # noqa: PLC0415 - only where a vault is configured
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

        async with DefaultAzureCredential() as credential, httpx.AsyncClient(timeout=10) as client:
            token = await credential.get_token("https://vault.azure.net/.default")
            answer = await client.get(
                f"{self._url}/secrets/{name}",
                params={"api-version": API_VERSION},
                headers={"Authorization": f"Bearer {token.token}"},
            )
        if answer.status_code != httpx.codes.OK:
            raise ConfigurationError(
                f"secret {name!r} cannot be read from {self._url}: HTTP {answer.status_code}"
            )
        return str(answer.json()["value"])
