"""How fast and when an ERP is asked: its limits, its quiet hours, its own account of our allowance."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from shared.erp.pace import Pace, quiet_until, wait_of
from shared.errors import MappingError
from shared.profiles.model import QuietHours
from tests.unit.erp_at_hand import CONTEXT, NOW, erp_of, message, profile_source


class Clock:
    """The event loop's time, moved by hand: `sleep` returns at once and lets it pass."""

    def __init__(self, monkeypatch):
        self.now, self.slept = 100.0, []
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self)
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    def time(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(round(seconds, 6))


async def test_requests_are_spaced_and_first_come_first_served(monkeypatch):
    clock = Clock(monkeypatch)
    pace = Pace(4)
    for _ in range(4):  # four come at the same moment, each gets a turn of its own
        await pace.wait()
    assert clock.slept == [0.25, 0.5, 0.75]
    clock.now += 10
    await pace.wait()
    assert clock.slept == [0.25, 0.5, 0.75]


async def test_no_limit_is_no_wait(monkeypatch):
    clock = Clock(monkeypatch)
    for _ in range(3):
        await Pace(None).wait()
    assert clock.slept == []


def quiet(start, end, zone="Europe/Berlin", days=()):
    return [QuietHours.model_validate({"start": start, "end": end, "zone": zone, "days": list(days)})]


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (quiet("22:00", "02:00"), "2026-11-23T20:59:00Z", None),
        (quiet("22:00", "02:00"), "2026-11-23T21:00:00Z", "2026-11-24T01:00:00Z"),
        (quiet("22:00", "02:00"), "2026-11-24T00:59:00Z", "2026-11-24T01:00:00Z"),
        (quiet("22:00", "02:00"), "2026-11-24T01:00:00Z", None),
        (quiet("12:00", "12:30", days=["mon"]), "2026-11-23T11:15:00Z", "2026-11-23T11:30:00Z"),
        (quiet("12:00", "12:30", days=["tue"]), "2026-11-23T11:15:00Z", None),
        (quiet("22:00", "02:00", days=["mon"]), "2026-11-24T00:30:00Z", "2026-11-24T01:00:00Z"),
        (quiet("22:00", "02:00", days=["mon"]), "2026-11-23T00:30:00Z", None),
        (quiet("00:00", "00:00", days=["sun"]), "2026-11-22T12:00:00Z", "2026-11-22T23:00:00Z"),
        (quiet("=settings.from", "=settings.to"), "2026-11-23T21:00:00Z", None),
        (
            quiet("01:00", "04:00"),
            "2026-10-25T00:30:00Z",
            "2026-10-25T03:00:00Z",
        ),  # the night the clocks go back
    ],
)
def test_quiet_hours_end_when_they_end(hours, now, until):
    end = quiet_until(hours, {}, datetime.fromisoformat(now))
    assert end == (datetime.fromisoformat(until) if until else None)


def test_a_time_of_day_that_is_none_is_refused():
    with pytest.raises(MappingError, match="'10 pm' is not a time of day such as 22:00"):
        quiet_until(quiet("=settings.start", "02:00"), {"start": "10 pm"}, NOW)


async def test_nothing_is_sent_in_the_quiet_hours_and_it_comes_back_at_their_end():
    calls = []
    source = profile_source()
    hours = {"start": "10:30", "end": "11:30", "zone": "Europe/Berlin"}  # it is 11:00 there
    source["connection"]["limits"] = {"quiet_hours": [hours]}
    erp = erp_of(source, lambda request: calls.append(request) or httpx.Response(200))
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, result.decision.after) == (Verdict.RETRY, timedelta(minutes=30))
    assert (result.progress, result.decision.spends_attempt, calls) == (Progress(), False, [])
    assert "quiet hours last until 2026-11-23 10:30 UTC" in result.decision.reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17),
        (2.5, 2.5),
        (None, None),
        ("", None),
        (int(NOW.timestamp()) + 40, 40),
        ("2026-11-23T10:01:00Z", 60),
        ("2026-11-23T09:00:00Z", 0),
        (-3, 0),
    ],
)
def test_what_an_erp_says_about_waiting(value, seconds):
    wait = wait_of(value, NOW)
    assert (wait.total_seconds() if wait is not None else None) == seconds


def told(rule=None, limits=None, **reply):
    source = profile_source()
    source["connection"] |= {"limits": limits or {}, "rules": [rule] if rule else []}
    return erp_of(source, lambda _request: httpx.Response(**reply))


@pytest.mark.parametrize("header", ["90", format_datetime(NOW + timedelta(seconds=90))])
async def test_retry_after_is_honoured_in_seconds_and_as_a_date(header):
    erp = told(status_code=429, headers={"Retry-After": header})
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, result.decision.after) == (Verdict.RETRY, timedelta(seconds=90))


async def test_a_closed_period_is_waited_for_until_it_opens():
    rule = {
        "status": [422],
        "verdict": "retry",
        "reason": "closed",
        "after": "=reply.body.opens",
        "not_taken": True,
    }
    erp = told(rule, status_code=422, json={"opens": "2026-11-23T12:00:00Z"})
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, result.decision.after) == (Verdict.RETRY, timedelta(hours=2))


RATES = {"remaining": '=reply.headers."x-left"', "reset": '=reply.headers."x-reset"'}


async def test_with_nothing_left_of_our_allowance_nobody_asks_until_it_is_full():
    calls = []

    def handler(request):
        calls.append(request)
        return httpx.Response(200, headers={"X-Left": "0", "X-Reset": "600"})

    source = profile_source()
    source["connection"]["limits"] = {"rate_headers": RATES}
    erp = erp_of(source, handler)
    assert (await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)).finished
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, len(calls)) == (Verdict.RETRY, 1)
    assert timedelta(seconds=500) < result.decision.after <= timedelta(seconds=600)
    assert "allowance" in result.decision.reason


async def test_while_some_is_left_we_go_on():
    erp = told(limits={"rate_headers": RATES}, status_code=200, headers={"X-Left": "1", "X-Reset": "600"})
    assert [await erp.probe() for _ in range(3)] == [None] * 3


def test_a_number_of_seconds_since_1970_is_an_instant():
    assert wait_of("1795428600", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)) == timedelta(minutes=10)
