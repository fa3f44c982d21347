"""Sends to storage queues. Only this file knows the SDK."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azure.storage.queue.aio import QueueClient

SOON = timedelta(0)
AT_ONCE = 16  # sends in flight; Azurite and Azure both saturate well below
FOREVER = -1  # a message that expires unseen would be a loss


class QueueSender(Protocol):
    """Puts texts on queues; raises QueueUnavailable when it cannot."""

    async def send(self, queue: str, texts: Sequence[str], delay: timedelta = SOON) -> None:
        """Put every text on `queue`, visible after `delay`."""
        ...

    async def depth(self, queue: str) -> int:
        """Return roughly how many messages are on `queue`, hidden ones included; 0 if it was never made."""
        ...

    async def close(self) -> None:
        """Give back sockets."""
        ...


class StorageQueues:
    """Azure Storage Queues, by connection string or by managed identity."""

    def __init__(self, storage: Mapping[str, str], timeout_seconds: float = 5.0) -> None:
        self._storage = storage
        self._timeout = timeout_seconds
        self._clients: dict[str, QueueClient] = {}
        self._credential: Any = None
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def send(self, queue: str, texts: Sequence[str], delay: timedelta = SOON) -> None:
        """Put every text on `queue`, creating the queue if need be. Raises QueueUnavailable."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError  # noqa: PLC0415 - heavy; only senders pay

        client = self._client(queue)
        try:
            try:
                await self._send_all(client, texts, delay)
            except ResourceNotFoundError:
                await client.create_queue()
                await self._send_all(client, texts, delay)
        except (AzureError, TimeoutError, OSError) as error:
            raise QueueUnavailable(f"queue {queue!r} cannot be reached: {type(error).__name__}") from error

    async def depth(self, queue: str) -> int:
        """Return roughly how many messages are on `queue`, hidden ones included. Raises QueueUnavailable."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError  # noqa: PLC0415 - heavy

        try:
            properties = await self._client(queue).get_queue_properties(timeout=int(self._timeout))
        except ResourceNotFoundError:
            return 0
        except (AzureError, TimeoutError, OSError) as error:
            raise QueueUnavailable(f"queue {queue!r} cannot be reached: {type(error).__name__}") from error
        return properties.approximate_message_count or 0

    async def _send_all(self, client: QueueClient, texts: Sequence[str], delay: timedelta) -> None:
        async def one(text: str) -> None:
            async with self._gate:
                await client.send_message(
                    text,
                    visibility_timeout=ceil(delay.total_seconds()),  # never sooner than asked
                    time_to_live=FOREVER,
                    timeout=int(self._timeout),
                )

        await asyncio.gather(*(one(text) for text in texts))

    def _client(self, queue: str) -> QueueClient:
        client = self._clients.get(queue)
        if client is None:
            client = self._clients[queue] = self._make_client(queue)
        return client

    def _make_client(self, queue: str) -> QueueClient:
        from azure.storage.queue import TextBase64EncodePolicy  # noqa: PLC0415 - heavy; only senders pay
        from azure.storage.queue.aio import QueueClient  # noqa: PLC0415

        options: dict[str, Any] = {
            "message_encode_policy": TextBase64EncodePolicy(),
            "connection_timeout": self._timeout,
            "read_timeout": self._timeout,
            # Once more and at once: the SDK's own 15 seconds would be the floor's, who waits for this answer.
            "retry_total": 1,
            "initial_backoff": 0,
            "increment_base": 0,
            "random_jitter_range": 0,
        }
        if "uri" in self._storage:
            return QueueClient(self._storage["uri"], queue, credential=self._identity(), **options)
        return QueueClient.from_connection_string(
            local_or(self._storage["connection_string"]), queue, **options
        )

    def _identity(self) -> Any:  # noqa: ANN401 - azure-identity's credential
        if self._credential is None:
            from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

            self._credential = DefaultAzureCredential(
                managed_identity_client_id=self._storage.get("client_id") or None
            )
        return self._credential

    async def close(self) -> None:
        """Give back sockets and tokens."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()
        if self._credential is not None:
            await self._credential.close()


DEVELOPMENT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)


def local_or(connection_string: str) -> str:
    """Spell out the emulator's well-known account, which the Functions host accepts in short."""
    return DEVELOPMENT if connection_string == "UseDevelopmentStorage=true" else connection_string
