"""Every command of the README is run here, on other ports; a command nobody runs fails the first test."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from devhost.azurite import Azurite
from devhost.ports import free_port

pytestmark = [pytest.mark.tryton, pytest.mark.azurite]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PATIENCE = 400


def commands():
    """The commands of all `sh` blocks; a line that ends inside quotes goes on in the next."""
    found, current = [], ""
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            current = f"{current}\n{line}" if current else line
            if current.count("'") % 2 == 0:
                found.append(current)
                current = ""
    return [command for command in found if command.strip()]


def starting_with(start):
    return [command for command in commands() if command.startswith(start)]


def shell(command, cwd=ROOT, timeout=60):
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_is_run_by_a_test():
    known = (
        "make demo",
        "make test",
        "curl ",
        "cp local.settings",
        "func start",
        ".venv/bin/python -m devhost",
    )
    assert [command for command in commands() if not command.startswith(known)] == []
    assert all(starting_with(start) for start in known), "a test below runs nothing"


@contextmanager
def stayed_up(port):
    """`make demo`, played to its end and still up; the lines it printed. Ctrl-C ends it."""
    process = subprocess.Popen(
        ["make", "demo", f"PORT={port}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        else:
            pytest.fail("".join(said))
        yield said
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def demo():
    port = free_port()
    with stayed_up(port) as said:
        yield port, "".join(said)


def test_make_demo_agrees_in_every_figure(demo):
    _, said = demo
    assert "Floor and ERP agree in every figure" in said


def test_the_curls_say_what_the_readme_says(demo):
    port, _ = demo
    answers = [json.loads(shell(command.replace("7071", str(port)))) for command in starting_with("curl ")]
    posted, messages, warnings, orders, done, completeness, document = answers
    assert posted["events"][0]["disposition"] == "recorded"
    assert posted["events"][0]["warnings"] == ["unknown_order"]
    assert messages["items"]
    assert [item["kind"] for item in warnings["items"]] == ["unknown_order"]
    assert len(orders["items"]) == 3
    assert len(done["items"]) == 3
    assert completeness["events"] > 0
    assert document["openapi"].startswith("3.1")


def test_make_test_is_what_ci_runs():
    assert "exec make test" in (ROOT / ".ci/run").read_text()
    assert "-m pytest" in shell("make --dry-run test")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The project's own files in another folder, with `cp local.settings.json.example …` done there."""
    folder = tmp_path_factory.mktemp("readme") / "project"
    listed = shell("git ls-files --cached --others --exclude-standard -z").split("\0")
    for name in filter(None, listed):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, target)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for command in starting_with("cp local.settings"):
        shell(command, cwd=folder)
    return folder


@contextmanager
def served(command, folder, port):
    environment = os.environ | {"TASCUS_CONNECTIONS": ""}
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/v1/health/live", process)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=60)


def wait_for(url, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail(f"{url} did not answer")


def with_storage(folder, storage):
    settings = json.loads((folder / "local.settings.json").read_text())
    settings["Values"]["AzureWebJobsStorage"] = storage
    (folder / "local.settings.json").write_text(json.dumps(settings))


def test_devhost_serves_the_app_as_copied(copied):
    (command,) = starting_with(".venv/bin/python -m devhost")
    port = free_port()
    with Azurite() as azurite:
        with_storage(copied, azurite.connection_string)
        with served(command.replace("7071", str(port)), copied, port):
            assert httpx.get(f"http://127.0.0.1:{port}/api/v1/health/ready").status_code == 200


@pytest.mark.skipif(
    shutil.which("func") is None, reason="Azure Functions Core Tools (func) are not installed"
)
def test_func_start_serves_the_app_as_copied(copied):
    port = free_port()
    with Azurite() as azurite:
        with_storage(copied, azurite.connection_string)
        with served(f"func start --port {port}", copied, port):
            assert httpx.get(f"http://127.0.0.1:{port}/api/v1/health/ready").status_code == 200
