"""Old evidence goes, in small bites; the account of what happened stays, and so does what a person may still need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import itemgetter

import pytest
from sqlalchemy import delete, select

from shared.domain.message import MessageState
from shared.flows.retain import retain
from shared.store import accounting
from shared.store.bulk import insert_rows
from shared.store.outcomes import Attempt
from shared.store.tables import attempt_archive, delivery_attempt
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


def archived(store):
    """The archive's rows as they were: everything but the numbers the tables give them."""
    kept = store.read_now(lambda tx: tx.execute(select(attempt_archive)).mappings().all())
    return [{name: value for name, value in row.items() if name not in NUMBERED} for row in kept]


NUMBERED = ("archive_id", "attempt_id", "archived_at")
AT_HAND, FOR_YEARS = datetime.now(UTC) - NOW + timedelta(days=90), timedelta(days=36500)


@pytest.mark.parametrize("many", [1, 2, 3, 1000])
async def test_what_is_old_and_settled_is_archived_as_it_was(delivered, many):
    before = delivered.read_now(accounting.tally)
    tried = select(delivery_attempt).order_by(delivery_attempt.c.attempt_id)
    rows = delivered.read_now(lambda tx: tx.execute(tried).mappings().all())
    were = [{name: row[name] for name in row if name not in NUMBERED} for row in rows]
    assert left(delivered) == [1, 2, 4, 3]
    assert await retain(delivered, AT_HAND, FOR_YEARS, many) == (2, 0)
    assert left(delivered) == [2, 3]
    assert sorted(archived(delivered), key=itemgetter("sequence")) == [were[0], were[2]]
    assert await retain(delivered, AT_HAND, FOR_YEARS, many) == (0, 0)
    assert delivered.read_now(accounting.tally) == before


@pytest.mark.parametrize("many", [1, 2, 1000])
async def test_what_is_older_than_that_leaves_the_archive(delivered, many):
    await retain(delivered, AT_HAND, FOR_YEARS)
    assert await retain(delivered, AT_HAND, AT_HAND, many) == (0, 2)
    assert archived(delivered) == []
    assert left(delivered) == [2, 3]


async def test_numbers_that_are_given_again_do_not_meet_in_the_archive(delivered):
    delivered.write_now(
        lambda tx: tx.execute(delete(delivery_attempt).where(delivery_attempt.c.sequence.in_((2, 3))))
    )
    await retain(delivered, AT_HAND, FOR_YEARS)
    again = {**archived(delivered)[0], "reason": "again"}
    delivered.write_now(lambda tx: insert_rows(tx, delivery_attempt, [again]))
    assert await retain(delivered, AT_HAND, FOR_YEARS) == (1, 0)
    assert [row["reason"] for row in archived(delivered)] == ["", "", "again"]


async def test_nothing_old_nothing_gone(delivered):
    assert await retain(delivered, datetime.now(UTC) - LONG_AGO + timedelta(hours=1), FOR_YEARS) == (0, 0)
    assert left(delivered) == [1, 2, 4, 3]
