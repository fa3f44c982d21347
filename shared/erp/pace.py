"""How fast an ERP may be asked: so many calls a second, none in its quiet hours, none over its own allowance."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.errors import MappingError
from shared.mapping.conversions import decimal, from_epoch, instant, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.mapping.conversions import Raw
    from shared.profiles.model import QuietHours

    type Facts = dict[str, Any]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH_FROM = 1_000_000_000  # a number of seconds this large is an instant, not a wait
MILLISECONDS_FROM = 100 * EPOCH_FROM  # and one this large counts milliseconds
LONGEST_WAIT = timedelta(days=1)  # however long an ERP asks for: then it may say so again


class Pace:
    """At most so many requests a second, evenly spaced, first come first served; None = as fast as the lanes go.

    It is kept by one process. Where several instances run, `requests_per_second` is each one's share.
    """

    def __init__(self, per_second: float | None) -> None:
        self._gap = 1 / per_second if per_second else 0
        self._next = 0.0
        self._rests_until = 0.0

    async def wait(self) -> None:
        """Return when the next request may go."""
        if not self._gap and not self._rests_until:
            return
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next, self._rests_until)
        self._next = turn + self._gap
        if turn > now:
            await asyncio.sleep(turn - now)

    def resting(self) -> timedelta:
        """Return how much of the rest is left."""
        if not self._rests_until:
            return timedelta()
        return timedelta(seconds=max(self._rests_until - asyncio.get_running_loop().time(), 0))

    def rest(self, wait: timedelta) -> None:
        """Let nobody go before `wait` is over."""
        until = asyncio.get_running_loop().time() + wait.total_seconds()
        self._rests_until = max(self._rests_until, until)


def quiet_until(hours: Iterable[QuietHours], settings: Facts, now: datetime) -> datetime | None:
    """Return the end of the quiet hours that `now` falls into, None if it falls into none.

    Raises:
        MappingError: a start or end is no time of day, or a zone is none.
    """
    ends = (_ends(quiet, {"settings": settings}, now) for quiet in hours)
    return max((end for end in ends if end is not None), default=None)


def _ends(quiet: QuietHours, facts: Facts, now: datetime) -> datetime | None:
    start, end = (_time_of_day(value(facts)) for value in (quiet.start, quiet.end))
    if start is None or end is None:
        return None
    zone = ZoneInfo(str(quiet.zone(facts)))
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if quiet.days and DAYS[day.weekday()] not in quiet.days:
            continue
        begins = datetime.combine(day, start, zone)
        ends = datetime.combine(day if end > start else day + timedelta(days=1), end, zone)
        if begins <= now < ends:
            return ends.astimezone(UTC)
    return None


def _time_of_day(value: Raw) -> time | None:
    plain = text(value)
    if not plain:
        return None
    try:
        return time.fromisoformat(plain)
    except ValueError:
        raise MappingError(f"{plain!r} is not a time of day such as 22:00") from None


def wait_of(value: Raw, now: datetime) -> timedelta | None:
    """Return how long `value` asks to wait, at most a day; None = it says nothing.

    It is seconds, an instant as text, or seconds or milliseconds since 1970.

    Raises:
        MappingError: it is none of these.
    """
    if value is None or value == "":
        return None
    try:
        number = decimal(value)
    except MappingError:
        number = None
    if number is not None and number < EPOCH_FROM:
        return min(timedelta(seconds=max(float(number), 0)), LONGEST_WAIT)
    if number is not None and number >= MILLISECONDS_FROM:
        number /= 1000
    try:
        moment = instant(value) if number is None else from_epoch(number)
        return min(max(datetime.fromisoformat(moment or "") - now, timedelta()), LONGEST_WAIT)
    except (ValueError, ArithmeticError):
        raise MappingError(f"{value!r} is neither a wait nor an instant") from None
