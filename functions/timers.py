"""Timer doors: pull every connection, reconcile now and then, sweep for what is due."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import azure.functions as func

from shared.errors import ConfigurationError, StoreUnavailable
from shared.wiring import app

if TYPE_CHECKING:
    from collections.abc import Sequence

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it
log = logging.getLogger(__name__)

ANEW = timedelta(
    hours=6
)  # at most so often all released orders are read anew: that costs the ERP a first pull


@bp.function_name("pull_orders")
@bp.timer_trigger(arg_name="timer", schedule="%TASCUS_PULL_SCHEDULE%", run_on_startup=False)
async def pull_orders(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's own argument
    """Pull every connection, side by side; one that fails does not keep the others."""
    here = app()
    outcomes = await asyncio.gather(
        *(here.puller.pull(connected) for connected in here.erps.values()), return_exceptions=True
    )
    report_failures(list(here.erps), outcomes)


@bp.function_name("reconcile_orders")
@bp.timer_trigger(arg_name="timer", schedule="%TASCUS_RECONCILE_SCHEDULE%", run_on_startup=False)
async def reconcile_orders(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Compare each ERP's open orders with ours: deletions leave no trace in a pull."""
    here = app()
    outcomes = await asyncio.gather(
        *(here.puller.reconcile(connected, ANEW) for connected in here.erps.values()), return_exceptions=True
    )
    report_failures(list(here.erps), outcomes)


@bp.function_name("sweep_due")
@bp.timer_trigger(arg_name="timer", schedule="%TASCUS_SWEEP_SCHEDULE%", run_on_startup=False)
async def sweep_due(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Wake what is due and was not delivered."""
    try:
        await app().sweep()
    except StoreUnavailable as error:
        log.warning("nothing swept: %s", error)


@bp.function_name("retain_evidence")
@bp.timer_trigger(arg_name="timer", schedule="0 40 2 * * *", run_on_startup=False)
async def retain_evidence(timer: func.TimerRequest) -> None:  # noqa: ARG001
    """Archive requests and replies that nobody asks for any more; at night, in small bites."""
    try:
        archived, forgotten = await app().retain()
    except StoreUnavailable as error:
        log.warning("old evidence stays for another day: %s", error)
    else:
        log.info("%d old attempts were archived, %d left the archive", archived, forgotten)


def report_failures(names: Sequence[str], outcomes: Sequence[object]) -> None:
    """Log failures that have a name; anything else is a defect and must surface."""
    for name, outcome in zip(names, outcomes, strict=True):
        if isinstance(outcome, (ConfigurationError, StoreUnavailable)):
            log.error("connection %s: %s", name, outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
