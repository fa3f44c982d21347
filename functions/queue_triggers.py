"""Queue doors: wake-ups are delivered, buffered floor events recorded, and what turns to poison becomes a warning.

None of them raises for a failure that has a name: the platform would try again at once and give up after five.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import azure.functions as func

from functions.http_events import parse
from shared.errors import MappingError, StoreUnavailable
from shared.flows import poison
from shared.queues.envelope import FLOOR_QUEUE as FLOOR
from shared.queues.envelope import WAKE_QUEUE as WAKE
from shared.queues.envelope import floor_events_of, stream_of
from shared.wiring import app

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it
log = logging.getLogger(__name__)

STORAGE = "AzureWebJobsStorage"
LATER = timedelta(seconds=15)


@bp.function_name("deliver")
@bp.queue_trigger(arg_name="msg", queue_name=WAKE, connection=STORAGE)
async def deliver(msg: func.QueueMessage) -> None:
    """Work off the stream that a wake-up names."""
    try:
        await app().deliverer.deliver(stream_of(msg.get_body()))
    except StoreUnavailable as error:
        log.warning("not delivered now, the sweep comes back: %s", error)


@bp.function_name("record_floor_events")
@bp.queue_trigger(arg_name="msg", queue_name=FLOOR, connection=STORAGE)
async def record_floor_events(msg: func.QueueMessage) -> None:
    """Record events that were buffered while SQL was away; while it still is, they wait on."""
    here, text = app(), msg.get_body().decode()
    parsed = parse(floor_events_of(text), here.settings.default_connection)
    try:
        await here.receiver.receive(parsed.events)
    except StoreUnavailable:
        await here.queues.send(FLOOR, [text], LATER)
        return
    if (
        parsed.faults
    ):  # they were valid when they were acknowledged: a defect, to be seen as poison, not dropped
        raise MappingError(f"{len(parsed.faults)} buffered events are not valid: {parsed.faults}")


@bp.function_name("deliver_poison")
@bp.queue_trigger(arg_name="msg", queue_name=f"{WAKE}-poison", connection=STORAGE)
async def deliver_poison(msg: func.QueueMessage) -> None:
    """Show a wake-up that could not be handled, and wake its stream again."""
    await poison.show(
        app().store, app().settings.default_connection, WAKE, msg.get_body().decode(errors="replace")
    )


@bp.function_name("floor_events_poison")
@bp.queue_trigger(arg_name="msg", queue_name=f"{FLOOR}-poison", connection=STORAGE)
async def floor_events_poison(msg: func.QueueMessage) -> None:
    """Show buffered events that could not be recorded; the text is kept in the warning."""
    await poison.show(
        app().store, app().settings.default_connection, FLOOR, msg.get_body().decode(errors="replace")
    )
