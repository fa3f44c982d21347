"""What an error of the database means, and whether the same work may run again. One policy for both engines.

What is repeated is always a whole transaction, from its start, on a connection that works: inserts are idempotent
by key, updates compare before they set, so that holds even when the answer to the commit was lost. A statement of
a transaction is never repeated alone: what stood before it has gone with the transaction.

The numbers: "Transient fault errors" and "Resource governance errors" in Microsoft's "Troubleshoot connection
issues to Azure SQL Database", and the engine's own list of messages (sys.messages).
"""

from __future__ import annotations

import random
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(StrEnum):
    """Named after what the caller does about it."""

    RACE = "race"  # another transaction was in the way: the same work, at once
    DROPPED = "dropped"  # the connection is dead: the same work on a fresh one
    BUSY = "busy"  # the server asks for time: the same work, later
    AWAY = "away"  # it cannot be reached or does not let us in: buffer, and come back another time
    DEFECT = "defect"  # ours to mend: waiting does not help


RACES = (
    1205,  # deadlock victim
    1222,  # lock time-out
    3960,  # snapshot isolation: somebody else wrote the row first
    3961,  # snapshot isolation: the table was altered meanwhile
    3935,  # the same, found by a full-text or metadata read
    41301,  # a transaction this one depends on failed
    41302,  # somebody else wrote the row first (memory-optimised)
    41305,  # repeatable read did not hold
    41325,  # serializable did not hold
    41839,  # too many dependent transactions
    2601,  # duplicate key in a unique index: the next look finds the row
    2627,  # duplicate key in a constraint
)
DROPS = (
    64,  # the name is gone while logging in
    121,  # semaphore time-out
    233,  # no process at the other end
    10053,  # aborted by the software here
    10054,  # reset by the other end
    10060,  # no answer
    40197,  # the service fails over
    40143,  # likewise
    3906,  # the replica became read-only: a failover
    3980,  # the batch was aborted
)
BUSY = (
    40501,  # throttled
    40613,  # the database is not available now: it resumes, or fails over
    49918,  # not enough resources
    49919,  # too many create or update operations
    49920,  # too many operations
    10928,  # resource limit reached
    10929,  # resource minimum not guaranteed
    10936,  # requests limit of the pool
    42108,  # the pool is paused
    42109,  # the pool is warming up
    4221,  # a read replica catches up
    615,  # likewise
    8645,  # no memory for the query yet
    8651,  # likewise
    701,  # out of memory
)
CLOSED = (
    4060,  # the database cannot be opened
    4064,  # nor the user's default database
    18456,  # login failed
    18452,  # likewise
    18486,  # locked out
    40615,  # the firewall
    40914,  # likewise
    916,  # no user in this database
)
NUMBERS: Mapping[int, Fault] = {
    **dict.fromkeys(RACES, Fault.RACE),
    **dict.fromkeys(DROPS, Fault.DROPPED),
    **dict.fromkeys(BUSY, Fault.BUSY),
    **dict.fromkeys(CLOSED, Fault.AWAY),
}
STATES: Mapping[str, Fault] = {  # SQLSTATE, where no number says more
    "08S01": Fault.DROPPED,
    "08S02": Fault.DROPPED,
    "08003": Fault.DROPPED,
    "08007": Fault.DROPPED,
    "01002": Fault.DROPPED,
    "HYT00": Fault.DROPPED,  # a statement ran into its time-out; the connection is not used again
    "HYT01": Fault.AWAY,
    "08001": Fault.AWAY,
    "08004": Fault.AWAY,
    "28000": Fault.AWAY,
    "40001": Fault.RACE,
}
WORDS: Mapping[str, Fault] = {  # a server that gives one number to many errors, and SQLite, which gives none
    "deadlock": Fault.RACE,
    "could not serialize": Fault.RACE,
    "lock timeout": Fault.RACE,
    "unique constraint": Fault.RACE,
    "communication link failure": Fault.DROPPED,
    "terminating connection": Fault.DROPPED,
    "is being shut down": Fault.DROPPED,
    "too many connections": Fault.BUSY,
    "too many clients": Fault.BUSY,
    "is starting up": Fault.BUSY,
    "database is locked": Fault.AWAY,  # SQLite has waited already, for as long as it was told
}
CUT_AT_ONCE = "This Connection is closed"  # how SQLAlchemy tells of one that died while it was being opened
REPEATABLE = (
    DBAPIError,
    PoolTimeout,
    ResourceClosedError,
)  # what a policy has to look at; all else is a defect
DEFECTS = (IntegrityError, ProgrammingError, DataError)
NUMBER = re.compile(r"\((\d{2,8})\)(?: \(SQL\w+\)|(?=;|$))")
TRIES = {Fault.RACE: 8, Fault.DROPPED: 4, Fault.BUSY: 4}
FIRST_WAIT = {Fault.RACE: 0.02, Fault.DROPPED: 0.05, Fault.BUSY: 0.5}
LONGEST_WAIT = 2.0


def fault_of(error: BaseException) -> Fault:
    """Tell what `error`, of SQLAlchemy or of a driver under it, means."""
    if isinstance(error, PoolTimeout):
        return Fault.BUSY
    if isinstance(error, ResourceClosedError) and str(error) == CUT_AT_ONCE:
        return Fault.DROPPED
    if not isinstance(error, DBAPIError):
        return Fault.DEFECT
    stated = _by_number(error) or _by_words(error)
    if error.connection_invalidated and stated in {None, Fault.RACE}:
        return Fault.DROPPED
    if stated is not None:
        return stated
    return Fault.DEFECT if isinstance(error, DEFECTS) else _by_state(error)


def _by_number(error: DBAPIError) -> Fault | None:
    found = (NUMBERS.get(number) for number in numbers_of(error))
    return next((fault for fault in found if fault is not None), None)


def numbers_of(error: DBAPIError) -> list[int]:
    """Return the server's error numbers in the driver's text, in the order in which they came."""
    return [int(number) for number in NUMBER.findall(str(error.orig))]


def _by_words(error: DBAPIError) -> Fault | None:
    text = str(error.orig).lower()
    return next((fault for words, fault in WORDS.items() if words in text), None)


def _by_state(error: DBAPIError) -> Fault:
    if "(SQLDriverConnect)" in str(error.orig):
        return Fault.AWAY  # it took its time already
    return STATES.get(str(getattr(error.orig, "args", ("",))[0]), Fault.AWAY)


def wait_before_repeat(fault: Fault, failed: int, draw: float | None = None) -> float | None:
    """Return the seconds to wait after the `failed`th failure (1 = the first); None = do not repeat.

    `draw` in 0..1 spreads those who failed together.
    """
    if failed >= TRIES.get(fault, 1):
        return None
    spread = random.random() if draw is None else draw  # noqa: S311 - jitter, not a secret
    return min(LONGEST_WAIT, FIRST_WAIT[fault] * (1 << (failed - 1))) * (0.5 + spread)
