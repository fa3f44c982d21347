"""Imports run one way: functions -> flows -> (erp, mapping, store, queues) -> domain. The tree alone tells the flow.

A door reaches its flow through the App (`app().look.orders(...)`), so that importing the doors loads no flow.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    # room: what it may see beside itself
    "domain": set(),
    "errors": set(),
    "settings": {"errors"},
    "secrets": {"errors"},
    "profiles": {"domain", "errors", "mapping"},
    "mapping": {"domain", "errors", "profiles"},
    "erp": {"domain", "errors", "mapping", "profiles"},
    "store": {"domain", "errors"},
    "queues": {"domain", "errors"},
    "flows": {"domain", "errors", "mapping", "erp", "store", "queues"},
    "functions": {"domain", "errors", "wiring"},  # flows are met at the App, never imported
    "function_app": {"functions"},
}
SEES_EVERYTHING = "wiring"
ELSEWHERE = {"devhost", "tests", "demo", "bench", "cli"}
NOT_FOR_DOORS = {"sqlalchemy", "httpx", "aiohttp", "alembic", "pyodbc", "sqlite3"}
NOT_FOR_A_COLD_START = {
    "sqlalchemy", "alembic", "pyodbc", "httpx", "aiohttp", "jmespath", "yaml", "pydantic", "pydantic_core",
    "azure.core", "azure.identity", "azure.storage", "shared.flows", "shared.store", "shared.erp", "shared.queues",
}  # fmt: skip
LOADED = "import function_app, sys, json; print(json.dumps([name for name, module in sys.modules.items() if module]))"
ERPS = [
    "tryton", "erpnext", "frappe", "odoo", "sap", "netsuite", "epicor", "dynamics", "business.central", "infor",
    "oracle", "acumatica", "ifs", "sage", "katana", "dolibarr", "proteus", "plex", "syteline", "priority",
]  # fmt: skip
NAMED = re.compile(rf"(?<![a-z])({'|'.join(ERPS)})(?![a-z])", re.IGNORECASE)


def product_files():
    """Every Python file that runs in the cloud."""
    found = [ROOT / "function_app.py", *(ROOT / "functions").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def room_of(dotted):
    """`shared.store.engine` -> store; `functions.doors` -> functions; foreign packages -> their own name."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == "shared" and len(parts) > 1 else parts[0]


def imported(path):
    """Yield the dotted name of everything the file imports, at any depth, for typing and lazily too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            if node.module == "shared":
                yield from (f"shared.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "lazily":
            yield from (name.value for name in node.args if isinstance(name, ast.Constant))


def test_the_tree_is_there():
    rooms = {room_of(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in product_files()}
    assert rooms - {"__init__", "shared"} <= {*ROOMS, SEES_EVERYTHING}, "a new room needs its rule here"
    assert {"domain", "store", "flows", "erp", "mapping", "queues", "functions"} <= rooms


@pytest.mark.parametrize("path", product_files(), ids=name_of)
def test_imports_run_one_way(path):
    mine = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    seen = {room_of(dotted) for dotted in imported(path)}
    assert not seen & ELSEWHERE
    if mine not in (SEES_EVERYTHING, "__init__", "shared"):
        ours = {*ROOMS, SEES_EVERYTHING}
        assert seen & ours <= ROOMS[mine] | {mine}


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*.py")), ids=name_of)
def test_a_door_imports_neither_sql_nor_an_http_client(path):
    assert not {dotted.split(".")[0] for dotted in imported(path)} & NOT_FOR_DOORS


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*.py")), ids=name_of)
def test_a_door_only_takes_the_app_from_the_wiring(path):
    taken = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "shared.wiring"
        for alias in node.names
    }
    assert taken <= {"app", "App"}


def test_a_cold_start_loads_nothing_heavy():
    """In an interpreter of its own. Lazy modules are in place but have not run, so what they import is not there."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert {"function_app", "functions.http_orders", "shared.wiring"} <= loaded
    assert {
        name for name in loaded for heavy in NOT_FOR_A_COLD_START if f"{name}.".startswith(f"{heavy}.")
    } == set()


@pytest.mark.parametrize("path", sorted((ROOT / "shared" / "domain").glob("*.py")), ids=name_of)
def test_the_domain_reads_no_clock_file_or_socket(path):
    told = {dotted.split(".")[0] for dotted in imported(path)}
    assert told <= {
        "__future__",
        "base64",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "hashlib",
        "json",
        "orjson",
        "shared",
        "typing",
    }
    assert not re.search(r"\.(now|utcnow|today)\(|\bopen\(", path.read_text("utf-8"))


@pytest.mark.parametrize(
    "path",
    [*product_files(), *sorted((ROOT / "cli").rglob("*.py")), *sorted((ROOT / "devhost").rglob("*.py"))],
    ids=name_of,
)
def test_no_python_knows_the_name_of_an_erp(path):
    if "node_modules" not in path.parts:
        assert NAMED.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("class TrytonError", ["Tryton"]),
        ("sap_client", ["sap"]),
        ("perhaps disappear", []),
        ("in SAP.", ["SAP"]),
    ],
)
def test_the_search_for_names_finds_them(text, found):
    assert NAMED.findall(text.replace("TrytonError", "Tryton_Error")) == found


ERP_NAMES = re.compile(
    r"tryton|erpnext|frappe|odoo|netsuite|suiteql|epicor|kinetic|s4hana|s/4|business.?central|dynamics|d365|\bsap\b",
    re.IGNORECASE,
)


def test_no_erp_has_a_name_in_our_python():
    """What is special about one ERP stands in its profile; Python that knows one would soon know them all."""
    files = [
        *ROOT.glob("*.py"),
        *(file for room in ("shared", "functions", "cli", "devhost") for file in python_in(room)),
    ]
    named = {str(file.relative_to(ROOT)) for file in files if ERP_NAMES.search(file.read_text("utf-8"))}
    assert files
    assert named == set()


def python_in(room):
    return [file for file in (ROOT / room).rglob("*.py") if "node_modules" not in file.parts]
