"""How long SQL may take, and how much of it one process uses at a time."""

from __future__ import annotations

from dataclasses import dataclass

BUSY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`writers` and `readers` are threads, and so connections: one process never holds more than both together.

    `busy_seconds` is how long a statement waits for a lock, `connect_seconds` how long a login may take,
    `command_seconds` how long a statement may run, `rest_seconds` how long nobody tries after SQL could not be used.
    """

    busy_seconds: float = BUSY_SECONDS
    writers: int = 8
    readers: int = 4
    connect_seconds: int = 15
    command_seconds: int = 30
    rest_seconds: float = 5.0
