"""NetSuite without work in process: assembly builds tell what reached stock, and nothing of the operations."""

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
