"""A checklist may only say what is checked: by a scenario of this suite, or by the test it names."""

import inspect
from pathlib import Path

import pytest

from cli.profile.matrix import CAPABILITIES, matrix, page
from shared.profiles.loader import shipped_profiles
from tests.profiles import test_scenarios
from tests.profiles.capabilities import PROVEN_BY
from tests.profiles.conftest import SUBJECTS, subject_called

ROOT = Path(__file__).parents[2]


REAL = "proof.real_system"


@pytest.fixture(params=SUBJECTS)
def a_subject(request):
    return subject_called(request.param)


@pytest.fixture
def entries(a_subject):
    """One checklist: capability -> entry."""
    return a_subject.checklist.entries


def test_every_shipped_profile_goes_through_the_scenarios():
    subjects = {subject_called(name).name for name in SUBJECTS}
    assert set(shipped_profiles()) <= subjects


def test_every_capability_has_a_scenario_that_exists():
    assert set(PROVEN_BY) | {REAL} == set(CAPABILITIES)
    scenarios = {name for name, _ in inspect.getmembers(test_scenarios, inspect.isfunction)}
    assert set(PROVEN_BY.values()) <= scenarios


def test_a_checklist_speaks_about_every_capability(entries):
    assert set(CAPABILITIES) - set(entries) == set()


def test_what_is_exempt_or_unproven_says_why(entries):
    explained = {"exempt": "reason", "unproven": "note"}
    silent = [
        key
        for key, entry in entries.items()
        if entry["state"] in explained and not entry.get(explained[entry["state"]])
    ]
    assert silent == []


def test_what_is_done_is_checked_by_a_scenario_or_by_the_test_it_names(entries):
    done = {key: entry for key, entry in entries.items() if entry["state"] == "done"}
    unchecked = [key for key, entry in done.items() if key not in PROVEN_BY and not entry.get("proven_by")]
    unchecked = [key for key in unchecked if key != REAL]
    assert unchecked == []


def test_only_the_erp_itself_counts_as_a_real_system(a_subject):
    assert a_subject.checklist.is_done(REAL) == a_subject.is_real


def test_the_tests_a_checklist_names_exist(entries):
    named = {entry["proven_by"] for entry in entries.values() if entry.get("proven_by")}
    assert [name for name in sorted(named) if not _exists(name)] == []


def _exists(node):
    file, _, function = node.partition("::")
    path = ROOT / file
    return path.is_file() and f"def {function}(" in path.read_text(encoding="utf-8")


def test_the_page_about_erps_is_drawn_from_the_checklists():
    drawn = (ROOT / "docs" / "erps.md").read_text(encoding="utf-8")
    assert drawn == page(), "draw it again: python -m cli profile matrix > docs/erps.md"


def test_the_table_shows_how_each_capability_is_proven():
    checklists = {
        "One": {
            "proof.real_system": {"state": "done"},
            "pull.paging": {"state": "done"},
            "push.time.run": {"state": "exempt", "reason": "has no clock"},
        },
        "Two": {
            "pull.paging": {"state": "done", "proven_by": "tests/x.py::test_y", "note": "by keyset"},
            "push.time.run": {"state": "unproven", "note": "has no clock"},
            "own": {"state": "done"},
        },
    }
    table = matrix(checklists)
    assert f"| {CAPABILITIES['pull.paging']} | real | test (1) |" in table
    assert f"| {CAPABILITIES['push.time.run']} | — (2) | ? (2) |" in table
    assert "| `own` | · | simulator |" in table
    assert "\n1. by keyset\n2. has no clock\n" in table
