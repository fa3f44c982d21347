"""Names that nothing gives, calls that lead elsewhere, words that mean nothing: refused when the profile loads."""

import httpx
import pytest
import yaml

from functions.bodies import Link
from shared.domain.message import MessageKind, Progress
from shared.domain.verdict import ReplyKind
from shared.erp.client import HttpReply
from shared.erp.paging import Page
from shared.erp.reply import ReplyFacts
from shared.errors import ConfigurationError
from shared.mapping.body_out import message_facts, told_facts
from shared.mapping.expressions import Expression, Template
from shared.mapping.message_body import context_of, message_of
from shared.profiles.codes import LINK_KIND
from shared.profiles.loader import load_profile, parse_profile, shipped_profiles
from shared.profiles.scope import FIXED
from tests.unit.erp_at_hand import CONTEXT, erp_of, message, profile_source
from tests.unit.floor_words import correction, made, plan
from tests.unit.test_message_body import queued

DONE = {"status": "so says the test"}
CORRECTION = queued(
    MessageKind.CORRECTION,
    correction("b", "a"),
    "10",
    voided_sequence=3,
    voided_kind=MessageKind.PRODUCTION_REPORTED,
    voided_event=made("a", 0),
)


def step(name="report", **parts):
    return {"name": name, "call": f"POST /{name}", "verified": DONE} | parts


def loaded(source):
    return parse_profile(yaml.safe_dump(source, sort_keys=False), "small.yaml")


def refused(source):
    with pytest.raises(ConfigurationError) as error:
        loaded(source)
    assert str(error.value).startswith("small.yaml:")
    return str(error.value)


def reporting(*steps, push=None, **parts):
    return profile_source({"steps": list(steps)} | (push or {}), **parts)


# --- facts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "made_of"),
    [
        ("message", lambda: message_facts(message_of(CORRECTION, plan("10", "20"), {}))),
        ("told", lambda: told_facts(message_of(CORRECTION, plan("10", "20"), {}))),
        ("order", lambda: context_of(CORRECTION, plan("10", "20"), {}).order),
        ("operation", lambda: context_of(CORRECTION, plan("10", "20"), {}).operation),
        ("reply", lambda: ReplyFacts(HttpReply(ReplyKind.ANSWERED, 200), str).over({})["reply"]),
        ("page", lambda: Page(100).facts()),
    ],
)
def test_the_fields_that_profiles_may_read_are_those_that_we_make(fact, made_of):
    assert set(made_of()) == FIXED[fact]


@pytest.mark.parametrize(
    "when",
    [
        "=message.god",
        "=message.god[0].x",
        "=told.god",
        "=order.nmber",
        "=operation.operationid",
        "=contains(['a'], message.god)",
        "=message.good && order.nmber",
        "={a: operation.nam}",
    ],
)
def test_a_misspelt_field_of_a_fact_is_refused(when):
    assert "; valid: " in refused(reporting(step(when=when)))


@pytest.mark.parametrize(
    "verified", ["=reply.boddy.id", "=reply.sttus", "=reply.bodies[0].id", "=!(reply.headrs.x)"]
)
def test_a_misspelt_part_of_a_reply_is_refused(verified):
    assert "valid: body, headers, result, status" in refused(reporting(step(verified=verified)))


@pytest.mark.parametrize(
    "when",
    [
        "=message.voids.body.good",
        "=order.erp_ref.whatever.there.is",
        "=operation.erp_ref.whatever",
        "=order.operations[0].erp_ref",
        "=keys(message)",
        "=message.reason",
    ],
)
def test_what_only_the_erp_knows_is_not_checked(when):
    assert loaded(reporting(step(when=when)))


@pytest.mark.parametrize(
    "found",
    [
        "=reply.body.value[?Ref == told.id]",
        "=reply.body.value[].{a: told.id}",
        "=reply.body.value[?contains(told.serials, no)]",
        "=reply.body | [?Ref == told.id]",
        "=sort_by(reply.body.value, &told.id)",
    ],
)
def test_a_fact_in_a_projection_which_cannot_see_it_is_refused(found):
    find = {"call": "GET /look", "found": found}
    assert "steps.0.find.found: `told." in refused(reporting(step(find=find)))


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"after": "=page.curser"}, "page has no 'curser'; valid: cursor, number, offset, size"),
        ({"map": "=pagee.cursor"}, "'pagee' is not a fact here"),
        ({"records": "=reply.body"}, "'reply' is not a fact here"),
        ({"x": "=settings.password"}, "'password' is a secret: only `connection` may read it"),
    ],
)
def test_a_field_of_a_query_may_be_called_like_a_word_of_ours(query, complaint):
    source = profile_source()
    source["pull"]["orders"]["call"]["query"] = query
    assert complaint in refused(source)


