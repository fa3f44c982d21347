"""What the owner of a SQL Server database does once: options, roles, and whether all of that is in place.

Printed by `db script` for a DBA to read and run; nothing here is run by the app.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

SESSION = """\
-- Filtered indexes want these; sqlcmd has the first one off unless started with -I.
SET QUOTED_IDENTIFIER ON;
SET ANSI_NULLS ON;
SET XACT_ABORT ON;
GO
"""

OPTIONS = """\
-- Readers see the last committed rows and do not block writers; reports may read one moment of all tables.
-- Azure SQL Database has both on from the start. Anywhere else, run this while nobody is connected.
ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;
GO
ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON;
GO
"""

ROLES = """\
-- app_rw:    the Functions app. Reads and writes rows, changes no table.
-- report_ro: Power BI, Excel, analysts. Reads the views of schema report, sees no table.
-- migrator:  runs `db upgrade` at a release. Owns both schemas and may make tables and views.
IF DATABASE_PRINCIPAL_ID('app_rw') IS NULL CREATE ROLE app_rw;
IF DATABASE_PRINCIPAL_ID('report_ro') IS NULL CREATE ROLE report_ro;
IF DATABASE_PRINCIPAL_ID('migrator') IS NULL CREATE ROLE migrator;
GO
GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::tascus TO app_rw;
GRANT SELECT ON SCHEMA::report TO app_rw;
GRANT SELECT ON SCHEMA::report TO report_ro;
GRANT CONTROL ON SCHEMA::tascus TO migrator;
GRANT CONTROL ON SCHEMA::report TO migrator;
GRANT CREATE TABLE TO migrator;
GRANT CREATE VIEW TO migrator;
GO
-- Then, for the app's managed identity (Azure SQL) or a login:
-- CREATE USER [tascus-erp] FROM EXTERNAL PROVIDER;
-- ALTER ROLE app_rw ADD MEMBER [tascus-erp];
"""

SWITCHES = (
    "SELECT is_read_committed_snapshot_on, snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"
)


def missing_options(connection: Connection) -> list[str]:
    """Return what `OPTIONS` would still have to change, in words."""
    row = connection.execute(text(SWITCHES)).one()
    stated = {"READ_COMMITTED_SNAPSHOT is off": row[0], "ALLOW_SNAPSHOT_ISOLATION is off": row[1] == 1}
    return [words for words, on in stated.items() if not on]
