"""SQL, and only SQL: tables, and one module per aggregate. Runs on SQLite and on SQL Server."""