def test_a_misspelt_setting_is_refused_in_a_record_too():
    source = profile_source()
    source["pull"]["orders"]["map"]["due_at"] = "=instant(due, settings.zoen)"
    assert "pull.orders.map.due_at: settings has no 'zoen'; valid: base_url" in refused(source)


# --- groups -------------------------------------------------------------------------------------------------

ACT = step("act", call="POST /{given.action}/{given.action}")


@pytest.mark.parametrize(
    ("uses", "groups", "complaint"),
    [
        (
            [{"act": {"action": "x", "sattes": []}}],
            {"act": [ACT]},
            "steps.0.act.sattes: group 'act' does not read `given.sattes`; it reads: action",
        ),
        (
            [{"use": "act", "with": {"actino": "x"}}],
            {"act": [ACT]},
            "steps.0.with.actino: group 'act' does not read `given.actino`; it reads: action",
        ),
        (
            [{"act": {"action": "x"}}],
            {"act": [ACT | {"find": {"call": "GET /{given.acton}", "found": "=reply.body"}}]},
            "groups.act.0.find.call: no use of group 'act' gives 'acton'; given: action",
        ),
        (["act"], {"act": [ACT]}, "no use of group 'act' gives 'action'; given: (none)"),
        (
            [{"outer": {"id": "x", "no": "y"}}],
            {"outer": [{"act": {"action": "=given.id"}}], "act": [ACT]},
            "steps.0.outer.no: group 'outer' does not read `given.no`; it reads: id",
        ),
        (
            [{"outer": {"id": "x"}}],
            {"outer": [{"act": {"action": "=given.id", "id": "=given.id"}}], "act": [ACT]},
            "groups.outer.0.act.id: group 'act' does not read `given.id`",
        ),
        (
            [{"act": {"action": "x"}, "capture": {"a": "=given.acton"}}],
            {"act": [ACT]},
            "steps.0.capture.a: no use of group 'act' gives 'acton'; given: action",
        ),
    ],
)
def test_groups_and_their_uses_agree(uses, groups, complaint):
    assert complaint in refused(reporting(*uses, groups=groups))


@pytest.mark.parametrize(
    "group",
    [
        [step("act", call={"path": "/{given.a}", "body": "=given"})],
        [step("act", call={"path": "/{given.a}/{given.b || 'x'}"})],
        [step("act", call={"path": "/{given.a}", "body": {"b?": "=given.b"}})],
        [step("act", call={"path": "/{given.a}", "body": {"...": "=given.b"}})],
        [step("look", when="=given.b", call="POST /{given.b}"), step("act", call="POST /{given.a}")],
        [step("act", call={"path": "/{given.a[0]}", "body": "=default(given.b, 'x')"})],
        [step("act", call="POST /{given.a}", find="one")],
        [{"for_each": "=given.a", "steps": [step("act")]}],
    ],
)
def test_a_group_may_do_without_what_it_asks_for(group):
    finds = {"one": {"call": "GET /{given.a}", "found": "=reply.body"}}
    assert loaded(reporting({"act": {"a": ["x"]}}, groups={"act": group}, finds=finds))


async def test_what_a_use_adds_sees_what_its_group_was_given():
    uses = [
        {"act": {"action": "go"}, "capture": {"a": "=given.action"}},
        step("b", call="POST /b/{captured.a}"),
    ]
    erp = erp_of(reporting(*uses, groups={"act": [ACT]}), lambda _request: httpx.Response(200, json={}))
    push = erp.plan(message(), CONTEXT)
    first = await erp.advance(push, Progress(), 0)
    assert first.progress.captured == {"a": "go"}


# --- captures and values ------------------------------------------------------------------------------------

