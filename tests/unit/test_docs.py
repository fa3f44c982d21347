"""The documents say what the code takes: the connection example works, and every app setting is listed."""

import re
from pathlib import Path

from shared.erp.engine import checked_settings
from shared.profiles.loader import load_profile
from shared.settings import read_connections

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs/operations.md").read_text()


def test_the_example_of_a_connection_is_one(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", OPERATIONS, re.DOTALL)
    (tmp_path / "connections.yaml").write_text(example)
    (connection,) = read_connections(str(tmp_path / "connections.yaml"))
    assert checked_settings(load_profile(connection.profile), connection.settings)["api_key"] == "tryton-key"


def test_every_app_setting_is_listed():
    code = "".join((ROOT / name).read_text() for name in ("shared/settings.py", "functions/timers.py"))
    used = set(re.findall(r"TASCUS_[A-Z_]+[A-Z]", code))
    assert used - set(re.findall(r"TASCUS_[A-Z_]+[A-Z]", OPERATIONS)) == set()
    assert "TASCUS_PULL_SCHEDULE" in used
