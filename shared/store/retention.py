"""What may be forgotten in time: the requests and replies of messages that are through.

Events, messages and their states stay for ever: they are the account of what happened (completeness). What grows is
the evidence beside them, one row per call with its bodies; of that, what is old and settled goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, and_, delete, select

from shared.domain.message import MessageState
from shared.store.batch import Step, ask, later
from shared.store.bulk import on_rows
from shared.store.tables import delivery_attempt, outbound_message

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Select, Subquery

SETTLED = frozenset({MessageState.DONE, MessageState.EXEMPT, MessageState.VOIDED})


class Forgotten(NamedTuple):
    """How many attempts were deleted; `last`: go on after this attempt, None = nothing older is left."""

    many: int
    last: int | None


def forget_attempts(connection: Connection, before: datetime, after: int, limit: int) -> Forgotten:
    """Look at the next `limit` attempts by number; delete those from `before` whose message is settled."""
    (found,) = ask(connection, Step(_next(after, limit), {}))
    old = [row for row in found if row.started_at < before]
    gone = [{"attempt_id": row.attempt_id} for row in old if row.state in SETTLED]
    if gone:
        later(connection, _deletion.step(connection, gone))
    return Forgotten(len(gone), old[-1].attempt_id if len(old) == limit else None)


def _next(after: int, limit: int) -> Select[tuple[int, datetime, str]]:
    tried, message = delivery_attempt, outbound_message
    same = and_(message.c.stream_key == tried.c.stream_key, message.c.sequence == tried.c.sequence)
    columns = select(tried.c.attempt_id, tried.c.started_at, message.c.state).join(message, same)
    return columns.where(tried.c.attempt_id > after).order_by(tried.c.attempt_id).limit(limit)


@on_rows({"attempt_id": BigInteger()})
def _deletion(given: Subquery) -> Executable:
    return delete(delivery_attempt).where(delivery_attempt.c.attempt_id.in_(select(given.c.attempt_id)))
