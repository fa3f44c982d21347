"""The demo on SQL Server: the same shift, the same figures, another store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

URL = os.environ.get("TASCUS_TEST_SQLSERVER_URL", "")
ROOT = Path(__file__).parents[2]
PATIENCE = 900

pytestmark = [
    pytest.mark.tryton,
    pytest.mark.azurite,
    pytest.mark.skipif(not URL, reason="no SQL Server at hand: TASCUS_TEST_SQLSERVER_URL is not set"),
]


def test_every_figure_agrees_on_sql_server():
    command = [sys.executable, "-m", "demo", "--once", "--port", "0", "--sql", URL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "Floor and ERP agree in every figure" in done.stdout
