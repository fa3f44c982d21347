"""The pure parts: routes, settings, back-off, lateness."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from devhost.errors import DevhostError
from devhost.queues import Backoff
from devhost.routes import Router, compile_route
from devhost.settings import (
    HostOptions,
    QueueOptions,
    connection_string,
    load_host_options,
    load_local_settings,
    resolve,
)
from devhost.timers import is_past_due

ANY = frozenset()


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/a/b", "a/b", {}),
        ("/A/B/", "a/b", {}),
        ("/a/12", "a/{id:int}", {"id": "12"}),
        ("/a/-12", "a/{id:int}", {"id": "-12"}),
        ("/a/x1", "a/{name}", {"name": "x1"}),
        ("/a/report.json", "a/{name}.json", {"name": "report"}),
        ("/a/x/y/z", "a/{*rest}", {"rest": "x/y/z"}),
        ("/a", "a/{*rest}", {}),
        ("/opt", "opt/{value?}", {}),
        ("/opt/1", "opt/{value?}", {"value": "1"}),
        ("/on/TRUE", "on/{flag:bool}", {"flag": "TRUE"}),
        (
            "/on/6F9619FF-8B86-D011-B42D-00CF4FC964FF",
            "on/{id:guid}",
            {"id": "6F9619FF-8B86-D011-B42D-00CF4FC964FF"},
        ),
        ("/on/1.50", "on/{q:decimal}", {"q": "1.50"}),
        ("/", "", {}),
    ],
)
def test_a_path_finds_the_most_exact_template(path, template, parameters):
    templates = [
        "a/{*rest}", "a/{name}", "a/{name}.json", "a/{id:int}", "a/b", "opt/{value?}",
        "on/{q:decimal}", "on/{flag:bool}", "on/{id:guid}", "",
    ]  # fmt: skip
    router = Router([compile_route(each, ANY, each) for each in templates])
    assert router.find("GET", path) == (template, parameters)


def test_a_method_picks_among_equal_templates():
    router = Router(
        [
            compile_route("o/{id}", frozenset({"GET"}), "read"),
            compile_route("o/{id}", frozenset({"PUT"}), "write"),
        ]
    )
    assert router.find("PUT", "/o/1") == ("write", {"id": "1"})
    assert router.find("DELETE", "/o/1") is None


def test_an_unknown_constraint_is_refused_with_the_known_ones():
    with pytest.raises(DevhostError, match="'postcode'; devhost knows int, long"):
        compile_route("a/{b:postcode}", ANY, "x")


def test_host_json_is_read_with_the_hosts_defaults(tmp_path):
    assert load_host_options(tmp_path / "host.json", {}) == HostOptions()
    (tmp_path / "host.json").write_text(
        json.dumps(
            {
                "functionTimeout": "1.00:10:00",
                "logging": {"logLevel": {"default": "Warning"}},
                "extensions": {
                    "http": {"routePrefix": ""},
                    "queues": {
                        "batchSize": 32,
                        "visibilityTimeout": "00:00:30",
                        "maxPollingInterval": "00:00:00.100",
                        "maxDequeueCount": 9,
                        "messageEncoding": "none",
                    },
                },
            }
        )
    )
    assert load_host_options(tmp_path / "host.json", {}) == HostOptions(
        route_prefix="",
        queues=QueueOptions(32, 16, 30.0, 0.1, 9, base64=False),
        function_timeout=87000.0,
        log_level="Warning",
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("batchSize", "33", "from 1 to 32"),
        ("batchSize", "many", "from 1 to 32"),
        ("maxDequeueCount", "0", "at least 1"),
        ("visibilityTimeout", "30", "hh:mm:ss"),
        ("messageEncoding", "base32", "valid: base64, none"),
    ],
)
def test_a_wrong_value_of_host_json_is_refused_with_the_valid_ones(tmp_path, name, value, message):
    with pytest.raises(DevhostError, match=message):
        load_host_options(tmp_path / "none", {f"AzureFunctionsJobHost__extensions__queues__{name}": value})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"IsEncrypted": true}', "encrypted"),
        ('{"Values": {"A": 1}}', "the value of A"),
        ("[]", "JSON object"),
        ("{", "not JSON"),
    ],
)
def test_local_settings_that_cannot_be_read_are_refused(tmp_path, document, message):
    path = tmp_path / "local.settings.json"
    path.write_text(document)
    with pytest.raises(DevhostError, match=message):
        load_local_settings(path)


def test_local_settings_may_be_missing_unless_asked_for(tmp_path):
    path = tmp_path / "local.settings.json"
    assert load_local_settings(path).values == {}
    with pytest.raises(DevhostError, match="does not exist"):
        load_local_settings(path, required=True)


def test_the_port_may_stand_in_local_settings(tmp_path):
    path = tmp_path / "local.settings.json"
    path.write_text('{"Host": {"LocalHttpPort": 7123}}')
    assert load_local_settings(path).port == 7123


def test_references_to_settings_are_filled_in():
    assert resolve("a-%B%-%C%", {"B": "1", "C": "2"}) == "a-1-2"
    with pytest.raises(DevhostError, match="app setting C"):
        resolve("%C%", {})


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("", {"AzureWebJobsStorage": "one"}, "one"),
        ("AzureWebJobsStorage", {"AzureWebJobsStorage": "one"}, "one"),
        ("Storage", {"AzureWebJobsStorage": "one", "Storage": "two"}, "one"),
        ("Other", {"AzureWebJobsStorage": "one", "Other": "two"}, "two"),
    ],
)
def test_a_connection_is_found_by_its_name(name, environment, expected):
    assert connection_string(name, environment) == expected


def test_development_storage_means_the_emulator_on_its_usual_port():
    found = connection_string("", {"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    assert "http://127.0.0.1:10001/devstoreaccount1" in found


def test_polling_slows_down_to_the_maximum_and_starts_over():
    backoff = Backoff(2.0)
    delays = [backoff.next() for _ in range(12)]
    assert delays[0] == pytest.approx(0.1)
    assert delays == sorted(delays)
    assert delays[-1] == 2.0
    backoff.reset()
    assert backoff.next() == pytest.approx(0.1)


def test_more_than_a_second_late_is_past_due():
    due = datetime(2026, 1, 1, tzinfo=UTC)
    assert not is_past_due(due, due + timedelta(seconds=1))
    assert is_past_due(due, due + timedelta(seconds=1.1))
