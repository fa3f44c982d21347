"""Pull: 10,000 orders of 8 operations, first all of them, then 1 % changed, with vanished operations noticed.

Run: python -m bench.pull
"""

import argparse
import sqlite3
import time

from bench.bare.bare_pull import change_some, run_bare_pull
from bench.bare.figures import Figures, show_ratio
from bench.bare.same_rows import run_same_rows, show_share
from bench.system import System, running

AIM = 0.4


def timed(name: str, system: System) -> Figures:
    """Pull once through the door; the app times nothing, the client does."""
    begin = time.perf_counter()
    report = system.pull()
    seconds = time.perf_counter() - begin
    return Figures(name, int(str(report["read"])), seconds, note=f"{report}")


ROWS = ("works_order", "operation")
PAGE = 200  # orders a transaction, as the profile of the plain ERP has it


def run_ours(orders: int = 10_000, operations: int = 8) -> tuple[Figures, Figures, Figures]:
    """Pull everything, then what changed; the note says whether every vanished operation was noticed.

    The third figures are for the rows of the full pull, written alone.
    """
    with running(orders=orders, operations=operations) as system:
        system.completeness()  # brings the schema up to date: the bare side has its tables, too
        full = timed("our pull, full", system)
        alone = run_same_rows("full", system.database, ROWS, PAGE)
        removed = change_some(system.erp, orders // 100)
        changed = timed("our pull, 1 % changed", system)
        with sqlite3.connect(system.database) as database:
            gone = database.execute(
                "SELECT count(*) FROM operation WHERE vanished_at IS NOT NULL"
            ).fetchone()[0]
    note = f"{changed.count} orders in {changed.seconds * 1000:.0f} ms, {gone} of {removed} vanished operations noticed"
    return full, Figures(changed.name, changed.count, changed.seconds, note=note), alone


def main() -> None:
    """Print both sides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    given = parser.parse_args()
    full, changed, alone = run_ours(given.orders)
    bare_full, bare_changed = run_bare_pull(given.orders)
    show_ratio(full, bare_full, AIM)
    show_share(full, alone)
    show_ratio(changed, bare_changed, AIM)


if __name__ == "__main__":
    main()
