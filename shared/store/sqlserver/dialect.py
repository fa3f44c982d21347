"""SQLAlchemy's dialect for SQL Server over pyodbc, with one thing put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc

if TYPE_CHECKING:
    from sqlalchemy import Connection

NO_TRANSACTION = "(3903)"


class Dialect(MSDialect_pyodbc):
    """Bears that the server has already rolled back what we want to roll back.

    SQL Server's own driver looks first; Babelfish ends the transaction with the error and FreeTDS does not look.
    Driver and server no longer agree then whether there is a transaction: the connection is closed.
    """

    supports_statement_cache = True
    babelfish = False  # until the first connection tells

    def initialize(self, connection: Connection) -> None:
        """Learn what server it is, with the first connection."""
        super().initialize(connection)  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap
        self.babelfish = "Babelfish" in str(connection.exec_driver_sql("SELECT @@VERSION").scalar())

    def do_rollback(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - pyodbc is not typed
        """Roll back; close the connection if there is nothing to roll back any more."""
        if dbapi_connection.closed:
            return
        try:
            super().do_rollback(dbapi_connection)  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap
        except self.loaded_dbapi.Error as error:
            if NO_TRANSACTION not in str(error):
                raise
            dbapi_connection.close()
