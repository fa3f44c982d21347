"""SQL is away: one finds out by waiting, and everybody else is told at once."""

from __future__ import annotations

import threading
import time

from shared.errors import StoreUnavailable

LOOK_SECONDS = 60.0  # so long one may look; a login that hangs takes less


class Absence:
    """Remembers that SQL could not be used, and lets one caller at a time look whether that is over.

    Without it every station that posts an event would wait for a login of its own to run out, one after the other.
    """

    def __init__(self, rest_seconds: float) -> None:
        self.rest_seconds = rest_seconds
        self._lock = threading.Lock()
        self._reason = ""
        self._until = 0.0
        self._looks: int | None = None  # the thread that does

    def check(self) -> None:
        """Return if SQL may be tried: it is not known to be away, or it is time to look and nobody else does.

        Raises:
            StoreUnavailable: it was away a moment ago.
        """
        if not self._reason:
            return
        me, now = threading.get_ident(), time.monotonic()
        with self._lock:
            if not self._reason or self._looks == me:
                return
            if now < self._until:
                raise StoreUnavailable(self._reason)
            self._until, self._looks = now + LOOK_SECONDS, me

    def noted(self, reason: str) -> None:
        """Note that SQL cannot be used now."""
        with self._lock:
            self._reason, self._looks = reason, None
            self._until = time.monotonic() + self.rest_seconds

    def over(self) -> None:
        """Note that SQL has answered."""
        if self._reason:
            with self._lock:
                self._reason, self._looks = "", None
