"""The whole shift, worked out before it begins: who sends what, and what was really made. Pure.

Nothing here knows how the project stores or adds up events: the ledger is kept by the hands that do the work,
so that comparing it with the ERP at the end says something.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from demo.facts import Job, Made, Order
from demo.jobs import Floor, posts_of
from demo.schedule import Roles, Slot, roles, schedule

MARGIN = timedelta(minutes=5)  # the shift has ended this long ago


@dataclass(frozen=True)
class Shift:
    """Jobs, earliest first; what was made, by order number; who has which part; when it began and ended."""

    jobs: tuple[Job, ...]
    made: dict[str, Made]
    roles: Roles
    begins: datetime
    ends: datetime

    @property
    def events(self) -> int:
        """How many events will be recorded."""
        return sum(post.recorded for job in self.jobs for post in job.posts)


def plan(orders: Sequence[Order], now: datetime, serial_part: str) -> Shift:
    """Plan a shift on `orders` that has ended shortly before `now`. The same arguments give the same shift."""
    slots = schedule(orders, serial_part)
    span = timedelta(seconds=max(slot.ends for slot in slots))
    begins = (now - span - MARGIN).replace(second=0, microsecond=0)
    made = {order.number: Made(order.number) for order in orders}
    floor = Floor(f"shift-{now:%Y%m%d-%H%M%S}", begins, serial_part, made)
    jobs: list[Job] = []
    latest: dict[str, str] = {}
    for slot in slots:
        jobs.append(_job(slot, floor, latest.get(slot.order.number, "")))
        latest[slot.order.number] = slot.name
    return Shift(tuple(jobs), floor.made, roles(orders), begins, begins + span)


def _job(slot: Slot, floor: Floor, after: str) -> Job:
    begins = floor.begins + timedelta(seconds=slot.begins)
    return Job(slot.name, slot.order.number, slot.station, slot.act, begins, posts_of(slot, floor), after)
