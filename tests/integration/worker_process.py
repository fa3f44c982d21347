"""A deliver worker without doors, in a process of its own, there to be killed.

It gives every stream that has something due to the real Deliverer, again and again: wake-ups may come at any time
and any number of times. `python -m tests.integration.worker_process <ready file>` runs until it is ended.
"""

import asyncio
import logging
import random
import sys
from pathlib import Path

from sqlalchemy import select

from shared import settings
from shared.errors import StoreUnavailable
from shared.store.tables import stream
from shared.wiring import App, build

PAUSE_SECONDS = 0.01, 0.09  # by chance, so that no worker always comes first


def open_streams(tx):
    return list(tx.scalars(select(stream.c.stream_key).where(stream.c.due_at.is_not(None))))


async def deliver(here: App, key: str) -> None:
    try:
        await here.deliverer.deliver(key)
    except StoreUnavailable as error:
        logging.warning("not delivered now: %s", error)  # noqa: LOG015 - a script's own log


async def work(here: App) -> None:
    """Deliver what is open, never the same stream twice at once from here."""
    running: dict[str, asyncio.Task[None]] = {}
    while True:
        for key in await here.store.read(open_streams):
            if key not in running or running[key].done():
                running[key] = asyncio.create_task(deliver(here, key))
        await asyncio.sleep(random.uniform(*PAUSE_SECONDS))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("shared.flows.deliver").setLevel(logging.DEBUG)  # a line per attempt, also of good ones
    here = build(settings.load())
    Path(sys.argv[1]).touch()
    asyncio.run(work(here))


if __name__ == "__main__":
    main()
