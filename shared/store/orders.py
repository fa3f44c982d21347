"""The plan as last stated by the ERP: works orders with their routings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import and_, select, update

from shared.domain.identity import KEY_LENGTH, operation_key
from shared.domain.works_order import ErpState, Operation, WorksOrder
from shared.store.batch import ask
from shared.store.bulk import insert_rows, insert_tuples, keys_of, on_keys, on_rows, update_rows
from shared.store.exact import size_of
from shared.store.tables import operation, works_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Result, Subquery

    from shared.store.batch import Step


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A works order as stored.

    `proposed` is a change in mid-flight that still waits for a person: `changes` (field -> [before, after]) and the
    whole `plan` as the ERP states it (shared.domain.plan_json).
    """

    key: str
    connection: str
    plan: WorksOrder
    fingerprint: str
    proposed: Mapping[str, Any] | None
    vanished_at: datetime | None


def load_orders(connection: Connection, keys: Sequence[str]) -> dict[str, StoredOrder]:
    """Read works orders with their present operations, by order key; at most two statements however many."""
    (headers,) = ask(connection, headers_step(connection, keys))
    found, changed = remembered(headers)
    if changed:
        (routings,) = ask(connection, routings_step(connection, changed))
        found |= with_routings(changed, routings)
    return found


def headers_step(connection: Connection, keys: Iterable[str]) -> Step:
    """Return what reads works orders without their operations."""
    return _headers.step(connection, list(keys))


def remembered(headers: Result[Any]) -> tuple[dict[str, StoredOrder], dict[str, Any]]:
    """Sort the rows of `headers_step`: orders known from before, and rows whose operations have to be read, by key.

    An order read before and not written since is taken from memory: plans change seldom, events come all the time.
    """
    rows = {row["order_key"]: row for row in headers.mappings()}
    found = {key: _recent.get((key, row["version"])) for key, row in rows.items()}
    known = {key: order for key, order in found.items() if order is not None}
    return known, {key: row for key, row in rows.items() if key not in known}


def routings_step(connection: Connection, keys: Iterable[str]) -> Step:
    """Return what reads the operations of the given orders."""
    return _routings.step(connection, list(keys))


def with_routings(headers: Mapping[str, Any], routings: Result[Any]) -> dict[str, StoredOrder]:
    """Put orders together from the rows of both steps, and remember them."""
    operations = _by_order(routings)
    found = {key: _order_from(row, operations.get(key, ())) for key, row in headers.items()}
    for key, order in found.items():
        _remember(key, headers[key]["version"], order)
    return found


@on_keys
def _headers(wanted: Subquery) -> Executable:
    return select(works_order).join(wanted, works_order.c.order_key == wanted.c.value)


REMEMBERED = 20_000  # orders; some 40 MB
_recent: dict[tuple[str, str], StoredOrder] = {}


def _remember(key: str, version: str, order: StoredOrder) -> None:
    if len(_recent) >= REMEMBERED:
        _recent.clear()
    _recent[key, version] = order


@on_keys
def _routings(wanted: Subquery) -> Executable:
    return (
        select(operation)
        .join(wanted, operation.c.order_key == wanted.c.value)
        .where(operation.c.vanished_at.is_(None))
        .order_by(operation.c.position, operation.c.operation_id)
    )


@on_keys
def _fingerprints(wanted: Subquery) -> Executable:
    columns = select(works_order.c.order_key, works_order.c.fingerprint, works_order.c.vanished_at)
    return columns.join(wanted, works_order.c.order_key == wanted.c.value)


def fingerprints_step(connection: Connection, keys: Iterable[str]) -> Step:
    """Return what reads the fingerprints of the given orders."""
    return _fingerprints.step(connection, list(keys))


def fingerprints(rows: Iterable[Any]) -> dict[str, str]:
    """Return the fingerprint of what the ERP last stated, by order key, off the rows of `fingerprints_step`."""
    return {row.order_key: row.fingerprint if row.vanished_at is None else "" for row in rows}


def _by_order(rows: Result[Any]) -> dict[str, tuple[Operation, ...]]:
    """Sort operations into their orders, in routing sequence; vanished ones were left out."""
    routings: dict[str, list[Operation]] = {}
    for row in rows.mappings():
        routings.setdefault(row["order_key"], []).append(_operation_from(row))
    return {key: tuple(operations) for key, operations in routings.items()}


def _operation_from(row: Any) -> Operation:  # noqa: ANN401 - a SQLAlchemy row mapping
    return Operation(
        row["operation_id"],
        row["position"],
        row["name"],
        row["work_centre"],
        row["setup_seconds"],
        row["run_seconds"],
        row["erp_ref"],
    )


def _order_from(row: Any, operations: tuple[Operation, ...]) -> StoredOrder:  # noqa: ANN401
    plan = WorksOrder(
        number=row["number"],
        part=row["part"],
        quantity=row["quantity"],
        unit=row["unit"],
        erp_state=ErpState(row["erp_state"]),
        operations=operations,
        part_name=row["part_name"],
        due_at=row["due_at"],
        erp_ref=row["erp_ref"],
    )
    return StoredOrder(
        row["order_key"], row["connection"], plan, row["fingerprint"], row["proposed"], row["vanished_at"]
    )


