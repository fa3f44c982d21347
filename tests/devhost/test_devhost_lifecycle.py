"""Starting, refusing to start, and stopping."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from devhost_kit import APP

from devhost.errors import DevhostError
from devhost.http import listen
from devhost.worker import load

ROOT = Path(__file__).parents[2]
EVERYWHERE = "0.0.0.0"  # noqa: S104 -- to see it refused


def devhost(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devhost", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def own_app(tmp_path):
    """A copy of the app whose files a test may change."""
    return Path(shutil.copytree(APP, tmp_path / "app"))


def test_a_busy_port_is_one_clear_message():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = devhost("--app", str(APP), "--port", port)
    assert ended.returncode == 2
    assert ended.stderr.strip().count("\n") == 0
    assert f"port {port}" in ended.stderr
    assert "--port" in ended.stderr


def test_it_listens_on_loopback_only():
    ended = devhost("--app", str(APP), "--port", "0", "--host", EVERYWHERE)
    assert ended.returncode == 2
    assert "127.0.0.1 only" in ended.stderr


@pytest.mark.parametrize("address", [EVERYWHERE, "::", "192.0.2.7", ""])
def test_no_other_address_is_bound(address):
    with pytest.raises(DevhostError, match=r"127\.0\.0\.1 only"):
        listen(address, 0)


def test_a_folder_without_an_app_is_named(tmp_path):
    with pytest.raises(DevhostError, match=r"holds no function_app\.py"):
        load(tmp_path)


def test_a_missing_setting_of_a_trigger_is_named(start):
    with pytest.raises(DevhostError, match="AzureWebJobsStorage is not set"):
        start(AzureWebJobsStorage="")


def test_a_binding_devhost_does_not_know_is_named(start, own_app):
    (own_app / "function_app.py").write_text(
        "import azure.functions as func\n"
        "app = func.FunctionApp()\n"
        "@app.blob_trigger(arg_name='blob', path='in', connection='Storage')\n"
        "def on_blob(blob: func.InputStream) -> None: ...\n"
    )
    with pytest.raises(DevhostError, match="on_blob uses a blobTrigger binding; devhost knows httpTrigger"):
        start(app=own_app)


def test_the_environment_beats_local_settings(start, own_app):
    values = {"FROM_FILE": "file", "FROM_BOTH": "file"}
    (own_app / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    host = start(app=own_app, FROM_BOTH="environment")
    assert httpx.get(f"{host.url}/setting/FROM_FILE").text == "file"
    assert httpx.get(f"{host.url}/setting/FROM_BOTH").text == "environment"
    assert httpx.get(f"{host.url}/setting/AZURE_FUNCTIONS_ENVIRONMENT").text == "Development"


def test_the_route_prefix_of_host_json_is_honoured(start):
    host = start(AzureFunctionsJobHost__extensions__http__routePrefix="api/v1")
    assert httpx.get(f"{host.url}/api/v1/orders/7").text == "number 7"
    assert httpx.get(f"{host.url}/orders/7").status_code == 404


def test_it_says_what_it_runs_and_when_it_is_ready(start, queue):
    host = start()
    lines = host.log().splitlines()
    assert f"devhost ready {host.url}" in lines
    assert f"  order_by_number: [GET] {host.url}/orders/{{id:int}}" in lines
    assert f"  work: queue {queue.name}" in lines
    assert "  at_startup: timer 0 0 0 1 1 *" in lines
    said = json.loads(host.ready_file.read_text())
    assert (said["url"], said["pid"]) == (host.url, host.pid)
    assert "order_by_number" in said["functions"]
    assert host.stop() == 0
    assert not host.ready_file.exists()


def test_a_request_under_way_is_answered_before_the_end(start, journal):
    host = start()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{host.url}/slow?seconds=1")
        journal.wait(1, "slow")
        assert host.stop() == 0
        assert waiting.result().text == "slept"
    with pytest.raises(httpx.ConnectError):
        httpx.get(host.url)


def test_a_function_that_outlasts_the_grace_is_given_up(start, journal):
    host = start("--grace", "1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{host.url}/block?seconds=60", timeout=60)
        journal.wait(1, "block")
        assert host.stop() == 0
        assert waiting.exception() or waiting.result().status_code == 500
    assert "still running" in host.log()


def test_a_second_signal_ends_it_at_once(start, journal):
    host = start("--grace", "60")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{host.url}/slow?seconds=60", timeout=60)
        journal.wait(1, "slow")
        host.signal(signal.SIGTERM)
        _wait_for_stopping(host)
        host.signal(signal.SIGINT)
        assert host.wait() == 128 + signal.SIGINT
        with pytest.raises(httpx.TransportError):
            waiting.result()


def _wait_for_stopping(host) -> None:
    from devhost_kit import wait_until

    wait_until(lambda: "stopping" in host.log(), "the first signal to be noticed")