TAKE = {"capture": {"a": "=reply.body.a"}}
FIND = {"call": "GET /look", "found": "=reply.body", "capture": {"f": "=reply.body.f"}}


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (
            [step(when="=captured.a"), step("b", **TAKE)],
            "steps.0.when: no step can have captured 'a' before this",
        ),
        (
            [step(**TAKE, call="POST /{captured.a}")],
            "steps.0.call: no step can have captured 'a' before this",
        ),
        ([step(capture={"a": "=captured.b", "b": "=reply.body"})], "no step can have captured 'b'"),
        (
            [step(**TAKE, compare={"x": {"theirs": "=captured.a", "ours": "=told.good"}})],
            "captured by then: (none)",
        ),
        (
            [step(find=FIND, verified="=reply.body == captured.f"), step("b", **TAKE)],
            "steps.0.verified: no step can",
        ),
        (
            [step("x", capture={"x": "=reply"}), step(when="=captured.a"), step("b", **TAKE)],
            "captured by then: x",
        ),
        ([step(when="=item.x")], "steps.0.when: 'item' is known inside `for_each` only"),
    ],
)
def test_what_nothing_can_have_captured_yet_is_refused(steps, complaint):
    assert complaint in refused(reporting(*steps))


@pytest.mark.parametrize(
    "steps",
    [
        [step(**TAKE), step("b", when="=captured.a")],
        [step(find=FIND), step("b", when="=captured.f")],
        [step("x"), step(when="=captured.a"), step("b", **TAKE, back_to="x")],
        [{"for_each": "=told.serials", "steps": [step(when="=!(captured.a) && item"), step("b", **TAKE)]}],
        [
            step(
                **TAKE,
                find={"call": "GET /{captured.a}", "found": "=reply.body == captured.a"},
                verified="find",
            )
        ],
        [
            step(
                **TAKE, read_back={"call": "GET /{captured.a}", "expect": [{"that": "=reply", "reason": "x"}]}
            )
        ],
        [{"g": {"v": "=captured.a"}}, step("c", when="=captured.b")],
        [{"use": "take", "capture": {"b": "=captured.a"}}, step("c", when="=captured.b")],
    ],
)
def test_what_may_have_been_captured_is_not_refused(steps):
    groups = {
        "g": [step("one", **TAKE), step("two", call="POST /{given.v}", capture={"b": "=reply.body"})],
        "take": [step("one", **TAKE)],
    }
    assert loaded(reporting(*steps, groups=groups))


def test_a_group_may_read_what_only_one_of_its_pushes_has_captured():
    source = reporting("g", groups={"g": [step("a", when="=captured.a")]})
    source["push"]["time.recorded"] = {"steps": ["g", step("z", **TAKE)]}
    assert "groups.g.0.when: no step can have captured 'a' before" in refused(source)
    source["push"]["time.recorded"] = {"steps": [step("z", **TAKE), "g"]}
    assert loaded(source)


@pytest.mark.parametrize(
    "when", ["=captured.a || told.good", "=!(captured.a)", "=[captured.a, told.batch][?@]"]
)
def test_a_group_may_do_without_what_a_push_that_is_left_out_captures(when):
    source = reporting("g", groups={"g": [step("a", when=when)], "unused": [step("z", **TAKE)]})
    assert loaded(source)
    del source["groups"]["unused"]
    assert "groups.g.0.when: no step can have captured 'a' before" in refused(source)


def test_a_group_that_nothing_uses_may_read_what_a_push_that_is_left_out_worked_out():
    assert loaded(reporting(step(), groups={"g": [step("a", when="=values.v && captured.a")]}))


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_kind_that_no_other_needs_may_be_left_out_of_a_shipped_profile(name, tmp_path):
    pushes = load_profile(name).push
    needed = {kind for push in pushes.values() for kind in push.needs}
    for kind in (kind for kind, push in pushes.items() if not push.exempt and kind not in needed):
        gone = ", ".join(
            f"{key}: null" for key in ("steps", "values", "needs", "refuse", "combine", "takes_back")
        )
        path = tmp_path / f"{kind}.yaml"
        path.write_text(
            f"extends: {name}\npush: {{{kind}: {{exempt: not wanted, {gone}}}}}\n", encoding="utf-8"
        )
        assert load_profile(str(path)).push[kind].exempt