@dataclass(frozen=True, slots=True)
class OrderWrite:
    """What a pull has decided to write for one order: the plan to keep and a change to propose, if any."""

    key: str
    connection: str
    plan: WorksOrder
    fingerprint: str
    proposed: Mapping[str, Any] | None = None


def insert_orders(connection: Connection, writes: Sequence[OrderWrite], now: datetime) -> None:
    """Insert orders seen for the first time, with their operations."""
    version = new_version()
    rows = [{**_order_row(write, now, version), "pulled_at": now} for write in writes]
    insert_rows(connection, works_order, rows)
    steps = [step for write in writes for step in _steps(write.key, write.plan)]
    insert_tuples(connection, operation, OPERATION_ROW, steps)


def update_orders(
    connection: Connection, writes: Sequence[OrderWrite], stored: Mapping[str, StoredOrder], now: datetime
) -> None:
    """Write changed orders: update what is there, insert added operations, mark the vanished ones."""
    version = new_version()
    update_rows(connection, works_order, ["order_key"], [_order_row(write, now, version) for write in writes])
    added, changed, vanished = [], [], []
    for write in writes:
        before = {op.operation_id: op for op in stored[write.key].plan.operations}
        after = {op.operation_id: op for op in write.plan.operations}
        rows = {row["operation_id"]: row for row in _operation_rows(write.key, write.plan)}
        added += [rows[op] for op in after if op not in before]
        changed += [rows[op] for op in after if op in before and after[op] != before[op]]
        vanished += [
            {"order_key": write.key, "operation_key": operation_key(write.key, op), "vanished_at": now}
            for op in before
            if op not in after
        ]
    _add_operations(connection, added)
    update_rows(connection, operation, OPERATION_KEY, changed)
    update_rows(connection, operation, OPERATION_KEY, vanished)


def _add_operations(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert operations; one that had vanished and is back is the same row again."""
    if not rows:
        return
    (known,) = ask(connection, _stored_operations.step(connection, rows))
    there = set(known.scalars())
    insert_rows(connection, operation, [row for row in rows if row["operation_key"] not in there])
    update_rows(connection, operation, OPERATION_KEY, [row for row in rows if row["operation_key"] in there])


OPERATION_KEY = ("order_key", "operation_key")


@on_rows({name: operation.c[name].type for name in OPERATION_KEY})
def _stored_operations(given: Subquery) -> Executable:
    same = and_(*(operation.c[name] == given.c[name] for name in OPERATION_KEY))
    return select(operation.c.operation_key).join(given, same)


def new_version() -> str:
    """Return a version that no row has had yet; all rows of one write may share it."""
    return uuid4().hex[:KEY_LENGTH]


def _order_row(write: OrderWrite, now: datetime, version: str) -> dict[str, Any]:
    plan = write.plan
    return {
        "order_key": write.key,
        "connection": write.connection,
        "number": plan.number,
        "part": plan.part,
        "part_name": plan.part_name,
        "quantity": plan.quantity,
        "unit": plan.unit,
        "due_at": plan.due_at,
        "erp_state": plan.erp_state,
        "erp_ref": dict(plan.erp_ref),
        "fingerprint": write.fingerprint,
        "version": version,
        "proposed": write.proposed,
        "changed_at": now,
        "vanished_at": None,
    }


def _operation_rows(order: str, plan: WorksOrder) -> list[dict[str, Any]]:
    return [dict(zip(OPERATION_ROW, step, strict=True)) for step in _steps(order, plan)]


OPERATION_ROW = (
    "order_key",
    "operation_key",
    "operation_id",
    "position",
    "name",
    "work_centre",
    "setup_seconds",
    "run_seconds",
    "erp_ref",
    "vanished_at",
)


def _steps(order: str, plan: WorksOrder) -> list[tuple[Any, ...]]:
    """Lay the operations out as rows; none of them has vanished."""
    return [
        (
            order,
            operation_key(order, op.operation_id),
            op.operation_id,
            op.position,
            op.name,
            op.work_centre,
            op.setup_seconds,
            op.run_seconds,
            op.erp_ref,
            None,
        )
        for op in plan.operations
    ]


def open_orders(connection: Connection, name: str) -> dict[str, str]:
    """Return number by order key of the orders of connection `name` that we believe to be open in the ERP."""
    statement = select(works_order.c.order_key, works_order.c.number).where(
        works_order.c.connection == name,
        works_order.c.erp_state == ErpState.RELEASED,
        works_order.c.vanished_at.is_(None),
    )
    return {row.order_key: row.number for row in connection.execute(statement)}


def mark_vanished(connection: Connection, keys: Sequence[str], now: datetime) -> None:
    """Note that the ERP no longer lists these orders as open."""
    wanted = keys_of(connection, keys)
    statement = (
        update(works_order)
        .values(vanished_at=now, version=new_version())
        .where(works_order.c.order_key == wanted.c.value)
    )
    connection.execute(statement)


def known_work_centres(connection: Connection) -> dict[str, frozenset[str]]:
    """Return the work centres that routings mention, by connection."""
    statement = (
        select(works_order.c.connection, operation.c.work_centre, size_of(operation.c.work_centre))
        .join(works_order, works_order.c.order_key == operation.c.order_key)
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.connection, set()).add(row.work_centre)
    return {name: frozenset(work_centres) for name, work_centres in found.items()}
