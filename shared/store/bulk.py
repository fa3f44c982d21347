"""Many rows in one statement: the only place where the two SQL dialects differ.

A set of rows travels as one JSON parameter and is opened by the server: `json_each` on SQLite, `OPENJSON` on
SQL Server. One parameter has no limit of 2,100 and leaves no types to guess. Statements over such sets are built
once per dialect (`on_keys`, `on_rows`); building them anew costs more than running them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Column, String, Table, TypeDecorator, and_, insert, select, text, update
from sqlalchemy.dialects import mssql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, CursorResult, Dialect, Executable, Subquery, TextualSelect
    from sqlalchemy.types import TypeEngine

type Row = Mapping[str, Any]
type Rows = CursorResult[*tuple[Any, ...]]
type Shape = Mapping[str, TypeEngine[Any]]

DIALECTS: Mapping[str, Dialect] = {"sqlite": sqlite.dialect(), "mssql": mssql.dialect()}  # type: ignore[no-untyped-call]
PARAMETER = "given_rows"
KEYS: Shape = {"value": String(32)}


def on_rows(shape: Shape) -> Callable[[Callable[[Subquery], Executable]], Callable[..., Rows]]:
    """Make `build(given)` a statement over rows of `shape`: run(connection, rows, **other parameters)."""

    def decorate(build: Callable[[Subquery], Executable]) -> Callable[..., Rows]:
        @cache
        def built(dialect: str) -> Executable:
            return build(opened(dialect, shape))

        def run(connection: Connection, rows: Sequence[Row], **parameters: Any) -> Rows:  # noqa: ANN401
            name = connection.dialect.name
            return connection.execute(built(name), {PARAMETER: as_json(name, shape, rows), **parameters})

        return run

    return decorate


def on_keys(build: Callable[[Subquery], Executable]) -> Callable[..., Rows]:
    """Make `build(wanted)` a statement over a set of keys, `wanted.c.value`: run(connection, keys, **parameters)."""

    @cache
    def built(dialect: str) -> Executable:
        return build(opened(dialect, KEYS, "wanted"))

    def run(connection: Connection, keys: Sequence[str], **parameters: Any) -> Rows:  # noqa: ANN401
        packed = orjson.dumps([[key] for key in keys]).decode()
        return connection.execute(built(connection.dialect.name), {PARAMETER: packed, **parameters})

    return run


def rows_of(connection: Connection, columns: Shape, rows: Sequence[Row], name: str = "given") -> Subquery:
    """Return `rows` as a derived table with the given columns, for statements that are not run often."""
    dialect = connection.dialect.name
    return _text(dialect, columns).bindparams(given_rows=as_json(dialect, columns, rows)).subquery(name)


def keys_of(connection: Connection, keys: Sequence[str], kind: TypeEngine[str] | None = None) -> Subquery:
    """Return `keys` as a derived table with one column, `value`, for statements that are not run often."""
    return rows_of(connection, {"value": kind or KEYS["value"]}, [{"value": key} for key in keys], "wanted")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows`, all with the same columns. A duplicate key raises IntegrityError and undoes them all."""
    if not rows:
        return
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        converters = _converters_of("sqlite", table, names)
        values = [
            tuple([row[name] if convert is None else convert(row[name]) for name, convert in converters])
            for row in rows
        ]
        connection.exec_driver_sql(_plain_insert(table, names), values)
        return
    _insert_from_rows(table, names)(connection, rows)


@cache
def _plain_insert(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our names


@cache
def _insert_from_rows(table: Table, names: tuple[str, ...]) -> Callable[..., Rows]:
    shape = {name: table.c[name].type for name in names}
    return on_rows(shape)(lambda given: insert(table).from_select(list(names), select(given)))


def update_rows(
    connection: Connection,
    table: Table,
    match: Sequence[str],
    rows: Sequence[Row],
    among: str = "",
    states: Sequence[str] = (),
) -> int:
    """Set every other column of `rows` where the `match` columns agree; return how many rows were changed.

    `among` names a column that must besides hold one of `states`: compare, then set.
    """
    if not rows:
        return 0
    run = _update_from_rows(table, tuple(rows[0]), tuple(match), among, tuple(states))
    return run(connection, rows).rowcount


@cache
def _update_from_rows(
    table: Table, names: tuple[str, ...], match: tuple[str, ...], among: str, states: tuple[str, ...]
) -> Callable[..., Rows]:
    def build(given: Subquery) -> Executable:
        changes = {name: given.c[name] for name in names if name not in match}
        condition = and_(*(table.c[name] == given.c[name] for name in match))
        if among:
            condition = and_(condition, table.c[among].in_(states))
        return update(table).values(changes).where(condition)

    return on_rows({name: table.c[name].type for name in names})(build)


def opened(dialect: str, shape: Shape, name: str = "given") -> Subquery:
    """Return the rows of the JSON parameter as a derived table."""
    return _text(dialect, shape).subquery(name)


def _text(dialect: str, shape: Shape) -> TextualSelect:
    return text(_opening(dialect, shape)).columns(*(Column(key, kind) for key, kind in shape.items()))


def _opening(dialect: str, shape: Shape) -> str:
    if dialect == "sqlite":
        picks = ", ".join(f"json_extract(value, '$[{i}]') AS {name}" for i, name in enumerate(shape))
        return f"SELECT {picks} FROM json_each(:{PARAMETER})"  # noqa: S608 - our own column names
    types = {
        name: kind.dialect_impl(DIALECTS[dialect]).compile(dialect=DIALECTS[dialect])
        for name, kind in shape.items()
    }
    columns = ", ".join(f"{name} {kind} '$[{i}]'" for i, (name, kind) in enumerate(types.items()))
    return f"SELECT {', '.join(shape)} FROM OPENJSON(:{PARAMETER}) WITH ({columns})"  # noqa: S608


def as_json(dialect: str, shape: Shape, rows: Sequence[Row]) -> str:
    """Pack rows as a JSON array of arrays, values as the engine stores them."""
    converters = _converters(dialect, shape)
    packed = [
        [row[name] if convert is None else convert(row[name]) for name, convert in converters] for row in rows
    ]
    return orjson.dumps(packed, default=str).decode()


@cache
def _converters_of(
    dialect: str, table: Table, names: tuple[str, ...]
) -> list[tuple[str, Callable[[Any], Any] | None]]:
    return _converters(dialect, {name: table.c[name].type for name in names})


def _converters(dialect: str, shape: Shape) -> list[tuple[str, Callable[[Any], Any] | None]]:
    target = DIALECTS[dialect]
    return [
        (name, _bound(kind, target) if isinstance(kind, TypeDecorator) else None)
        for name, kind in shape.items()
    ]


def _bound(kind: TypeDecorator[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """Return what turns a value into what the engine stores; the types that occur a lot bring their own."""
    quick = getattr(kind, "binder", None)
    if quick is not None:
        return quick(dialect)  # type: ignore[no-any-return]

    def convert(value: Any) -> Any:  # noqa: ANN401 - what the column holds
        return kind.process_bind_param(value, dialect)

    return convert
