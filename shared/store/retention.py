"""What leaves the tables of every day in time: the requests and replies of messages that are through.

Events, messages and their states stay for ever: they are the account of what happened (completeness). What grows is
the evidence beside them, one row per call with its bodies; of that, what is old and settled goes into the archive, and
leaves that when it has been kept as long as somebody may ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, and_, bindparam, delete, insert, select

from shared.domain.message import MessageState
from shared.store.batch import Step, ask, later
from shared.store.bulk import on_rows
from shared.store.tables import attempt_archive, delivery_attempt, outbound_message

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Select, Subquery

SETTLED = frozenset({MessageState.DONE, MessageState.EXEMPT, MessageState.VOIDED})


class Bite(NamedTuple):
    """How many attempts a transaction has dealt with; `last`: go on after this one, None = nothing older is left."""

    many: int
    last: int | None


def archive_attempts(connection: Connection, before: datetime, after: int, limit: int, now: datetime) -> Bite:
    """Look at the next `limit` attempts by number; archive those from `before` whose message is settled."""
    (found,) = ask(connection, Step(_next(after, limit), {}))
    old = [row for row in found if row.started_at < before]
    gone = [{"number": row.attempt_id} for row in old if row.state in SETTLED]
    if gone:
        later(connection, _copy.step(connection, gone, now=now))
        later(connection, _deletion.step(connection, gone))
    return Bite(len(gone), old[-1].attempt_id if len(old) == limit else None)


def forget_archived(connection: Connection, before: datetime, after: int, limit: int) -> Bite:
    """Look at the next `limit` attempts in the archive; delete those from `before`."""
    (found,) = ask(connection, Step(_next_archived(after, limit), {}))
    old = [row for row in found if row.started_at < before]
    if old:
        later(connection, _forgetting.step(connection, [{"number": row.archive_id} for row in old]))
    return Bite(len(old), old[-1].archive_id if len(old) == limit else None)


def _next(after: int, limit: int) -> Select[tuple[int, datetime, str]]:
    tried, message = delivery_attempt, outbound_message
    same = and_(message.c.stream_key == tried.c.stream_key, message.c.sequence == tried.c.sequence)
    columns = select(tried.c.attempt_id, tried.c.started_at, message.c.state).join(message, same)
    return columns.where(tried.c.attempt_id > after).order_by(tried.c.attempt_id).limit(limit)


def _next_archived(after: int, limit: int) -> Select[tuple[int, datetime]]:
    kept = attempt_archive
    columns = select(kept.c.archive_id, kept.c.started_at).where(kept.c.archive_id > after)
    return columns.order_by(kept.c.archive_id).limit(limit)


NUMBERS = {"number": BigInteger()}


@on_rows(NUMBERS)
def _copy(given: Subquery) -> Executable:
    names = [column.name for column in delivery_attempt.c if column.name != "attempt_id"]
    now = bindparam("now", type_=attempt_archive.c.archived_at.type)
    columns = select(*(delivery_attempt.c[name] for name in names), now)
    chosen = columns.where(delivery_attempt.c.attempt_id.in_(select(given.c.number)))
    return insert(attempt_archive).from_select([*names, "archived_at"], chosen)


@on_rows(NUMBERS)
def _deletion(given: Subquery) -> Executable:
    return delete(delivery_attempt).where(delivery_attempt.c.attempt_id.in_(select(given.c.number)))


@on_rows(NUMBERS)
def _forgetting(given: Subquery) -> Executable:
    return delete(attempt_archive).where(attempt_archive.c.archive_id.in_(select(given.c.number)))
