"""NCRONTAB: a table of known occurrences, and properties against brute force."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devhost.errors import DevhostError
from devhost.ncrontab import parse


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * * *", "2026-03-01T10:00:00.5", "2026-03-01T10:00:01"),
        ("0 */5 * * * *", "2026-03-01T10:00:00", "2026-03-01T10:05:00"),
        ("*/5 * * * *", "2026-03-01T10:00:00", "2026-03-01T10:05:00"),
        ("0 0 * * * *", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("0 30 9 * * 1-5", "2026-03-06T09:30:00", "2026-03-09T09:30:00"),
        ("0 30 9 * Jan Mon", "2026-02-01T00:00:00", "2027-01-04T09:30:00"),
        ("0 0 0 * january sunday", "2026-12-31T00:00:00", "2027-01-03T00:00:00"),
        ("0 0 0 29 2 *", "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 29 2 0", "2026-03-01T00:00:00", "2032-02-29T00:00:00"),
        ("0 0 0 13 * 5", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),
        ("30 5/20 * * * *", "2026-03-01T10:05:30", "2026-03-01T10:25:30"),
        ("0 0 8-18/5,22 * * *", "2026-03-01T18:00:00", "2026-03-01T22:00:00"),
        ("15,45 59 23 31 12 *", "2026-12-31T23:59:15", "2026-12-31T23:59:45"),
    ],
)
def test_next_occurrence(text, after, expected):
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert parse(text).next_after(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_date_that_never_comes_has_no_occurrence():
    assert parse("0 0 0 31 2 *").next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "six fields"),
        ("* * * *", "six fields"),
        ("60 * * * * *", "second: use 0 to 59"),
        ("0 0 24 * * *", "hour: use 0 to 23"),
        ("0 0 0 0 * *", "day: use 1 to 31"),
        ("0 0 0 * smarch *", "month: use 1 to 12 or jan to dec"),
        ("0 0 0 * * 7", "day of week: use 0 to 6 or sun to sat"),
        ("0 30-10 * * * *", "minute"),
        ("0 */0 * * * *", "minute"),
        ("0 1, * * * *", "minute"),
        ("0 -1 * * * *", "minute"),
        ("00:05:00", "six fields"),
    ],
)
def test_what_is_not_valid_is_refused_with_what_is(text, named):
    with pytest.raises(DevhostError, match=named):
        parse(text)


def fields(low: int, high: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """One field's text and, computed on its own, the values it stands for."""
    value = st.integers(low, high)
    star = st.just(("*", frozenset(range(low, high + 1))))
    single = value.map(lambda number: (str(number), frozenset({number})))
    span = st.tuples(value, value, st.integers(1, 20)).map(
        lambda t: (
            f"{min(t[:2])}-{max(t[:2])}/{t[2]}",
            frozenset(n for n in range(min(t[:2]), max(t[:2]) + 1) if (n - min(t[:2])) % t[2] == 0),
        )
    )
    item = st.one_of(single, span)
    several = st.lists(item, min_size=1, max_size=3).map(
        lambda parts: (",".join(p[0] for p in parts), frozenset().union(*(p[1] for p in parts)))
    )
    return st.one_of(star, several)


SIX = st.tuples(fields(0, 59), fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- st adds it


def matches(moment: datetime, sets: list[frozenset[int]]) -> bool:
    parts = (moment.second, moment.minute, moment.hour, moment.day, moment.month, (moment.weekday() + 1) % 7)
    return all(part in allowed for part, allowed in zip(parts, sets, strict=True))


@given(SIX, MOMENTS)
def test_an_occurrence_is_later_and_matches_every_field(parts, moment):
    found = parse(" ".join(text for text, _ in parts)).next_after(moment)
    if found is not None:
        assert found > moment
        assert found.microsecond == 0
        assert matches(found, [allowed for _, allowed in parts])


@given(SIX, MOMENTS)
@settings(max_examples=30, deadline=None)
def test_no_occurrence_is_skipped(parts, moment):
    sets = [allowed for _, allowed in parts]
    found = parse(" ".join(text for text, _ in parts)).next_after(moment)
    second = moment.replace(microsecond=0)
    for _ in range(4000):
        second += timedelta(seconds=1)
        if found is not None and second >= found:
            break
        assert not matches(second, sets)


@given(SIX, MOMENTS)
@settings(max_examples=50, deadline=None)
def test_no_day_is_skipped(parts, moment):
    sets = [allowed for _, allowed in parts]
    found = parse(" ".join(text for text, _ in parts)).next_after(moment)
    day = moment.date() + timedelta(days=1)
    last = found.date() if found else day + timedelta(days=3000)
    while day < last:
        weekday = (day.weekday() + 1) % 7
        assert not (day.day in sets[3] and day.month in sets[4] and weekday in sets[5])
        day += timedelta(days=1)
