"""Steps the store tests share: record events, take a stream, read rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from shared.domain.checks import References
from shared.domain.identity import order_key
from shared.domain.message import MessageState, Progress
from shared.flows import receive
from shared.store import lanes, orders, outcomes
from shared.store.orders import OrderWrite
from shared.store.outcomes import Entry, Outcome, Release
from shared.store.tables import outbound_message, stream
from tests.unit.floor_words import plan

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LATER = NOW + timedelta(seconds=60)
KEY = order_key("acme", "WO-1")


def known(_connection):
    """Nothing is linked and no work centre is known."""
    return References()


def record(store, *events, now=NOW):
    """Have the floor say `events`."""
    return store.write_now(lambda tx: receive.record(tx, events, known, now))


def insert_plan(store, *operations, **fields):
    """Have the ERP release the order."""
    stated = plan(*operations, **fields)
    write = OrderWrite(order_key("acme", stated.number), "acme", stated, "0" * 24)
    store.write_now(lambda tx: orders.insert_orders(tx, [write], NOW))
    return write


def take(store, *keys, owner="one", now=NOW, until=LATER):
    """Lease streams (default: that of WO-1)."""
    wanted = keys or (KEY,)
    return store.write_now(lambda tx: lanes.take(tx, wanted, owner, now, until))


def backlog(store, key=KEY, limit=100):
    """What waits in a stream."""
    return store.read_now(lambda tx: lanes.backlog(tx, [key], limit))[key]


def note(store, lease, *said, until=LATER, now=NOW, **fields):
    """Record one entry; return what became of it."""
    entry = Entry(lease, until, said, **fields)
    return store.write_now(lambda tx: outcomes.record(tx, [entry], "worker", now))[0]


def outcome(sequence, state=MessageState.DONE, attempts=1, progress=None, **fields):
    """Say what became of a message."""
    return Outcome(sequence, state, attempts, progress or Progress(), **fields)


def release(head, due_at=None, seen=None, failures=0):
    """Give the stream back."""
    return Release(due_at, failures, head, seen)


def row_of(store, key=KEY):
    """The stream's row."""
    return store.read_now(lambda tx: tx.execute(select(stream).where(stream.c.stream_key == key)).one())


def messages(store, key=KEY):
    """The rows of the stream's messages, by sequence."""
    table = outbound_message
    statement = select(table).where(table.c.stream_key == key).order_by(table.c.sequence)
    return {row.sequence: row for row in store.read_now(lambda tx: tx.execute(statement).all())}
