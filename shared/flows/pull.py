"""Pull: what the ERP has released or changed becomes our plan, without ever overwriting recorded work.

A pull reads what has changed since the watermark. What no watermark shows (a commit later than the overlap, a clock
that was wrong, a change the ERP does not stamp) is found by reading all released orders anew now and then, beside the
changes and without moving the watermark; orders that are as they were cost no write. The reconciling pass says when.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.domain.derive import OrderState, draft_completion
from shared.domain.identity import order_key
from shared.domain.plan_change import Action, Change, fingerprint, judge, keep_plan, taken_over
from shared.domain.plan_json import plan_to_json
from shared.domain.pull_report import PullReport
from shared.domain.storable import kept
from shared.domain.warning import Warning_, WarningKind
from shared.domain.works_order import ErpState
from shared.errors import ConfigurationError, ErpUnavailable, LeaseLost, StoreUnavailable
from shared.flows.ahead import ahead
from shared.flows.receive import Ledger, save
from shared.flows.units import counted_anew
from shared.queues.waker import Waker
from shared.store import connections, floor, leases, orders, outbox, warnings
from shared.store.batch import ask
from shared.store.orders import OrderWrite, StoredOrder

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from shared.domain.works_order import WorksOrder
    from shared.erp.port import PulledPage
    from shared.flows.connected import ConnectedErp, ReferenceData
    from shared.queues.sender import QueueSender
    from shared.store.engine import Store

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)  # prolonged with every page; an instance that dies frees it after so long
SUBJECT = "orders"
ALL = "orders read anew"  # a watermark in our own time: when all released orders were last read; none = do it next
WORDS = 1000  # of an error that are kept


class Puller:
    """Pulls one connection at a time, once however many instances run."""

    def __init__(self, store: Store, queues: QueueSender, references: ReferenceData) -> None:
        self._store = store
        self._waker = Waker(queues)
        self._references = references

    async def pull(self, connected: ConnectedErp) -> PullReport:
        """Read everything released or changed since the watermark; move the watermark only when all is written."""
        report = PullReport(connected.name)
        token = await self._take(connected.name)
        if token is None:
            report.ran = False
            return report
        try:
            await self._read(connected, token, report)
        except (ErpUnavailable, ConfigurationError, LeaseLost) as error:
            report.error = kept(str(error), WORDS)
            log.warning("pull of %s ends early: %s", connected.name, error)
        except BaseException as error:
            report.error = f"pull ended by {type(error).__name__}"
            raise
        finally:
            await self._finished(connected.name, token, report.error)
        self._references.forget()
        return report

    async def _finished(self, name: str, token: int, error: str) -> None:
        """Give the lease back, whatever has happened: others pull when this one cannot."""
        try:
            await self._store.write(lambda tx: _finish(tx, name, token, error))
        except StoreUnavailable as away:
            log.warning("the pull of %s keeps its lease until that expires: %s", name, away)

    async def _take(self, name: str) -> int | None:
        now = datetime.now(UTC)
        owner = uuid4().hex
        return await self._store.write(lambda tx: leases.take(tx, f"pull:{name}", owner, now, now + LEASE))

    async def _read(self, connected: ConnectedErp, token: int, report: PullReport) -> None:
        name, began = connected.name, datetime.now(UTC)
        since, whole = await self._store.read(
            lambda tx: (leases.read_watermark(tx, name, SUBJECT), leases.read_watermark(tx, name, ALL))
        )
        mark = await self._read_since(connected, since, token, report)
        if mark is not None and mark != since:
            await self._store.write(lambda tx: leases.move_watermark(tx, name, SUBJECT, mark, began))
        if whole is None and since is not None:
            log.info("%s: all released orders are read anew", name)
            await self._read_since(connected, None, token, report)
        if whole is None:
            await self._store.write(lambda tx: leases.move_watermark(tx, name, ALL, began.isoformat(), began))

    async def _read_since(
        self, connected: ConnectedErp, since: str | None, token: int, report: PullReport
    ) -> str | None:
        """Read and write page by page; return how far that has come, None if no page has said so."""
        erp = await connected.erp()
        mark = None
        async for page in ahead(erp.pull(since)):
            written = partial(write_page, name=connected.name, token=token, page=page, report=report)
            wake = await self._store.write(written)
            mark = page.watermark or mark
            self._waker.wake(wake)
        return mark

    async def reconcile(self, connected: ConnectedErp, rest: timedelta = timedelta()) -> PullReport:
        """Compare the ERP's open orders with ours: find what was deleted, or missed by every watermark.

        The next pull reads all released orders anew, beside what has changed: at once where one of them is not known
        here, else once `rest` has passed since that was last done. It costs the ERP as much as a first pull does, a
        page per `page_size` orders; us it costs no write for an order that is as it was.
        """
        report = PullReport(connected.name)
        believed = await self._store.read(lambda tx: orders.open_orders(tx, connected.name))
        try:
            erp = await connected.erp()
            open_numbers = {number async for page in erp.open_orders() for number in page}
        except (ErpUnavailable, ConfigurationError) as error:
            report.error = kept(str(error), WORDS)
            log.warning("%s: nothing was compared: %s", connected.name, error)
            return report
        gone = {key: number for key, number in believed.items() if number not in open_numbers}
        await self._store.write(lambda tx: vanish(tx, connected.name, gone, report))
        await self._have_all_read(connected.name, open_numbers - set(believed.values()), rest)
        return report

    async def _have_all_read(self, name: str, unknown: set[str], rest: timedelta) -> None:
        rejected, last = await self._store.read(
            lambda tx: (warnings.rejected_records(tx, name), leases.read_watermark(tx, name, ALL))
        )
        missed = unknown - rejected  # reading those anew would change nothing
        if missed:
            log.info("%s: %d open orders were missed", name, len(missed))
        if last and (missed or datetime.now(UTC) - datetime.fromisoformat(last) >= rest):
            await self._store.write(lambda tx: leases.forget_watermark(tx, name, ALL))

    async def close(self) -> None:
        """Send what is still to be sent."""
        await self._waker.drain()


def _finish(tx: Connection, name: str, token: int, error: str) -> None:
    connections.note_pull(tx, name, datetime.now(UTC), error)
    leases.release(tx, f"pull:{name}", token)


def write_page(tx: Connection, name: str, token: int, page: PulledPage, report: PullReport) -> list[str]:
    """Write one page in the caller's transaction; return the streams to wake. Unchanged orders cost no write."""
    now = datetime.now(UTC)
    pulled = {order_key(name, order.number): order for order in page.orders}
    lease = f"pull:{name}"
    holding, rows = ask(
        tx,
        leases.hold_step(tx, lease, token, now + LEASE),
        orders.fingerprints_step(tx, pulled),
    )
    leases.held(lease, holding)
    seen = orders.fingerprints(rows)
    stated = {key: fingerprint(order) for key, order in pulled.items()}
    news = [
        key
        for key, order in pulled.items()
        if stated[key] != seen.get(key) and _concerns_us(order, seen, key)
    ]
    report.read += len(page.orders)
    report.rejected += len(page.rejected)
    raised = _rejected(name, page)
    if news:
        return _write_news(tx, name, {key: pulled[key] for key in news}, stated, raised, report, now)
    warnings.raise_warnings(tx, raised, now)
    return []


