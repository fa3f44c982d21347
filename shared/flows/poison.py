"""Poison: a queue message no handler could take becomes a warning with its text, and its stream is woken again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.domain.identity import key_of
from shared.domain.warning import Warning_, WarningKind
from shared.errors import MappingError
from shared.queues.envelope import stream_of
from shared.store import floor, warnings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from shared.store.engine import Store


async def show(store: Store, connection: str, queue: str, text: str) -> None:
    """Record the message as a warning. Raises StoreUnavailable: the platform keeps it and tries again."""
    now = datetime.now(UTC)
    subject = f"{queue}:{key_of(text)}"
    detail = (
        f"a message on queue {queue!r} failed again and again and was taken out; its text is kept as evidence"
    )
    warning = Warning_(
        connection, WarningKind.POISON_MESSAGE, subject, detail, evidence={"queue": queue, "text": text}
    )

    def work(tx: Connection) -> None:
        warnings.raise_warnings(tx, [warning], now)
        key = stream_named(text)
        if key is not None:
            floor.wake(tx, [key], now)

    await store.write(work)


def stream_named(text: str) -> str | None:
    """Return the stream a wake-up names; None if the text is no wake-up."""
    try:
        return stream_of(text)
    except MappingError:
        return None
