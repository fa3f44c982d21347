"""Many rows in one statement: the only place where the two SQL dialects differ.

A set of rows travels as one JSON parameter and is opened by the server: `json_each` on SQLite, `OPENJSON` on
SQL Server. One parameter has no limit of 2,100 and leaves no types to guess. Statements over such sets are built
once per dialect (`on_keys`, `on_rows`); building them anew costs more than running them. Rows that are written on
SQL Server wait for the next read or the commit (`batch.py`).
"""

from __future__ import annotations

from functools import cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    Column,
    Table,
    TypeDecorator,
    and_,
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import mssql, sqlite

from shared.store.batch import WAITS, Step, later
from shared.store.sqlserver import rows as sql_server
from shared.store.types import key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, CursorResult, Dialect, Executable, Subquery, TextualSelect
    from sqlalchemy.types import TypeEngine

type Row = Mapping[str, Any]
type Rows = CursorResult[*tuple[Any, ...]]
type Shape = Mapping[str, TypeEngine[Any]]

DIALECTS: Mapping[str, Dialect] = {"sqlite": sqlite.dialect(), "mssql": mssql.dialect()}  # type: ignore[no-untyped-call]
PARAMETER = "given_rows"
KEYS: Shape = {"value": key()}


class Prepared:
    """A statement over a set of rows, built once per dialect."""

    def __init__(self, shape: Shape, name: str, build: Callable[[Subquery], Executable]) -> None:
        self._shape = shape
        self._built = cache(lambda dialect, beside: build(opened(dialect, shape, name, beside)))

    def __call__(self, connection: Connection, rows: Sequence[Any], **parameters: Any) -> Rows:  # noqa: ANN401
        """Run the statement over `rows`."""
        return connection.execute(*self.step(connection, rows, **parameters))

    def step(self, connection: Connection, rows: Sequence[Any], **parameters: Any) -> Step:  # noqa: ANN401
        """Return the statement over `rows` for `batch.ask` or `batch.later`."""
        if self._shape is KEYS:
            return Step(self._built(connection.dialect.name, ()), {PARAMETER: as_keys(rows), **parameters})
        beside, packed = packed_rows(connection, self._shape, rows)
        return Step(self._built(connection.dialect.name, beside), {**packed, **parameters})


def on_rows(shape: Shape) -> Callable[[Callable[[Subquery], Executable]], Prepared]:
    """Make `build(given)` a statement over rows of `shape`: run(connection, rows, **other parameters)."""
    return partial(Prepared, shape, "given")


def on_keys(build: Callable[[Subquery], Executable]) -> Prepared:
    """Make `build(wanted)` a statement over a set of keys, `wanted.c.value`: run(connection, keys, **parameters)."""
    return Prepared(KEYS, "wanted", build)


def rows_of(connection: Connection, columns: Shape, rows: Sequence[Row], name: str = "given") -> Subquery:
    """Return `rows` as a derived table with the given columns, for statements that are not run often."""
    beside, packed = packed_rows(connection, columns, rows)
    return _text(connection.dialect.name, columns, beside).bindparams(**packed).subquery(name)