def _concerns_us(order: WorksOrder, seen: Mapping[str, str], key: str) -> bool:
    """An order that was never released to us may be cancelled or completed without us."""
    return key in seen or order.erp_state is ErpState.RELEASED


def _write_news(
    tx: Connection,
    name: str,
    pulled: Mapping[str, WorksOrder],
    stated: Mapping[str, str],
    raised: Sequence[Warning_],
    report: PullReport,
    now: datetime,
) -> list[str]:
    stored, begun, worked = _known(tx, pulled)
    changes = {
        key: judge(_plan_of(stored.get(key)), order, started=key in begun) for key, order in pulled.items()
    }
    writes = {
        key: _write_of(
            stored.get(key), OrderWrite(key, name, pulled[key], stated[key]), change, worked.get(key, ())
        )
        for key, change in changes.items()
    }
    fresh = [writes[key] for key, change in changes.items() if change.action is Action.INSERT]
    known = [writes[key] for key, change in changes.items() if change.action is not Action.INSERT]
    orders.insert_orders(tx, fresh, now)
    orders.update_orders(tx, known, stored, now)
    _count(report, changes)
    proposals = [
        _changed(name, key, pulled[key], change)
        for key, change in changes.items()
        if change.action is Action.PROPOSE
    ]
    warnings.raise_warnings(tx, [*raised, *proposals], now)
    _settle_warnings(tx, changes, proposals, now)
    if not begun:
        return []
    plans = {key: writes[key].plan for key in begun}
    counted_anew(tx, name, plans, now)
    return settle_plan(tx, begun, plans, now)


def _known(
    tx: Connection, keys: Collection[str]
) -> tuple[dict[str, StoredOrder], dict[str, tuple[str, str]], dict[str, set[str]]]:
    """Read what is stored of the orders, which of them the floor has begun, and which operations it worked on."""
    headers, begun, worked = ask(
        tx, orders.headers_step(tx, keys), floor.begun_step(tx, keys), floor.worked_step(tx, keys)
    )
    stored, changed = orders.remembered(headers)
    if changed:
        (routings,) = ask(tx, orders.routings_step(tx, changed))
        stored |= orders.with_routings(changed, routings)
    return stored, floor.begun_from(begun), floor.worked_operations(worked)


