"""What travels on the queues."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING, Any

import orjson

from shared.domain.queue_names import FLOOR_QUEUE, WAKE_QUEUE
from shared.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

__all__ = ["FLOOR_QUEUE", "WAKE_QUEUE", "floor_batches", "floor_events_of", "streams_of", "wake_ups"]

LARGEST = 44_000  # bytes of JSON: Azure allows 64 KiB a message, and Base64 adds a third


FEW = 32  # streams; up to so many get a queue message each and spread over all instances
TOGETHER = 8  # streams a message, when there are more: a queue message costs far more than the wake-up in it


def wake_ups(stream_keys: Collection[str]) -> list[str]:
    """Say that streams have something to deliver. Losing, repeating or delaying it does no harm."""
    size = 1 if len(stream_keys) <= FEW else TOGETHER
    return [orjson.dumps({"streams": keys}).decode() for keys in batched(stream_keys, size, strict=False)]


def streams_of(text: str | bytes) -> list[str]:
    """Read a wake-up. Raises MappingError when it is none."""
    try:
        streams = orjson.loads(text)["streams"]
    except (ValueError, KeyError, TypeError) as error:
        raise MappingError(f"not a wake-up: expected {{'streams': [key]}}, got {text[:100]!r}") from error
    if not isinstance(streams, list) or not all(isinstance(key, str) for key in streams):
        raise MappingError(f"not a wake-up: 'streams' must be a list of keys, got {text[:100]!r}")
    return streams


def floor_batches(events: Iterable[bytes], received_at: str) -> list[str]:
    """Put events, each as JSON, into as few queue messages as their size allows."""
    batches: list[str] = []
    current: list[bytes] = []
    size = 0
    for packed in events:
        if current and size + len(packed) > LARGEST:
            batches.append(_floor_message(current, received_at))
            current, size = [], 0
        current.append(packed)
        size += len(packed) + 1
    if current:
        batches.append(_floor_message(current, received_at))
    return batches


def _floor_message(packed: Sequence[bytes], received_at: str) -> str:
    return '{"received_at":"' + received_at + '","events":[' + b",".join(packed).decode() + "]}"


def floor_events_of(text: str | bytes) -> list[Any]:
    """Read the events back. Raises MappingError when the message is none of ours."""
    try:
        events = orjson.loads(text)["events"]
    except (ValueError, KeyError, TypeError) as error:
        raise MappingError(f"not a batch of floor events: {text[:100]!r}") from error
    if not isinstance(events, list):
        raise MappingError("not a batch of floor events: 'events' must be a list")
    return events
