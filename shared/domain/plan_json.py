"""A plan as a small JSON document and back, exact to the last digit: what a proposed change keeps."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shared.domain.works_order import ErpState, Operation, WorksOrder

if TYPE_CHECKING:
    from collections.abc import Mapping


def plan_to_json(plan: WorksOrder) -> dict[str, Any]:
    """Lay `plan` out as plain JSON: decimals as text, instants as RFC 3339."""
    document = asdict(plan)
    document["quantity"] = str(plan.quantity)
    document["due_at"] = None if plan.due_at is None else plan.due_at.isoformat()
    document["operations"] = [_operation_to_json(op) for op in plan.operations]
    return document


def _operation_to_json(op: Operation) -> dict[str, Any]:
    times = {name: getattr(op, name) for name in ("setup_seconds", "run_seconds")}
    texts = {name: None if value is None else str(value) for name, value in times.items()}
    return asdict(op) | texts


def plan_from_json(document: Mapping[str, Any]) -> WorksOrder:
    """Read a plan back that `plan_to_json` laid out."""
    due_at = document["due_at"]
    read = {
        "quantity": Decimal(document["quantity"]),
        "due_at": None if due_at is None else datetime.fromisoformat(due_at),
        "erp_state": ErpState(document["erp_state"]),
        "operations": tuple(_operation_from_json(op) for op in document["operations"]),
    }
    return WorksOrder(**{**document, **read})


def _operation_from_json(document: Mapping[str, Any]) -> Operation:
    times = {name: document[name] for name in ("setup_seconds", "run_seconds")}
    read = {name: None if text is None else Decimal(text) for name, text in times.items()}
    return Operation(**{**document, **read})
