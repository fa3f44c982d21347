"""The command line: what each command prints and how it ends."""

import json

import pytest

from cli.__main__ import main
from tests.fakes.plain_erp import PlainErp


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run `connections check` on one connection; returns its exit code and what it printed."""

    def run(base_url, key="wrong", **settings):
        stated = {"base_url": base_url, "api_key": "plain-key", **settings}
        entry = {"name": "works", "profile": "tests/fakes/plain.yaml", "settings": stated}
        monkeypatch.setenv("TASCUS_CONNECTIONS", json.dumps([entry]))
        monkeypatch.setenv("TASCUS_SECRET_PLAIN_KEY", key)
        code = main(["connections", "check", "--settings", str(tmp_path / "none.json")])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_a_connection_that_answers(check):
    with PlainErp.start(orders=1) as plain:
        assert check(plain.url, plain.api_key) == (0, "✓ works (tests/fakes/plain.yaml): answers\n")


def test_wrong_credentials_are_named(check):
    with PlainErp.start(orders=1) as plain:
        code, said = check(plain.url, "wrong")
    assert code == 1
    assert "✗ works" in said
    assert "401" in said


def test_a_setting_the_profile_does_not_know_is_named(check):
    code, said = check("http://127.0.0.1:9", colour="blue")
    assert code == 1
    assert "colour" in said


def test_no_connection_at_all(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TASCUS_CONNECTIONS", "[]")
    assert main(["connections", "check", "--settings", str(tmp_path / "none.json")]) == 1
    assert "no connection is configured" in capsys.readouterr().out


def test_settings_that_are_no_json_are_refused(capsys, tmp_path):
    settings = tmp_path / "local.settings.json"
    settings.write_text("{")
    assert main(["connections", "check", "--settings", str(settings)]) == 1
    assert "local.settings.json" in capsys.readouterr().err


def test_status_of_an_app_that_is_not_there(capsys):
    assert main(["status", "--url", "http://127.0.0.1:9"]) == 1
    assert "http://127.0.0.1:9 does not answer as expected" in " ".join(capsys.readouterr().err.split())


def test_an_unknown_command_names_the_valid_ones(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["dance"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(command in said for command in ("demo", "status", "connections"))
