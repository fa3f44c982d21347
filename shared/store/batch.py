"""Several statements in one round trip.

On SQL Server every statement of a transaction is a journey to the server and back. `later` keeps a write until
something has to be read, or the commit; `ask` sends what was kept and several reads as one batch. On SQLite, which
is no journey away, both run the statements at once, one after the other.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, event, text
from sqlalchemy.dialects import mssql
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Executable, Result, TextClause
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine


class Step(NamedTuple):
    """A statement with its parameters."""

    statement: Executable
    parameters: Mapping[str, Any]


def later(connection: Connection, step: Step) -> None:
    """Have a write done before the next read of this transaction, at the latest with its commit."""
    if connection.dialect.name == "sqlite":
        connection.execute(step.statement, step.parameters, execution_options=WAITS)
    else:
        connection.info.setdefault(KEPT, []).append(step)


def ask(connection: Connection, *reads: Step) -> Sequence[Result[Any]]:
    """Do the writes that were kept, then `reads`, in one round trip; return the reads' rows."""
    if connection.dialect.name == "sqlite":
        return [
            connection.execute(step.statement, step.parameters, execution_options=ALONG if place else NOTHING)
            for place, step in enumerate(reads)
        ]
    return _send(connection, connection.info.pop(KEPT, []), reads)


def keep_writes(engine: Engine) -> None:
    """Teach `engine` that writes may have been kept: they go before any other statement, and before the commit."""

    @event.listens_for(engine, "before_cursor_execute")
    def before(
        connection: Connection, _cursor: object, _text: str, _values: object, _context: object, _many: bool
    ) -> None:
        _flush(connection)

    event.listen(engine, "commit", _flush)
    event.listen(engine, "rollback", _forget)


JOURNEY = "journey"  # an execution option, for whoever counts
NOTHING: Mapping[str, str] = {}
WAITS: Mapping[str, str] = {JOURNEY: "waits"}  # would travel with the next statement
ALONG: Mapping[str, str] = {JOURNEY: "along"}  # would travel with the one before
KEPT = "writes kept for later"
DIALECT = mssql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
NAME = re.compile(r"(?<![:\w]):(\w+)")
LIST = re.compile(r"__\[POSTCOMPILE_(\w+)\]")


def _flush(connection: Connection) -> None:
    kept = connection.info.pop(KEPT, None)
    if kept:
        _send(connection, kept, ())


def _forget(connection: Connection) -> None:
    if not connection.invalidated:
        connection.info.pop(KEPT, None)


def _send(connection: Connection, writes: Sequence[Step], reads: Sequence[Step]) -> Sequence[Result[Any]]:
    steps = (*writes, *reads)
    compiled = tuple(_compiled(step.statement) for step in steps)
    values = {
        f"s{number}_{name}": value
        for number, (step, each) in enumerate(zip(steps, compiled, strict=True))
        for name, value in each.values(step.parameters)
    }
    result = connection.execute(_script(compiled), values)
    try:
        sets = _sets_of_rows(connection, result)
    finally:
        result.close()
    kinds = compiled[len(writes) :]
    return [each.result(connection.dialect, rows) for each, rows in zip(kinds, sets, strict=True)]


def _sets_of_rows(connection: Connection, result: Result[Any]) -> list[Sequence[Any]]:
    """Read to the very end: an error comes up where the statement that made it stands."""
    found: list[Sequence[Any]] = []
    cursor: Any = result.cursor  # type: ignore[attr-defined]  # SQLAlchemy has no word for several sets of rows
    try:
        while cursor.nextset():
            if cursor.description is not None:
                found.append(cursor.fetchall())
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, None, None, cursor, None)  # noqa: SLF001 - nor for their errors
    return found


class _Compiled:
    """One statement as T-SQL with named parameters, and what its rows are made of."""

    def __init__(self, compiler: SQLCompiler) -> None:
        spelled = compiler.post_compile_params | compiler.literal_execute_params
        single = {name: bind for bind, name in compiler.bind_names.items() if bind not in spelled}
        self.types = {name: bind.type for name, bind in single.items()}
        self._own = {name: bind.effective_value for name, bind in single.items()}
        self.text = LIST.sub(lambda found: self._spelled(found[1], compiler), compiler.string)
        columns = compiler._result_columns  # noqa: SLF001 - no public way to the types of text and SELECT alike
        self._columns = SimpleResultMetaData([column.keyname for column in columns])
        self._kinds: list[TypeEngine[Any]] = [column.type for column in columns]

    def _spelled(self, name: str, compiler: SQLCompiler) -> str:
        """Turn a list of IN, which is part of the statement, into parameters, and the number of LIMIT into digits."""
        bind = compiler.binds[name]
        if not bind.expanding:
            return str(int(bind.effective_value or 0))
        members = {f"{name}_{place}": value for place, value in enumerate(bind.value or ())}
        self._own |= members
        self.types |= dict.fromkeys(members, bind.type)
        return ", ".join(f":{member}" for member in members)

    def values(self, given: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Yield name and value of every parameter."""
        return (self._own | dict(given)).items()

    def result(self, dialect: Any, rows: Sequence[Any]) -> Result[Any]:  # noqa: ANN401
        """Return rows off the driver as SQLAlchemy would."""
        converters = [(place, found) for place, found in enumerate(self._converters(dialect)) if found]
        return IteratorResult(self._columns, iter([_converted(row, converters) for row in rows]))

    def _converters(self, dialect: Any) -> list[Callable[[Any], Any] | None]:  # noqa: ANN401
        return [kind._cached_result_processor(dialect, None) for kind in self._kinds]  # noqa: SLF001


def _converted(row: Sequence[Any], converters: Sequence[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, convert in converters:
        values[place] = convert(values[place])
    return tuple(values)


_known: WeakKeyDictionary[Executable, _Compiled] = WeakKeyDictionary()


def _compiled(statement: Executable) -> _Compiled:
    found = _known.get(statement)
    if found is None:
        found = _known[statement] = _Compiled(statement.compile(dialect=DIALECT))  # type: ignore[attr-defined]
    return found


@lru_cache(512)
def _script(steps: tuple[_Compiled, ...]) -> TextClause:
    """Join statements to one batch. It begins with a row, or SQLAlchemy would not wait for what follows."""
    parts = [NAME.sub(rf":s{number}_\1", step.text) for number, step in enumerate(steps)]
    types = [
        bindparam(f"s{number}_{name}", type_=kind)
        for number, step in enumerate(steps)
        for name, kind in step.types.items()
    ]
    return text(";\n".join(["SELECT 1 AS begun", *parts])).bindparams(*types)
