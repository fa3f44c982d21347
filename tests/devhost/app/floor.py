"""Queue and timer functions. A queue message says in JSON how its function shall behave."""

import asyncio
import time

import azure.functions as func
from journal import note

floor = func.Blueprint()


@floor.queue_trigger(arg_name="message", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def work(message: func.QueueMessage) -> None:
    """Write down what came, then do as told."""
    body = message.get_body()
    note(
        "work",
        state="begun",
        id=message.id,
        body=body.decode("utf-8", "replace"),
        hex=body.hex(),
        dequeue_count=message.dequeue_count,
        inserted=str(message.insertion_time),
        expires=str(message.expiration_time),
        visible=str(message.time_next_visible),
        receipt=bool(message.pop_receipt),
    )
    if body[:1] == b"{":
        order = message.get_json()
        await asyncio.sleep(order.get("seconds", 0))
        if order.get("fail"):
            raise RuntimeError("failing on purpose")
    note("work", state="ended", id=message.id)


@floor.queue_trigger(arg_name="message", queue_name="devhost-sync", connection="Storage")
def work_in_thread(message: func.QueueMessage) -> None:
    """A synchronous queue function; its connection is found under AzureWebJobsStorage."""
    time.sleep(0.05)
    note("sync", body=message.get_body().decode())


@floor.timer_trigger(arg_name="tick", schedule="%TICK%", run_on_startup=False)
async def ticking(tick: func.TimerRequest) -> None:
    """Fires every second in the tests, and runs for longer than that."""
    note("tick", state="begun", past_due=tick.past_due, next=tick.schedule_status["Next"])
    await asyncio.sleep(1.2)
    note("tick", state="ended")


@floor.timer_trigger(arg_name="tick", schedule="0 0 0 1 1 *", run_on_startup=True)
async def at_startup(tick: func.TimerRequest) -> None:
    """Fires once at the start, then at New Year."""
    note("startup", past_due=tick.past_due)
