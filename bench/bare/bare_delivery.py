"""Bare delivery: aiohttp, a number of lanes, each takes a stream and posts its messages one after the other.

Order holds because a stream has one lane. Nothing is written down: a crash loses or doubles.
"""

import argparse
import asyncio
import time
from collections import deque
from itertools import pairwise
from typing import Any

import aiohttp
import orjson

from bench.bare.figures import Figures, figures_of, show
from tests.fakes.plain_erp import PlainErp


def bodies(stream: int, messages: int) -> list[bytes]:
    """Return the messages of a stream, in sequence."""
    fixed = {"operation": "10", "good": "1", "scrap": "0", "rework": "0"}
    return [orjson.dumps({"reference": f"{stream}-{n:04}"} | fixed) for n in range(messages)]


async def run_lane(
    session: aiohttp.ClientSession, url: str, streams: deque[int], messages: int, latencies: list[float]
) -> None:
    """Post whole streams until none is left."""
    while streams:
        stream = streams.popleft()
        for body in bodies(stream, messages):
            begin = time.perf_counter()
            async with session.post(f"{url}/orders/WO-{stream:06}/results", data=body) as answer:
                await answer.read()
                answer.raise_for_status()
            latencies.append(time.perf_counter() - begin)


async def deliver(erp: PlainErp, streams: int, messages: int, lanes: int) -> tuple[float, list[float]]:
    """Deliver everything; returns the seconds it took and the latency of each call."""
    latencies: list[float] = []
    waiting = deque(range(1, streams + 1))
    headers = {"X-Api-Key": erp.api_key, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=lanes)) as session:
        begin = time.perf_counter()
        run = (run_lane(session, erp.url, waiting, messages, latencies) for _ in range(lanes))
        await asyncio.gather(*run)
        return time.perf_counter() - begin, latencies


def violations(report: dict[str, Any]) -> int:
    """Count postings that came after a later one of their order; bare references sort in sequence."""
    kept = [[posting["reference"] for posting in order["postings"]] for order in report["orders"].values()]
    return sum(later < earlier for references in kept for earlier, later in pairwise(references))


def witnessed(report: dict[str, Any], expected: int) -> str:
    """Say what the ERP saw beside what was meant: usable for any deliverer."""
    double, overlapping = report["duplicates"], report["overlaps"]
    return f"ERP: {report['writes']} of {expected}, {double} double, {overlapping} overlapping"


def run_bare_delivery(latency_ms: float, streams: int = 500, messages: int = 20, lanes: int = 64) -> Figures:
    """Deliver streams x messages to a fresh plain ERP; the note is what the ERP witnessed."""
    with PlainErp.start(orders=streams, operations=2, latency_ms=latency_ms) as erp:
        seconds, latencies = asyncio.run(deliver(erp, streams, messages, lanes))
        report = erp.report()
    note = f"{witnessed(report, streams * messages)}, {violations(report)} out of order"
    return figures_of(f"bare delivery, ERP {latency_ms:g} ms", streams * messages, seconds, latencies, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--lanes", type=int, default=64)
    given = parser.parse_args()
    for latency_ms in (0, 20, 100):
        show(run_bare_delivery(latency_ms, given.streams, given.messages, given.lanes))


if __name__ == "__main__":
    main()
