"""Floor to ERP: from the event's POST until its effect in the ERP, at 50 events/s, beside the ERP's own reply time.

Run: python -m bench.latency
"""

import argparse

from bench.bare.bare_latency import run_bare_latency, run_floor_to_erp
from bench.bare.figures import show
from bench.system import running


def main() -> None:
    """Print the ERP's own reply time, then ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--latency", type=float, default=20)
    given = parser.parse_args()
    bare = run_bare_latency(given.latency, rate=50, seconds=given.seconds)
    with running(orders=500, operations=2, latency_ms=given.latency, timers="on") as system:
        system.pull()
        ours = run_floor_to_erp(system.events_url, system.erp, rate=50, seconds=given.seconds, orders=500)
    show(bare)
    show(ours)
    for name in ("p50", "p95", "p99"):
        print(f"  {name}: {getattr(ours, name) / getattr(bare, name):.2f} times the ERP's own reply time")


if __name__ == "__main__":
    main()
