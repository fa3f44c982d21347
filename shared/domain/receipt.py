"""Receipts: what became of each event of a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Disposition(StrEnum):
    """What became of one event of a request."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"  # the same (source, id) is recorded already: nothing happens twice
    BUFFERED = "buffered"  # SQL is away: it waits on the queue and will be recorded


@dataclass(frozen=True, slots=True)
class Receipt:
    """Answer for one event: its disposition and the kinds of warnings it gave rise to."""

    disposition: Disposition
    warnings: Sequence[str] = ()
