"""The bare ingest endpoint: starlette, orjson, one executemany, one commit a request. No rule, no state.

WAL with synchronous=FULL: a 202 means the event is on the disk, as ours means it. One event a request then
costs one fsync each, which group commit shares; `synchronous="normal"` shows the endpoint without that cost.
"""

import argparse
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.bare.figures import Figures, show
from bench.bare.load import run_load
from bench.bare.process import announce, bound_socket, started

TABLE = """
create table if not exists event (
    source text, id text, type text, time text, order_number text, operation text, work_centre text,
    data blob,
    primary key (source, id)
) without rowid
"""
INSERT = "insert or ignore into event values (?, ?, ?, ?, ?, ?, ?, ?)"
FIELDS = ("source", "id", "type", "time", "order", "operation", "work_centre")


def connect(database: Path, synchronous: str) -> sqlite3.Connection:
    """Open the database; `synchronous` is SQLite's own word, "full" is the durability we promise."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute(f"pragma synchronous={synchronous}")
    connection.execute(TABLE)
    return connection


def row(event: dict[str, object]) -> tuple[object, ...]:
    return (*(event[name] for name in FIELDS), orjson.dumps(event["data"]))


def application(database: Path, synchronous: str) -> Starlette:
    """Return the app; it blocks its loop while it commits, which is the fastest a single writer can do."""
    connection = connect(database, synchronous)

    async def post_events(request: Request) -> Response:
        given = orjson.loads(await request.body())
        events = given if isinstance(given, list) else [given]
        connection.execute("begin immediate")
        connection.executemany(INSERT, map(row, events))
        connection.execute("commit")
        return Response(b'{"accepted":%d}' % len(events), 202, media_type="application/json")

    return Starlette(routes=[Route("/api/v1/events", post_events, methods=["POST"])])


def serve(database: Path, synchronous: str) -> None:
    """Serve on a free port until the process is stopped."""
    listener = bound_socket()
    app = application(database, synchronous)
    config = uvicorn.Config(app, lifespan="off", log_level="critical", access_log=False)
    announce(listener)
    uvicorn.Server(config).run([listener])


def stored(database: Path) -> int:
    """Count the events in the database."""
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("select count(*) from event").fetchone()[0])
    finally:
        connection.close()


def run_bare_ingest(
    seconds: float = 5, batch: int = 100, connections: int = 16, synchronous: str = "full"
) -> Figures:
    """Load the bare endpoint; the note says when acknowledged and stored events differ."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "bare.sqlite")
        options = ("--serve", str(database), "--synchronous", synchronous)
        with started("bench.bare.bare_ingest", *options) as url:
            figures, acknowledged = run_load(f"{url}/api/v1/events", seconds, batch, connections)
        lost = acknowledged - stored(database)
    name = f"bare ingest {synchronous}, {figures.name}"
    return replace(figures, name=name, note=f"{lost} LOST" if lost else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path, help="a database file: serve instead of measuring")
    parser.add_argument("--synchronous", choices=("full", "normal"), default="full")
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.synchronous)
        return
    for batch in (100, 1):
        show(run_bare_ingest(given.seconds, batch, synchronous=given.synchronous))


if __name__ == "__main__":
    main()
