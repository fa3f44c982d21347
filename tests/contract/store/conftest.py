"""Every engine the store runs on passes the same suite. SQL Server joins when TASCUS_TEST_SQLSERVER_URL names one."""

from __future__ import annotations

import os

import pytest

from shared.store.engine import Store
from shared.store.schema import downgrade, upgrade
from shared.store.tables import metadata

SQL_SERVER = "TASCUS_TEST_SQLSERVER_URL"


def engines():
    """The engines that can be had here."""
    return ["sqlite", "sqlserver"] if os.environ.get(SQL_SERVER) else ["sqlite"]


@pytest.fixture(scope="session", params=engines())
def sql_url(request, tmp_path_factory):
    """The address of a database with our tables in it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'tascus.sqlite'}"
    else:
        url = os.environ[SQL_SERVER]
    store = Store(url)
    downgrade(store.engine)  # the database is the tests' own; an earlier run may have left another schema
    upgrade(store.engine)
    store.close()
    return url


@pytest.fixture
def store(sql_url):
    """A store without a row in it."""
    store = Store(sql_url)

    def wipe(tx):
        for table in metadata.sorted_tables:
            tx.execute(table.delete())

    store.write_now(wipe)
    yield store
    store.close()