@pytest.mark.parametrize(
    ("push", "complaint"),
    [
        (
            {"values": {"a": "=values.b", "b": "=told.good"}},
            "values.a: no push that comes here has worked out 'b'",
        ),
        (
            {"values": {"a": "=lookup('unit_of_tiem', told.unit, `null`)"}},
            "no table 'unit_of_tiem'; valid: unit_of_time",
        ),
        ({"values": {"a": "=link('Scrap-Reason', told.reason)"}}, "'Scrap-Reason' cannot be a kind of link"),
        (
            {"refuse": [{"when": "=captured.a", "reason": "x"}]},
            "refuse.0.when: no step can have captured 'a'",
        ),
    ],
)
def test_what_is_not_there_before_the_first_call_is_refused(push, complaint):
    codes = {"unit_of_time": {"MIN": "min"}}
    assert complaint in refused(reporting(step(**TAKE), push=push, codes=codes))


def test_the_values_of_another_push_are_refused():
    source = reporting(step(when="=values.spent"))
    source["push"]["time.recorded"] = {"values": {"spent": "=told.seconds"}, "steps": [step("book")]}
    assert "no push that comes here has worked out 'spent' before" in refused(source)


def test_the_values_a_repetition_goes_over_are_those_of_its_push():
    source = reporting(
        {"for_each": "=values.spnt", "steps": [step("book")]}, push={"values": {"spent": "=told.serials"}}
    )
    assert (
        "steps.0.for_each: no push that comes here has worked out 'spnt' before; known by then: spent"
        in refused(source)
    )


def test_what_may_be_a_kind_of_link_is_what_the_api_takes():
    (rule,) = (each for each in Link.model_fields["kind"].metadata if getattr(each, "pattern", None))
    assert rule.pattern == f"^{LINK_KIND.pattern}$"


# --- functions, templates, addresses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "takes"),
    [
        ("contains(a)", "contains() takes 2 to 2 arguments, not 1"),
        ("length(a, b)", "length() takes 1 to 1 arguments, not 2"),
        ("sort_by(a)", "sort_by() takes 2 to 2 arguments, not 1"),
        ("join(',', a, b)", "join() takes 2 to 2 arguments, not 3"),
        ("merge()", "merge() takes 1 or more arguments, not 0"),
    ],
)
def test_functions_of_jmespath_are_counted_too(source, takes):
    with pytest.raises(ValueError, match=takes.replace("(", r"\(").replace(")", r"\)")):
        Expression(source)


@pytest.mark.parametrize(
    "source", ["/o/{order.number", "/o/order.number}", "/o/{{order.number}}", "/o/{a: {b: c}}"]
)
def test_a_brace_that_is_no_holes_is_refused(source):
    with pytest.raises(ValueError, match="hole"):
        Template(source)


def test_braces_of_ones_own_are_said_by_an_expression():
    assert Expression("concat('{', n, '}')")({"n": 7}) == "{7}"
    assert Template(r"""{`"\u007b"`}{n}""")({"n": 7}) == "{7"


@pytest.mark.parametrize(
    "path", ["report", "@evil.test/x", ".evil.test/x", "http://evil.test/x", "{order.number}/x", ":80/x"]
)
def test_a_path_that_could_name_another_host_is_refused(path):
    complaint = f"{path!r} does not begin with '/'"
    assert complaint in refused(reporting(step(call={"path": path})))
    assert complaint in refused(reporting(step(call={"post": path})))
    assert complaint in refused(reporting(step(call=f"POST {path}")))


def test_an_unquoted_hole_is_told_to_be_quoted():
    source = yaml.safe_dump(profile_source()).replace("'{settings.base_url}'", "{settings.base_url}")
    with pytest.raises(ConfigurationError, match=r"connection\.base_url: .* has to be quoted"):
        parse_profile(source, "small.yaml")


# --- words and numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"released": []}, "pull.orders.state.released: "),
        (
            {"released": ["a"], "completed": ["a"]},
            "state.completed: 'a' is released already: a state has one meaning",
        ),
        ({"released": ["a"], "ignored": ["b", "b"]}, "state.ignored: 'b' is ignored already"),
    ],
)
def test_a_state_has_one_meaning(state, complaint):
    source = profile_source()
    source["pull"]["orders"]["state"] = {"value": "=state"} | state
    assert complaint in refused(source)


