"""Queue doors: wake-ups are delivered, buffered floor events recorded, and what turns to poison becomes a warning.

None of them raises for a failure that has a name: the platform would try again at once and give up after five.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import azure.functions as func

from functions.http_events import parse
from shared.domain.queue_names import FLOOR_QUEUE, WAKE_QUEUE
from shared.wiring import app

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.domain.events import ExecutionEvent

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it

STORAGE = "AzureWebJobsStorage"


@bp.function_name("deliver")
@bp.queue_trigger(arg_name="msg", queue_name=WAKE_QUEUE, connection=STORAGE)
async def deliver(msg: func.QueueMessage) -> None:
    """Work off the stream that a wake-up names."""
    await app().queued.deliver(msg.get_body())


@bp.function_name("record_floor_events")
@bp.queue_trigger(arg_name="msg", queue_name=FLOOR_QUEUE, connection=STORAGE)
async def record_floor_events(msg: func.QueueMessage) -> None:
    """Record events that were buffered while SQL was away; while it still is, they wait on."""
    await app().queued.record(msg.get_body().decode(), read)


def read(items: list[Any]) -> tuple[Sequence[ExecutionEvent], Mapping[int, Any]]:
    """Make events of JSON; what is wrong with some comes by their place."""
    parsed = parse(items, app().settings.default_connection)
    return parsed.events, parsed.faults


@bp.function_name("deliver_poison")
@bp.queue_trigger(arg_name="msg", queue_name=f"{WAKE_QUEUE}-poison", connection=STORAGE)
async def deliver_poison(msg: func.QueueMessage) -> None:
    """Show a wake-up that could not be handled, and wake its stream again."""
    await app().queued.show_poison(WAKE_QUEUE, msg.get_body().decode(errors="replace"))


@bp.function_name("floor_events_poison")
@bp.queue_trigger(arg_name="msg", queue_name=f"{FLOOR_QUEUE}-poison", connection=STORAGE)
async def floor_events_poison(msg: func.QueueMessage) -> None:
    """Show buffered events that could not be recorded; the text is kept in the warning."""
    await app().queued.show_poison(FLOOR_QUEUE, msg.get_body().decode(errors="replace"))
