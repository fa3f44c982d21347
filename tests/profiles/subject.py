"""What a profile writer says about one ERP so that the whole suite runs on it. Everything else is the suite's."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.profiles.loader import SHIPPED, load_profile
from tests.profiles.capabilities import Checklist
from tests.simulators.harness import PlannedOperation, PlannedOrder

FIRST = PlannedOperation("10", "Turn", "LATHE", Decimal(360), Decimal(36))
SECOND = PlannedOperation("20", "Mill", "MILL", Decimal(720), Decimal(72))
PLAIN = PlannedOrder("BOLT", Decimal(10), (FIRST, SECOND))
BY_SERIAL = replace(PLAIN, part="PUMP", quantity=Decimal(3), serials=True)
BY_BATCH = replace(PLAIN, part="PAINT", batch=True)


def entered(simulator, order):
    """Release `order` as it is; returns its number and what was planned."""
    return simulator.release(order), order


def spoilt(operation):
    """Return an operation that the ERP does not have: named 77, every reference of the ERP's pointing nowhere."""
    return replace(
        operation,
        operation_id="77".rjust(len(operation.operation_id), "0"),
        position=77,
        erp_ref={name: _nowhere(value) for name, value in operation.erp_ref.items()},
    )


def _nowhere(value):
    if isinstance(value, int):
        return 99_999_977
    if isinstance(value, str) and value.isdecimal():
        return "77".rjust(len(value), "0")
    return "no-such-thing" if isinstance(value, str) else value


@dataclass(frozen=True)
class Subject:
    """One profile on one simulator.

    `simulator()` makes it; `settings(simulator)` and `secrets(simulator)` are asked once it runs: settings name a
    secret by its setting's own name, `secrets` maps these names to their values.
    """

    profile: str  # a shipped profile's name, or the path of a YAML file
    simulator: Callable[[], Any]
    settings: Callable[[Any], dict]
    secrets: Callable[[Any], dict[str, str]]
    # what the planner releases: whole quantities of 10 or more; serials 3 pieces; None = the ERP tracks no such thing
    order: PlannedOrder = PLAIN
    serial_order: PlannedOrder | None = BY_SERIAL
    batch_order: PlannedOrder | None = BY_BATCH
    # what the floor says as its reason for scrap, and the connection's reference links (kind -> ours -> theirs)
    scrap_reason: str = "S1"
    links: dict = field(default_factory=dict)
    # where an ERP is out of the ordinary
    release: Callable[[Any, PlannedOrder], tuple[str, PlannedOrder]] = entered
    enter: Callable[[Any, PlannedOrder], str] | None = None  # enters an order and does not release it
    time_passes: Callable[[Any], None] | None = None  # an ERP that works off what it has accepted does so now
    small_pages: Callable[[], Any] | None = None  # where the server alone decides how many records a page has
    unknown_operation: Callable = spoilt
    lost_parks: bool = (
        False  # nobody can look for what never arrived: it is parked, and a person sends it again
    )
    is_real: bool = False  # it is the ERP itself, not a simulator
    shared: bool = False  # one instance for all scenarios, because it is dear to start
    checklist_file: Path | None = None

    @property
    def name(self):
        """Its name in test ids."""
        return Path(self.profile).stem

    @property
    def checklist(self):
        """Return what its checklist says."""
        return Checklist.read(self.checklist_file or SHIPPED / f"{self.profile}.checklist.yaml")

    def loaded(self, page_size=None, reply_seconds=None):
        """Return its profile as fast as it goes, with small pages or little patience where asked for."""
        profile = load_profile(self.profile)
        connection = profile.connection
        limits = {"requests_per_second": None, "quiet_hours": ()}
        limits |= {"page_size": page_size} if page_size else {}
        patience = {"reply": reply_seconds} if reply_seconds else {}
        changed = {
            "limits": connection.limits.model_copy(update=limits),
            "timeouts": connection.timeouts.model_copy(update=patience),
        }
        return profile.model_copy(update={"connection": connection.model_copy(update=changed)})