def _plan_of(stored: StoredOrder | None) -> WorksOrder | None:
    return stored.plan if stored else None


def _write_of(
    stored: StoredOrder | None, as_stated: OrderWrite, change: Change, worked: Collection[str]
) -> OrderWrite:
    if stored is None or change.action is Action.INSERT:
        return as_stated
    if change.action is Action.UPDATE:
        return replace(as_stated, plan=taken_over(stored.plan, as_stated.plan))
    kept = keep_plan(stored.plan, as_stated.plan, worked)
    changes = {field: list(pair) for field, pair in change.differences.items()}
    proposed = {"changes": changes, "plan": plan_to_json(as_stated.plan)} if changes else None
    return replace(as_stated, plan=kept, proposed=proposed)


def _count(report: PullReport, changes: Mapping[str, Change]) -> None:
    actions = [change.action for change in changes.values()]
    report.inserted += actions.count(Action.INSERT)
    report.updated += actions.count(Action.UPDATE) + actions.count(Action.REFRESH)
    report.proposed += actions.count(Action.PROPOSE)


def _settle_warnings(
    tx: Connection, changes: Mapping[str, Change], proposals: Sequence[Warning_], now: datetime
) -> None:
    settled = [key for key, change in changes.items() if change.action is not Action.PROPOSE]
    arrived = (WarningKind.UNKNOWN_ORDER, WarningKind.UNKNOWN_OPERATION)
    kinds = (*arrived, *SHOWN_AS.values(), WarningKind.ORDER_VANISHED)
    closings = [
        warnings.Closing(settled, kinds, "the plan and the ERP agree"),
        warnings.Closing([item.order_key for item in proposals], arrived, "the order has arrived"),
    ]
    warnings.resolve_for_orders(tx, closings, now)


SHOWN_AS = {
    "cancelled": WarningKind.ORDER_CANCELLED,
    "header": WarningKind.ORDER_CHANGED,
    "routing": WarningKind.ROUTING_CHANGED,
}


def _changed(name: str, key: str, order: WorksOrder, change: Change) -> Warning_:
    """Show before and after of a change to an order that is under way."""
    what = ", ".join(f"{field}: {before} -> {after}" for field, (before, after) in change.differences.items())
    if order.erp_state is ErpState.CANCELLED:
        kind = SHOWN_AS["cancelled"]
    else:
        kind = SHOWN_AS[
            "header" if any(not field.startswith("operation ") for field in change.differences) else "routing"
        ]
    evidence = {field: list(pair) for field, pair in change.differences.items()}
    kept = "the plan here stays until somebody decides"
    detail = f"{order.number} was changed in the ERP after it had started; {kept}: {what}"
    return Warning_(name, kind, order.number, detail, key, order.number, evidence)


def _rejected(name: str, page: PulledPage) -> list[Warning_]:
    return [
        Warning_(name, WarningKind.RECORD_REJECTED, record.subject, f"not taken over: {record.reason}")
        for record in page.rejected
    ]


def settle_plan(
    tx: Connection, begun: Mapping[str, tuple[str, str]], plans: Mapping[str, WorksOrder], now: datetime
) -> list[str]:
    """After a plan arrived or moved under running work: complete what is complete, let held messages go."""
    ledgers = {}
    for key, stored in floor.lock(tx, begun).items():
        planned = tuple(op.operation_id for op in plans[key].operations)
        order = OrderState(planned, stored.operations, stored.status, stored.started_at)
        ledger = Ledger(stored, order)
        ledger.drafts += draft_completion(order)
        ledgers[key] = ledger
    wake = save(tx, ledgers, now)
    held = outbox.release_held(tx, list(begun), now)
    return sorted({*wake, *held})


def vanish(tx: Connection, name: str, gone: Mapping[str, str], report: PullReport) -> None:
    """Mark orders the ERP no longer lists; say so where work was recorded."""
    if not gone:
        return
    now = datetime.now(UTC)
    report.vanished = len(gone)
    orders.mark_vanished(tx, list(gone), now)
    begun = floor.unfinished(tx, list(gone))
    raised = [
        Warning_(
            name,
            WarningKind.ORDER_VANISHED,
            gone[key],
            f"{gone[key]} is under way here but no longer open in the ERP; recorded work is kept",
            key,
            gone[key],
        )
        for key in begun
    ]
    warnings.raise_warnings(tx, raised, now)
