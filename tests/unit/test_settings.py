"""Settings as the environment gives them; what cannot be used is refused by name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import ConfigurationError
from shared.settings import ConnectionSettings, load, read_connections

ACME = (ConnectionSettings("acme", "tryton", {"base_url": "http://erp"}),)
INLINE_JSON = '[{"name": "acme", "profile": "tryton", "settings": {"base_url": "http://erp"}}]'
INLINE_YAML = "- name: acme\n  profile: tryton\n  settings: {base_url: 'http://erp'}\n"


def test_nothing_set_means_a_laptop():
    settings = load({"TASCUS_CONNECTIONS": "[]"})
    assert settings.sql_url.startswith("sqlite")
    assert settings.connections == ()
    assert settings.default_connection == "default"
    assert settings.storage == {"connection_string": "UseDevelopmentStorage=true"}
    assert settings.lease == timedelta(seconds=60)


def test_everything_can_be_set():
    settings = load(
        {
            "TASCUS_SQL_URL": "mssql+pyodbc://x",
            "TASCUS_CONNECTIONS": INLINE_JSON,
            "TASCUS_KEY_VAULT_URL": "https://vault",
            "TASCUS_MAX_BODY_BYTES": "10",
            "TASCUS_MAX_BATCH": "5",
            "TASCUS_LEASE_SECONDS": "30",
            "AzureWebJobsStorage": "Endpoint=x",
        }
    )
    assert (settings.sql_url, settings.key_vault_url) == ("mssql+pyodbc://x", "https://vault")
    assert (settings.max_body_bytes, settings.max_batch) == (10, 5)
    assert settings.lease == timedelta(seconds=30)
    assert (settings.connections, settings.default_connection) == (ACME, "acme")
    assert settings.storage == {"connection_string": "Endpoint=x"}


def test_a_queue_uri_means_a_managed_identity():
    env = {
        "TASCUS_CONNECTIONS": "[]",
        "AzureWebJobsStorage__queueServiceUri": "https://q",
        "AzureWebJobsStorage": "x",
    }
    assert load(env).storage == {"uri": "https://q", "client_id": ""}


@pytest.mark.parametrize("name", ["TASCUS_MAX_BODY_BYTES", "TASCUS_MAX_BATCH", "TASCUS_LEASE_SECONDS"])
@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "many"])
def test_a_number_that_is_none_is_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=name):
        load({"TASCUS_CONNECTIONS": "[]", name: value})


@pytest.mark.parametrize("source", [INLINE_JSON, INLINE_YAML, '{"connections": ' + INLINE_JSON + "}"])
def test_connections_stand_inline_or_in_a_file(source, tmp_path):
    assert read_connections(source) == ACME
    path = tmp_path / "connections.yaml"
    path.write_text(source, "utf-8")
    assert read_connections(str(path)) == ACME


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("[", "neither valid YAML nor JSON"),
        ("{}", "must hold a list of connections"),
        ('{"connections": 3}', "must hold a list of connections"),
        ("- 3", "connection 1: name and profile are needed"),
        ("- {name: a}", "connection 1: name and profile are needed"),
        ("- {name: a, profile: b, colour: c}", "valid keys: name, profile, settings"),
    ],
)
def test_connections_that_cannot_be_used_are_refused(source, says):
    with pytest.raises(ConfigurationError, match=says):
        read_connections(source)
