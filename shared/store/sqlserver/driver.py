"""Finds the ODBC driver: an installed one by name, else the binary inside the PyPI package `mssql-python-odbc`.

The package is Microsoft's own and meant for its own Python client; unixODBC opens its library by path just as
well, so a laptop needs no system install. In the cloud the platform's image brings the driver.
"""

from __future__ import annotations

import platform
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

MICROSOFT = re.compile(r"ODBC Driver (\d+) for SQL Server")
OLDEST = 17  # the first that signs in with an access token on every platform
PACKAGE = "mssql_python_odbc"
BINARY = re.compile(r"(libmsodbcsql.*\.(so\.[\d.]+|dylib)|msodbcsql\d*\.dll)$")
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
SYSTEMS = {"linux": "linux", "darwin": "macos", "windows": "windows"}
FREETDS = "FreeTDS"
LIBRARIES = {  # how the package calls a distribution's build, by the words of /etc/os-release
    "debian_ubuntu": ("debian", "ubuntu"),
    "rhel": ("rhel", "fedora", "centos", "mariner", "azurelinux"),
    "suse": ("suse",),
    "alpine": ("alpine",),
}


def find_driver() -> str:
    """Return what belongs after `DRIVER=`: a name in braces or a path. Raises ConfigurationError."""
    import pyodbc  # noqa: PLC0415 - only where SQL Server is used

    return chosen(pyodbc.drivers(), packaged())


def chosen(installed: Iterable[str], packaged_path: str | None) -> str:
    """Choose Microsoft's newest installed driver, else the packaged one, else FreeTDS."""
    versions = {int(match[1]): name for name in installed if (match := MICROSOFT.fullmatch(name))}
    if versions and max(versions) >= OLDEST:
        return f"{{{versions[max(versions)]}}}"
    if packaged_path is not None:
        return packaged_path
    if FREETDS in installed:
        return f"{{{FREETDS}}}"
    raise ConfigurationError(
        "no ODBC driver for SQL Server was found; any of these will do: an installed 'ODBC Driver 18 for SQL "
        "Server', the PyPI package mssql-python-odbc, an installed FreeTDS, or driver=<name or path> in TASCUS_SQL_URL"
    )


def packaged() -> str | None:
    """Return the path of the packaged driver that suits this machine; None if there is none."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    libraries = Path(next(iter(spec.submodule_search_locations))) / "libs" / SYSTEMS.get(system, system)
    fitting = [path for path in binaries(libraries) if MACHINES.get(machine, machine) in path.parts]
    own = [path for path in fitting if distribution() in path.parts]
    return str((own or fitting)[0]) if fitting else None


def binaries(folder: Path) -> list[Path]:
    """Every driver library below `folder`, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if BINARY.search(path.name))


def distribution(release: str | None = None) -> str:
    """Return the package's word for the Linux that /etc/os-release describes; "" for one it does not know."""
    if release is None:
        file = Path("/etc/os-release")
        release = file.read_text("utf-8") if file.exists() else ""
    stated = " ".join(line for line in release.lower().splitlines() if line.startswith(("id=", "id_like=")))
    return next((name for name, words in LIBRARIES.items() if any(word in stated for word in words)), "")
