"""Many rows in one statement: the only place where the two SQL dialects differ.

A set of rows travels as one JSON parameter and is opened by the server: `json_each` on SQLite, `OPENJSON` on
SQL Server. One parameter has no limit of 2,100 and leaves no types to guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Column, String, Table, TypeDecorator, and_, insert, select, text, update

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Dialect, Subquery
    from sqlalchemy.types import TypeEngine

    from shared.store.types import Json  # noqa: F401 - named in a docstring

type Row = Mapping[str, Any]


def rows_of(
    connection: Connection, columns: Mapping[str, TypeEngine[Any]], rows: Sequence[Row], name: str = "given"
) -> Subquery:
    """Return `rows` as a derived table with the given columns, to be joined like any other."""
    dialect = connection.dialect
    opened = text(_opened(dialect, columns)).columns(*(Column(key, kind) for key, kind in columns.items()))
    return opened.bindparams(given_rows=_as_json(dialect, columns, rows)).subquery(name)


def keys_of(connection: Connection, keys: Sequence[str], kind: TypeEngine[str] | None = None) -> Subquery:
    """Return `keys` as a derived table with one column, `value`."""
    return rows_of(connection, {"value": kind or String(32)}, [{"value": key} for key in keys], "wanted")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows`, all with the same columns. A duplicate key raises IntegrityError and undoes them all."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), rows)
        return
    columns = {name: table.c[name].type for name in rows[0]}
    given = rows_of(connection, columns, rows)
    connection.execute(insert(table).from_select(list(columns), select(given)))


def update_rows(
    connection: Connection,
    table: Table,
    match: Sequence[str],
    rows: Sequence[Row],
    *extra: ColumnElement[bool],
) -> int:
    """Set every other column of `rows` where the `match` columns agree; return how many rows were changed."""
    if not rows:
        return 0
    columns = {name: table.c[name].type for name in rows[0]}
    given = rows_of(connection, columns, rows)
    changes = {name: given.c[name] for name in columns if name not in match}
    condition = and_(*(table.c[name] == given.c[name] for name in match), *extra)
    return connection.execute(update(table).values(changes).where(condition)).rowcount


def _opened(dialect: Dialect, columns: Mapping[str, TypeEngine[Any]]) -> str:
    if dialect.name == "sqlite":
        picks = ", ".join(f"json_extract(value, '$[{i}]') AS {name}" for i, name in enumerate(columns))
        return f"SELECT {picks} FROM json_each(:given_rows)"
    shape = ", ".join(
        f"{name} {kind.dialect_impl(dialect).compile(dialect=dialect)} '$[{i}]'"
        for i, (name, kind) in enumerate(columns.items())
    )
    return f"SELECT {', '.join(columns)} FROM OPENJSON(:given_rows) WITH ({shape})"


def _as_json(dialect: Dialect, columns: Mapping[str, TypeEngine[Any]], rows: Sequence[Row]) -> str:
    converters = {
        name: kind.process_bind_param if isinstance(kind, TypeDecorator) else None
        for name, kind in columns.items()
    }
    packed = [
        [
            row[name] if convert is None else convert(row[name], dialect)
            for name, convert in converters.items()
        ]
        for row in rows
    ]
    return orjson.dumps(packed, default=str).decode()
