"""Outcomes: what lease holders record, many at once in one transaction, and only while their leases hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, update

from shared.domain.message import MessageState, Progress
from shared.store.bulk import insert_rows, on_rows, update_rows
from shared.store.lanes import Lease, marks_of, progress_row
from shared.store.outbox import OPEN
from shared.store.tables import connection_state, delivery_attempt, outbound_message, stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Subquery

    from shared.store.bulk import Shape


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message for now. `state` PENDING = still to be done, from `progress` on."""

    sequence: int
    state: MessageState
    attempts: int
    progress: Progress
    reason: str = ""
    waits_for_kind: str | None = None
    waits_for_value: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to the ERP, as evidence. Secrets are gone before it gets here."""

    sequence: int
    attempt: int
    step: str
    started_at: datetime
    duration_ms: int
    method: str
    url: str
    status: int
    verdict: str
    reason: str
    request: str
    reply: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give the stream back. `due_at` None = nothing to do by the clock.

    `seen_sequence`: keep the lease instead if messages came in after it (None: give it back in any case).
    """

    due_at: datetime | None
    failures: int
    head: int  # sequence of the first message still open
    seen_sequence: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one lease holder records in one go: an outcome, the next intent, evidence, and perhaps the release."""

    lease: Lease
    until: datetime
    outcomes: Sequence[Outcome] = ()
    intent: int | None = None  # sequence of the message about to be sent
    attempts: Sequence[Attempt] = ()
    release: Release | None = None


class Recorded(StrEnum):
    """What became of an entry. Only after `ok` may the message named as intent be sent."""

    OK = "ok"
    LOST = "lost"  # another worker holds the stream now
    VOIDED = "voided"  # the message named as intent was taken back meanwhile: go on with the next
    MORE = "more"  # not released: messages came in since the stream was read, and the lease is still ours


def record(connection: Connection, entries: Sequence[Entry], worker: str, now: datetime) -> list[Recorded]:
    """Write all entries whose lease still holds, in one go; return what became of each."""
    holding = _renew(connection, entries)
    valid = [entry for entry in entries if holding.get(entry.lease.stream_key) == entry.lease.token]
    voided = _voided_intents(connection, valid)
    _write_outcomes(connection, valid, now)
    _write_intents(connection, valid, now)
    _write_attempts(connection, valid, worker)
    _write_deliveries(connection, valid, now)
    overtaken = _release(connection, valid, now)
    return [_fate(entry, holding, voided, overtaken) for entry in entries]


def _fate(
    entry: Entry, holding: Mapping[str, int], voided: set[tuple[str, int]], overtaken: set[str]
) -> Recorded:
    if holding.get(entry.lease.stream_key) != entry.lease.token:
        return Recorded.LOST
    if entry.release is not None and entry.lease.stream_key in overtaken:
        return Recorded.MORE
    return Recorded.VOIDED if (entry.lease.stream_key, entry.intent) in voided else Recorded.OK


def _voided_intents(connection: Connection, entries: Sequence[Entry]) -> set[tuple[str, int]]:
    """Find intents for messages that a correction took out since their stream was read."""
    rows = [
        {"stream_key": entry.lease.stream_key, "sequence": entry.intent}
        for entry in entries
        if entry.intent is not None
    ]
    return {(row.stream_key, row.sequence) for row in _voided_among(connection, rows)} if rows else set()


PLACE: Shape = {name: outbound_message.c[name].type for name in ("stream_key", "sequence")}
LEASED: Shape = {name: stream.c[name].type for name in ("stream_key", "lease_token", "lease_until")}


@on_rows(PLACE)
def _voided_among(given: Subquery) -> Executable:
    table = outbound_message
    same = and_(table.c.stream_key == given.c.stream_key, table.c.sequence == given.c.sequence)
    voided = select(table.c.stream_key, table.c.sequence).join(given, same)
    return voided.where(table.c.state == MessageState.VOIDED)


def _renew(connection: Connection, entries: Sequence[Entry]) -> dict[str, int]:
    """Prolong the leases that still hold; return the token of every stream that is held by one of `entries`."""
    rows = [
        {"stream_key": entry.lease.stream_key, "lease_token": entry.lease.token, "lease_until": entry.until}
        for entry in entries
    ]
    _prolong(connection, rows)
    return {row.stream_key: row.lease_token for row in _still_held(connection, rows)}


@on_rows(LEASED)
def _prolong(given: Subquery) -> Executable:
    same = and_(stream.c.stream_key == given.c.stream_key, stream.c.lease_token == given.c.lease_token)
    return update(stream).values(lease_until=given.c.lease_until, due_at=given.c.lease_until).where(same)


@on_rows(LEASED)
def _still_held(given: Subquery) -> Executable:
    same = and_(stream.c.stream_key == given.c.stream_key, stream.c.lease_token == given.c.lease_token)
    return select(stream.c.stream_key, stream.c.lease_token).join(given, same)


def _write_outcomes(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    rows = [
        {
            "stream_key": entry.lease.stream_key,
            "sequence": outcome.sequence,
            "state": outcome.state,
            "attempts": outcome.attempts,
            "progress": progress_row(outcome.progress),
            "intent_at": None,
            "finished_at": None if outcome.state in OPEN else now,
            "reason": outcome.reason,
            "waits_for_kind": outcome.waits_for_kind,
            "waits_for_value": outcome.waits_for_value,
        }
        for entry in entries
        for outcome in entry.outcomes
    ]
    # a correction may have voided a message its lane had not yet announced: that stands
    update_rows(connection, outbound_message, ["stream_key", "sequence"], rows, "state", OPEN)


def _write_intents(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    rows = [
        {"stream_key": entry.lease.stream_key, "sequence": entry.intent, "intent_at": now}
        for entry in entries
        if entry.intent is not None
    ]
    update_rows(connection, outbound_message, ["stream_key", "sequence"], rows, "state", OPEN)


def _write_attempts(connection: Connection, entries: Sequence[Entry], worker: str) -> None:
    rows = [
        {
            "stream_key": entry.lease.stream_key,
            "sequence": attempt.sequence,
            "attempt": attempt.attempt,
            "step": attempt.step,
            "worker": worker,
            "started_at": attempt.started_at,
            "duration_ms": attempt.duration_ms,
            "method": attempt.method,
            "url": attempt.url,
            "status": attempt.status,
            "verdict": attempt.verdict,
            "reason": attempt.reason,
            "request": attempt.request,
            "reply": attempt.reply,
        }
        for entry in entries
        for attempt in entry.attempts
    ]
    insert_rows(connection, delivery_attempt, rows)


def _write_deliveries(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Note per connection that it works."""
    done = (
        entry for entry in entries if any(outcome.state is MessageState.DONE for outcome in entry.outcomes)
    )
    names = {entry.lease.connection for entry in done}
    for name in sorted(names):
        connection.execute(
            update(connection_state).values(last_delivery_at=now).where(connection_state.c.connection == name)
        )


