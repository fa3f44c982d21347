"""Replies nobody planned for: what is no answer of the ERP is neither its "done" nor its "not there"."""

from datetime import timedelta

import httpx
import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from shared.erp.reply import retry_after
from tests.unit.erp_at_hand import CONTEXT, NOW, erp_of, message, profile_source
from tests.unit.test_erp_push import FIND, step

PAGE = httpx.Response(200, html="<!DOCTYPE html><title>Back soon</title>")
UNTITLED = httpx.Response(200, content=b"\n <html>", headers={"content-type": "text/plain"})
TORN = httpx.Response(200, content=b'{"id": 1', headers={"content-type": "application/json"})
DEEP = httpx.Response(200, content=b"[" * 200_000, headers={"content-type": "application/json"})
EMPTY = httpx.Response(200)
READ = {"name": "read", "call": {"method": "GET", "path": "/read"}, "capture": {"live": "=reply.body.live"}}
DAY = timedelta(days=1)


class Answers:
    """Answers from a list and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.lines = []

    def __call__(self, request):
        self.lines.append(f"{request.method} {request.url.path}")
        return self.answers.pop(0)


async def advance(network, *steps, progress=None, connection=None):
    parts = profile_source()["connection"] | (connection or {})
    erp = erp_of(profile_source({"steps": list(steps)}, connection=parts), network)
    return await erp.advance(erp.plan(message(), CONTEXT), progress or Progress(), 0)


@pytest.mark.parametrize("reply", [PAGE, UNTITLED, TORN, DEEP])
async def test_what_is_no_answer_leaves_a_write_unknown(reply):
    result = await advance(Answers(reply), step(find=FIND))
    assert (result.decision.verdict, result.progress) == (Verdict.RETRY, Progress(unknown=True))
    assert not result.decision.spends_attempt


@pytest.mark.parametrize("reply", [PAGE, UNTITLED, TORN, DEEP, EMPTY])
async def test_what_is_no_answer_does_not_say_that_nothing_is_there(reply):
    network = Answers(reply)
    result = await advance(network, step(find=FIND), progress=Progress(unknown=True))
    assert network.lines == ["GET /look"]
    assert (result.decision.verdict, result.progress) == (Verdict.RETRY, Progress(unknown=True))


@pytest.mark.parametrize("reply", [PAGE, UNTITLED, TORN, DEEP, EMPTY])
async def test_what_is_no_answer_is_not_read(reply):
    result = await advance(Answers(reply), READ, step())
    assert (result.decision.verdict, result.progress.step) == (Verdict.RETRY, 0)


async def test_a_rule_of_the_profile_does_not_judge_a_web_page():
    refused = {"when": "=!(reply.body.id)", "verdict": "park", "reason": "refused"}
    result = await advance(Answers(PAGE), step(rules=[refused]))
    assert "a web page came, no answer of the ERP" in result.decision.reason


async def test_plain_text_is_an_answer():
    result = await advance(Answers(httpx.Response(200, text="OK 17")), step(capture={"id": "=reply.body"}))
    assert (result.finished, result.progress.captured) == (True, {"id": "OK 17"})


async def test_no_content_on_purpose_is_an_answer():
    nothing = {"call": {"method": "GET", "path": "/look"}, "found": "=reply.body"}
    network = Answers(httpx.Response(204), httpx.Response(200, json={}))
    await advance(network, step(find=nothing), progress=Progress(unknown=True))
    assert network.lines == ["GET /look", "POST /report"]


GATEWAY = httpx.Response(200, json={"message": "no route"})


async def test_json_that_is_no_answer_of_this_erp_says_nothing():
    look = {"call": {"method": "GET", "path": "/look"}, "found": "=reply.body.postings[0]"}
    ours = {"answers": "=reply.body.postings"}
    unknown = Progress(unknown=True)
    result = await advance(Answers(GATEWAY), step(find=look), progress=unknown, connection=ours)
    assert (result.decision.verdict, result.progress) == (Verdict.RETRY, unknown)
    assert "no answer of the ERP came, but something else" in result.decision.reason
    empty, done = httpx.Response(200, json={"postings": []}), httpx.Response(200, json={"id": 1})
    network = Answers(empty, done)  # a write is told otherwise: there the profile says what shows its effect
    assert (await advance(network, step(find=look), progress=unknown, connection=ours)).finished
    assert network.lines == ["GET /look", "POST /report"]


STORED = {"theirs": "=reply.body.stored", "ours": "=decimal(message.good)"}


@pytest.mark.parametrize(
    ("stored", "warnings"), [("2.50", []), ("2", ["good: the ERP has 2, the floor has 2.50"])]
)
async def test_what_is_found_is_compared_too(stored, warnings):
    look = {"call": {"method": "GET", "path": "/look"}, "found": "=reply.body", "compare": {"good": STORED}}
    found = httpx.Response(200, json={"stored": stored})
    result = await advance(Answers(found), step(find=look), progress=Progress(unknown=True))
    assert (result.finished, result.warnings) == (True, warnings)


async def test_what_comes_late_is_compared_when_it_has_come():
    look = {"call": {"method": "GET", "path": "/look"}, "found": "=reply.body.stored"}
    late = step(find=look, verified="find", compare={"good": STORED})
    accepted = await advance(Answers(httpx.Response(202)), late)
    assert accepted.warnings == []
    come = await advance(Answers(httpx.Response(200, json={"stored": "2"})), late, progress=accepted.progress)
    assert come.warnings == ["good: the ERP has 2, the floor has 2.50"]


@pytest.mark.parametrize(
    "parts",
    [
        {"capture": {"id": "=integer(reply.body.id)"}},
        {"verified": "=integer(reply.body.id)"},
        {"compare": {"good": {"theirs": "=reply.body.id", "ours": "=divide(`1`, `0`)"}}},
        {"rules": [{"when": "=integer(reply.body.id)", "verdict": "park", "reason": "no"}]},
    ],
)
async def test_a_yes_that_cannot_be_worked_out_may_have_been_done(parts):
    result = await advance(Answers(httpx.Response(200, json={"id": "abc"})), step(**parts))
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.PARK, True)


async def test_a_read_that_cannot_be_worked_out_has_done_nothing():
    read = READ | {"capture": {"live": "=integer(reply.body.id)"}}
    result = await advance(Answers(httpx.Response(200, json={"id": "abc"})), read, step())
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.PARK, False)


@pytest.mark.parametrize(
    "rule",
    [
        {"verdict": "retry", "reason": "closed: {reply.body.period}"},
        {"verdict": "retry", "reason": "closed", "after": "=reply.body.when"},
        {"when": "=integer(reply.body.when)", "verdict": "park", "reason": "no"},
    ],
)
async def test_what_a_rule_cannot_quote_changes_nothing_about_an_error(rule):
    answer = httpx.Response(503, json={"when": "soon"})
    result = await advance(Answers(answer), step(find=FIND, rules=[{"status": [503], **rule}]))
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.RETRY, True)


@pytest.mark.parametrize("remaining", ["many", "100;w=60", "", "NaN"])
async def test_an_allowance_that_cannot_be_read_changes_nothing_about_the_call(remaining):
    rates = {"remaining": "=reply.headers.left", "reset": "=reply.headers.reset"}
    answer = httpx.Response(200, json={}, headers={"left": remaining, "reset": "soon"})
    result = await advance(Answers(answer), step(), connection={"limits": {"rate_headers": rates}})
    assert result.finished


async def test_too_large_an_answer_leaves_a_write_unknown():
    answer = httpx.Response(200, json={"id": "x" * 9000})
    result = await advance(Answers(answer), step(find=FIND), connection={"limits": {"reply_bytes": 1024}})
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.RETRY, True)


@pytest.mark.parametrize(
    ("stated", "wait"),
    [
        ("99999999999999", None),
        ("9" * 5000, None),
        ("²", None),
        ("31536000", DAY),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        ("Fri, 31 Dec 9999 23:59:59 -1200", DAY),
        ("Fri, 31 Dec 1999 23:59:59 GMT", timedelta()),
        ("in a minute", None),
    ],
)
def test_nobody_waits_for_more_than_a_day(stated, wait):
    assert retry_after(stated, NOW) == wait


class OddError(Exception):
    """What nobody has thought of."""


async def test_a_defect_is_shown_to_a_person_and_not_tried_for_ever():
    def defect(_request):
        raise OddError("what nobody has thought of")

    result = await advance(defect, step())
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.PARK, True)
    assert result.decision.reason == "OddError: what nobody has thought of"
