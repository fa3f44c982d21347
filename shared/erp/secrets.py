"""Secret settings: resolved when first needed, again when the ERP refuses them, never in evidence."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    type SecretResolver = Callable[[str], Awaitable[str]]

MASK = "•••"
UTF8 = "utf-8"


class Secrets:
    """The secrets of one connection. `references` maps a setting to the name of its secret in the vault."""

    def __init__(self, references: Mapping[str, str], resolve: SecretResolver) -> None:
        self._references = references
        self._resolve = resolve
        self._values: dict[str, str] | None = None
        self._hidden: dict[str, None] = {}

    async def values(self) -> dict[str, str]:
        """Return the secret values by setting."""
        if self._values is None:
            self._values = await self._resolved()
        return self._values

    async def renewed(self) -> bool:
        """Ask the vault again; tell whether a value has changed, so that another try makes sense."""
        before = await self.values()
        self._values = await self._resolved()
        return self._values != before

    def hide(self, secret: str) -> None:
        """Cut `secret` (a token the ERP gave, say) out of all evidence from now on, however it is written."""
        if secret and secret not in self._hidden:
            known = {*self._hidden, *spellings(secret)}
            # the longest first: of a secret that begins with another, nothing may be left
            self._hidden = dict.fromkeys(sorted(known, key=len, reverse=True))

    def redacted(self, text: str) -> str:
        """Return `text` without any secret."""
        for secret in self._hidden:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    async def _resolved(self) -> dict[str, str]:
        found = {setting: await self._resolve(name) for setting, name in self._references.items()}
        for value in found.values():
            self.hide(value)
        return found


def spellings(secret: str) -> list[str]:
    """Return the ways in which texts write `secret`: plain, in JSON, quotes, an address, HTML (in JSON too), Base64."""
    in_json = [json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True)]
    in_quotes = [repr(secret)[1:-1], secret.replace("\\", "\\\\")]
    in_address = [quote(secret, safe=""), quote(secret), quote_plus(secret)]
    return [
        secret,
        *in_json,
        *in_quotes,
        *in_address,
        *(escape(each) for each in (secret, *in_json)),
        base64.b64encode(secret.encode(UTF8)).decode(),
    ]
