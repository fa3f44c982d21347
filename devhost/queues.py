"""Queue triggers: fetch, lease, invoke, then delete, show again or move to the poison queue.

The host's rules: up to `batchSize` messages a fetch; the next fetch when no more than `newBatchThreshold` are
running; a function that returns has its message deleted; one that raises has it shown again after
`visibilityTimeout`, and at `maxDequeueCount` tries moved to `<queue>-poison`. An empty queue is polled ever
more slowly, from 100 ms up to `maxPollingInterval`. What a crash leaves behind reappears when its lease ends.
"""

import asyncio
import base64
import binascii
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from devhost.errors import DevhostError
from devhost.settings import QueueOptions
from devhost.worker import Function, Outcome, QueueItem, Worker

logger = logging.getLogger("devhost")

POISON: Final = "-poison"
_MINIMUM_INTERVAL: Final = 0.1


class Backoff:
    """Seconds to wait between polls of an empty queue: doubling, with a fifth of chance, up to a maximum."""

    def __init__(self, maximum: float) -> None:
        self._maximum = maximum
        self._exponent = 0

    def reset(self) -> None:
        """Begin again at the minimum."""
        self._exponent = 0

    def next(self) -> float:
        """The next delay."""
        increment = (2.0**self._exponent - 1) * _MINIMUM_INTERVAL * random.uniform(0.8, 1.2)  # noqa: S311 -- no secret
        delay = min(self._maximum, _MINIMUM_INTERVAL + increment)
        if delay < self._maximum:
            self._exponent += 1
        return delay


