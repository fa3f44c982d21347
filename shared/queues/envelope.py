"""What travels on the queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from shared.domain.queue_names import FLOOR_QUEUE, WAKE_QUEUE
from shared.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FLOOR_QUEUE", "WAKE_QUEUE", "floor_batches", "floor_events_of", "stream_of", "wake_up"]

LARGEST = 44_000  # bytes of JSON: Azure allows 64 KiB a message, and Base64 adds a third


def wake_up(stream_key: str) -> str:
    """Say that a stream has something to deliver. Losing, repeating or delaying it does no harm."""
    return orjson.dumps({"stream": stream_key}).decode()


def stream_of(text: str | bytes) -> str:
    """Read a wake-up. Raises MappingError when it is none."""
    try:
        return str(orjson.loads(text)["stream"])
    except (ValueError, KeyError, TypeError) as error:
        raise MappingError(f"not a wake-up: expected {{'stream': key}}, got {text[:100]!r}") from error


def floor_batches(events: Sequence[Any], received_at: str) -> list[str]:
    """Pack raw events (the JSON as it came) into as few queue messages as their size allows."""
    batches: list[str] = []
    current: list[bytes] = []
    size = 0
    for event in events:
        packed = orjson.dumps(event, default=str)  # an exact number travels as text, which is as good
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