def _release(connection: Connection, entries: Sequence[Entry], now: datetime) -> set[str]:
    """Give streams back; return those that stay leased because there is more to do than their holder has seen.

    More is a new message, or an earlier one that a person has put back meanwhile; the head never passes that.
    """
    releases = {entry.lease.stream_key: entry.release for entry in entries if entry.release is not None}
    if not releases:
        return set()
    seen = {
        key: release.seen_sequence for key, release in releases.items() if release.seen_sequence is not None
    }
    marks = marks_of(connection, list(seen))
    overtaken = {row.stream_key for row in marks if row.next_sequence != seen[row.stream_key]}
    heads = [{"stream_key": key, "head": release.head} for key, release in releases.items()]
    put_back = {row.stream_key: row.first for row in _open_before(connection, heads)}
    overtaken |= put_back.keys() & seen.keys()
    rows = [
        _released(key, release, put_back.get(key), now)
        for key, release in releases.items()
        if key not in overtaken
    ]
    update_rows(connection, stream, ["stream_key"], rows)
    return overtaken


def _released(key: str, release: Release, put_back: int | None, now: datetime) -> dict[str, Any]:
    return {
        "stream_key": key,
        "lease_owner": None,
        "lease_until": None,
        "due_at": release.due_at if put_back is None else min(release.due_at or now, now),
        "failures": release.failures,
        "head": release.head if put_back is None else put_back,
    }


@on_rows({name: stream.c[name].type for name in ("stream_key", "head")})
def _open_before(given: Subquery) -> Executable:
    table = outbound_message
    first = select(table.c.stream_key, func.min(table.c.sequence).label("first"))
    passed = and_(table.c.stream_key == given.c.stream_key, table.c.sequence < given.c.head)
    mine = first.join(given, passed).join(stream, stream.c.stream_key == table.c.stream_key)
    left = mine.where(table.c.sequence >= stream.c.head, table.c.state.in_(OPEN))
    return left.group_by(table.c.stream_key)