class Health:
    """Says once when a queue can or cannot be read, not at every poll."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._state = "unknown"

    def note(self, state: str, reason: str = "") -> None:
        """Log a change of state: `up`, `missing` or `down`."""
        if state == self._state:
            return
        known, self._state = self._state, state
        if state == "up" and known != "unknown":
            logger.info("queue %s is being read again", self._queue)
        elif state == "missing":
            logger.info("queue %s does not exist yet; waiting for it", self._queue)
        elif state == "down":
            logger.warning("queue %s cannot be read, trying on: %s", self._queue, reason)


class Lease:
    """Keeps one message hidden from others while its function runs, by renewing at half-time."""

    def __init__(self, client: QueueClient, message: QueueMessage, seconds: float) -> None:
        self._client = client
        self.message = message
        self._seconds = seconds
        self._renewing = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Renew for as long as the block lasts; a renewal on its way is waited for."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            async with self._renewing:
                task.cancel()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 2)
            async with self._renewing:
                await self._renew()

    async def _renew(self) -> None:
        try:
            self.message = await self._client.update_message(
                self.message, visibility_timeout=max(1, round(self._seconds))
            )
        except AzureError as error:
            logger.warning("message %s: its lease was not renewed: %s", self.message.id, _reason(error))


class QueueListener:
    """Feeds one queue function."""

    def __init__(
        self, worker: Worker, function: Function, queue: str, connection: str, options: QueueOptions
    ) -> None:
        self.function = function
        self.queue = queue
        self._worker = worker
        self._options = options
        self._health = Health(queue)
        self._backoff = Backoff(options.max_polling_interval)
        self._running: set[asyncio.Task[None]] = set()
        self._client = _client(connection, queue)
        # A poison queue's own failures stay in it.
        self._poison = None if queue.endswith(POISON) else _client(connection, queue + POISON)

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until asked to stop, then let the running functions finish."""
        async with contextlib.AsyncExitStack() as clients:
            await clients.enter_async_context(self._client)
            if self._poison is not None:
                await clients.enter_async_context(self._poison)
            while not stop.is_set():
                await self._turn(stop)
            await asyncio.gather(*self._running)

    async def _turn(self, stop: asyncio.Event) -> None:
        messages = await self._fetch()
        if not messages:
            await _pause(self._backoff.next(), stop)
            return
        self._backoff.reset()
        if stop.is_set():
            await asyncio.gather(*(self._show_again(message, 0) for message in messages))
            return
        for message in messages:
            task = asyncio.create_task(self._process(message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        await self._wait_for_room(stop)

    async def _fetch(self) -> list[QueueMessage]:
        size = self._options.batch_size
        lease = max(1, round(self._options.lease))
        pages = self._client.receive_messages(
            messages_per_page=size, visibility_timeout=lease, retry_total=0
        ).by_page()
        try:
            # One page is one fetch; the iterator would go on asking until the queue is empty.
            messages = [message async for message in await anext(pages)]
        except StopAsyncIteration:
            messages = []
        except ResourceNotFoundError as error:
            self._health.note("missing", _reason(error))
            return []
        except AzureError as error:
            self._health.note("down", _reason(error))
            return []
        self._health.note("up")
        return messages

    async def _wait_for_room(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        try:
            while len(self._running) > self._options.new_batch_threshold and not stop.is_set():
                await asyncio.wait({*self._running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()

    async def _process(self, message: QueueMessage) -> None:
        """One message, from its lease to its end. Storage trouble leaves it to reappear by itself."""
        try:
            await self._run_function(message)
        except AzureError as error:
            logger.warning("message %s will reappear in %s: %s", message.id, self.queue, _reason(error))

    async def _run_function(self, message: QueueMessage) -> None:
        if (message.dequeue_count or 0) > self._options.max_dequeue_count:
            await self._give_up(message)
            return
        try:
            item = read(message, base64_encoded=self._options.base64)
        except ValueError as error:
            logger.warning("message %s of %s is not base64: %s", message.id, self.queue, error)
            await self._give_up(message)
            return
        lease = Lease(self._client, message, self._options.lease)
        async with lease.held():
            outcome = await self._worker.queue(self.function, item)
        await self._conclude(lease.message, message.dequeue_count or 0, outcome)

    async def _conclude(self, message: QueueMessage, dequeue_count: int, outcome: Outcome) -> None:
        if outcome is Outcome.DONE:
            await self._client.delete_message(message)
        elif outcome is Outcome.TIMED_OUT:
            # As when the host restarts its worker: nobody touches the message, its lease runs out.
            return
        elif dequeue_count >= self._options.max_dequeue_count:
            await self._give_up(message)
        else:
            await self._show_again(message, self._options.visibility_timeout)

    async def _show_again(self, message: QueueMessage, after: float) -> None:
        await self._client.update_message(message, visibility_timeout=round(after))

    async def _give_up(self, message: QueueMessage) -> None:
        """Move a message to the poison queue, as it was written."""
        if self._poison is None:
            await self._show_again(message, self._options.visibility_timeout)
            return
        logger.warning("message %s moves from %s to %s%s", message.id, self.queue, self.queue, POISON)
        await _send_creating(self._poison, str(message.content or ""))
        await self._client.delete_message(message)


def read(message: QueueMessage, *, base64_encoded: bool) -> QueueItem:
    """A fetched message as the function gets it.

    Raises:
        ValueError: it should be base64 and is not.
    """
    text = str(message.content or "")
    return QueueItem(
        id=str(message.id),
        body=_decoded(text) if base64_encoded else text,
        dequeue_count=message.dequeue_count or 0,
        inserted=_instant(message.inserted_on),
        expires=_instant(message.expires_on),
        next_visible=_instant(message.next_visible_on),
        pop_receipt=str(message.pop_receipt),
    )


def _decoded(text: str) -> str | bytes:
    try:
        body = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body


def _instant(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _client(connection: str, queue: str) -> QueueClient:
    try:
        return QueueClient.from_connection_string(
            connection,
            queue,
            connection_timeout=5,
            read_timeout=30,
            retry_total=4,
            initial_backoff=1,
            increment_base=2,
            random_jitter_range=1,
        )
    except ValueError as error:
        raise DevhostError(f"the storage connection string for queue {queue} is not valid: {error}") from None


async def _send_creating(client: QueueClient, content: str) -> None:
    try:
        await client.send_message(content)
    except ResourceNotFoundError:
        await client.create_queue()
        await client.send_message(content)


async def _pause(delay: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), delay)


def _reason(error: AzureError) -> str:
    return (error.message or type(error).__name__).splitlines()[0]
