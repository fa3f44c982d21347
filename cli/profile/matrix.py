"""The table ERP by capability by how it is proven, drawn from the checklists beside the profiles. Nothing is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from shared.profiles.loader import SHIPPED, load_profile, shipped_profiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    type Checklist = Mapping[str, Mapping[str, Any]]

CAPABILITIES = {
    "proof.real_system": "proven on a real installation",
    "pull.released_orders": "released orders come with number, part, quantity and unit",
    "pull.not_released": "what a planner has not released stays away",
    "pull.operations": "their routing comes with them",
    "pull.standard_times": "standard times of the routing",
    "pull.paging": "nothing missed and nothing twice while orders change between pages",
    "pull.changed_since": "a changed quantity comes with the next pull",
    "pull.changed_midflight": "a started order changes its quantity, and the work on it goes on",
    "pull.cancelled": "a cancelled order comes with the next pull",
    "pull.deleted": "an order that is gone is missed by the reconciling pass",
    "push.order.started": "order started",
    "push.order.completed": "order completed",
    "push.operation.started": "operation started",
    "push.operation.paused": "operation paused",
    "push.operation.resumed": "operation resumed",
    "push.operation.completed": "operation completed",
    "push.production.good": "good quantity of the order",
    "push.production.scrap": "scrap quantity of the order",
    "push.production.operation_good": "good quantity of each operation",
    "push.production.operation_scrap": "scrap quantity of each operation",
    "push.production.rework": "rework quantity",
    "push.production.reason_codes": "scrap reason",
    "push.production.serials": "serial numbers",
    "push.production.batch": "batch number",
    "push.production.partial_receipt": "several reports on one operation",
    "push.production.under_production": "an order completed with less than was planned",
    "push.production.over_production": "more made than was planned",
    "push.time.setup": "actual setup time",
    "push.time.run": "actual run time",
    "push.correction.quantity": "a quantity taken back",
    "push.correction.time": "a time taken back",
    "push.correction.status": "a status taken back",
    "find.every_step": "every effect once, whatever reply is lost",
    "read_back.quantity": "a quantity the ERP stores otherwise is a warning",
    "reply.validation": "what the ERP refuses is parked",
    "reply.cancelled_order": "work on a cancelled order is parked in plain words",
    "reply.unknown_operation": "work on an unknown operation is parked in plain words",
    "reply.expired_credentials": "expired credentials are renewed once",
    "reply.wrong_credentials": "wrong credentials halt the connection",
    "reply.rate_limit": "Retry-After is kept",
    "reply.unreachable": "an ERP that is away is waited for",
}
"""What every checklist speaks about, in the order of the table."""

HEAD = """# Which ERP, and how it is proven

Drawn from the checklists beside the profiles by `python -m cli profile matrix`, not typed.

- `real`: the scenarios of tests/profiles pass on the ERP itself.
- `simulator`: they pass on a simulator written from the vendor's public specs (tests/simulators), not yet on the ERP.
- `test`: a test of this ERP's own proves it; its checklist names the test.
- `—`: the ERP has no place for it. `?`: written as documented, not proven. `·`: nothing is said.

The numbers lead to the reasons below the table. Each profile's page (shared/profiles/<erp>.md) says what to switch on
in the ERP and which rights it takes.

"""
NUMBERED = {"exempt": "reason", "unproven": "note"}  # state -> what explains it


def checklist_of(profile: str) -> Checklist:
    """Return the checklist of a shipped profile: capability -> `state` with its `reason` or `note`."""
    source = (SHIPPED / f"{profile}.checklist.yaml").read_text(encoding="utf-8")
    found: Checklist = yaml.safe_load(source)
    return found


def page() -> str:
    """Return docs/erps.md: what the marks mean, and the table of all shipped profiles."""
    names = shipped_profiles()
    return HEAD + matrix({load_profile(name).title: checklist_of(name) for name in names})


def matrix(checklists: Mapping[str, Checklist]) -> str:
    """Return the table as Markdown, a column an ERP (by title), with what is behind each mark numbered below it."""
    notes: dict[str, int] = {}
    rows = [
        [words, *(_cell(checklist, key, notes) for checklist in checklists.values())]
        for key, words in _all_keys(checklists).items()
    ]
    table = [_row(["", *checklists]), _row(["---"] * (len(checklists) + 1)), *map(_row, rows)]
    return "\n".join([*table, "", *(f"{number}. {note}" for note, number in notes.items())]) + "\n"


def _all_keys(checklists: Mapping[str, Checklist]) -> dict[str, str]:
    """Return the fixed capabilities, then those that single checklists add under their own names."""
    own = (key for checklist in checklists.values() for key in checklist)
    return CAPABILITIES | {key: f"`{key}`" for key in own if key not in CAPABILITIES}


def _cell(checklist: Checklist, key: str, notes: dict[str, int]) -> str:
    entry = checklist.get(key)
    if entry is None:
        return "·"
    state = str(entry["state"])
    note = entry.get(NUMBERED.get(state, "note"))
    mark = _proof(checklist, entry) if state == "done" else {"exempt": "—", "unproven": "?"}[state]
    return f"{mark} ({notes.setdefault(str(note), len(notes) + 1)})" if note else mark


def _proof(checklist: Checklist, entry: Mapping[str, Any]) -> str:
    """Return how a capability that is done was proven: by a test of its own, on the real ERP or on a simulator."""
    if entry.get("proven_by"):
        return "test"
    return "real" if checklist.get("proof.real_system", {}).get("state") == "done" else "simulator"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
