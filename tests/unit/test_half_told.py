"""A message half told, and then the profile has other steps: nothing is guessed, nothing written twice."""

from dataclasses import replace

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from tests.unit.erp_at_hand import CONTEXT, erp_of, message, profile_source
from tests.unit.test_erp_push import FIND, Network, step

READ = {"name": "read", "call": {"method": "GET", "path": "/read"}, "capture": {"live": "=reply.body.live"}}
BEFORE = [READ, step("first"), step("second")]
AFTER = [READ, step("whole", find=FIND), step("added")]  # another profile, or an overlay, for the same ERP


async def told(network, steps, progress, attempts=0):
    """One advance of the message by a profile with `steps`."""
    erp = erp_of(profile_source({"steps": steps}), network)
    return await erp.advance(erp.plan(message(), CONTEXT), progress, attempts)


async def after_calls(count):
    """How far the message has come when `count` steps of the old profile are done."""
    progress = Progress()
    for _ in range(count):
        progress = (await told(Network({"live": "L"}), BEFORE, progress)).progress
    return progress


async def test_it_goes_on_where_the_steps_are_the_same_whatever_they_say():
    reworded = [READ, step("first"), step("second", call={"path": "/elsewhere"})]
    network = Network({})
    result = await told(network, reworded, await after_calls(2))
    assert (network.lines, result.finished) == (["POST /elsewhere"], True)


async def test_what_was_only_read_is_read_anew():
    network = Network({"live": "M"})
    result = await told(network, AFTER, await after_calls(1))
    assert (network.lines, result.progress) == (["GET /read"], Progress(1, captured={"live": "M"}))


async def test_what_was_written_is_left_to_a_person():
    network = Network()
    result = await told(network, AFTER, await after_calls(2))
    assert (network.lines, result.decision.verdict) == ([], Verdict.PARK)
    assert "half told with other steps than Small has now: look in the ERP" in result.decision.reason


async def test_what_may_have_been_sent_is_left_to_a_person():
    result = await told(Network(), AFTER, replace(await after_calls(1), unknown=True))
    assert result.decision.verdict is Verdict.PARK


async def test_what_was_begun_before_steps_had_names_goes_on():
    """Stored by a version of ours that did not note it."""
    network = Network({})
    await told(network, AFTER, replace(await after_calls(2), flow=""))
    assert network.lines == ["POST /added"]


async def retried():
    """What a person's `retry` makes of it (store.outbox.retry_parked)."""
    parked = await told(Network(), AFTER, await after_calls(2))
    assert parked.progress.unknown
    return replace(parked.progress, resend=True)


async def all_told(network, progress):
    finished, tries = False, 0
    while not finished and tries < 9:
        result = await told(network, AFTER, progress)
        progress, finished, tries = result.progress, result.finished, tries + 1
    return finished


async def test_retried_it_begins_anew_and_looks_before_every_write():
    network = Network({"live": "M"}, [17], {})
    assert await all_told(network, await retried())
    assert network.lines == ["GET /read", "GET /look", "POST /added"]


async def test_retried_it_is_sent_where_the_look_finds_nothing():
    network = Network({"live": "M"}, [], {}, {})
    assert await all_told(network, await retried())
    assert network.lines == ["GET /read", "GET /look", "POST /whole", "POST /added"]


async def test_retried_it_looks_even_after_a_first_try_in_vain():
    network = Network((503, {}), {"live": "M"}, [17], {})
    assert await all_told(network, await retried())
    assert network.lines == ["GET /read", "GET /read", "GET /look", "POST /added"]