def keys_of(connection: Connection, keys: Sequence[str], kind: TypeEngine[str] | None = None) -> Subquery:
    """Return `keys` as a derived table with one column, `value`, for statements that are not run often."""
    return rows_of(connection, {"value": kind or KEYS["value"]}, [{"value": key} for key in keys], "wanted")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows`, all with the same columns. A duplicate key raises IntegrityError and undoes them all."""
    if rows:
        insert_tuples(connection, table, tuple(rows[0]), [tuple(row.values()) for row in rows])


def insert_tuples(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert `rows`, their values in the order of `names`: what hot paths use instead of `insert_rows`."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        values = bound("sqlite", table, names, rows)
        connection.exec_driver_sql(_plain_insert(table, names), values, execution_options=WAITS)
        return
    later(connection, _insert_from_rows(table, names)(connection, rows))


@cache
def _plain_insert(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our names


@cache
def _insert_from_rows(table: Table, names: tuple[str, ...]) -> Callable[..., Step]:
    return _on_tuples(table, names, lambda given: insert(table).from_select(list(names), select(given)))


def update_rows(
    connection: Connection,
    table: Table,
    match: Sequence[str],
    rows: Sequence[Row],
    among: str = "",
    states: Sequence[str] = (),
) -> None:
    """Set every other column of `rows` where the `match` columns agree.

    `among` names a column that must besides hold one of `states`: compare, then set.
    """
    if not rows:
        return
    values = [tuple(row.values()) for row in rows]
    update_tuples(connection, table, tuple(match), tuple(rows[0]), values, among, tuple(states))


def update_tuples(
    connection: Connection,
    table: Table,
    match: tuple[str, ...],
    names: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    among: str = "",
    states: tuple[str, ...] = (),
) -> None:
    """Do `update_rows` with the values of every row in the order of `names`."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        statement, order = _plain_update(table, match, names, among, states)
        values = [order(row) for row in bound("sqlite", table, names, rows)]
        connection.exec_driver_sql(statement, values, execution_options=WAITS)
        return
    later(connection, _update_from_rows(table, names, match, among, states)(connection, rows))


@cache
def _plain_update(
    table: Table, match: tuple[str, ...], names: tuple[str, ...], among: str, states: tuple[str, ...]
) -> tuple[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]]:
    """Return the statement, and what puts a row's values into its order: the changes, then the match."""
    changes = [name for name in names if name not in match]
    places = [names.index(name) for name in (*changes, *match)]
    where = " AND ".join(f"{name} = ?" for name in match)
    within = f" AND {among} IN ({', '.join(repr(str(state)) for state in states)})" if among else ""
    sets = ", ".join(f"{name} = ?" for name in changes)
    return f"UPDATE {table.name} SET {sets} WHERE {where}{within}", itemgetter(*places)  # noqa: S608 - our names


@cache
def _update_from_rows(
    table: Table, names: tuple[str, ...], match: tuple[str, ...], among: str, states: tuple[str, ...]
) -> Callable[..., Step]:
    def build(given: Subquery) -> Executable:
        changes = {name: given.c[name] for name in names if name not in match}
        condition = and_(*(table.c[name] == given.c[name] for name in match))
        if among:
            condition = and_(condition, table.c[among].in_(states))
        return update(table).values(changes).where(condition)

    return _on_tuples(table, names, build)


def _on_tuples(
    table: Table, names: tuple[str, ...], build: Callable[[Subquery], Executable]
) -> Callable[..., Step]:
    """Make `build(given)` SQL Server's statement over tuples in the order of `names`: step(connection, rows)."""
    shape = {name: table.c[name].type for name in names}

    @cache
    def built(beside: tuple[str, ...]) -> Executable:
        return build(opened("mssql", shape, "given", beside))

    def step(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> Step:
        beside, packed = packed_tuples(connection, names, bound("mssql", table, names, rows))
        return Step(built(beside), packed)

    return step


def bound(
    dialect: str, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Return the rows with their values as the engine stores them; whole columns at a time, which is quicker."""
    columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
    for place, convert in _converters_of(dialect, table, names):
        columns[place] = map(convert, columns[place])
    return list(zip(*columns, strict=True))


def alone(connection: Connection) -> bool:
    """Tell whether this transaction is the only writer from its start: SQLite's BEGIN IMMEDIATE."""
    return connection.dialect.name == "sqlite"


def opened(dialect: str, shape: Shape, name: str = "given", beside: tuple[str, ...] = ()) -> Subquery:
    """Return the rows of the JSON parameter as a derived table; `beside`: columns whose texts travel apart."""
    return _text(dialect, shape, beside).subquery(name)


def _text(dialect: str, shape: Shape, beside: tuple[str, ...] = ()) -> TextualSelect:
    columns = [Column(key, kind) for key, kind in shape.items()]
    if dialect == "sqlite":
        return text(_opening(shape)).columns(*columns)
    names = [PARAMETER, sql_server.texts_of(PARAMETER)] if beside else [PARAMETER]
    given = [bindparam(name, type_=mssql.NVARCHAR(None)) for name in names]
    return text(sql_server.opening(shape, PARAMETER, beside)).bindparams(*given).columns(*columns)


def _opening(shape: Shape) -> str:
    picks = ", ".join(f"json_extract(value, '$[{i}]') AS {name}" for i, name in enumerate(shape))
    return f"SELECT {picks} FROM json_each(:{PARAMETER})"  # noqa: S608 - our own column names


def as_keys(keys: Sequence[str]) -> str:
    """Pack keys as a JSON array of arrays."""
    return orjson.dumps([[key] for key in keys]).decode()


def packed_rows(
    connection: Connection, shape: Shape, rows: Sequence[Row]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Pack rows for `opened`, values as the engine stores them; tell which columns travel beside the rest."""
    converters = _converters(connection.dialect.name, shape)
    stored = [
        [row[name] if convert is None else convert(row[name]) for name, convert in converters] for row in rows
    ]
    return packed_tuples(connection, tuple(shape), stored)


def packed_tuples(
    connection: Connection, names: tuple[str, ...], stored: Sequence[Sequence[Any]]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Do `packed_rows` with rows that are as the engine stores them, in the order of `names`."""
    beside = sql_server.awkward(names, stored) if is_babelfish(connection) else ()
    return beside, sql_server.parameters(PARAMETER, names, stored, beside)


def is_babelfish(connection: Connection) -> bool:
    """Tell whether the server only speaks as SQL Server does."""
    return getattr(connection.dialect, "babelfish", False)


@cache
def _converters_of(
    dialect: str, table: Table, names: tuple[str, ...]
) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return the places whose values are stored in another form, and what turns one into the other."""
    converters = _converters(dialect, {name: table.c[name].type for name in names})
    return [(place, convert) for place, (_, convert) in enumerate(converters) if convert is not None]


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
