"""One seeded Tryton a session and one server a file, in which each test takes orders of its own."""

from pathlib import Path

import pytest

from demo.tryton.environment import prepare
from demo.tryton.server import running_tryton
from tests.tryton_erp.hand import Hand

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def seeded():
    return prepare(ROOT / ".cache" / "tryton")


@pytest.fixture(scope="module")
def server(seeded, tmp_path_factory):
    with running_tryton(seeded, tmp_path_factory.mktemp("tryton")) as server:
        yield server


@pytest.fixture
def hand(server):
    with Hand(server) as hand:
        yield hand
