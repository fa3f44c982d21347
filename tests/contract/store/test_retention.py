"""Old evidence goes, in small bites; the account of what happened stays, and so does what a person may still need."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from shared.domain.message import MessageState
from shared.flows.retain import retain
from shared.store import accounting
from shared.store.outcomes import Attempt
from shared.store.tables import delivery_attempt
from tests.contract.store.streams import KEY, NOW, note, outcome, record, release, take
from tests.unit.floor_words import made

LONG_AGO = NOW - timedelta(days=91)


def tried(sequence, at=LONG_AGO):
    return Attempt(sequence, 1, "report", at, 12, "POST", "/x", 200, "done", "", "{}", "{}")


def left(store):
    columns = select(delivery_attempt.c.sequence).order_by(delivery_attempt.c.attempt_id)
    return store.read_now(lambda tx: list(tx.scalars(columns)))


@pytest.fixture
def delivered(store):
    """Messages 1-4 of one order: done long ago, parked long ago, done today, done long ago."""
    record(store, *[made(f"m{number}", number) for number in range(3)])
    lease = take(store)[KEY]
    states = [MessageState.DONE, MessageState.PARKED, MessageState.DONE, MessageState.DONE]
    said = [outcome(number, state) for number, state in enumerate(states, 1)]
    attempts = [tried(1), tried(2), tried(4), tried(3, NOW)]
    note(store, lease, *said, attempts=attempts, release=release(5))
    return store


@pytest.mark.parametrize("many", [1, 2, 3, 1000])
async def test_what_is_old_and_settled_goes(delivered, many):
    before = delivered.read_now(accounting.tally)
    assert left(delivered) == [1, 2, 4, 3]
    assert await retain(delivered, NOW - timedelta(days=90), many) == 2
    assert left(delivered) == [2, 3]
    assert await retain(delivered, NOW - timedelta(days=90), many) == 0
    assert delivered.read_now(accounting.tally) == before


async def test_nothing_old_nothing_gone(delivered):
    assert await retain(delivered, LONG_AGO) == 0
    count = select(func.count()).select_from(delivery_attempt)
    assert delivered.read_now(lambda tx: tx.scalar(count)) == 4
