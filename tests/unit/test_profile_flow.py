"""Groups, finds and needs: what a profile writes, and the calls that come of it."""

import httpx
import pytest

from shared.domain.message import MessageKind, Progress
from shared.domain.verdict import Verdict
from shared.errors import ConfigurationError
from shared.profiles.flow import every_step
from shared.profiles.loader import load_profile
from tests.unit.erp_at_hand import CONTEXT, erp_of, message, profile_source

REPORTED = MessageKind.PRODUCTION_REPORTED
DONE = {"status": "so says the test"}


def step(name, **parts):
    return {"name": name, "call": f"POST /{name}", "verified": DONE} | parts


def profile(steps, push=None, **parts):
    source = profile_source({"steps": steps}, **parts)
    source["push"] |= push or {}
    return source


async def told(source, replies=None, **body):
    """Push one message to its end; return `METHOD address body` of each call and the last advance."""
    lines = []

    def handler(request):
        path = request.url.raw_path.decode()
        lines.append(f"{request.method} {path} {request.content.decode()}".strip())
        return httpx.Response(200, json=(replies or {}).get(path, {}))

    erp = erp_of(source, handler)
    plan, progress = erp.plan(message(**body), CONTEXT), Progress()
    while True:
        advance = await erp.advance(plan, progress, 0)
        if advance.finished or advance.decision.verdict is not Verdict.DONE:
            return lines, advance
        progress = advance.progress


def names(source):
    from tests.unit.erp_at_hand import parse_profile, yaml

    loaded = parse_profile(yaml.safe_dump(source), "small.yaml")
    return [placed.name for placed in loaded.flows[REPORTED].steps]


async def test_a_group_stands_where_it_is_used_in_three_ways_of_writing():
    groups = {"act": [step("act", call="POST /{given.what}/{order.number}")]}
    steps = [
        {"use": "act", "with": {"what": "open"}},
        {"act": {"what": "=message.good"}, "name": "report"},
        "close",
    ]
    groups["close"] = [step("close")]
    lines, advance = await told(profile(steps, groups=groups))
    assert lines == ["POST /open/WO%2F1", "POST /2.50/WO%2F1", "POST /close"]
    assert advance.finished
    assert names(profile(steps, groups=groups)) == ["act", "report", "close"]


async def test_what_is_given_passes_through_groups_in_groups():
    groups = {
        "outer": [{"inner": {"id": "=concat(given.id, '-', message.good)"}}],
        "inner": [step("act", call="POST /{given.id}")],
    }
    lines, _ = await told(profile([{"outer": {"id": "=order.number"}}], groups=groups))
    assert lines == ["POST /WO%2F1-2.50"]


async def test_a_condition_of_a_use_holds_for_each_of_its_steps():
    groups = {"two": [step("a", when="=given.first"), step("b")]}
    steps = [
        {"two": {"first": True}, "when": "=message.good == '2.50'"},
        {"two": {"first": True}, "when": "=message.good == 'x'"},
        {"two": {}},
    ]
    lines, _ = await told(profile(steps, groups=groups))
    assert lines == ["POST /a", "POST /b", "POST /b"]
    assert names(profile(steps, groups=groups)) == ["a", "b", "a.2", "b.2", "a.3", "b.3"]


async def test_a_use_may_add_to_what_its_last_step_captures():
    groups = {"make": [step("make", capture={"made": "=reply.body.id"})]}
    steps = [
        {"make": {}, "capture": {"lot": "=captured.made", "no": "=reply.body.no"}},
        step("book", call="POST /{captured.lot}/{captured.no}"),
    ]
    lines, _ = await told(profile(steps, groups=groups), {"/make": {"id": 7, "no": 9}})
    assert lines == ["POST /make", "POST /7/9"]


async def test_a_rule_of_a_use_comes_before_the_steps_own():
    rule = {"status": [200], "verdict": "park"}
    groups = {"act": [step("act", rules=[rule | {"reason": "the group's"}])]}
    steps = [{"act": {}, "rules": [rule | {"reason": "the use's"}]}]
    _, advance = await told(profile(steps, groups=groups))
    assert advance.decision.reason == "the use's"


async def test_a_loop_may_end_with_a_group():
    groups = {
        "finish": [step("stop", call="POST /stop/{given.id}"), step("close", call="POST /close/{given.id}")]
    }
    left = {"name": "left", "call": "GET /left", "capture": {"left": "=!(captured.left) && `5` || `null`"}}
    steps = [
        left,
        {"finish": {"id": "=captured.left"}, "when": "=captured.left", "back_to": "left"},
        step("end"),
    ]
    lines, _ = await told(profile(steps, groups=groups))
    assert lines == ["GET /left", "POST /stop/5", "POST /close/5", "GET /left", "POST /end"]


async def test_a_group_may_be_used_for_each():
    groups = {"book": [step("book", call="POST /book/{item}/{given.at}")]}
    steps = [{"for_each": "=message.serials", "steps": [{"book": {"at": "=order.number"}}]}]
    lines, _ = await told(profile(steps, groups=groups), serials=["A", "B"])
    assert lines == ["POST /book/A/WO%2F1", "POST /book/B/WO%2F1"]


