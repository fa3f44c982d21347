"""A user's own file over a profile: what it may add, and what it is refused."""

import os

import pytest

from shared.errors import ConfigurationError
from shared.profiles.loader import load_profile

EXTENDS = "extends: tryton\n"


def overlay(folder, text, name="ours.yaml", extends=EXTENDS):
    path = folder / name
    path.write_text(text if "extends" in text else extends + text, encoding="utf-8")
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


BLANK = ["''", "'  '", "\"=''\"", "=`null`", "=text('')", "'~ '", "=concat('', '')"]


@pytest.mark.parametrize("blank", BLANK)
@pytest.mark.parametrize(
    "place",
    [
        "pull.orders.map.number",
        "pull.orders.map.unit",
        "pull.orders.map.operations.map.name",
        "pull.operations.map.operation_id",
        "pull.reference.part.map.code",
    ],
)
def test_a_required_field_cannot_be_blank(tmp_path, place, blank):
    *above, field = place.split(".")
    text = "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(above))
    problem = refused(tmp_path, f"{text}{'  ' * len(above)}{field}: {blank}")
    where = f"ours.yaml:{len(above) + 2}:{2 * len(above) + 1}"
    assert problem == f"{where}: {place}: {field!r} is required: it cannot be blank"


@pytest.mark.parametrize(
    "said", ["pcs", "=code", "=code || ''", "=@.code", "=values(@)[0]", "~{code}", "=", "0"]
)
def test_what_a_record_may_fill_is_not_blank(tmp_path, said):
    ours = load_profile(overlay(tmp_path, f'pull: {{orders: {{map: {{unit: "{said}", part_name: ""}}}}}}'))
    assert ours.pull.orders.map.unit.source == said


def test_what_is_wrong_with_an_expression_is_said_of_it_not_that_it_is_blank(tmp_path):
    problem = refused(tmp_path, "pull: {orders: {map: {number: =text(}}}")
    assert "not a JMESPath expression" in problem


@pytest.mark.parametrize(
    ("beneath", "found"),
    [
        ("", "; the file is empty"),
        ("# nothing yet\n", "; the file is empty"),
        ("- a", ", not a list"),
        ("a", ", not 'a'"),
    ],
)
def test_a_file_to_extend_that_holds_no_keys_is_said_to(tmp_path, beneath, found):
    overlay(tmp_path, beneath, "site.yaml", extends="")
    problem = refused(tmp_path, "title: ours\nextends: site.yaml")
    said = "keys with values have to stand here"
    assert problem == f"ours.yaml:2:1: extends: site.yaml:1:1: {said}{found}"


@pytest.mark.parametrize("itself", ["", "# nothing yet\n", "- a", "a"])
def test_an_overlay_that_holds_no_keys_is_said_to(tmp_path, itself):
    with pytest.raises(
        ConfigurationError, match=r"^ours.yaml:1:1: \(top\): keys with values have to stand here"
    ):
        load_profile(overlay(tmp_path, itself, extends=""))


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


@pytest.mark.parametrize("given", ["nope.yaml", "../nope.yaml", "site/nope.yml"])
def test_a_file_to_extend_that_is_not_there_says_where_it_was_looked_for(tmp_path, given):
    problem = refused(tmp_path, f"extends: {given}")
    looked = os.path.abspath(tmp_path / given)  # noqa: PTH100
    assert problem == f"ours.yaml:1:1: extends: no file {given!r}; looked for it at {looked}"
