"""SQLAlchemy's dialect for SQL Server over pyodbc, with what experience has added."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

NO_TRANSACTION = "(3903)"
MARK = re.compile(r"\?")


class Dialect(MSDialect_pyodbc):
    """Writes NULL as NULL, and bears that the server has rolled back already."""

    supports_statement_cache = True
    babelfish = False  # until the first connection tells

    def initialize(self, connection: Connection) -> None:
        """Learn what server it is, with the first connection."""
        super().initialize(connection)  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap
        self.babelfish = "Babelfish" in str(connection.exec_driver_sql("SELECT @@VERSION").scalar())

    def do_set_input_sizes(self, cursor: Any, list_of_tuples: Any, context: Any) -> None:  # noqa: ANN401
        """Keep the types of the parameters: `do_execute` may leave some parameters out."""
        context.sizes = [
            kind if isinstance(kind, tuple) else (kind, None, None) for _, kind, _ in list_of_tuples
        ]
        super().do_set_input_sizes(cursor, list_of_tuples, context)

    def do_execute(
        self,
        cursor: Any,  # noqa: ANN401 - pyodbc is not typed
        statement: str,
        parameters: Any,  # noqa: ANN401
        context: Any = None,  # noqa: ANN401
    ) -> None:
        """Execute with every None spelled out as NULL.

        For a parameter that is None, pyodbc asks the server what type it would be: one more journey, and Babelfish
        undoes what the transaction has written when it has no answer.
        """
        if parameters and None in parameters:
            sizes = getattr(context, "sizes", None)
            statement, places = spelled(statement, parameters)
            parameters = [parameters[place] for place in places]
            if sizes:
                cursor.setinputsizes([sizes[place] for place in places])
        super().do_execute(cursor, statement, parameters, context)  # type: ignore[no-untyped-call]

    def do_rollback(self, dbapi_connection: Any) -> None:  # noqa: ANN401
        """Roll back. If there is nothing to roll back any more, close the connection.

        SQL Server's own driver looks first; Babelfish may end the transaction with the error, and FreeTDS does not
        look. Driver and server then disagree on whether there is a transaction: nobody should go on with that.
        """
        if dbapi_connection.closed:
            return
        try:
            super().do_rollback(dbapi_connection)  # type: ignore[no-untyped-call]
        except self.loaded_dbapi.Error as error:
            if NO_TRANSACTION not in str(error):
                raise
            dbapi_connection.close()


def spelled(statement: str, parameters: Sequence[Any]) -> tuple[str, list[int]]:
    """Return `statement` with NULL for every parameter that is None, and the places of the others."""
    numbers = count()

    def one(_mark: re.Match[str]) -> str:
        return "NULL" if parameters[next(numbers)] is None else "?"

    places = [place for place, value in enumerate(parameters) if value is not None]
    return MARK.sub(one, statement), places
