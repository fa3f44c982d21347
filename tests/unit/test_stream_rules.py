"""What may overtake a parked message, and how long a retry waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.message import MessageKind
from shared.domain.stream_rules import (
    FIRST_HALT,
    FIRST_WAIT,
    LONGEST_HALT,
    LONGEST_WAIT,
    SILENT_TRIES,
    barred_by,
    halt_wait,
    in_vain,
    retry_wait,
)
from shared.domain.verdict import Reply, ReplyKind, decide

KINDS = MessageKind
FAILURES = st.integers(0, 10_000)
SPREAD = st.floats(0, 1, exclude_max=True)
ASKED = st.none() | st.timedeltas(timedelta(0), timedelta(days=2))


@pytest.mark.parametrize(
    ("kind", "operation", "parked", "barred"),
    [
        (KINDS.PRODUCTION_REPORTED, "10", [], None),
        (KINDS.PRODUCTION_REPORTED, "10", [(KINDS.PRODUCTION_REPORTED, "10")], None),
        (KINDS.PRODUCTION_REPORTED, "10", [(KINDS.OPERATION_STARTED, "10")], KINDS.OPERATION_STARTED),
        (KINDS.PRODUCTION_REPORTED, "20", [(KINDS.OPERATION_STARTED, "10")], None),
        (KINDS.OPERATION_COMPLETED, "10", [(KINDS.OPERATION_STARTED, "10")], KINDS.OPERATION_STARTED),
        (KINDS.OPERATION_STARTED, "20", [(KINDS.ORDER_STARTED, "")], KINDS.ORDER_STARTED),
        (KINDS.CORRECTION, "10", [(KINDS.ORDER_STARTED, "")], KINDS.ORDER_STARTED),
        (KINDS.ORDER_COMPLETED, "", [(KINDS.TIME_RECORDED, "10")], KINDS.TIME_RECORDED),
        (KINDS.ORDER_COMPLETED, "", [(KINDS.CORRECTION, "10")], KINDS.CORRECTION),
        (KINDS.TIME_RECORDED, "10", [(KINDS.ORDER_COMPLETED, "")], None),
        (
            KINDS.OPERATION_PAUSED,
            "10",
            [(KINDS.TIME_RECORDED, "10"), (KINDS.OPERATION_STARTED, "10")],
            KINDS.OPERATION_STARTED,
        ),
    ],
)
def test_a_parked_message_bars_what_would_make_things_worse(kind, operation, parked, barred):
    assert barred_by(kind, operation, parked) is barred


@pytest.mark.parametrize(
    ("reply", "given_up"),
    [
        (Reply(ReplyKind.AMBIGUOUS), True),  # never answered
        (Reply(ReplyKind.ANSWERED, 504), True),  # answered by a gateway that was not
        (Reply(ReplyKind.UNREACHABLE), False),  # nothing was ever sent
        (Reply(ReplyKind.ANSWERED, 429), False),  # the ERP says itself that it will take it
        (Reply(ReplyKind.ANSWERED, 500), False),  # counted as attempts: `decide` gives up on those
        (Reply(ReplyKind.ANSWERED, 401), False),
    ],
)
def test_silence_has_an_end_and_only_silence(reply, given_up):
    decision = decide(reply)
    assert in_vain(decision, SILENT_TRIES - 1) is given_up
    assert not in_vain(decision, SILENT_TRIES - 2)


@given(FAILURES, SPREAD, ASKED)
def test_a_retry_waits_within_bounds_and_never_less_than_asked(failures, spread, asked):
    wait = retry_wait(failures, spread, asked)
    assert wait >= FIRST_WAIT * 0.1
    assert wait >= (asked or timedelta(0))
    assert wait <= max(LONGEST_WAIT, asked or timedelta(0))


@given(FAILURES, SPREAD)
def test_a_retry_waits_no_less_after_more_failures(failures, spread):
    assert retry_wait(failures, spread) <= retry_wait(failures + 1, spread)


@given(FAILURES, ASKED)
def test_a_halt_waits_within_bounds_and_never_less_than_asked(failures, asked):
    wait = halt_wait(failures, asked)
    assert max(FIRST_HALT, asked or FIRST_HALT) <= wait <= max(LONGEST_HALT, asked or LONGEST_HALT)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 2), (1, 4), (4, 32), (5, 60), (99, 60)])
def test_halts_double_up_to_a_minute(failures, seconds):
    assert halt_wait(failures) == timedelta(seconds=seconds)
