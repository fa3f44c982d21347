"""Finding the driver, addressing the server, signing in: decided by values, without a server."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.errors import ConfigurationError, StoreUnavailable
from shared.store.sqlserver.address import Authentication, read_address
from shared.store.sqlserver.driver import MICROSOFT, binaries, chosen, distribution, find_driver, packaged
from shared.store.sqlserver.token import SCOPE, Tokens, packed, tokens_for

EIGHTEEN, SEVENTEEN = "ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server"
HERE = "mssql+pyodbc://sa:secret@db.example:1444/tascus"


@pytest.mark.parametrize(
    ("installed", "in_package", "driver"),
    [
        ([SEVENTEEN, EIGHTEEN, "FreeTDS"], "/p/libmsodbcsql.so", "{ODBC Driver 18 for SQL Server}"),
        ([SEVENTEEN], None, "{ODBC Driver 17 for SQL Server}"),
        (["ODBC Driver 13 for SQL Server"], "/p/libmsodbcsql.so", "/p/libmsodbcsql.so"),
        (["FreeTDS"], "/p/libmsodbcsql.so", "/p/libmsodbcsql.so"),
        (["FreeTDS", "SQLite3"], None, "{FreeTDS}"),
    ],
)
def test_the_best_driver_is_chosen(installed, in_package, driver):
    assert chosen(installed, in_package) == driver


def test_without_a_driver_it_says_what_would_do():
    with pytest.raises(ConfigurationError, match="mssql-python-odbc"):
        chosen(["SQLite3"], None)


def test_this_machine_has_a_driver():
    """The development requirements bring one."""
    assert find_driver() == packaged() or MICROSOFT.search(find_driver())


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ('ID=debian\nVERSION_ID="12"', "debian_ubuntu"),
        ("ID=linuxmint\nID_LIKE=ubuntu", "debian_ubuntu"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "rhel"),
        ("ID=azurelinux", "rhel"),
        ("ID=alpine", "alpine"),
        ("ID=haiku", ""),
    ],
)
def test_a_distribution_is_known_by_its_release_file(release, name):
    assert distribution(release) == name


@pytest.mark.parametrize(
    "name",
    ["linux/debian_ubuntu/x86_64/lib/libmsodbcsql-18.6.so.2.1", "macos/arm64/lib/libmsodbcsql.18.dylib",
     "windows/x64/msodbcsql18.dll"],
)  # fmt: skip
def test_the_package_is_searched_for_the_driver_alone(tmp_path, name):
    for each in (name, "linux/debian_ubuntu/x86_64/lib/libodbcinst.so.2"):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).touch()
    assert binaries(tmp_path) == [tmp_path / name]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            HERE,
            "DRIVER={D};SERVER=db.example,1444;DATABASE=tascus;UID=sa;PWD=secret;Encrypt=yes;APP=tascus-erp",
        ),
        (
            "mssql+pyodbc://db.example/tascus",
            "DRIVER={D};SERVER=db.example,1433;DATABASE=tascus;Encrypt=yes;APP=tascus-erp",
        ),
        (
            "mssql+pyodbc://u:p@h/d?Encrypt=strict&trustservercertificate=yes",
            "DRIVER={D};SERVER=h,1433;DATABASE=d;UID=u;PWD=p;Encrypt=strict;APP=tascus-erp;TrustServerCertificate=yes",
        ),
        (
            "mssql+pyodbc://u:p%7B%7D%3B%40@h/d",
            "DRIVER={D};SERVER=h,1433;DATABASE=d;UID=u;PWD={p{}};@};Encrypt=yes;APP=tascus-erp",
        ),
    ],
)
def test_a_url_becomes_a_connection_string(url, expected):
    assert read_address(url).connection_string("{D}") == expected


def test_free_tds_reads_the_port_from_a_word_of_its_own():
    assert "SERVER=db.example;PORT=1444;" in read_address(HERE).connection_string("{FreeTDS}")


@pytest.mark.parametrize(
    ("url", "way"),
    [
        (HERE, Authentication.SQL),
        ("mssql+pyodbc://h/d", Authentication.MANAGED_IDENTITY),
        ("mssql+pyodbc://h/d?authentication=managed-identity&client_id=abc", Authentication.MANAGED_IDENTITY),
        ("mssql+pyodbc://h/d?authentication=service-principal", Authentication.SERVICE_PRINCIPAL),
        ("mssql+pyodbc://h/d?authentication=default", Authentication.DEFAULT),
    ],
)
def test_the_way_to_sign_in_is_read_off_the_url(url, way):
    assert read_address(url).authentication is way


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"{HERE}?authentication=kerberos", "valid: sql, managed-identity, service-principal, default"),
        (f"{HERE}?authentication=default", "a user belongs to authentication=sql"),
        ("mssql+pyodbc://h/d?authentication=sql", "a user belongs to authentication=sql"),
        (f"{HERE}?encrypted=yes", "unknown settings encrypted; valid: .*Encrypt"),
        ("mssql+pyodbc://h", "needs a server and a database"),
        (f"{HERE}?Encrypt=yes&Encrypt=no", "more than once"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(url, message):
    with pytest.raises(ConfigurationError, match=message):
        read_address(url)


def test_a_printed_address_keeps_the_password():
    assert "secret" not in repr(read_address(HERE))


class Desk:
    """Gives out numbered tokens that last an hour."""

    def __init__(self):
        self.given, self.now, self.closed = 0, 0.0, False

    def clock(self):
        return self.now

    def get_token(self, *scopes):
        assert scopes == (SCOPE,)
        if self.closed:
            raise ClientAuthenticationError("no\nand a lot of advice")
        self.given += 1
        return SimpleNamespace(token=f"token-{self.given}", expires_on=int(self.now) + 3600)


def test_a_token_is_kept_until_shortly_before_it_expires():
    desk = Desk()
    tokens = Tokens(desk, desk.clock)
    told = []
    for desk.now in (0, 100, 3299, 3301, 3400, 6600, 6602):
        told.append(tokens.current())
    assert told == ["token-1"] * 3 + ["token-2"] * 3 + ["token-3"]


def test_no_token_means_that_sql_is_away():
    desk = Desk()
    desk.closed = True
    with pytest.raises(StoreUnavailable, match=r"Entra gives no token for SQL: no$"):
        Tokens(desk, desk.clock).current()


def test_a_token_is_packed_as_the_driver_reads_it():
    assert packed("ab") == struct.pack("<I4s", 4, b"a\0b\0")


def test_a_sql_login_needs_no_token():
    assert tokens_for(read_address(HERE)) is None
    assert isinstance(tokens_for(read_address("mssql+pyodbc://h/d")), Tokens)
