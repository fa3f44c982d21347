"""The demo for real: the whole shift on a real ERP, and nothing of it left running afterwards."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.tryton, pytest.mark.azurite]

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "demo", "--once"]
MARK = "TASCUS_DEMO_TEST"
PATIENCE = 400


def children(mark):
    """Ids of processes that have inherited `mark` in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or somebody else's
        if f"{MARK}={mark}".encode() in environment:
            found.append(int(folder.name))
    return found


def demo(mark, *arguments):
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=os.environ | {MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_every_figure_agrees_and_nothing_is_left_running(tmp_path):
    with demo(str(tmp_path), "--port", "0") as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "Floor and ERP agree in every figure" in said
    assert said.count("✓") > 40
    assert "Tryton is stopped; the floor goes on" in said
    assert children(str(tmp_path)) == []


def told_to_stop(process):
    """By a service manager: this process alone."""
    process.send_signal(signal.SIGTERM)


def interrupted(process):
    """By Ctrl-C at a terminal: every process of the group at once."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize("end", [told_to_stop, interrupted])
def test_stopped_in_the_middle_it_stops_what_it_started(tmp_path, end):
    with demo(str(tmp_path), "--port", "0") as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if "First half" in line:
                break
        assert len(children(str(tmp_path))) >= 4, said  # itself, Tryton, Azurite, the function app
        end(process)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert children(str(tmp_path)) == []


def test_a_busy_port_is_said_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(str(tmp_path), "--port", str(port)) as process:
            said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert f"port {port} of 127.0.0.1 is busy" in said