async def test_what_is_needed_comes_first_and_its_values_too():
    push = {
        "order.started": {"values": {"id": "=order.number"}, "steps": [step("start", when="=values.id")]},
        "operation.started": {"needs": ["order.started"], "steps": [step("begin")]},
        "production.reported": {
            "needs": ["operation.started", "order.started"],
            "values": {"both": "=concat(values.id, '!')"},
            "steps": [step("report", call="POST /{values.both}")],
        },
    }
    lines, _ = await told(profile([step("x")], push))
    assert lines == ["POST /start", "POST /begin", "POST /WO%2F1%21"]


async def test_a_find_may_be_named_and_captures_what_its_step_captures():
    finds = {"posting": {"call": "GET /look/{message.id}", "found": "=reply.body.id"}}
    report = step("report", find="posting", capture={"id": "=reply.body.id"})
    source = profile([report], finds=finds)
    lines = []

    def handler(request):
        lines.append(request.url.path)
        return httpx.Response(200, json={"id": 4})

    erp = erp_of(source, handler)
    advance = await erp.advance(erp.plan(message(), CONTEXT), Progress(0, unknown=True), 0)
    assert (lines, advance.progress.captured) == (["/look/m-1"], {"id": 4})


async def test_what_cannot_be_told_is_parked_before_any_call():
    source = profile([step("report")])
    source["push"]["production.reported"]["refuse"] = [
        {"when": "=message.good == '2.50'", "reason": "no place for {message.good}"}
    ]
    lines, advance = await told(source)
    assert (lines, advance.decision.verdict, advance.decision.reason) == (
        [],
        Verdict.PARK,
        "no place for 2.50",
    )


@pytest.mark.parametrize(
    ("steps", "parts", "complaint"),
    [
        (["opn"], {"groups": {"open": [step("a")]}}, "no group is called 'opn'; valid: open"),
        (
            [step("a", find="x")],
            {"finds": {"y": {"call": "GET /", "found": "=reply"}}},
            "no find is called 'x'; valid: y",
        ),
        (["a"], {"groups": {"a": ["b"], "b": ["a"]}}, "group 'a' uses itself"),
        ([step("a"), step("a")], {}, "two steps are called 'a'"),
        ([step("a", back_to="b")], {}, "`back_to: b` names no earlier step"),
        (
            [{"for_each": "=message.serials", "steps": ["g"]}],
            {"groups": {"g": [{"for_each": "=message.serials", "steps": [step("a")]}]}},
            "a `for_each` inside a `for_each`",
        ),
        (
            ["g"],
            {"groups": {"g": [step("a", call="POST /{givn.x}")]}},
            "'givn' is not a fact here; valid: captured, given",
        ),
        ([step("a", call="POST /{given.x}")], {}, "'given' is not a fact here"),
        (
            [step("a", call="POST /{settings.base_ulr}")],
            {},
            "settings has no 'base_ulr'; valid: base_url",
        ),
        (
            [step("a", when="=captured.sate == 'x'", capture={"state": "=reply.body"})],
            {},
            "no step can have captured 'sate' before this; captured by then: (none)",
        ),
        (
            [step("a", call="POST /{values.x}")],
            {},
            "no push that comes here has worked out 'x' before; known by then: (none)",
        ),
        ([{"name": "a", "call": "POST /a"}], {}, "a call that writes needs `verified`; valid: `reply`"),
        ([step("a", verified="reply")], {}, "`verified: reply` needs `find`"),
        ([step("a", verified="read_back")], {}, "`verified: read_back` needs `read_back`"),
        ([step("a", verified="yes")], {}, "'reply', 'find' or 'read_back'"),
        ([step("a", on_unknown="await")], {}, "`on_unknown: await` needs `verified: find`"),
        ([step("a", call="FETCH /a")], {}, "methods: GET, POST"),
        ([step("a", call={"get": "/a", "post": "/b"})], {}, "unknown key 'get'"),
    ],
)
def test_what_cannot_work_is_refused(steps, parts, complaint):
    with pytest.raises(ConfigurationError) as error:
        erp_of(profile(steps, **parts), None)
    assert complaint in str(error.value)


def test_what_needs_itself_is_refused():
    push = {
        "order.started": {"needs": ["order.completed"], "steps": [step("a")]},
        "order.completed": {"needs": ["order.started"], "steps": [step("b")]},
    }
    with pytest.raises(ConfigurationError, match="needs itself"):
        erp_of(profile([step("x")], push), None)


def test_reading_needs_no_verification_whatever_its_method():
    steps = [{"name": "query", "call": {"post": "/query", "reads": True, "body": {"q": "SELECT"}}}]
    (placed,) = [p for p in every_step(erp_of(profile(steps), None)._profile) if p.name == "query"]
    assert (placed.step.unknown_policy, placed.step.call.method) == ("resend", "POST")


def test_a_real_profile_puts_the_release_before_everything_that_needs_it():
    flows = load_profile("tryton").flows
    opened = [placed.name for placed in flows[MessageKind.ORDER_STARTED].steps]
    for kind in (MessageKind.OPERATION_STARTED, MessageKind.PRODUCTION_REPORTED, MessageKind.ORDER_COMPLETED):
        assert [placed.name for placed in flows[kind].steps][: len(opened)] == opened
