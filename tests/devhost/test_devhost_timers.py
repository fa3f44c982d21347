"""Timer functions fire on their schedule and never over themselves."""

import signal
import time

import httpx


def test_a_timer_fires_again_and_again_without_overlap_and_is_finished_at_a_stop(start, journal):
    host = start(TICK="* * * * * *")
    journal.wait(2, "tick", "begun")
    assert host.stop() == 0
    assert [line["state"] for line in journal.lines("tick")] == ["begun", "ended"] * 2
    assert [line["past_due"] for line in journal.lines("startup")] == [False]


def test_without_timers_they_fire_by_hand_only(start, journal):
    host = start("--timers", "off", TICK="* * * * * *")
    assert httpx.post(host.url + "/admin/functions/ticking", json={}).status_code == 202
    journal.wait(1, "tick", "begun")
    assert host.stop() == 0
    assert len(journal.lines("tick", "ended")) == 1
    assert journal.lines("startup") == []


def test_a_timer_that_comes_late_is_told_so(start, journal):
    host = start(TICK="* * * * * *")
    journal.wait(1, "tick", "ended")
    host.signal(signal.SIGSTOP)
    time.sleep(2.5)
    host.signal(signal.SIGCONT)
    assert journal.wait(2, "tick", "begun")[-1]["past_due"] is True
