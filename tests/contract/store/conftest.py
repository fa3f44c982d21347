"""Every engine the store runs on passes the same suite. SQL Server joins when TASCUS_TEST_SQLSERVER_URL names one."""

from __future__ import annotations

import os

import pytest

from shared.store.batch import Step, later
from shared.store.engine import Store
from shared.store.schema import upgrade
from shared.store.tables import metadata

SQL_SERVER = "TASCUS_TEST_SQLSERVER_URL"


ENGINES = [
    "sqlite",
    pytest.param(
        "sqlserver",
        marks=pytest.mark.skipif(
            not os.environ.get(SQL_SERVER), reason=f"no SQL Server at hand: {SQL_SERVER} is not set"
        ),
    ),
]


TABLES = "SELECT SCHEMA_NAME(schema_id) + '.' + name FROM sys.{} WHERE SCHEMA_NAME(schema_id) IN ('tascus', 'report')"


def drop_everything(tx):
    """The database is the tests' own, and an earlier run may have left another schema in it."""
    for kind in ("view", "table"):
        for name in tx.exec_driver_sql(TABLES.format(f"{kind}s")).scalars().all():
            tx.exec_driver_sql(f"DROP {kind} {name}")


@pytest.fixture(scope="session", params=ENGINES)
def sql_url(request, tmp_path_factory):
    """The address of a database with our tables in it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'tascus.sqlite'}"
    else:
        url = os.environ[SQL_SERVER]
    store = Store(url)
    if request.param == "sqlserver":
        store.write_now(drop_everything)
    upgrade(store.engine)
    store.close()
    return url


@pytest.fixture(scope="session")
def kept_store(sql_url):
    """One store for all tests: a new connection costs some servers a second."""
    store = Store(sql_url)
    yield store
    store.close()


@pytest.fixture
def store(kept_store):
    """A store without a row in it."""

    def wipe(tx):
        for table in metadata.sorted_tables:
            later(tx, Step(table.delete(), {}))

    kept_store.write_now(wipe)
    return kept_store
