"""Pages of a list, and the cursors that lead from one to the next.

What a reader sees is a plain dataclass; the OpenAPI document is made from it, so its types are real imports.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

LARGEST_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Page[T]:
    """One page of a list; hand `next` back as `cursor` for the page after it, null = there is none."""

    items: Sequence[T]
    next: str | None


def cursor_of(*values: str | int) -> str:
    """Pack the sort key of a row; opaque to callers."""
    return urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def read_cursor(text: str, *kinds: type) -> tuple[Any, ...]:
    """Unpack a sort key of values of the given kinds. Raises ValueError when it is not one of ours."""
    problem = "not a cursor of this list: use the `next` of the page before"
    try:
        values = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError as error:
        raise ValueError(problem) from error
    fits = isinstance(values, list) and [type(value) for value in values] == list(kinds)
    if not fits or any(isinstance(value, int) and abs(value) > LARGEST_INTEGER for value in values):
        raise ValueError(problem)
    return tuple(values)
