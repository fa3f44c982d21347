"""Kinetic's own ways with labour: approval, subassemblies, the formats of its production standards."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.mapping.conversions import Tables
from shared.profiles.loader import SHIPPED, load_profile
from tests.profiles.plant import Plant
from tests.profiles.shift import REPORTED, differences, whole_shift
from tests.profiles.subjects.epicor_kinetic import SUBJECT
from tests.simulators.epicor import Epicor
from tests.simulators.epicor.labor import Labor


@pytest.fixture
async def supervised():
    """A plant where submitted labour waits for a supervisor."""
    subject = replace(SUBJECT, simulator=lambda: Epicor(approval_required=True))
    with subject.simulator() as erp:
        plant = Plant(subject, erp)
        yield plant
        await plant.close()


async def test_labour_counts_when_the_supervisor_has_approved_it(supervised):
    floor = supervised.floor(await supervised.released())
    await whole_shift(floor)
    assert supervised.booked(floor.order.number).good == 0
    supervised.simulator.approve_all()
    assert differences(floor, supervised.booked(floor.order.number)) == []


@pytest.mark.parametrize("approved", [False, True])
async def test_submitted_and_approved_labour_is_recalled_before_it_is_deleted(supervised, approved):
    floor = supervised.floor(await supervised.released())
    wrong = await floor.states(REPORTED, "10", good=Decimal(3))
    if approved:
        supervised.simulator.approve_all()
    told = await floor.takes_back(wrong.messages[-1])
    assert told.parked == []
    assert supervised.simulator.books.details == {}


async def test_labour_that_was_not_submitted_is_a_warning(supervised, monkeypatch):
    monkeypatch.setattr(Labor, "_submit_one", lambda labor, kept: None)
    floor = supervised.floor(await supervised.released())
    told = await floor.states(REPORTED, "10", good=Decimal(3))
    assert told.warnings == [
        f"labour of {floor.order.number} is entered and not submitted: it does not count in the job yet"
    ]


OVERLAY = """
extends: epicor_kinetic
codes: {employee: {Bob: "102"}}
"""


async def test_labour_is_in_the_name_of_the_employee_that_an_overlay_gives_the_operator(tmp_path):
    overlay = tmp_path / "plant.yaml"
    overlay.write_text(OVERLAY, encoding="utf-8")
    subject = replace(SUBJECT, profile=str(overlay), checklist_file=SHIPPED / "epicor_kinetic.checklist.yaml")
    with subject.simulator() as erp:
        plant = Plant(subject, erp)
        floor = plant.floor(await plant.released())
        for operator in ("Ann", "Bob"):
            await floor.states(REPORTED, "10", good=Decimal(1), operator=operator)
        assert [row["EmployeeNum"] for row in erp.books.details.values()] == ["101", "102"]
        await plant.close()


def operation(field, **record):
    """Return what the profile makes of a JobOper row."""
    profile = load_profile("epicor_kinetic")
    value = getattr(profile.pull.orders.map.operations.map, field)
    return value({"AssemblySeq": 0, "OprSeq": 20, **record}, Tables(profile.codes, {}))


@pytest.mark.parametrize(
    ("assembly", "ident", "position"), [(0, "20", 20), (1, "1-20", -9980), (2, "2-20", -19980)]
)
def test_operations_of_subassemblies_come_first_and_are_told_apart(assembly, ident, position):
    assert operation("operation_id", AssemblySeq=assembly) == ident
    assert operation("position", AssemblySeq=assembly) == position


@pytest.mark.parametrize(
    ("standard", "form", "basis", "per_part", "seconds"),
    [
        ("0.5", "HP", "E", 1, 1800),
        ("2", "MP", "E", 1, 120),
        ("2", "HP", "C", 1, 72),
        ("3", "MP", "T", 1, "0.018"),
        ("90", "PH", "E", 1, 40),
        ("2", "PM", "E", 1, 30),
        ("60", "OH", "E", 2, 120),
        ("4", "OM", "E", 2, 30),
        ("8", "HR", "E", 1, None),  # fixed hours: none per piece
        ("0", "PH", "E", 1, None),
    ],
)
def test_production_standards_are_seconds_a_piece(standard, form, basis, per_part, seconds):
    record = {"ProdStandard": Decimal(standard), "StdFormat": form, "StdBasis": basis, "OpsPerPart": per_part}
    assert operation("run_seconds", **record) == (None if seconds is None else Decimal(seconds))
