"""Ingest over HTTP: validated, de-duplicated, folded, with messages derived, all committed before the 202.

The plain ERP is stopped meanwhile, so that the figure is ingest and not delivery; its connection halts, which is
part of the work. Run: python -m bench.ingest
"""

import argparse
import sqlite3

from bench.bare.bare_ingest import run_bare_ingest
from bench.bare.figures import Figures, show, show_ratio
from bench.bare.load import run_load
from bench.bare.same_rows import run_same_rows, show_share
from bench.system import running

AIMS = {100: 0.25, 1: 0.35}


ROWS = ("execution_event", "outbound_message")


def run_ours(seconds: float, batch: int, connections: int = 16) -> tuple[Figures, Figures]:
    """Load our events door, then write its rows once more; the note says when acknowledged and stored events differ."""
    with running() as system:
        system.enlarge_orders()
        system.pull()
        system.erp.stop()
        figures, acknowledged = run_load(system.events_url, seconds, batch, connections)
        with sqlite3.connect(system.database) as database:
            stored = database.execute("SELECT count(*) FROM execution_event").fetchone()[0]
        alone = run_same_rows(f"{batch} a request", system.database, ROWS, batch * connections)
    lost = acknowledged - stored
    name = f"ours ingest, {figures.name}"
    note = f"{lost} LOST" if lost else f"{stored} events stored"
    ours = Figures(name, figures.count, figures.seconds, figures.p50, figures.p95, figures.p99, note)
    return ours, alone


def main() -> None:
    """Print both sides for batches and for single events."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    for batch, aim in AIMS.items():
        ours, alone = run_ours(given.seconds, batch)
        show_ratio(ours, run_bare_ingest(given.seconds, batch), aim)
        show_share(ours, alone)
    show(run_bare_ingest(given.seconds, 1, synchronous="normal"))


if __name__ == "__main__":
    main()
