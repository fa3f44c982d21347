"""The story, top to bottom: pull, first half, outage, planner, second half, drain, compare."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from demo.api import Api
from demo.compare import Row, compare, differences
from demo.facts import Act, Order
from demo.jobs import mistyped_number
from demo.shift import Shift, plan
from demo.show import Now, Show
from demo.stage import Stage
from demo.stations import Pace, Stations
from demo.tryton.planner import Planner
from demo.tryton.readback import read_back
from demo.worker import OTHER_STATION

EVENTS_A_SECOND = 13.0  # what one Tryton server on a laptop keeps up with, so that latency says something
WITHOUT_ERP = 60.0  # nobody has to keep up then
OUTAGE_SECONDS = 4.0  # at least
PATIENCE_SECONDS = 60.0  # without any progress
LOOK_EVERY = 0.5
MORE = Decimal("1.2")  # the planner wants a fifth more


class StoryError(RuntimeError):
    """The story cannot go on; the message says what did not happen."""


@dataclass
class Outage:
    """When the ERP was away and back, and when the backlog was gone; how many events waited."""

    began: datetime
    before: int = 0
    waited: int = 0
    back: datetime | None = None
    drained: datetime | None = None

    def told(self) -> str:
        """One line."""
        if self.back is None or self.drained is None:
            return "the outage did not end"
        away = (self.back - self.began).total_seconds()
        drain = (self.drained - self.back).total_seconds()
        return (
            f"Outage: {away:.1f} s; {self.before} events waited when it began, {self.waited} when it ended; "
            f"the backlog was gone {drain:.1f} s later"
        )


@dataclass
class Ending:
    """What came out: everything the curtain call shows."""

    rows: list[Row]
    parts: dict[str, str]
    warnings: list[dict[str, Any]]
    latency: str
    outage: Outage
    floor: str
    refusals: list[str]
    differences: list[str] = field(default_factory=list)


async def play(stage: Stage, show: Show) -> Ending:
    """Play the whole shift. Raises StoryError when something that must come does not come."""
    async with httpx.AsyncClient(base_url=stage.url, timeout=30) as client:
        return await Story(stage, show, Api(client, stage.connection), client).told()


class Story:
    """One shift being played."""

    def __init__(self, stage: Stage, show: Show, api: Api, client: httpx.AsyncClient) -> None:
        self._stage = stage
        self._show = show
        self._api = api
        self._client = client
        self._erp_up = True

    async def told(self) -> Ending:
        """The story itself."""
        await self._until("the function app is ready", self._api.ready)
        orders = await self._pulled()
        shift = plan(orders, datetime.now(UTC), self._stage.tryton.seeded.facts["serial_part"])
        gates = {number: asyncio.Event() for number in (shift.roles.changed, shift.roles.cancelled)}
        floor = Stations(self._client, Pace(EVENTS_A_SECOND))
        self._show.say(
            f"A shift from {shift.begins:%H:%M} to {shift.ends:%H:%M} UTC: "
            f"{len(shift.jobs)} jobs, {shift.events} events"
        )
        async with self._watched(shift, floor):
            await self._act(shift, floor, Act.FIRST_HALF)
            outage = await self._outage(shift, floor)
            floor.gates = gates
            async with asyncio.TaskGroup() as group:
                group.create_task(self._act(shift, floor, Act.SECOND_HALF))
                group.create_task(self._planner_acts(shift, orders, gates))
            await self._drained()
        return await self._compared(shift, floor, orders, outage)

    async def _pulled(self) -> list[Order]:
        """Have the released orders read, and wait until all of them are there."""
        released = self._stage.tryton.seeded.facts["released"]
        await self._api.pull()

        async def all_there() -> bool:
            return bool(await self._api.numbers() == released)

        await self._until(f"all {len(released)} released orders are pulled, and no other", all_there)
        orders = await self._api.orders()
        operations = sum(len(order.operations) for order in orders)
        self._show.say(f"Pulled: {len(orders)} released orders with {operations} operations")
        return orders

    async def _act(self, shift: Shift, floor: Stations, act: Act) -> None:
        jobs = [job for job in shift.jobs if job.act is act]
        self._show.say(f"{act.name.replace('_', ' ').capitalize()}: {len(jobs)} jobs at the stations")
        await floor.play(jobs)

    async def _outage(self, shift: Shift, floor: Stations) -> Outage:
        """The ERP goes away; the floor goes on; the ERP comes back, and what waited reaches it."""
        tryton = self._stage.tryton
        outage = Outage(datetime.now(UTC), (await self._api.standing()).pending)
        self._erp_up = False
        await asyncio.to_thread(tryton.stop)
        self._show.say("Tryton is stopped; the floor goes on")
        shortest = asyncio.create_task(asyncio.sleep(OUTAGE_SECONDS))
        floor.pace.events_a_second = WITHOUT_ERP
        await self._act(shift, floor, Act.OUTAGE)
        await shortest
        floor.pace.events_a_second = EVENTS_A_SECOND
        outage.waited = (await self._api.standing()).pending
        await asyncio.to_thread(tryton.start)
        outage.back, self._erp_up = datetime.now(UTC), True
        self._show.say(f"Tryton is back on the same port; {outage.waited} events wait for it")
        await self._drained()
        outage.drained = datetime.now(UTC)
        self._show.say(outage.told())
        return outage

    async def _planner_acts(
        self, shift: Shift, orders: Sequence[Order], gates: dict[str, asyncio.Event]
    ) -> None:
        """The planner changes an order that is under way and cancels one that is not; both are seen by a pull."""
        planner, cast = Planner(self._stage.tryton), shift.roles
        before = next(order.quantity for order in orders if order.number == cast.changed)
        wanted = (before * MORE).to_integral_value()
        await asyncio.to_thread(planner.change_quantity, cast.changed, wanted)
        self._show.say(f"The planner wants {wanted} of {cast.changed}, which is under way, not {before}")
        await asyncio.to_thread(planner.cancel, cast.cancelled)
        self._show.say(f"The planner cancels {cast.cancelled}, which is not started")
        await self._until("the changes are pulled", lambda: self._both_seen(cast.changed, cast.cancelled))
        for gate in gates.values():
            gate.set()

    async def _both_seen(self, changed: str, cancelled: str) -> bool:
        proposed = (await self._api.order(changed))["order"]["proposed"]
        erp_state = (await self._api.order(cancelled))["order"]["erp_state"]
        return proposed is not None and bool(erp_state == "cancelled")

    async def _drained(self) -> None:
        """Wait until nothing is on its way any more; what waits for a person or a missing thing may stay."""

        async def nothing_pending() -> bool:
            return (await self._api.standing()).pending == 0

        async def how_far() -> int:
            return (await self._api.standing()).delivered

        await self._until("every message is delivered", nothing_pending, how_far)

    async def _until(
        self,
        what: str,
        happened: Callable[[], Awaitable[bool]],
        progress: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        """Wait for something. Raises StoryError when it does not come, and `progress` stands still, for long."""
        last, since = -1, time.monotonic()
        while not await happened():
            reached = await progress() if progress else 0
            if reached != last:
                last, since = reached, time.monotonic()
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise StoryError(f"in vain waited {PATIENCE_SECONDS:g} s until {what}")
            await asyncio.sleep(LOOK_EVERY)

    @asynccontextmanager
    async def _watched(self, shift: Shift, floor: Stations) -> AsyncIterator[None]:
        """Show the state of play while the block runs."""

        async def watch() -> None:
            while True:
                standing = await self._api.standing()
                self._show.now(Now(shift.events, floor.tally.recorded, standing, self._erp_up))
                await asyncio.sleep(LOOK_EVERY * 2)

        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _compared(
        self, shift: Shift, floor: Stations, orders: Sequence[Order], outage: Outage
    ) -> Ending:
        """Read the ERP back by another way than ours, and put both sides beside each other."""
        rows = compare(shift.made, read_back(self._stage.tryton.database))
        messages, warnings = await self._api.messages(), await self._api.warnings()
        tally, standing = floor.tally, await self._api.standing()
        statuses = ", ".join(f"{many} HTTP {status}" for status, many in sorted(tally.statuses.items()))
        told = (
            f"Floor: {tally.recorded} events recorded, {tally.duplicates} sent twice and counted once, "
            f"{tally.refused} malformed and refused ({statuses})\n"
            f"Account: of {standing.events} events {standing.delivered} came to their end, {standing.pending} wait, "
            f"{standing.held} held, {standing.parked} parked"
        )
        found = [*differences(rows), *tally.surprises]
        if standing.events != tally.recorded:
            found.append(f"{tally.recorded} events were acknowledged, {standing.events} are accounted for")
        found += _unseen(warnings, shift)
        found += _stuck(messages, shift)
        return Ending(
            rows,
            {order.number: order.part for order in orders},
            warnings,
            latency(messages, outage),
            outage,
            told,
            tally.refusals,
            found,
        )


def _unseen(warnings: Sequence[dict[str, Any]], shift: Shift) -> list[str]:
    """Warnings that what happened must have raised, and that nobody sees."""
    cast = shift.roles
    raised = {(warning["kind"], warning["subject"]) for warning in warnings}
    wanted = {
        ("order_changed", cast.changed),
        ("order_cancelled", cast.cancelled),
        ("unknown_work_centre", OTHER_STATION),
    }
    wanted |= {("unknown_order", order) for order in _mistyped(shift)}
    return [f"no warning {kind} about {subject}" for kind, subject in sorted(wanted - raised)]


def _mistyped(shift: Shift) -> set[str]:
    posted = {event.get("order") for job in shift.jobs for post in job.posts for event in post.events}
    return {mistyped_number(number) for number in shift.made} & posted


def _stuck(messages: Sequence[dict[str, Any]], shift: Shift) -> list[str]:
    """Messages that wait for a person or a missing thing although nothing was wrong with their order."""
    explained = _mistyped(shift) | {shift.roles.cancelled}
    return [
        f"{message['order']}/{message['operation']}: {message['kind']} {message['state']}: {message['reason']}"
        for message in messages
        if message["state"] in {"pending", "held", "parked"} and message["order"] not in explained
    ]


def latency(messages: Sequence[dict[str, Any]], outage: Outage) -> str:
    """Recorded to done, of every delivered message that the outage and its backlog did not touch."""
    spans = []
    for message in messages:
        if message["state"] == "done":
            recorded = datetime.fromisoformat(message["created_at"])
            done = datetime.fromisoformat(message["finished_at"])
            touched = done > outage.began and recorded < (outage.drained or done)
            spans += [] if touched else [(done - recorded).total_seconds()]
    spans.sort()
    if not spans:
        return "Floor to ERP: no message outside the outage"
    half, most = _percentile(spans, 0.5), _percentile(spans, 0.95)
    return (
        f"Floor to ERP, recorded to done: p50 {half:.2f} s, p95 {most:.2f} s over {len(spans)} messages "
        f"(without the outage and its backlog; {EVENTS_A_SECOND:g} events/s posted)"
    )


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
