"""The plan as we hold it against the plan as the ERP now states it: take it over, or show it to a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from shared.domain.identity import key_of
from shared.domain.works_order import ErpState, WorksOrder

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from decimal import Decimal

    from shared.domain.works_order import Json, Operation


class Action(StrEnum):
    """What to do with an order that a pull brought."""

    INSERT = "insert"  # first seen
    UPDATE = "update"  # not started: the ERP's word is the plan
    REFRESH = "refresh"  # started; only what the ERP needs to be told (its row ids) or its state moved on
    PROPOSE = "propose"  # started and really changed: keep the plan, warn with before and after


@dataclass(frozen=True, slots=True)
class Change:
    """A decision with its evidence: field -> (before, after)."""

    action: Action
    differences: Mapping[str, tuple[Json, Json]]


def fingerprint(plan: WorksOrder) -> str:
    """Digest of everything the ERP stated of the order; equal digests need no write."""
    header = [plan.part, plan.part_name, plan.quantity.normalize(), plan.unit, plan.due_at, plan.erp_state]
    stated = [header, plan.erp_ref, [_stated(op) for op in plan.operations]]
    return key_of(orjson.dumps(stated, default=str, option=orjson.OPT_SORT_KEYS).decode())


def _stated(op: Operation) -> tuple[object, ...]:
    setup = None if op.setup_seconds is None else str(op.setup_seconds.normalize())
    run = None if op.run_seconds is None else str(op.run_seconds.normalize())
    return (op.operation_id, op.position, op.name, op.work_centre, setup, run, op.erp_ref)


def judge(stored: WorksOrder | None, pulled: WorksOrder, *, started: bool) -> Change:
    """Decide what to do with `pulled`, whose fingerprint differs from the one seen last."""
    if stored is None:
        return Change(Action.INSERT, {})
    if not started:
        return Change(Action.UPDATE, differences(stored, pulled))
    found = differences(stored, pulled)
    return Change(Action.PROPOSE if found else Action.REFRESH, found)


def differences(stored: WorksOrder, pulled: WorksOrder) -> dict[str, tuple[Json, Json]]:
    """Compare what a person on the floor would care about. The ERP's own progress is not a change of plan."""
    found: dict[str, tuple[Json, Json]] = {}
    for name in ("part", "unit"):
        _note(found, name, getattr(stored, name), getattr(pulled, name))
    if stored.quantity != pulled.quantity:
        found["quantity"] = (f"{stored.quantity.normalize():f}", f"{pulled.quantity.normalize():f}")
    if stored.due_at != pulled.due_at:
        found["due_at"] = (_iso(stored.due_at), _iso(pulled.due_at))
    if ErpState.CANCELLED in (stored.erp_state, pulled.erp_state):
        _note(found, "erp_state", str(stored.erp_state), str(pulled.erp_state))
    before = {op.operation_id: op for op in stored.operations}
    after = {op.operation_id: op for op in pulled.operations}
    for op in sorted(before.keys() | after.keys()):
        _note(found, f"operation {op}", _shown(before.get(op)), _shown(after.get(op)))
    return found


def _note(found: dict[str, tuple[Json, Json]], name: str, before: Json, after: Json) -> None:
    if before != after:
        found[name] = (before, after)


def _iso(value: Any) -> str | None:  # noqa: ANN401 - datetime or None
    return None if value is None else value.isoformat()


def _shown(op: Operation | None) -> Json:
    if op is None:
        return None
    times = f"setup {_seconds(op.setup_seconds)}, run {_seconds(op.run_seconds)}"
    return f"{op.position} {op.name} at {op.work_centre}, {times}"


def _seconds(value: Decimal | None) -> str:
    return "none" if value is None else f"{value.normalize():f} s"


def taken_over(stored: WorksOrder, pulled: WorksOrder) -> WorksOrder:
    """Return the plan of an order that has not begun: the ERP's word.

    A cancelled order keeps the routing it had: some ERPs drop the operations with the order, and whoever still
    reports on one should read that the order is cancelled, not that the operation is unknown.
    """
    if pulled.erp_state is ErpState.CANCELLED and not pulled.operations:
        return replace(pulled, operations=stored.operations)
    return pulled


def keep_plan(stored: WorksOrder, pulled: WorksOrder, worked: Collection[str]) -> WorksOrder:
    """Return the plan to keep for a started order: ours, with the ERP's references and progress brought up to date.

    A cancellation is no progress but a proposal: it stays one until a person has decided.

    An operation that is new to the plan and that the floor has `worked` on already is taken in: it is what the
    recorded work was waiting for, and it overwrites nothing.
    """
    news = {op.operation_id: op for op in pulled.operations}
    kept = [replace(op, erp_ref=_ref_of(news.get(op.operation_id), op)) for op in stored.operations]
    ours = {op.operation_id for op in stored.operations}
    kept += [op for op in pulled.operations if op.operation_id in worked and op.operation_id not in ours]
    operations = tuple(sorted(kept, key=lambda op: (op.position, op.operation_id)))
    state = stored.erp_state if pulled.erp_state is ErpState.CANCELLED else pulled.erp_state
    return replace(stored, erp_state=state, erp_ref=pulled.erp_ref, operations=operations)


def _ref_of(pulled: Operation | None, stored: Operation) -> Mapping[str, Json]:
    return stored.erp_ref if pulled is None else pulled.erp_ref