@pytest.mark.parametrize(
    "connection",
    [
        {"timeouts": {"reply": 0}},
        {"timeouts": {"reply": -1}},
        {"timeouts": {"connect": "nan"}},
        {"timeouts": {"connect": "inf"}},
        {"timeouts": {"connect": True}},
        {"limits": {"concurrency": True}},
        {"limits": {"page_size": True}},
        {"limits": {"page_size": "100"}},
        {"limits": {"requests_per_second": "inf"}},
        {"limits": {"requests_per_second": True}},
        {"limits": {"quiet_hours": [{"start": "25:00", "end": "06:00", "zone": "UTC"}]}},
        {"limits": {"quiet_hours": [{"start": "10 pm", "end": "06:00", "zone": "UTC"}]}},
        {"limits": {"quiet_hours": [{"start": "22:00", "end": 6, "zone": "UTC"}]}},
        {"limits": {"quiet_hours": [{"start": "22:00", "end": "06:00", "zone": "Mars/City"}]}},
        {"limits": {"quiet_hours": [{"start": "22:00", "end": "06:00", "zone": None}]}},
        {"rules": [{"status": [700], "park": "x"}]},
        {"rules": [{"status": [True], "park": "x"}]},
    ],
)
def test_numbers_times_and_zones_that_are_none_are_refused(connection):
    source = profile_source()
    source["connection"] |= connection
    (part,) = connection
    assert f": connection.{part}." in refused(source)


@pytest.mark.parametrize("version", [True, "1", 0])
def test_a_version_is_a_whole_number(version):
    assert ": version: " in refused(profile_source() | {"version": version})


def test_what_is_worked_out_later_is_taken_as_it_is():
    source = profile_source()
    hours = {"start": "=settings.from", "end": "~{settings.until}", "zone": "=settings.zone"}
    for name in ("from", "until", "zone"):
        source["settings"][name] = {"help": name}
    source["connection"] |= {"limits": {"quiet_hours": [hours]}, "timeouts": {"reply": 2.5, "connect": 1}}
    timeouts = loaded(source).connection.timeouts
    assert (timeouts.reply, timeouts.connect) == (2.5, 1)


# --- what is believed, and what comes to an end ---------------------------------------------------------------

WRITING = {"call": "DELETE /look", "found": "=reply.body"}
LOOK = {"call": "GET /look", "found": "=reply.body"}


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"find": WRITING}, "find.call: DELETE would write; here a call only reads"),
        ({"find": LOOK | {"call": {"post": "/look"}}}, "find.call: POST would write"),
        ({"find": LOOK | {"found": "=told.id"}}, "find.found: reads nothing of the `reply`"),
        ({"verified": "=`true`"}, "verified: reads nothing of the `reply`"),
        ({"verified": {"status": " "}}, "verified.status: "),
        (
            {"read_back": {"call": "POST /x", "expect": [{"that": "=reply.body", "reason": "no"}]}},
            "POST would write",
        ),
    ],
)
def test_what_is_believed_is_read_off_a_reply(parts, problem):
    assert problem in refused(reporting(step(**parts)))


@pytest.mark.parametrize("part", ["orders", "open_orders"])
def test_a_listing_only_reads(part):
    source = reporting(step())
    source["pull"][part]["call"] = "POST /orders"
    assert f"pull.{part}.call: POST would write" in refused(source)


def test_a_probe_only_reads():
    source = reporting(step())
    source["connection"]["probe"] = "DELETE /"
    assert "connection.probe: DELETE would write" in refused(source)


LEFT = step("left", call="GET /left", capture={"left": "=reply.body[0]"})


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({}, "back_to: nothing ends this loop"),
        ({"when": "=told.good > `0`"}, "back_to: nothing ends this loop"),
        ({"when": "=captured.left", "idempotency_header": "Key"}, "is the same in every round"),
    ],
)
def test_a_loop_has_an_end_and_rounds_that_differ(parts, problem):
    assert problem in refused(reporting(LEFT, step("finish", back_to="left", **parts)))
