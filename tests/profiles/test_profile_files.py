"""Every shipped profile has the same files, says what it does with every fact, and names no secret."""

import pytest
import yaml

from shared.domain.message import MessageKind
from shared.profiles.flow import every_step
from shared.profiles.loader import SHIPPED, load_profile, shipped_profiles

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
