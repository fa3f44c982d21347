"""Pages by key: a page begins after the last row of the one before, so nothing is skipped or shown twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, or_

from shared.domain.page import Page, cursor_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def paged[T](rows: Sequence[T], limit: int, *key: Sequence[Any]) -> Page[T]:
    """Make a page of `rows`, read one beyond `limit`; `key` holds the sort key of each row."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], cursor_of(*key[limit - 1]))


def after(
    columns: Sequence[ColumnElement[Any]], values: Sequence[Any], *, falling: bool = False
) -> ColumnElement[bool]:
    """Return the condition that a row comes after `values` in the order of `columns`."""
    steps = []
    for place, (column, value) in enumerate(zip(columns, values, strict=True)):
        beyond = column < value if falling else column > value
        # `=` as ORDER BY means it: SQL Server sorts "A1" and "A1 " as one, so the next column tells them apart
        same = [
            known.op("=", is_comparison=True)(given)
            for known, given in zip(columns[:place], values, strict=False)
        ]
        steps.append(and_(*same, beyond))
    first = columns[0] <= values[0] if falling else columns[0] >= values[0]
    return and_(first, or_(*steps))  # said again in short: where an index may begin to read
