"""Success is believed only where the profile says how it is verified, and quantities are compared."""

import httpx
import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from tests.unit.erp_at_hand import CONTEXT, erp_of, message, profile_source
from tests.unit.test_erp_push import Network

LOOK = {"call": "GET /look", "found": "=reply.body.state == 'done'"}


def reporting(**parts):
    return {"name": "report", "call": "POST /report"} | parts


async def advance(network, step, progress=None, attempts=0, **connection):
    source = profile_source({"steps": [step]})
    source["connection"] |= connection
    erp = erp_of(source, network)
    return await erp.advance(erp.plan(message(), CONTEXT), progress or Progress(), attempts)


@pytest.mark.parametrize(
    ("verified", "find"),
    [("reply", LOOK), ("=reply.body.state == 'done'", None), ("=reply.body.state == 'done'", LOOK)],
)
async def test_a_reply_that_shows_the_effect_is_believed(verified, find):
    network = Network({"state": "done"})
    result = await advance(network, reporting(verified=verified) | ({"find": find} if find else {}))
    assert (result.finished, network.lines) == (True, ["POST /report"])


async def test_a_yes_that_shows_nothing_is_looked_up():
    network = Network({"state": "open"}, {"state": "done"})
    result = await advance(network, reporting(verified="reply", find=LOOK))
    assert (result.finished, network.lines) == (True, ["POST /report", "GET /look"])


async def test_a_yes_that_shows_nothing_and_did_nothing_is_a_persons_business():
    network = Network({"state": "open"}, {"state": "open"})
    result = await advance(network, reporting(verified="reply", find=LOOK))
    assert (result.decision.verdict, result.progress) == (Verdict.PARK, Progress(0, unknown=True))
    assert "said yes, but its reply does not show it" in result.decision.reason
    assert '"open"' in result.decision.reason


async def test_a_yes_that_shows_nothing_with_no_way_to_look_is_parked():
    result = await advance(Network({}), reporting(verified="=reply.body.id"))
    assert result.decision.verdict is Verdict.PARK


async def test_what_a_rule_says_is_done_is_believed_as_it_stands():
    rules = [{"status": [409], "verdict": "done", "reason": "already there"}]
    result = await advance(Network((409, {})), reporting(verified="=reply.body.id", rules=rules))
    assert (result.decision.verdict, result.finished) == (Verdict.DONE, True)


async def test_what_is_accepted_for_later_is_looked_for_and_not_sent_again():
    step = reporting(verified="find", find=LOOK | {"every": 30})
    network = Network({}, {"state": "open"}, {"state": "done"})
    sent = await advance(network, step)
    assert (sent.decision.verdict, sent.progress, sent.finished) == (Verdict.DONE, Progress(1), False)
    waiting = await advance(network, step, sent.progress)
    assert (waiting.decision.verdict, waiting.progress) == (Verdict.RETRY, Progress(1))
    assert waiting.decision.after.total_seconds() == 30
    assert (await advance(network, step, waiting.progress)).finished
    assert network.lines == ["POST /report", "GET /look", "GET /look"]


async def test_what_never_appears_is_parked_after_the_usual_attempts_and_sent_again_on_a_persons_word():
    step = reporting(verified="find", find=LOOK)
    parked = await advance(Network({"state": "open"}), step, Progress(1), attempts=11)
    assert (parked.decision.verdict, parked.progress.step) == (Verdict.PARK, 1)
    network = Network({"state": "open"}, {})
    again = await advance(network, step, Progress(1, resend=True))
    assert (again.decision.verdict, again.progress) == (Verdict.DONE, Progress(1))
    assert network.lines == ["GET /look", "POST /report"]


async def test_an_unknown_outcome_may_be_awaited_instead_of_looked_up_once():
    step = reporting(verified="find", find=LOOK, on_unknown="await")
    network = Network(httpx.ReadTimeout("silence"), {"state": "open"}, {"state": "done"})
    lost = await advance(network, step)
    assert (lost.decision.verdict, lost.progress.unknown) == (Verdict.RETRY, True)
    waiting = await advance(network, step, lost.progress)
    assert (waiting.decision.verdict, waiting.progress) == (Verdict.RETRY, Progress(1))
    assert (await advance(network, step, waiting.progress)).finished
    assert network.lines == ["POST /report", "GET /look", "GET /look"]


async def test_an_error_that_took_nothing_is_simply_sent_again():
    rule = {"status": [500], "verdict": "retry", "reason": "rolled back", "not_taken": True}
    step = reporting(verified="reply", find=LOOK, rules=[rule])
    result = await advance(Network((500, {})), step)
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.RETRY, False)


async def test_a_rule_without_status_is_about_success_only():
    rule = {"when": "=!(reply.body.state)", "verdict": "park", "reason": "no state"}
    step = reporting(verified="reply", find=LOOK, rules=[rule])
    assert (await advance(Network({}), step)).decision.reason == "no state"
    assert (await advance(Network((503, {})), step)).decision.verdict is Verdict.RETRY
    errors = reporting(verified="reply", find=LOOK, rules=[rule | {"status": [200, "4xx"]}])
    assert (await advance(Network((404, {})), errors)).decision.reason == "no state"


COMPARE = {"good": {"theirs": "=reply.body.qty", "ours": "=message.good"}}


@pytest.mark.parametrize(
    ("stored", "warnings"),
    [
        (2.5, []),
        ("2.500", []),
        (2, ["good: the ERP has 2, the floor has 2.50"]),
        (None, ["good: the ERP has nothing, the floor has 2.50"]),
        ("many", ["good: the ERP has many, the floor has 2.50"]),
    ],
)
async def test_stored_quantities_are_compared_with_ours(stored, warnings):
    step = reporting(verified={"status": "so says the test"}, compare=COMPARE)
    result = await advance(Network({"qty": stored}), step)
    assert (result.finished, list(result.warnings)) == (True, warnings)
    back = reporting(read_back={"call": "GET /back", "compare": COMPARE})
    result = await advance(Network({"qty": stored}), back, Progress(1))
    assert (result.finished, list(result.warnings)) == (True, warnings)


async def test_the_answer_of_a_reply_may_stand_deeper():
    step = reporting(verified="=reply.result.id", capture={"id": "=reply.result.id"})
    result = await advance(Network({"d": {"id": 5}}), step, result="=reply.body.d")
    assert (result.finished, result.progress.captured) == (True, {"id": 5})
    result = await advance(Network({"id": 6}), step)
    assert result.progress.captured == {"id": 6}


async def test_what_was_found_but_reads_back_otherwise_is_sent_again_from_its_beginning():
    back = {
        "call": "GET /back",
        "expect": [{"that": "=reply.body.done", "otherwise": "retry", "reason": "not done"}],
    }
    step = reporting(verified="find", find=LOOK, read_back=back)
    network = Network({}, {"state": "done"}, {"done": False})
    progress = Progress()
    for expected in (Progress(1), Progress(2), Progress(0)):
        result = await advance(network, step, progress)
        progress = result.progress
        assert progress == expected
    assert result.decision.verdict is Verdict.RETRY
    assert network.lines == ["POST /report", "GET /look", "GET /back"]
