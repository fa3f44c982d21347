"""The cookies of one ERP: names and values, kept in the order in which it set them.

One host, one path, one purpose: what a browser's jar knows beyond that (domains, expiry) has no use here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Cookies:
    """Set by replies, sent with calls."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def take(self, set_cookies: Iterable[str]) -> None:
        """Take note of raw `Set-Cookie` values; one without a value forgets its cookie."""
        for raw in set_cookies:
            name, _, value = raw.partition(";")[0].partition("=")
            if value.strip():
                self._values[name.strip()] = value.strip()
            else:
                self._values.pop(name.strip(), None)

    def forget(self) -> None:
        """Begin anew."""
        self._values.clear()

    @property
    def values(self) -> tuple[str, ...]:
        """What the ERP set; as secret as a password while it lasts."""
        return tuple(self._values.values())

    def headers(self) -> dict[str, str]:
        """Return the `Cookie` header, none where there are no cookies."""
        told = "; ".join(f"{name}={value}" for name, value in self._values.items())
        return {"Cookie": told} if told else {}
