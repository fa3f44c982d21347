"""Tryton from nothing: its own virtual environment and a seeded database, made once and kept.

Tryton never shares the project's environment: it is the customer's ERP, not a dependency of ours. What
was made is found again by what it was made from, so a change of the pins or of the seed makes it anew.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
SEED = HERE / "seed.py"
DATABASE = "tryton"
ADMIN_PASSWORD = "admin-demo-only"  # noqa: S105  # of a database that is thrown away, served on loopback
MODULES = (
    "production_routing",
    "production_work_timesheet",
    "production_split",
    "stock_lot",
    "quality",
)

Progress = Callable[[str], None]


class TrytonPreparationError(RuntimeError):
    """A step of the preparation failed; the message ends with what the step printed."""


@dataclass(frozen=True)
class SeededTryton:
    """A Tryton ready to be served: the interpreter that has it, the database to copy, what is in it.

    `facts` are the settings a connection needs (company, employee, storage_location, scrap_location,
    quality_control, api_key, login, password…) and the fixtures tests may name (released: the numbers
    of the released orders; not_released: how many others there are; serial_part).
    """

    python: Path
    database_template: Path
    facts: dict[str, Any]

    @property
    def trytond(self) -> Path:
        """The server's executable."""
        return self.python.with_name("trytond")


def prepare(cache_dir: Path, progress: Progress = print) -> SeededTryton:
    """Install and seed Tryton under `cache_dir`, or find what an earlier call left there.

    From nothing this takes about a minute, afterwards no time. Several processes may call it at once:
    one works, the others wait for it. Raises TrytonPreparationError when a step fails.
    """
    cache_dir = cache_dir.resolve()
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(cache_dir / "lock"):
        python = _installed(cache_dir / f"venv-{_hash(REQUIREMENTS)}", progress)
        database, facts = _seeded(cache_dir / f"seed-{_hash(REQUIREMENTS, SEED)}", python, progress)
    return SeededTryton(python, database, facts)


def write_config(path: Path, folder: Path, listen: str = "127.0.0.1:0") -> None:
    """Write a trytond configuration that keeps databases in `folder` and serves on `listen`."""
    path.write_text(f"[database]\nuri = sqlite://\npath = {folder}\n\n[web]\nlisten = {listen}\n")


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hash(*files: Path) -> str:
    made_from = b"\0".join([file.read_bytes() for file in files] + [repr(MODULES).encode()])
    return hashlib.sha256(made_from + sys.version.encode()).hexdigest()[:12]


def _installed(folder: Path, progress: Progress) -> Path:
    """The interpreter of a virtual environment with the pinned Tryton."""
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        progress("Installing Tryton from its pinned requirements")
        uv = Path(sys.executable).with_name("uv")
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
        _run([uv, "pip", "sync", "--quiet", "--python", python, REQUIREMENTS])
        ready.touch()
    return python


def _seeded(folder: Path, python: Path, progress: Progress) -> tuple[Path, dict[str, Any]]:
    """The seeded database file and its facts."""
    facts = folder / "facts.json"
    if not facts.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        printed = _fill(folder, python, progress)
        facts.write_text(printed)
        progress("Tryton is ready")
    return folder / f"{DATABASE}.sqlite", json.loads(facts.read_text())


def _fill(folder: Path, python: Path, progress: Progress) -> str:
    """Create the database in `folder` and fill it; returns the seed's facts as JSON."""
    config, password = folder / "trytond.conf", folder / "password"
    write_config(config, folder)
    password.write_text(ADMIN_PASSWORD)
    database = folder / f"{DATABASE}.sqlite"
    database.touch()
    progress("Creating the ERP's database with production, routing, works, lots, time and quality")
    admin: list[Path | str] = [
        python.with_name("trytond-admin"),
        "-c",
        config,
        "-d",
        DATABASE,
        "--email",
        "admin@example.com",
    ]
    _run([*admin, "--activate-dependencies", "-u", *MODULES], TRYTONPASSFILE=str(password))
    progress("Seeding parts, routings, work centres and works orders")
    printed = _run([python, SEED, DATABASE, config])
    _fold_in_journal(database)
    return printed


def _fold_in_journal(database: Path) -> None:
    """Bring everything into the one file, because that file is what gets copied.

    Without the write-ahead journal a reader of the template leaves no file beside it either; a server
    switches its copy back when it opens it.
    """
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def _run(command: list[Path | str], **environment: str) -> str:
    """What the command printed; raises with all of its output when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise TrytonPreparationError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
