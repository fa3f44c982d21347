"""Every ERP the suite runs on: one file each in subjects/. Cheap simulators are fresh for each scenario."""

import contextlib
import importlib
from pathlib import Path

import pytest

from tests.profiles.plant import Plant

SUBJECTS = sorted(path.stem for path in (Path(__file__).parent / "subjects").glob("[a-z]*.py"))


def subject_called(name):
    """Import the subject in subjects/<name>.py."""
    return importlib.import_module(f"tests.profiles.subjects.{name}").SUBJECT


def _parameters():
    needs = {"tryton": [pytest.mark.tryton]}
    return [pytest.param(name, marks=needs.get(name, [])) for name in SUBJECTS]


@pytest.fixture(scope="session", params=_parameters())
def subject(request):
    return subject_called(request.param)


@pytest.fixture(scope="session")
def shared_simulators():
    """What is dear to start runs once for all scenarios; started by the first that asks."""
    running = {}
    with contextlib.ExitStack() as stack:

        def of(subject):
            if subject.name not in running:
                running[subject.name] = stack.enter_context(subject.simulator())
            return running[subject.name]

        yield of


@pytest.fixture
def simulator(subject, shared_simulators):
    if subject.shared:
        yield shared_simulators(subject)
        return
    with subject.simulator() as fresh:
        yield fresh


@pytest.fixture
async def plant(subject, simulator):
    plant = Plant(subject, simulator)
    yield plant
    await plant.close()


@pytest.fixture
async def own_plant(subject):
    """A plant of this scenario's own: it may be stopped, locked out or looked at page by page."""
    with subject.simulator() as fresh:
        plant = Plant(subject, fresh)
        yield plant
        await plant.close()
