"""The roles a DBA is given: who may do what, tried by signing in. Only a server has roles."""

from __future__ import annotations

import re

import pyodbc
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from shared.store.engine import Store
from shared.store.limits import Limits
from shared.store.schema import upgrade
from shared.store.sqlserver.address import read_address
from shared.store.sqlserver.connect import connector
from shared.store.sqlserver.owner import ROLES
from tests.contract.store.streams import record
from tests.unit.floor_words import made

PASSWORD = "Only-4-this-test"
NOT_ON_BABELFISH = ("GRANT CONTROL", "GRANT CREATE")


@pytest.fixture
def server(store):
    """A server, with the right to make logins on it."""
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite is a file: who may open it may do everything")
    return store


def statements():
    """The grants, one by one."""
    text = re.sub(r"^(--.*|GO)$", "", ROLES, flags=re.MULTILINE)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


@pytest.fixture
def signed_in(server, sql_url):
    """Make a login in a role and return the URL to sign in with; the logins are gone afterwards."""
    connection = connector(read_address(sql_url), Limits(), snapshot=False)()
    connection.autocommit = True
    made_up = []
    for statement in statements():
        if not (server.engine.dialect.babelfish and statement.startswith(NOT_ON_BABELFISH)):
            connection.execute(statement)

    def sign_in(role):
        name = f"tascus_test_{role}"
        forget(connection, name)
        connection.execute(f"CREATE LOGIN {name} WITH PASSWORD = '{PASSWORD}'")
        made_up.append(name)
        connection.execute(f"CREATE USER {name} FOR LOGIN {name}")
        connection.execute(f"ALTER ROLE {role} ADD MEMBER {name}")
        return make_url(sql_url).set(username=name, password=PASSWORD).render_as_string(hide_password=False)

    yield sign_in
    for name in made_up:
        forget(connection, name)
    connection.close()


def forget(connection, name):
    connection.execute(f"IF USER_ID('{name}') IS NOT NULL DROP USER {name}")
    try:
        connection.execute(f"DROP LOGIN {name}")
    except pyodbc.Error as error:
        assert "15151" in str(error) or "does not exist" in str(error)  # noqa: PT017 - there was none


def ask(url, statement):
    """What the login sees; a DBAPIError when it may not."""
    store = Store(url)
    try:
        with store.engine.connect() as connection:
            return connection.exec_driver_sql(statement).all()
    finally:
        store.close()


def test_analysts_read_views_and_nothing_else(signed_in):
    url = signed_in("report_ro")
    assert ask(url, "SELECT COUNT(*) FROM report.completeness") == [(0,)]
    with pytest.raises(DBAPIError, match="permission"):
        ask(url, "SELECT COUNT(*) FROM tascus.stream")


def test_the_app_reads_and_writes_rows_and_makes_no_table(signed_in):
    url = signed_in("app_rw")
    app = Store(url, prepare=lambda store: upgrade(store.engine))
    try:
        record(app, made("a", 0))
        assert ask(url, "SELECT events FROM report.completeness") == [(1,)]
        for forbidden in ("CREATE TABLE tascus.mine (n INT)", "DROP TABLE tascus.stream"):
            with pytest.raises(DBAPIError), app.engine.begin() as connection:
                connection.exec_driver_sql(forbidden)
    finally:
        app.close()
