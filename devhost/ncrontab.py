"""NCRONTAB: the six-field cron expressions of timer triggers, as pure functions.

Fields: second, minute, hour, day, month, day of week. A five-field expression leaves the second out and
fires at second 0. Unlike Unix cron, day and day of week must *both* match. All times are UTC, as in the
cloud.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from devhost.errors import DevhostError

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# The calendar repeats after 400 years; a date not met by then never comes.
_HORIZON_DAYS: Final = 146_097


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Each field's allowed values, ascending. Days of week count from Sunday = 0."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, moment: datetime) -> datetime | None:
        """The first occurrence strictly after an aware moment, in UTC; None if there never is one."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        if self._has_day(start) and (found := self._in_day(start)):
            return found
        midnight = start.replace(hour=0, minute=0, second=0)
        for ahead in range(1, _HORIZON_DAYS + 1):
            day = midnight + timedelta(days=ahead)
            if self._has_day(day):
                return self._in_day(day)
        return None

    def _has_day(self, day: datetime) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _in_day(self, start: datetime) -> datetime | None:
        """The first occurrence at or after `start` on its own day."""
        earliest = (start.hour, start.minute, start.second)
        for hour in self.hours:
            if hour < start.hour:
                continue
            for minute in self.minutes:
                if (hour, minute) < earliest[:2]:
                    continue
                for second in self.seconds:
                    if (hour, minute, second) >= earliest:
                        return start.replace(hour=hour, minute=minute, second=second)
        return None


def parse(text: str) -> Schedule:
    """Read an NCRONTAB expression.

    Raises:
        DevhostError: it has not five or six fields, or one is out of range; the message lists what is valid.
    """
    fields = text.split()
    if len(fields) == len(_FIELDS) - 1:
        fields = ["0", *fields]
    if len(fields) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        raise DevhostError(f"the schedule {text!r} needs six fields ({names}) or five without the second")
    sets = [_values(field, part) for field, part in zip(_FIELDS, fields, strict=True)]
    seconds, minutes, hours = (tuple(sorted(each)) for each in sets[:3])
    days, months, weekdays = (frozenset(each) for each in sets[3:])
    return Schedule(text, seconds, minutes, hours, days, months, weekdays)


def _values(field: _Field, text: str) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        found.update(_item(field, item))
    return found


def _item(field: _Field, text: str) -> range:
    body, slash, step_text = text.partition("/")
    low, high = _bounds(field, body, stepped=bool(slash))
    step = int(step_text) if step_text.isdecimal() else 0
    if slash and step < 1:
        raise _refuse(field, text)
    return range(low, high + 1, step or 1)


def _bounds(field: _Field, text: str, *, stepped: bool) -> tuple[int, int]:
    if text == "*":
        return field.low, field.high
    first, dash, last = text.partition("-")
    low = _value(field, first)
    if dash:
        high = _value(field, last)
        if high < low:
            raise _refuse(field, text)
        return low, high
    # "5/15" means: from 5 on, every 15.
    return low, field.high if stepped else low


def _value(field: _Field, text: str) -> int:
    prefix = text[:3].lower()
    if prefix in field.words and text.isalpha():
        return field.low + field.words.index(prefix)
    if not text.isdecimal() or not field.low <= int(text) <= field.high:
        raise _refuse(field, text)
    return int(text)


def _refuse(field: _Field, text: str) -> DevhostError:
    words = f" or {field.words[0]} to {field.words[-1]}" if field.words else ""
    return DevhostError(
        f"{text!r} is not valid for the {field.name}: use {field.low} to {field.high}{words}, "
        "as a value, a range a-b, a step */n, a-b/n or a/n, or a list of these"
    )
