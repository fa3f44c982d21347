"""The work centres, each at its own pace, all at once, over HTTP as any machine on a real floor would speak."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from demo.facts import Job, Post


@dataclass
class Tally:
    """How the doors answered. `surprises` are answers other than the station had reason to expect."""

    recorded: int = 0
    duplicates: int = 0
    refused: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)


class Pace:
    """Lets so many events a second through, evenly, whoever sends them."""

    def __init__(self, events_a_second: float) -> None:
        self.events_a_second = events_a_second
        self._next = 0.0

    async def turn(self, events: int) -> None:
        """Wait for the turn of a request with so many events."""
        now = time.monotonic()
        mine = max(now, self._next)
        self._next = mine + events / self.events_a_second
        await asyncio.sleep(mine - now)


class Stations:
    """Plays jobs: a station does its own one by one, and none before the order's previous job is done.

    Orders with a gate wait for it: they have to wait for a person.
    """

    def __init__(
        self, client: httpx.AsyncClient, pace: Pace, gates: Mapping[str, asyncio.Event] | None = None
    ) -> None:
        self.tally = Tally()
        self.pace = pace
        self.gates = dict(gates or {})
        self._client = client
        self._done: dict[str, asyncio.Event] = {}

    async def play(self, jobs: Iterable[Job]) -> None:
        """Play these jobs, earliest first at each station."""
        queues: dict[str, list[Job]] = {}
        for job in jobs:
            self._done[job.name] = asyncio.Event()
            queues.setdefault(job.station, []).append(job)
        async with asyncio.TaskGroup() as group:
            for queue in queues.values():
                group.create_task(self._work(queue))

    async def _work(self, queue: list[Job]) -> None:
        for job in queue:
            if job.after:
                await self._done[job.after].wait()
            if job.order in self.gates:
                await self.gates[job.order].wait()
            for post in job.posts:
                await self.pace.turn(len(post.events))
                await self._send(post)
            self._done[job.name].set()

    async def _send(self, post: Post) -> None:
        body = post.events[0] if len(post.events) == 1 else list(post.events)
        reply = await self._client.post("/api/v1/events", json=body)
        self.tally.statuses[reply.status_code] += 1
        found = _counted(reply)
        expected = (post.recorded, post.duplicates, post.refused)
        if found != expected:
            said = f"{reply.status_code} {reply.text[:300]}"
            self.tally.surprises.append(f"{post.events[0]['id']}: expected {expected}, {said}")
        self.tally.recorded += found[0]
        self.tally.duplicates += found[1]
        self.tally.refused += found[2]
        self.tally.refusals += _refusals(reply)


def _counted(reply: httpx.Response) -> tuple[int, int, int]:
    """(recorded, duplicates, refused) of an answer; a problem document refuses the one event it is about."""
    if reply.status_code in (httpx.codes.ACCEPTED, httpx.codes.MULTI_STATUS):
        summary = reply.json()
        return summary["accepted"], summary["duplicates"], summary["rejected"]
    return 0, 0, int(reply.status_code == httpx.codes.UNPROCESSABLE_ENTITY)


def _refusals(reply: httpx.Response) -> list[str]:
    """What a refusal says: which field, what is wrong with it."""
    if not reply.headers.get("content-type", "").startswith("application/"):
        return []
    document = reply.json()
    lines = document.get("events", [document])
    errors: list[dict[str, Any]] = [error for line in lines for error in line.get("errors", ())]
    return [f"HTTP {reply.status_code}: {error['pointer']}: {error['detail']}" for error in errors]
