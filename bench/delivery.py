"""Delivery: 500 streams of 20 messages, order held, every attempt recorded durably, through queue and devhost.

Each stream holds order.started, operation.started and 18 results: 20 calls. Run: python -m bench.delivery
"""

import argparse
import time

import httpx

from bench.bare.bare_delivery import run_bare_delivery, witnessed
from bench.bare.figures import Figures, show_ratio
from bench.system import System, running, wait_until

AIM = 0.9
RESULTS = 18


def fill(system: System, streams: int) -> None:
    """Record the events of all streams while the ERP is away, so that everything waits."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    events = [
        {
            "source": "bench",
            "id": f"{order}-{number}",
            "type": "production.reported",
            "time": stamp,
            "order": f"WO-{order:06}",
            "operation": "10",
            "data": {"good": "1"},
        }
        for order in range(1, streams + 1)
        for number in range(RESULTS)
    ]
    with httpx.Client(timeout=60) as client:
        for start in range(0, len(events), 900):
            client.post(system.events_url, json=events[start : start + 900]).raise_for_status()


def run_ours(latency_ms: float, streams: int = 500) -> Figures:
    """Deliver everything; time runs from the ERP's return to the last message, as the ERP's own count shows it."""
    expected = streams * (RESULTS + 2)
    with running(orders=streams, operations=2, latency_ms=latency_ms, timers="on") as system:
        system.pull()
        system.erp.stop()
        fill(system, streams)
        system.erp.start_again()
        wait_until(system.erp.writes)
        begin, first = time.perf_counter(), system.erp.writes()
        wait_until(lambda: system.erp.writes() >= expected)
        seconds = time.perf_counter() - begin
        wait_until(lambda: system.completeness()["complete"])
        report = system.erp.report()
    return Figures(
        f"our delivery, ERP {latency_ms:g} ms", expected - first, seconds, note=witnessed(report, expected)
    )


def main() -> None:
    """Print both sides at each latency."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, nargs="*", default=[0, 20, 100])
    parser.add_argument("--streams", type=int, default=500)
    given = parser.parse_args()
    for latency_ms in given.latency:
        show_ratio(run_ours(latency_ms, given.streams), run_bare_delivery(latency_ms, given.streams), AIM)


if __name__ == "__main__":
    main()
