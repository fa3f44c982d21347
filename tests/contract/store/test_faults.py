"""One policy for what an error means and whether the work runs again: a table."""

from __future__ import annotations

import sqlite3

import pyodbc
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.store.faults import NUMBERS, TRIES, Fault, fault_of, numbers_of, wait_before_repeat

MICROSOFT = "[Microsoft][ODBC Driver 18 for SQL Server]"
SERVER = f"{MICROSOFT}[SQL Server]"


def of_driver(state, text, kind=DBAPIError, *, invalidated=False):
    return kind("SELECT 1", {}, pyodbc.Error(state, text), connection_invalidated=invalidated)


def of_sqlite(text, kind):
    return kind("SELECT 1", {}, sqlite3.Error(text))


def numbered(number):
    return of_driver("42000", f"[42000] {SERVER}Something went wrong. ({number}) (SQLExecDirectW)")


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        *((number, Fault.RACE) for number in (1205, 1222, 3960, 3935, 2601, 2627)),
        *((number, Fault.DROPPED) for number in (10053, 10054, 10060, 40197)),
        *((number, Fault.BUSY) for number in (40501, 40613, 49918, 49919, 49920, 10928, 10929)),
        *((number, Fault.AWAY) for number in (4060, 18456)),
        (208, Fault.AWAY),  # unknown, and not a kind of error that is a defect for sure
    ],
)
def test_the_servers_number_tells(number, fault):
    assert fault_of(numbered(number)) is fault


DEAD = f"[08S01] {MICROSOFT}TCP Provider: Error code 0x68 (104) (SQLExecDirectW)"
SLOW = f"[HYT00] {MICROSOFT}Query timeout expired (0) (SQLExecDirectW)"
NO_LOGIN = f"[HYT00] {MICROSOFT}Login timeout expired (0) (SQLDriverConnect)"
NOBODY = f"[08001] {MICROSOFT}A network-related error (10061) (SQLDriverConnect)"
REFUSED = f"[28000] {SERVER}Login failed for user 'x'. (18456) (SQLDriverConnect)"
SYNTAX = f"[42000] {SERVER}syntax error (33557097) (SQLExecDirectW)"
NO_TABLE = f"[42S02] {SERVER}Invalid object name 'x'. (208) (SQLExecDirectW)"
CONFLICT = f"[42000] {SERVER}could not serialize access due to concurrent update (33557097) (SQLExecDirectW)"
LOCKED = f"[42000] {SERVER}canceling statement due to lock timeout (33557097) (SQLExecDirectW)"
DUPLICATE = f"[23000] {SERVER}Violation of PRIMARY KEY (2627) (SQLExecDirectW); It was terminated. (3621)"
NULL = f"[23000] {SERVER}Cannot insert the value NULL (515) (SQLExecDirectW)"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (of_driver("08S01", DEAD), Fault.DROPPED),
        (of_driver("HYT00", SLOW), Fault.DROPPED),
        (of_driver("HYT00", NO_LOGIN), Fault.AWAY),
        (of_driver("08001", NOBODY), Fault.AWAY),
        (of_driver("28000", REFUSED), Fault.AWAY),
        (of_driver("42000", "anything", invalidated=True), Fault.DROPPED),
        (of_driver("42000", SYNTAX, ProgrammingError), Fault.DEFECT),
        (of_driver("42S02", NO_TABLE, ProgrammingError), Fault.DEFECT),
        (of_driver("42000", CONFLICT, ProgrammingError), Fault.RACE),
        (of_driver("42000", LOCKED, ProgrammingError), Fault.RACE),
        (of_driver("23000", DUPLICATE, IntegrityError), Fault.RACE),
        (of_driver("23000", NULL, IntegrityError), Fault.DEFECT),
        (of_sqlite("UNIQUE constraint failed: stream.stream_key", IntegrityError), Fault.RACE),
        (of_sqlite("NOT NULL constraint failed: stream.status", IntegrityError), Fault.DEFECT),
        (of_sqlite("database is locked", OperationalError), Fault.AWAY),
        (PoolTimeout(), Fault.BUSY),
        (ResourceClosedError("This Connection is closed"), Fault.DROPPED),
        (ResourceClosedError("This result object does not return rows."), Fault.DEFECT),
        (ValueError("ours"), Fault.DEFECT),
    ],
)
def test_otherwise_state_words_or_kind_tell(error, fault):
    assert fault_of(error) is fault


def test_numbers_in_the_text_itself_are_not_error_numbers():
    told = of_driver("42000", f"[42000] {SERVER}The row (1205) is in order (547) (SQLExecDirectW)")
    assert numbers_of(told) == [547]


def test_every_number_has_one_meaning():
    assert len(NUMBERS) == len(set(NUMBERS))
    assert set(NUMBERS.values()) == {Fault.RACE, Fault.DROPPED, Fault.BUSY, Fault.AWAY}


@pytest.mark.parametrize(("fault", "draw", "waits"), [
    (Fault.RACE, 0.5, [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, None]),
    (Fault.DROPPED, 0.5, [0.05, 0.1, 0.2, None]),
    (Fault.BUSY, 0.5, [0.5, 1, 2, None]),
    (Fault.BUSY, 0.0, [0.25, 0.5, 1, None]),
    (Fault.AWAY, 0.5, [None]),
    (Fault.DEFECT, 0.5, [None]),
])  # fmt: skip
def test_the_wait_doubles_is_spread_and_ends(fault, draw, waits):
    assert [wait_before_repeat(fault, failed, draw) for failed in range(1, len(waits) + 1)] == waits


def test_a_wait_is_never_zero():
    assert min(wait_before_repeat(fault, 1) for fault in TRIES) > 0
