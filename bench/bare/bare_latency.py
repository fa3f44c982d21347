"""Floor-to-ERP latency at a steady rate, and its bare partner: the ERP's own reply time at that rate.

Each event reports its own number as its good quantity, so that its posting in the ERP names the event,
whatever reference the sender chose. Floor and ERP read the same machine's clock; the ERP stamps whole
milliseconds.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

import aiohttp
import orjson

from bench.bare.figures import Figures, figures_of, show
from tests.fakes.plain_erp import PlainErp

WAIT_SECONDS = 30.0


def event(number: int, orders: int) -> dict[str, Any]:
    """Return event `number` (from 1), spread over orders 1..`orders`; each call has its own id in one run."""
    return {
        "source": "bench-latency",
        "id": f"{time.time_ns()}-{number}",
        "type": "production.reported",
        "time": "2026-11-23T06:00:00.000Z",
        "order": f"WO-{number % orders + 1:06}",
        "operation": "10",
        "work_centre": "WC-1",
        "data": {"good": str(number), "scrap": "0", "unit": "pcs"},
    }


async def paced(rate: float, seconds: float, send: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Call `send(1)`, `send(2)` … at a steady rate, never waiting for one before the next."""
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(1, int(rate * seconds) + 1):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            group.create_task(send(number))


def arrivals(report: dict[str, Any]) -> dict[int, float]:
    """Return when each numbered event reached the ERP, in seconds since 1970."""
    return {
        int(float(posting["good"])): datetime.fromisoformat(posting["at"]).timestamp()
        for order in report["orders"].values()
        for posting in order["postings"]
        if posting["kind"] == "result"
    }


async def post_events(
    url: str, rate: float, seconds: float, orders: int, headers: Mapping[str, str]
) -> dict[int, float]:
    """Post events one a request; returns when each was handed over, in seconds since 1970."""
    sent: dict[int, float] = {}
    async with aiohttp.ClientSession(headers=dict(headers)) as session:

        async def send(number: int) -> None:
            sent[number] = time.time()
            body = orjson.dumps(event(number, orders))
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                await answer.read()
                answer.raise_for_status()

        await paced(rate, seconds, send)
    return sent


def wait_for_arrivals(erp: PlainErp, expected: int) -> dict[int, float]:
    """Return the arrivals once all are there, or what there is after half a minute."""
    give_up = time.monotonic() + WAIT_SECONDS
    while len(found := arrivals(erp.report())) < expected and time.monotonic() < give_up:
        time.sleep(0.5)
    return found


def run_floor_to_erp(
    url: str,
    erp: PlainErp,
    rate: float = 50,
    seconds: float = 20,
    orders: int = 500,
    headers: Mapping[str, str] | None = None,
) -> Figures:
    """Post events to `url` and time them until they take effect in the ERP; they must map good to good.

    Needs a fresh ERP whose orders 1..`orders` have been pulled. The note says how many never arrived.
    """
    sent = asyncio.run(post_events(url, rate, seconds, orders, headers or {}))
    found = wait_for_arrivals(erp, len(sent))
    latencies = [found[number] - begin for number, begin in sent.items() if number in found]
    missing = len(sent) - len(latencies)
    note = f"{missing} of {len(sent)} NEVER ARRIVED" if missing else ""
    return figures_of(f"floor to ERP at {rate:g} events/s", len(latencies), seconds, latencies, note)


async def post_results(erp: PlainErp, rate: float, seconds: float, orders: int) -> list[float]:
    """Post results straight to the ERP; returns the seconds of each call."""
    latencies: list[float] = []
    async with aiohttp.ClientSession(headers={"X-Api-Key": erp.api_key}) as session:

        async def send(number: int) -> None:
            body = {"reference": f"direct-{number}", "operation": "10", "good": str(number)}
            begin = time.perf_counter()
            target = f"{erp.url}/orders/WO-{number % orders + 1:06}/results"
            async with session.post(target, data=orjson.dumps(body)) as answer:
                await answer.read()
                answer.raise_for_status()
            latencies.append(time.perf_counter() - begin)

        await paced(rate, seconds, send)
    return latencies


def run_bare_latency(
    latency_ms: float = 20, rate: float = 50, seconds: float = 20, orders: int = 500
) -> Figures:
    """Time the ERP's own reply at the same rate, from a fresh ERP."""
    with PlainErp.start(orders=orders, operations=2, latency_ms=latency_ms) as erp:
        latencies = asyncio.run(post_results(erp, rate, seconds, orders))
    return figures_of(f"the ERP's own reply at {rate:g}/s", len(latencies), seconds, latencies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    show(run_bare_latency(given.latency_ms, given.rate, given.seconds))


if __name__ == "__main__":
    main()
