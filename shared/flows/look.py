"""Look: what readers ask for, each answered from one snapshot: works orders, messages, warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.domain.order_view import NotOne
from shared.store.reading import list_orders, order_keys, read_order
from shared.store.reading_messages import list_messages, read_message
from shared.store.reading_warnings import list_warnings, read_warning

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection

    from shared.domain.message_view import MessageDetail, MessageFilter, MessageLine
    from shared.domain.order_view import OrderDetail, OrderFilter, OrderLine
    from shared.domain.page import Page
    from shared.domain.warning_view import WarningDetail, WarningFilter, WarningLine
    from shared.store.engine import Store


class Look:
    """Reads for people. Everything here raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def orders(
        self, wanted: OrderFilter, position: tuple[str, str] | None, limit: int
    ) -> Page[OrderLine]:
        """Return up to `limit` orders after `position` (number, key), by number."""
        return await self._store.read(lambda tx: list_orders(tx, wanted, limit, position))

    async def order(self, number: str, connection: str | None) -> OrderDetail | NotOne:
        """Return the one order called `number`, on `connection` where the number exists twice."""

        def work(tx: Connection) -> OrderDetail | NotOne:
            keys = order_keys(tx, number, connection)
            return (
                read_order(tx, next(iter(keys))) if len(keys) == 1 else NotOne(tuple(sorted(keys.values())))
            )

        return await self._store.read(work)

    async def messages(
        self, wanted: MessageFilter, position: tuple[str, int] | None, limit: int
    ) -> Page[MessageLine]:
        """Return up to `limit` messages after `position` (stream key, sequence), stream by stream in sequence."""

        def work(tx: Connection) -> Page[MessageLine]:
            return list_messages(tx, wanted, keys_wanted(tx, wanted), limit, position)

        return await self._store.read(work)

    async def message(self, stream_key: str, sequence: int) -> MessageDetail | None:
        """Return the message at that place with every attempt to deliver it; None if there is none."""
        return await self._store.read(lambda tx: read_message(tx, stream_key, sequence))

    async def warnings(
        self, wanted: WarningFilter, position: tuple[datetime, str] | None, limit: int
    ) -> Page[WarningLine]:
        """Return up to `limit` warnings after `position` (first seen, id), newest first."""

        def work(tx: Connection) -> Page[WarningLine]:
            return list_warnings(tx, wanted, keys_wanted(tx, wanted), limit, position)

        return await self._store.read(work)

    async def warning(self, warning_id: str) -> WarningDetail | None:
        """Return the warning of that id with its audit trail; None if there is none."""
        return await self._store.read(lambda tx: read_warning(tx, warning_id))


def keys_wanted(tx: Connection, wanted: MessageFilter | WarningFilter) -> Collection[str] | None:
    """Return the keys of the order that is wanted; none if nobody has spoken of it. None = any order will do."""
    return None if wanted.order is None else order_keys(tx, wanted.order, wanted.connection)
