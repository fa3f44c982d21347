"""NetSuite without work in process: an assembly build says what reached stock, and nothing is said of the operations."""

from dataclasses import replace
from pathlib import Path

from tests.profiles.subjects import netsuite
from tests.simulators.netsuite import Netsuite


def without_work_in_process():
    return Netsuite(wip=False)


SUBJECT = replace(
    netsuite.SUBJECT,
    simulator=without_work_in_process,
    checklist_file=Path(__file__).parent / "netsuite_builds.checklist.yaml",
)
