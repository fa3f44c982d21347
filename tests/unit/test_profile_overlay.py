"""A user's own file over a profile: what it may add, and what it is refused."""

import pytest

from shared.errors import ConfigurationError
from shared.profiles.loader import load_profile

EXTENDS = "extends: tryton\n"


def overlay(folder, text, name="ours.yaml"):
    path = folder / name
    path.write_text(EXTENDS + text if "extends" not in text else text, encoding="utf-8")
    return str(path)


def refused(folder, text):
    with pytest.raises(ConfigurationError) as error:
        load_profile(overlay(folder, text))
    return str(error.value)


def test_settings_codes_and_fields_are_added_and_the_profile_stays_as_it_is(tmp_path):
    text = """
settings:
  site: {help: "number of the site"}
codes:
  reasons: {A: "1"}
pull:
  orders:
    map: {part_name: =product.description, due_at: null}
"""
    ours, theirs = load_profile(overlay(tmp_path, text)), load_profile("tryton")
    assert set(ours.settings) - set(theirs.settings) == {"site"}
    assert ours.codes == {"reasons": {"A": "1"}}
    assert (ours.pull.orders.map.part_name.source, ours.pull.orders.map.due_at) == (
        "=product.description",
        None,
    )
    assert theirs.pull.orders.map.due_at is not None
    assert ours.pull.orders.map.number.source == theirs.pull.orders.map.number.source
    assert ours.profile == "tryton"


def test_a_step_is_changed_by_its_name(tmp_path):
    text = """
groups:
  create:
    create: {call: {headers: {X-Site: =settings.company}}}
push:
  time.recorded:
    steps:
      book: {create: {body: {our_field: =message.work_centre}}}
"""
    ours, theirs = load_profile(overlay(tmp_path, text)), load_profile("tryton")
    assert set(ours.groups["create"][0].call.headers) == {"X-Site"}
    assert ours.groups["create"][0].call.path.source == theirs.groups["create"][0].call.path.source
    body = ours.push["time.recorded"].steps[-1].given["body"].source
    assert body.items() > theirs.push["time.recorded"].steps[-1].given["body"].source.items()
    assert body["our_field"] == "=message.work_centre"


def test_a_kind_may_be_exempted(tmp_path):
    text = "push: {time.recorded: {exempt: not wanted here, steps: null, values: null}}"
    ours = load_profile(overlay(tmp_path, text))
    assert ours.push["time.recorded"].exempt == "not wanted here"


def test_a_required_field_cannot_be_taken_away(tmp_path):
    problem = refused(tmp_path, "\npull:\n  orders:\n    map:\n      number: null\n")
    assert problem == "ours.yaml:6:7: pull.orders.map.number: 'number' is required; nothing takes its place"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "pull: {orders: {map: {nmber: =x}}}",
            "ours.yaml:2:23: pull.orders.map.nmber: unknown key 'nmber'; valid: due_at",
        ),
        (
            "connection: {headers: {X: =mesage.id}}",
            "ours.yaml:2:24: connection.headers.X: 'mesage' is not a fact here; valid: ",
        ),
        (
            "push: {order.started: {steps: {asign: {}}}}",
            "ours.yaml:2:32: push.order.started.steps: no step is called 'asign'; valid: read, assign, run",
        ),
        (
            "push: {order.started: null}",
            "ours.yaml:2:8: push.order.started: order.started neither pushed nor exempt",
        ),
        (
            "push: {order.started: {values: {x: =reply.body}}}",
            "ours.yaml:2:33: push.order.started.values.x: 'reply' is not a fact",
        ),
        ("extends: trytn", "ours.yaml:1:1: extends: no profile 'trytn'; give a .yaml file or one of: "),
        ("extends: ours.yaml", "ours.yaml:1:1: extends: ours.yaml extends itself"),
    ],
)
def test_a_mistake_is_found_in_the_overlay_not_in_the_profile(tmp_path, text, complaint):
    assert refused(tmp_path, text).startswith(complaint)


def test_a_mistake_beneath_is_found_in_the_file_beneath(tmp_path):
    overlay(tmp_path, "settings: {site: {hlp: x}}", "site.yaml")
    problem = refused(tmp_path, "extends: site.yaml\ntitle: ours")
    assert problem.startswith("site.yaml:2:19: settings.site.hlp: unknown key 'hlp'; valid: choices")


def test_an_overlay_may_be_laid_over_an_overlay(tmp_path):
    overlay(tmp_path, "settings: {site: {help: x}}\ntitle: site", "site.yaml")
    ours = load_profile(overlay(tmp_path, "extends: site.yaml\ntitle: ours"))
    assert (ours.title, "site" in ours.settings) == ("ours", True)
