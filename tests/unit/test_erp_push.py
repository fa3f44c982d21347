"""One step at a time: what is sent, looked up, captured, believed."""

import json

import httpx
import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from shared.erp.port import Exempt, Missing, PushContext
from shared.errors import ConfigurationError
from tests.unit.erp_at_hand import CONTEXT, SECRET, erp_of, message, profile_source

FIND = {
    "call": {"method": "GET", "path": "/look"},
    "found": "=reply.body",
    "capture": {"id": "=reply.body[0]"},
}


def step(name="report", **parts):
    verified = {"verified": {"status": "so says the test"}}
    return {"name": name, "call": {"path": f"/{name}"}} | verified | parts


class Network:
    """Answers from a list and keeps what was asked; an exception in the list is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, json=body)

    @property
    def lines(self):
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.asked]


async def advance(network, *steps, progress=None, attempts=0, **settings):
    erp = erp_of(profile_source({"steps": list(steps)}), network, **settings)
    return await erp.advance(erp.plan(message(), CONTEXT), progress or Progress(), attempts)


async def test_a_step_is_sent_captured_and_counted():
    network = Network({"id": 17, "cost": 1.10})
    capture = {"id": "=reply.body.id", "cost": "=reply.body.cost"}
    call = {
        "path": "/o/{order.number}",
        "body": {"good": "=decimal(message.good)", "note?": "=message.reason"},
    }
    result = await advance(network, step(call=call, capture=capture), step("next"))
    assert network.lines == ["POST /o/WO%2F1"]
    assert json.loads(network.asked[0].content) == {"good": "2.50"}
    assert result.decision.verdict is Verdict.DONE
    assert result.progress == Progress(1, captured={"id": 17, "cost": "1.1"})
    assert not result.finished


async def test_decimals_travel_as_numbers_where_the_profile_says_so():
    network = Network({})
    source = profile_source()
    source["connection"]["decimals"] = "number"
    erp = erp_of(source, network)
    await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert network.asked[0].content == b'{"good":2.50}'


async def test_steps_whose_condition_fails_cost_no_call():
    network = Network({})
    never = "=message.good == 'none'"
    result = await advance(network, step("a", when=never), step("b"), step("c", when=never))
    assert network.lines == ["POST /b"]
    assert result.finished
    assert result.progress.step == 3


async def test_a_push_without_any_applicable_step_is_done():
    result = await advance(Network(), step(when="=message.batch"))
    assert (result.decision.verdict, result.finished) == (Verdict.DONE, True)


@pytest.mark.parametrize(
    ("answer", "policy", "verdict", "unknown"),
    [
        (httpx.ConnectError("refused"), {"find": FIND}, Verdict.RETRY, False),
        (httpx.ReadTimeout("silence"), {"find": FIND}, Verdict.RETRY, True),
        (httpx.ReadTimeout("silence"), {}, Verdict.PARK, True),
        (httpx.ReadTimeout("silence"), {"idempotency_header": "Idempotency-Key"}, Verdict.RETRY, True),
        ((503, {}), {"find": FIND}, Verdict.RETRY, True),
        ((503, {}), {}, Verdict.PARK, True),
        ((429, {}), {}, Verdict.RETRY, False),
        ((401, {}), {}, Verdict.HALT, False),
        ((422, {"error": "no"}), {}, Verdict.PARK, False),
    ],
)
async def test_what_a_failure_leaves_behind(answer, policy, verdict, unknown):
    result = await advance(Network(answer), step(**policy))
    assert (result.decision.verdict, result.progress) == (verdict, Progress(0, unknown))
    assert not result.finished


async def test_an_unknown_step_is_looked_up_and_not_sent_again():
    network = Network([17])
    result = await advance(network, step(find=FIND), progress=Progress(0, unknown=True))
    assert network.lines == ["GET /look"]
    assert (result.decision.verdict, result.progress, result.finished) == (
        Verdict.DONE,
        Progress(1, captured={"id": 17}),
        True,
    )


async def test_an_unknown_step_that_is_not_there_is_sent():
    network = Network([], {})
    result = await advance(network, step(find=FIND), progress=Progress(0, unknown=True))
    assert network.lines == ["GET /look", "POST /report"]
    assert result.finished


async def test_while_nobody_can_look_nothing_is_sent():
    network = Network(httpx.ConnectError("refused"))
    result = await advance(network, step(find=FIND), progress=Progress(0, unknown=True))
    assert network.lines == ["GET /look"]
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.RETRY, True)


async def test_an_unknown_step_without_a_look_up_is_parked_unsent():
    network = Network()
    result = await advance(network, step(), progress=Progress(0, unknown=True))
    assert (result.decision.verdict, network.lines) == (Verdict.PARK, [])


async def test_an_unknown_step_without_a_look_up_is_sent_on_a_persons_word():
    network = Network({})
    result = await advance(network, step(), progress=Progress(0, unknown=True, resend=True))
    assert (result.decision.verdict, len(network.lines)) == (Verdict.DONE, 1)
    assert not result.progress.resend


async def test_the_unknown_step_is_the_one_that_applied():
    network = Network([17])
    never = step("never", when="=message.batch")
    result = await advance(network, never, step(find=FIND), progress=Progress(0, unknown=True))
    assert network.lines == ["GET /look"]
    assert result.finished


async def test_the_idempotency_key_is_the_same_for_every_try():
    network = Network((429, {}), {})
    keyed = step(idempotency_header="Idempotency-Key")
    await advance(network, keyed)
    await advance(network, keyed, progress=Progress(0, unknown=True))
    assert [request.headers["Idempotency-Key"] for request in network.asked] == ["m-1-0", "m-1-0"]


async def test_a_rule_overrules_the_status():
    rules = [
        {"status": [200], "when": "=reply.body.error", "verdict": "park", "reason": "says {reply.body.error}"}
    ]
    result = await advance(Network({"error": "no stock"}), step(rules=rules))
    assert (result.decision.verdict, result.decision.reason) == (Verdict.PARK, "says no stock")


@pytest.mark.parametrize(("found", "verdict"), [([17], Verdict.DONE), ([], Verdict.PARK)])
async def test_a_rule_may_ask_to_look_first(found, verdict):
    rules = [{"status": [400], "verdict": "park", "look": True, "reason": "refused"}]
    network = Network((400, {}), found)
    result = await advance(network, step(rules=rules, find=FIND))
    assert network.lines == ["POST /report", "GET /look"]
    assert result.decision.verdict is verdict


READ_BACK = {
    "call": {"method": "GET", "path": "/back"},
    "expect": [
        {"that": "=decimal(reply.body.good) == decimal(message.good)", "reason": "ERP has {reply.body.good}"},
        {"that": "=reply.body.done", "otherwise": "retry", "reason": "not done"},
    ],
}


async def test_success_is_believed_when_read_back():
    network = Network({}, {"good": 2.5, "done": True})
    first = await advance(network, step(read_back=READ_BACK))
    assert not first.finished
    second = await advance(network, step(read_back=READ_BACK), progress=first.progress)
    assert (second.finished, second.warnings) == (True, [])
    assert network.lines == ["POST /report", "GET /back"]


async def test_other_quantities_are_a_warning():
    network = Network({"good": 2, "done": True})
    result = await advance(network, step(read_back=READ_BACK), progress=Progress(1))
    assert (result.finished, result.warnings) == (True, ["ERP has 2"])


async def test_a_yes_that_did_nothing_is_sent_again():
    network = Network({"good": 2.5, "done": False})
    result = await advance(network, step(read_back=READ_BACK), progress=Progress(1))
    assert (result.decision.verdict, result.progress) == (Verdict.RETRY, Progress(0))


async def test_for_each_repeats_its_steps_with_the_item():
    group = {
        "for_each": "=message.serials",
        "steps": [
            step("lot", call={"path": "/lot/{item}"}, capture={"lot": "=reply.body"}),
            step("move", call={"path": "/move/{captured.lot}"}),
        ],
    }
    network = Network(1, {}, 2, {})
    erp = erp_of(profile_source({"steps": [group]}), network)
    plan = erp.plan(message(serials=["A", "B"]), CONTEXT)
    progress, finished = Progress(), False
    while not finished:
        result = await erp.advance(plan, progress, 0)
        progress, finished = result.progress, result.finished
    assert network.lines == ["POST /lot/A", "POST /move/1", "POST /lot/B", "POST /move/2"]


async def test_back_to_goes_round_until_nothing_is_left():
    steps = [
        step("left", call={"method": "GET", "path": "/left"}, capture={"left": "=reply.body[0]"}),
        step("finish", when="=captured.left", call={"path": "/finish/{captured.left}"}, back_to="left"),
        step("complete"),
    ]
    network = Network([5, 6], {}, [6], {}, [], {})
    progress, finished = Progress(), False
    while not finished:
        result = await advance(network, *steps, progress=progress)
        progress, finished = result.progress, result.finished
    assert network.lines[1::2] == ["POST /finish/5", "POST /finish/6", "POST /complete"]


def test_what_is_missing_holds_the_message_before_any_call():
    values = {
        "code": "=link('scrap_reason', message.reason)",
        "row": "=need(operation.erp_ref.row, 'operation', '10')",
    }
    erp = erp_of(profile_source({"values": values, "steps": [step()]}), Network())
    known = PushContext(CONTEXT.order, {"erp_ref": {"row": 1}}, {"scrap_reason": {"S1": "X"}})
    assert erp.plan(message(reason="S9"), known) == Missing("scrap_reason", "S9")
    assert erp.plan(message(), CONTEXT) == Missing("operation", "10")
    assert erp.plan(message(), PushContext({}, {})) == Missing("order", "stream")
    assert erp.plan(message(), PushContext(CONTEXT.order, {})) == Missing("operation", "10")
    assert erp.plan(message(reason="S1"), known).facts["values"] == {"code": "X", "row": 1}


def test_a_kind_without_a_place_is_exempt():
    erp = erp_of(profile_source(), Network())
    other = message(kind="correction")
    assert erp.plan(message(type(message().kind).CORRECTION), CONTEXT) == Exempt("not in this test")
    assert not erp.pushes(other.kind)
    assert erp.pushes(message().kind)


async def test_a_body_that_cannot_be_built_is_parked_not_raised():
    result = await advance(Network(), step(call={"path": "/x/{operation.erp_ref.gone}"}))
    assert result.decision.verdict is Verdict.PARK
    assert "operation.erp_ref.gone" in result.decision.reason


@pytest.mark.parametrize(
    "auth",
    [
        {"kind": "basic", "username": "u", "password": "=settings.password"},
        {"kind": "bearer", "token": "=settings.password"},
        {"kind": "api_key", "header": "X-Key", "value": "k {settings.password}"},
    ],
)
async def test_no_secret_is_in_the_evidence(auth):
    source = profile_source()
    source["connection"]["auth"] = auth
    body = {"path": "/x", "body": {"n": "=message.reason"}}
    source["push"]["production.reported"] = {"steps": [step(call=body)]}
    reply = httpx.Response(422, text=f"{json.dumps({'you sent': SECRET})} {SECRET}")
    sent = []
    erp = erp_of(source, lambda request: sent.append(request) or reply, password="vault-password")
    told = repr(await erp.advance(erp.plan(message(reason=SECRET), CONTEXT), Progress(), 0))
    assert any(SECRET in value or "dTpwYSJz" in value for value in sent[-1].headers.values())
    assert SECRET not in told
    assert SECRET.replace('"', '\\"') not in told
    assert "•••" in told


@pytest.mark.parametrize("status", [200, 422])
async def test_what_is_really_sent_is_a_secret_too(status):
    """Basic authentication sends neither name nor password as they stand."""
    source = profile_source({"steps": [step(capture={"said": "=reply.body"})]})
    source["connection"]["auth"] = {"kind": "basic", "username": "u", "password": "=settings.password"}
    sent = []

    def echo(request):
        sent.append(request.headers["Authorization"])
        return httpx.Response(status, json={"headers": dict(request.headers)})

    erp = erp_of(source, echo, password="vault-password")
    told = repr(await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0))
    assert sent[0].startswith("Basic dTpwYSJz")
    assert "dTpwYSJz" not in told
    assert "Basic •••" in told


@pytest.mark.parametrize(
    ("auth", "missing"),
    [
        ({"kind": "basic", "username": "u", "password": "=settings.password"}, "password"),
        ({"kind": "basic", "username": "=settings.password", "password": "p"}, "user name"),
        ({"kind": "bearer", "token": "=settings.password"}, "token"),
    ],
)
async def test_credentials_that_are_not_set_halt_the_connection(auth, missing):
    source = profile_source()
    source["connection"]["auth"] = auth
    network = Network()
    result = await erp_of(source, network).advance(
        erp_of(source, network).plan(message(), CONTEXT), Progress(), 0
    )
    assert (network.lines, result.decision.verdict) == ([], Verdict.HALT)
    assert f"no {missing} is set" in result.decision.reason


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"colour": "red"}, "unknown setting 'colour'; valid: base_url, password"),
        ({"base_url": "erp.test"}, "not an address that begins with http"),
        ({"base_url": "https://joe:pw@erp.test"}, "must not hold a user or a password"),
        ({"base_url": None}, "setting 'base_url' is missing: where"),
    ],
)
def test_settings_are_checked_before_anything_is_called(settings, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        erp_of(profile_source(), Network(), **settings)


async def test_a_secret_across_the_cut_of_an_excerpt_is_removed_whole():
    source = profile_source()
    source["connection"]["auth"] = {"kind": "bearer", "token": "=settings.password"}
    reply = httpx.Response(422, text="x" * 295 + " " + SECRET)
    erp = erp_of(source, lambda _request: reply, password="vault-password")
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert SECRET[:3] not in result.decision.reason
    assert len(result.decision.reason) < 320
