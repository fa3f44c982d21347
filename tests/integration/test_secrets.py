"""A key is planted, the ERP says it aloud in every way it can, and then it is searched for everywhere."""

import base64
import json
import sqlite3
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

import pytest

from devhost.azurite import Azurite
from devhost.process import HostProcess
from tests.fakes.plain_erp_books import make_record
from tests.integration.kit import event, plain_connection
from tests.integration.plant import ROOT, wait_until

SECRET = 'PL4NT3D-"K3y\\9b/8a7b+6c5d'
# Whole, as JSON writes it, as an address writes it, as basic authentication writes it; and either end of it alone.
TRACES = [
    SECRET,
    json.dumps(SECRET)[1:-1],
    quote(SECRET, safe=""),
    base64.b64encode(SECRET.encode()).decode(),
    SECRET[:8],
    SECRET[-10:],
]
ORDERS = [
    make_record({"number": f"WO-{n:06}", "changed_at": "2026-11-23T06:00:00.000Z"}, n, 2) for n in range(1, 9)
]


class Talkative(BaseHTTPRequestHandler):
    """An ERP that repeats the caller's headers in whatever it answers."""

    def do_GET(self):
        key = self.headers.get("X-Api-Key", "")
        if self.path.startswith("/orders?"):
            misread = make_record(
                {"number": "WO-ODD", "quantity": key, "changed_at": ORDERS[0]["changed_at"]}, 9, 2
            )
            self.say(200, {"orders": [*ORDERS, misread], "next": None})
        elif self.path.startswith("/open-orders"):
            self.say(502, f"gateway: {key}")
        else:
            self.say(404, {"error": f"nothing here for {key}"})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        key, number = self.headers["X-Api-Key"], int(self.path.split("/")[2][-6:])
        answers = {
            1: lambda: self.say(400, {"error": "no", "headers": dict(self.headers)}),
            2: lambda: self.say(200, {"error": f"invalid key {key}"}),
            3: lambda: self.say(500, f"<html>{dict(self.headers)}</html>"),
            4: lambda: self.say(422, "x" * (300 - len("HTTP 422: ") - 6) + key),
            5: lambda: self.say(422, "x" * 294 + key),
            6: lambda: self.say(409, {"error": key, "url": f"/?key={quote(key, safe='')}"}),
            7: self.hang_up,
            8: lambda: self.say(401, {"error": f"{key} is not a key", "headers": dict(self.headers)}),
        }
        answers[number]()

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def say(self, status, body):
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.server.said.add((self.command, self.path.split("?")[0], status))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Echo", quote(self.headers.get("X-Api-Key", "")))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def talkative_erp():
    with ThreadingHTTPServer(("127.0.0.1", 0), Talkative) as server:
        server.said = set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(url, method, path, body=None):
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        return answer.status, answer.read().decode() + str(answer.headers)
    finally:
        connection.close()


@pytest.fixture
def storage(tmp_path):
    (tmp_path / "queues").mkdir()
    with Azurite(tmp_path / "queues") as azurite:
        yield azurite


def test_a_planted_key_is_nowhere(storage, tmp_path):
    database = tmp_path / "tascus.sqlite"
    with talkative_erp() as erp:
        settings = {
            "TASCUS_SQL_URL": f"sqlite:///{database}",
            "TASCUS_CONNECTIONS": json.dumps(
                [plain_connection("main", f"http://127.0.0.1:{erp.server_port}")]
            ),
            "TASCUS_SECRET_PLAIN_KEY": SECRET,
            "AzureWebJobsStorage": storage.connection_string,
            "TASCUS_PULL_SCHEDULE": "0 0 0 1 1 *",
            "TASCUS_RECONCILE_SCHEDULE": "0 0 0 1 1 *",
            "TASCUS_SWEEP_SCHEDULE": "* * * * * *",
            "AzureFunctionsJobHost__logging__logLevel__default": "Debug",
        }
        with HostProcess(ROOT, settings) as host:
            pages = [ask(host.url, "POST", "/api/v1/connections/main/pull")]
            pages.append(ask(host.url, "POST", "/api/v1/connections/main/pull?reconcile=true"))
            for number, order in enumerate(ORDERS[:7], 1):
                told = event("production.reported", order["number"], "10", data={"good": str(number)})
                pages.append(ask(host.url, "POST", "/api/v1/events", told))
            wait_until(lambda: judged(database) >= 6, "the ERP to have refused all that it refuses")
            told = event("production.reported", ORDERS[7]["number"], "10", data={"good": "8"})
            pages.append(ask(host.url, "POST", "/api/v1/events", told))
            wait_until(lambda: halted(database), "the connection to be halted")
            pages += [ask(host.url, "GET", path) for path in readable(host.url, database)]
            host.stop()
            log = host.log()
    assert len(erp.said) >= 8
    assert all(status < 500 or status == 503 for status, _ in pages), pages
    everywhere = {
        "log": log.encode(),
        "answers": "\n".join(text for _, text in pages).encode(),
        "queues": b"".join(path.read_bytes() for path in (tmp_path / "queues").rglob("*") if path.is_file()),
        "sql": b"".join(path.read_bytes() for path in tmp_path.glob("tascus.sqlite*")),
    }
    assert "•••".encode() in everywhere["sql"]  # it was there to be cut out
    assert "•••".encode() in everywhere["answers"]
    found = [
        (place, trace)
        for place, content in everywhere.items()
        for trace in TRACES
        if trace.encode() in content
    ]
    assert found == []


def rows(database, statement):
    connection = sqlite3.connect(database)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def judged(database):
    return len(rows(database, "SELECT DISTINCT stream_key FROM delivery_attempt"))


def halted(database):
    return rows(database, "SELECT 1 FROM warning WHERE kind = 'connection_halted' AND detail LIKE '%401%'")


def readable(url, database):
    """Return every address that can be read, with the parts in it filled from what is there."""
    _, document = ask(url, "GET", "/api/v1/openapi.json")
    paths = json.JSONDecoder().raw_decode(document)[0]["paths"]
    messages = [
        f"{key}-{number}"
        for key, number in rows(database, "SELECT stream_key, sequence FROM outbound_message")
    ]
    fillings = {
        "number": [order["number"] for order in ORDERS],
        "message": messages,
        "warning": [key for (key,) in rows(database, "SELECT warning_id FROM warning")],
        "connection": ["main"],
    }
    found = []
    for path, doors in paths.items():
        if "get" not in doors:
            continue
        part = path[path.index("{") + 1 : path.index("}")] if "{" in path else ""
        found += [path.replace(f"{{{part}}}", value) for value in fillings[part]] if part else [path]
    assert len(found) > 20
    return found
