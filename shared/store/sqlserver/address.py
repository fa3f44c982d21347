"""Where SQL Server is and how to sign in, read from TASCUS_SQL_URL and put as an ODBC connection string.

mssql+pyodbc://user:password@host:1433/database                                  SQL login
mssql+pyodbc://host/database?authentication=managed-identity[&client_id=…]       Entra, in Azure
mssql+pyodbc://host/database?authentication=service-principal                    Entra, AZURE_* variables
mssql+pyodbc://host/database?authentication=default                              Entra, as whoever signed in here
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL


class Authentication(StrEnum):
    """How the app signs in."""

    SQL = "sql"
    MANAGED_IDENTITY = "managed-identity"
    SERVICE_PRINCIPAL = "service-principal"
    DEFAULT = "default"


OURS = {"driver", "authentication", "client_id"}
KEYWORDS = {  # ODBC keywords that may be set; by their names in lower case
    word.lower(): word
    for word in (
        "Encrypt",
        "TrustServerCertificate",
        "HostNameInCertificate",
        "ServerCertificate",
        "MultiSubnetFailover",
        "ApplicationIntent",
        "ConnectRetryCount",
        "ConnectRetryInterval",
        "TDS_Version",
        "ClientCharset",
    )
}
DEFAULTS = {"Encrypt": "yes", "APP": "tascus-erp"}


@dataclass(frozen=True, slots=True)
class Address:
    """One database: where it is, who we are there, and what else the driver is told."""

    host: str
    port: int
    database: str
    authentication: Authentication
    user: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    driver: str = ""
    keywords: Mapping[str, str] = field(default_factory=dict)

    def connection_string(self, driver: str) -> str:
        """Return the ODBC connection string for `driver` (what belongs after DRIVER=)."""
        parts = {"DRIVER": driver, **self._server(driver), "DATABASE": quoted(self.database)}
        if self.authentication is Authentication.SQL:
            parts |= {"UID": quoted(self.user), "PWD": quoted(self.password)}
        named = {word: quoted(value) for word, value in (DEFAULTS | dict(self.keywords)).items()}
        return ";".join(f"{word}={value}" for word, value in (parts | named).items())

    def _server(self, driver: str) -> dict[str, str]:
        """FreeTDS reads the port from a keyword of its own."""
        if "tds" in driver.lower():
            return {"SERVER": quoted(self.host), "PORT": str(self.port)}
        return {"SERVER": quoted(f"{self.host},{self.port}")}


def quoted(value: str) -> str:
    """Wrap `value` in braces if it holds a character that has a meaning in a connection string."""
    special = set(value) & set("[]{}(),;?*=!@")
    return "{" + value.replace("}", "}}") + "}" if special - {","} or value != value.strip() else value


def read_address(url: str) -> Address:
    """Read `url`. Raises ConfigurationError naming what is wrong and what would be valid."""
    parsed = make_url(url)
    query = {name.lower(): _one(name, value) for name, value in parsed.query.items()}
    unknown = sorted(query.keys() - KEYWORDS.keys() - OURS)
    if unknown:
        valid = ", ".join(sorted({*OURS, *KEYWORDS.values()}))
        raise ConfigurationError(f"TASCUS_SQL_URL has unknown settings {', '.join(unknown)}; valid: {valid}")
    if not parsed.host or not parsed.database:
        raise ConfigurationError(
            "TASCUS_SQL_URL needs a server and a database: mssql+pyodbc://server/database"
        )
    return Address(
        parsed.host,
        parsed.port or 1433,
        parsed.database,
        _authentication(parsed, query.get("authentication")),
        parsed.username or "",
        str(parsed.password or ""),
        query.get("client_id", ""),
        query.get("driver", ""),
        {KEYWORDS[name]: value for name, value in query.items() if name in KEYWORDS},
    )


def _one(name: str, value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return value
    raise ConfigurationError(f"TASCUS_SQL_URL states {name} more than once")


def _authentication(parsed: URL, stated: str | None) -> Authentication:
    """Return the stated way; by default a SQL login if the URL names a user, else the managed identity."""
    if stated is None:
        return Authentication.SQL if parsed.username else Authentication.MANAGED_IDENTITY
    if stated not in set(Authentication):
        valid = ", ".join(Authentication)
        raise ConfigurationError(f"TASCUS_SQL_URL asks for authentication={stated!r}; valid: {valid}")
    way = Authentication(stated)
    if (way is Authentication.SQL) != bool(parsed.username):
        raise ConfigurationError("TASCUS_SQL_URL: a user belongs to authentication=sql, and only to that")
    return way
