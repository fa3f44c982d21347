"""Done, retry, park or halt: the whole table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.verdict import MAX_ANSWERED_ATTEMPTS, Reply, ReplyKind, Verdict, decide

A_MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("status", "verdict", "look_first", "spends"),
    [
        (200, Verdict.DONE, False, True),
        (204, Verdict.DONE, False, True),
        (299, Verdict.DONE, False, True),
        (301, Verdict.HALT, False, False),
        (400, Verdict.PARK, False, True),
        (401, Verdict.HALT, False, False),
        (403, Verdict.HALT, False, False),
        (404, Verdict.PARK, False, True),
        (408, Verdict.RETRY, True, False),
        (409, Verdict.PARK, False, True),
        (422, Verdict.PARK, False, True),
        (425, Verdict.RETRY, False, False),
        (429, Verdict.RETRY, False, False),
        (500, Verdict.RETRY, True, True),
        (502, Verdict.RETRY, True, False),
        (503, Verdict.RETRY, True, False),
        (504, Verdict.RETRY, True, False),
    ],
)
def test_a_status_says(status, verdict, look_first, spends):
    decision = decide(Reply(ReplyKind.ANSWERED, status))
    assert (decision.verdict, decision.look_first, decision.spends_attempt) == (verdict, look_first, spends)
    assert decision.reason == f"HTTP {status}"


@pytest.mark.parametrize("stated", list(Verdict))
@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_the_profile_knows_better_than_the_status(stated, status):
    decision = decide(Reply(ReplyKind.ANSWERED, status, stated=stated, reason="it lies"))
    assert (decision.verdict, decision.reason) == (stated, "it lies")


@pytest.mark.parametrize(
    ("kind", "look_first"), [(ReplyKind.UNREACHABLE, False), (ReplyKind.AMBIGUOUS, True)]
)
@pytest.mark.parametrize("attempts", [0, 1000])
def test_silence_is_retried_for_ever_and_looked_up_if_something_was_sent(kind, look_first, attempts):
    decision = decide(Reply(kind, retry_after=A_MINUTE), attempts)
    assert decision.verdict is Verdict.RETRY
    assert (decision.look_first, decision.spends_attempt, decision.after) == (look_first, False, A_MINUTE)


@pytest.mark.parametrize(
    ("before", "verdict"),
    [
        (0, Verdict.RETRY),
        (MAX_ANSWERED_ATTEMPTS - 2, Verdict.RETRY),
        (MAX_ANSWERED_ATTEMPTS - 1, Verdict.PARK),
    ],
)
def test_an_erp_that_answers_with_errors_is_given_up(before, verdict):
    decision = decide(Reply(ReplyKind.ANSWERED, 500, reason="broken"), before)
    assert decision.verdict is verdict
    assert "broken" in decision.reason


@given(
    st.sampled_from(ReplyKind),
    st.integers(0, 999),
    st.none() | st.sampled_from(Verdict),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=1)),
    st.integers(0, 50),
)
def test_the_wish_for_a_delay_survives_and_done_is_never_guessed(kind, status, stated, asked, attempts):
    decision = decide(Reply(kind, status, asked, stated), attempts)
    if decision.verdict in (Verdict.RETRY, Verdict.HALT):
        assert decision.after == asked
    if decision.verdict is Verdict.DONE:
        assert kind is ReplyKind.ANSWERED
        assert stated is Verdict.DONE or 200 <= status < 300
    assert decision.reason
