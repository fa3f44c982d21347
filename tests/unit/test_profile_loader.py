"""A profile that cannot work is refused with file, line, key path and what would be valid."""

from decimal import Decimal
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.profiles.loader import load_profile, parse_profile, shipped_profiles
from shared.profiles.model import Profile

PLAIN = Path(__file__).parents[2] / "shared/profiles/plain_rest.yaml"
SOURCE = PLAIN.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*shipped_profiles(), str(PLAIN)])
def test_every_profile_loads_and_is_kept(name):
    assert load_profile(name) is load_profile(name)


def test_the_language_is_published_as_json_schema():
    schema = Profile.model_json_schema()
    assert set(schema["properties"]) >= {"profile", "settings", "connection", "pull", "push"}


def refused(old, new):
    assert old in SOURCE
    with pytest.raises(ConfigurationError) as error:
        parse_profile(SOURCE.replace(old, new, 1), "plain.yaml")
    return str(error.value)


def line_of(text):
    return next(number for number, line in enumerate(SOURCE.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "where", "complaint"),
    [
        ("probe:", "prob:", "connection.prob", "unknown key 'prob'; valid: answers, auth, base_url"),
        ("{concurrency: 8,", "{concurency: 8,", "connection.limits.concurency", "valid: concurrency"),
        ("records: =reply.body.orders", "records: =reply..orders", "pull.orders.records", "not a JMESPath"),
        ("records: =reply.body.orders", "records: reply", "pull.orders.records", "starts with '='"),
        ("since: =since", "since: =sinse", "pull.orders.call.query.changed_since", "valid: keys, page"),
        ("kind: cursor, next: =reply.body.next,", "kind: cursr,", "pull.paging", "'keyset'"),
        (
            "operator: =default",
            "operator: =link",
            "push.time.recorded.steps.0.step.call",
            "belongs in `values`",
        ),
        (
            "park: ",
            "verdict: pork, reason: ",
            "connection.rules.0.verdict",
            "'done', 'retry', 'park' or 'halt'",
        ),
        ("- name: take_back", "- name: Take", "push.correction.steps.0.name", "pattern"),
    ],
)
def test_a_mistake_is_found_where_it_is(old, new, where, complaint):
    problem = refused(old, new)
    assert problem.startswith(f"plain.yaml:{line_of(old)}:") or where.startswith("push.time"), problem
    assert complaint in problem, problem
    assert where.replace(".step.", ".").split(".0")[0] in problem, problem


def test_every_kind_is_pushed_or_exempt():
    without = SOURCE[: SOURCE.index("  correction:")]
    with pytest.raises(ConfigurationError, match="correction neither pushed nor exempt"):
        parse_profile(without, "plain.yaml")
    exempt = parse_profile(without + "  correction: {exempt: nothing to correct}\n", "plain.yaml")
    assert exempt.push["correction"].exempt == "nothing to correct"


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("operation.paused", "sum"),
        ("production.reported", "latest"),
        ("order.started", "latest"),
        ("correction", "sum"),
    ],
)
def test_combining_is_refused_where_it_would_mean_nothing(kind, policy):
    problem = refused(f"  {kind}:\n", f"  {kind}:\n    combine: {policy}\n")
    assert f"push.{kind}.combine: `{policy}` is for what is pushed of" in problem


def test_what_is_exempt_is_not_combined():
    without = SOURCE[: SOURCE.index("  time.recorded:")] + "  correction: {exempt: nothing to correct}\n"
    with pytest.raises(ConfigurationError, match=r"push\.time\.recorded\.combine"):
        parse_profile(without + "  time.recorded: {exempt: nobody asks, combine: sum}\n", "plain.yaml")


def test_resending_needs_a_reason():
    problem = refused("- name: take_back", "- name: take_back\n        on_unknown: resend")
    assert "needs `idempotent_because`" in problem


def test_a_key_given_twice_is_refused():
    problem = refused("version: 1", "version: 1\nversion: 2")
    assert problem == "plain.yaml:4:1: key 'version' is given twice"


def test_yaml_text_stays_text():
    body = '{a: 0010, b: no, c: 2026-01-01, d: "1", e: 1.10}'
    source = SOURCE.replace("{reference: =message.id, voids: =told.id}", body)
    call = parse_profile(source, "plain.yaml").push["correction"].steps[0].call
    built = call.body({})
    assert [built[key] for key in "abcde"] == ["0010", "no", "2026-01-01", "1", Decimal("1.10")]


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"one of: .*tryton"):
        load_profile("trytn")
