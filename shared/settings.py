"""Settings, read from the environment as Azure Functions provides it. Every name and default is listed here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """One configured ERP. Secrets in `settings` are names in the vault, never values."""

    name: str
    profile: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between a laptop, a test and the cloud."""

    sql_url: str
    connections: tuple[ConnectionSettings, ...]
    storage: Mapping[str, str]  # how to reach the storage queues: connection string or service URI
    key_vault_url: str = ""
    max_body_bytes: int = 1_048_576
    max_batch: int = 1000
    lease: timedelta = timedelta(seconds=60)
    sql_busy_seconds: int = 2
    sql_writers: int = 8  # connections for transactions that write; four more read
    sql_connect_seconds: int = 15
    sql_command_seconds: int = 30
    keep_attempts: timedelta = timedelta(
        days=90
    )  # requests and replies of messages that are through, at hand
    keep_archive: timedelta = timedelta(days=3650)  # and in the archive

    @property
    def default_connection(self) -> str:
        """Where an event belongs that names no connection."""
        return self.connections[0].name if self.connections else "default"


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read settings from `environment` (default: the process's own). Raises ConfigurationError naming the variable."""
    env = os.environ if environment is None else environment
    return Settings(
        sql_url=env.get("TASCUS_SQL_URL", "sqlite:///tascus.sqlite"),
        connections=read_connections(env.get("TASCUS_CONNECTIONS", "")),
        storage=_storage(env),
        key_vault_url=env.get("TASCUS_KEY_VAULT_URL", ""),
        max_body_bytes=_number(env, "TASCUS_MAX_BODY_BYTES", 1_048_576),
        max_batch=_number(env, "TASCUS_MAX_BATCH", 1000),
        lease=timedelta(seconds=_number(env, "TASCUS_LEASE_SECONDS", 60)),
        sql_busy_seconds=_number(env, "TASCUS_SQL_BUSY_SECONDS", 2),
        sql_writers=_number(env, "TASCUS_SQL_WRITERS", 8),
        sql_connect_seconds=_number(env, "TASCUS_SQL_CONNECT_SECONDS", 15),
        sql_command_seconds=_number(env, "TASCUS_SQL_COMMAND_SECONDS", 30),
        keep_attempts=timedelta(days=_number(env, "TASCUS_KEEP_ATTEMPTS_DAYS", 90)),
        keep_archive=timedelta(days=_number(env, "TASCUS_KEEP_ARCHIVE_DAYS", 3650)),
    )


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not text.isdecimal() or int(text) == 0:
        raise ConfigurationError(f"{name} is {text!r}; it must be a whole number above zero")
    return int(text)


def _storage(env: Mapping[str, str]) -> dict[str, str]:
    """A connection string (laptop) or the queue service's URI, reached with a managed identity (cloud)."""
    uri = env.get("AzureWebJobsStorage__queueServiceUri")
    if uri:
        return {"uri": uri, "client_id": env.get("AzureWebJobsStorage__clientId", "")}
    return {"connection_string": env.get("AzureWebJobsStorage", "UseDevelopmentStorage=true")}


def read_connections(source: str) -> tuple[ConnectionSettings, ...]:
    """Read the connections from `source`: inline JSON or YAML, or the path of such a file. "" = none yet.

    Raises:
        ConfigurationError: there is no such file, or what it holds is not a list of connections.
    """
    import yaml  # noqa: PLC0415 - a door that answers health probes should not pay for it

    inline = source.lstrip().startswith(("[", "{", "-"))
    path = Path(source)
    if not source:
        return ()
    if not inline and not path.exists():
        raise ConfigurationError(f"TASCUS_CONNECTIONS names {source!r}, and there is no such file")
    try:
        stated = yaml.safe_load(source if inline else path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"TASCUS_CONNECTIONS is neither valid YAML nor JSON: {error}") from error
    entries = stated.get("connections") if isinstance(stated, dict) else stated
    if not isinstance(entries, list):
        raise ConfigurationError(
            "TASCUS_CONNECTIONS must hold a list of connections, each with name, profile, settings"
        )
    connections = tuple(_connection(entry, number) for number, entry in enumerate(entries, 1))
    names = [connection.name for connection in connections]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"connections must have names of their own; given twice: {', '.join(twice)}")
    return connections


def _connection(entry: Any, number: int) -> ConnectionSettings:  # noqa: ANN401 - whatever the YAML holds
    valid = {"name", "profile", "settings"}
    if not isinstance(entry, dict) or not {"name", "profile"} <= entry.keys() or not entry.keys() <= valid:
        raise ConfigurationError(
            f"connection {number}: name and profile are needed; valid keys: {', '.join(sorted(valid))}"
        )
    name = str(entry["name"])
    if not name or name != name.strip():
        raise ConfigurationError(
            f"connection {number}: {name!r} is no name; it must not begin or end in a space"
        )
    return ConnectionSettings(name, str(entry["profile"]), entry.get("settings") or {})
