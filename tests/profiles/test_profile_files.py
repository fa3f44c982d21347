"""Every shipped profile has the same files, says what it does with every fact, and names no secret."""

import pytest
import yaml

from shared.domain.message import MessageKind
from shared.profiles.flow import every_step
from shared.profiles.loader import SHIPPED, load_profile, shipped_profiles, shipped_protocols

LINES, WIDTH = 220, 120  # a profile is read from top to bottom: about 200 lines, none of which scrolls
STATES = {"done", "exempt", "unproven"}


@pytest.fixture(params=shipped_profiles())
def name(request):
    return request.param


def test_a_profile_is_called_like_its_file(name):
    assert load_profile(name).profile == name


def test_it_says_what_to_switch_on_and_what_is_proven(name):
    assert (SHIPPED / f"{name}.md").read_text(encoding="utf-8").startswith(f"# {load_profile(name).title}")
    checklist = yaml.safe_load((SHIPPED / f"{name}.checklist.yaml").read_text(encoding="utf-8"))
    assert {entry["state"] for entry in checklist.values()} <= STATES
    assert all(entry.get("reason") for entry in checklist.values() if entry["state"] == "exempt")


def test_every_kind_of_message_is_pushed_or_exempt(name):
    assert set(load_profile(name).push) == set(MessageKind)


def test_every_step_with_an_effect_can_be_found_or_repeated(name):
    parking = [
        placed.name for placed in every_step(load_profile(name)) if placed.step.unknown_policy == "park"
    ]
    assert parking == []


def test_it_is_short_enough_to_be_read(name):
    lines = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("protocol", shipped_protocols())
def test_a_protocol_says_what_it_is_for_and_nothing_about_an_application(protocol):
    source = (SHIPPED / f"{protocol}.yaml").read_text(encoding="utf-8")
    assert source.startswith("# No profile by itself: ")
    assert yaml.safe_load(source).keys() <= {"settings", "codes", "connection", "pull", "finds", "groups"}
    assert yaml.safe_load(source).get("pull", {}).keys() <= {"records", "paging"}
    assert max(map(len, source.splitlines())) <= WIDTH
