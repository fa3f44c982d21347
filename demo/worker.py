"""One worker at one station: does a job, notes what was really made, and says it in events. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.facts import ZERO, Event, Made, OperationMade, Reached
from demo.schedule import Slot, Twist

OPERATORS = ("A. Quill", "B. Harrow", "C. Pike", "D. Marsh", "E. Lowe", "F. Stone")
OTHER_STATION = "Bench 9"


@dataclass
class Worker:
    """Writes events along its own clock; `made` is the ledger of the order, which no event ever touches."""

    slot: Slot
    clock: datetime
    made: Made
    shift: str
    said: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._operation = self.slot.order.operations[self.slot.position]
        self._mine = self.made.operations.setdefault(self._operation.id, OperationMade())

    def begin(self) -> Event:
        """Start the operation, and with it the order."""
        self._mine.reached = self.made.reached = Reached.RUNNING
        return self.say("operation.started")

    def book(self, kind: str, seconds: Decimal) -> Event:
        """Say how long was worked."""
        self._mine.seconds += seconds
        return self.say("time.recorded", {"kind": kind, "seconds": str(seconds)})

    def misstate_time(self, seconds: Decimal) -> Event:
        """Say a time that nobody worked."""
        return self.say("time.recorded", {"kind": "run", "seconds": str(seconds)})

    def pause(self) -> Event:
        """Stop for a while."""
        self._mine.reached = Reached.PAUSED
        return self.say("operation.paused", {"reason": "break"})

    def resume(self, seconds: int) -> Event:
        """Go on after a pause of so many seconds."""
        self._mine.reached = Reached.RUNNING
        self.wait(Decimal(seconds))
        return self.say("operation.resumed")

    def report(self, good: Decimal, scrap: Decimal = ZERO, rework: Decimal = ZERO, batch: str = "") -> Event:
        """Make something and say how much."""
        self.made.scrap += scrap
        self.made.rework += rework
        self._receive(good, batch)
        return self.misstate(good, scrap, rework, batch)

    def misstate(
        self, good: Decimal, scrap: Decimal = ZERO, rework: Decimal = ZERO, batch: str = ""
    ) -> Event:
        """Say quantities, whether they were made or not."""
        data: dict[str, Any] = {"good": str(good)}
        if scrap:
            data |= {"scrap": str(scrap), "scrap_reason": "DIMENSION"}
        if rework:
            data |= {"rework": str(rework), "rework_reason": "SURFACE"}
        if batch:
            data["batch"] = batch
        return self.say("production.reported", data)

    def unit(self, serial: str, outcome: str, seconds: Decimal, disposition: str = "rework") -> Event:
        """Finish one unit, which passes or fails."""
        self._mine.seconds += seconds
        self.wait(seconds)
        data = {"serial": serial, "outcome": outcome, "seconds": str(seconds)}
        if outcome == "pass":
            self._receive(Decimal(1), serial)
        else:
            data |= {"disposition": disposition, "reason_code": "LEAK"}
            self.made.rework += disposition == "rework"
            self.made.scrap += disposition == "scrap"
        return self.say("unit.completed", data)

    def correct(self, wrong: Event) -> Event:
        """Take back what an event said; what is true was never in the ledger's way."""
        return self.say("correction", {"id": wrong["id"], "reason": "typing error"})

    def finish(self) -> Event:
        """Complete the operation, and with the last one the order."""
        self._mine.reached = Reached.COMPLETED
        if self.slot.last:
            self.made.reached = Reached.COMPLETED
        return self.say("operation.completed")

    def wait(self, seconds: Decimal) -> None:
        """Let time pass."""
        self.clock += timedelta(seconds=float(seconds))

    def say(self, kind: str, data: dict[str, Any] | None = None) -> Event:
        """Write one event at the present time of day."""
        station = OTHER_STATION if self.slot.has(Twist.OTHER_STATION) else self.slot.station
        event = {
            "source": f"{self.shift}/{self.slot.station}",
            "id": f"{self.slot.name}/{len(self.said) + 1}",
            "type": kind,
            "time": self.clock.isoformat(timespec="milliseconds"),
            "order": self.slot.order.number,
            "operation": self._operation.id,
            "work_centre": station,
            "operator": OPERATORS[sum(map(ord, station)) % len(OPERATORS)],
            "data": data or {},
        }
        self.said.append(event)
        return event

    def _receive(self, good: Decimal, lot: str) -> None:
        """What the last operation makes is what the order makes."""
        if self.slot.last and good:
            self.made.good += good
            self.made.lots += [lot] if lot else []
