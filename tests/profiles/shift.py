"""The shift every ERP gets, and what its books must say afterwards, figure by figure."""

from decimal import Decimal

from shared.domain.events import EventType
from tests.profiles.floor import RUN, SETUP, shown

STARTED, PAUSED, RESUMED, COMPLETED = (
    EventType.OPERATION_STARTED,
    EventType.OPERATION_PAUSED,
    EventType.OPERATION_RESUMED,
    EventType.OPERATION_COMPLETED,
)
REPORTED, TIMED = EventType.PRODUCTION_REPORTED, EventType.TIME_RECORDED
ZERO = Decimal(0)
KIND_OF_TIME = {"push.time.setup": SETUP, "push.time.run": RUN}


async def tell(floor, kind, operation, needs=(), **fields):
    """State a fact unless the checklist calls what it `needs` unproven; nothing of it may be parked."""
    checklist = floor.plant.checklist
    if any(checklist.state(key) == "unproven" for key in needs):
        return None
    told = await floor.states(kind, operation, **fields)
    for message, end in zip(told.messages, told.ends, strict=True):
        assert getattr(end, "finished", True), f"{message.kind} of {operation or 'the order'}: {shown(end)}"
    return told


async def work(floor, operation, good, **fields):
    """Report a quantity; what the checklist calls unproven of it is left out."""
    if floor.plant.checklist.state("push.production.rework") == "unproven":
        fields.pop("rework", None)
    if floor.plant.checklist.state("push.production.reason_codes") == "unproven":
        fields.pop("scrap_reason", None)
    return await tell(floor, REPORTED, operation, good=Decimal(good), **fields)


async def whole_shift(floor):
    """Work off the order, the first and the last operation with all that can be told, scrap on the last one."""
    first, *between, last = [operation.operation_id for operation in floor.order.operations]
    await one_operation(floor, first, {"good": 4, "rework": Decimal(1)})
    for ident in between:
        await complete_one(floor, ident)
    reason = floor.plant.subject.scrap_reason
    await one_operation(floor, last, {"good": 3, "scrap": Decimal(1), "scrap_reason": reason})


async def complete_one(floor, ident):
    """Make the whole quantity on one operation and complete it."""
    await tell(floor, STARTED, ident, ["push.operation.started"])
    await work(floor, ident, floor.order.quantity)
    await tell(floor, COMPLETED, ident, ["push.operation.completed"])


async def one_operation(floor, ident, rest):
    """Start, set up, run, report, pause, resume, report the `rest` of four pieces, complete."""
    quantity = floor.order.quantity
    await tell(floor, STARTED, ident, ["push.operation.started"])
    await tell(
        floor, TIMED, ident, ["push.time.setup"], seconds=Decimal(360), time_kind=SETUP, operator="Ann"
    )
    await tell(floor, TIMED, ident, ["push.time.run"], seconds=Decimal(1800), time_kind=RUN, operator="Ann")
    await work(floor, ident, quantity - 4)
    await tell(floor, PAUSED, ident, ["push.operation.paused"])
    await tell(floor, RESUMED, ident, ["push.operation.paused", "push.operation.resumed"])
    await tell(floor, TIMED, ident, ["push.time.run"], seconds=Decimal(720), time_kind=RUN, operator="Bob")
    await work(floor, ident, **rest)
    await tell(floor, COMPLETED, ident, ["push.operation.completed"])


# -- what the books must say ------------------------------------------------------------------------------------------


def differences(floor, booked):
    """Return in words where the books of the ERP are not what the floor told, as far as the checklist goes."""
    checks = [*_of_order(floor, booked)]
    for planned in floor.order.operations:
        checks += _of_operation(floor, planned.operation_id, _operation(floor, booked, planned.operation_id))
    checklist = floor.plant.checklist
    return [
        f"{where} {key} ({checklist.state(key)}): the ERP has {theirs!r}, the floor told {ours!r}"
        for where, key, theirs, ours in checks
        if not _agrees(checklist, key, theirs, ours)
    ]


def _agrees(checklist, key, theirs, ours):
    """Done: the same. Exempt: the ERP has no such figure, or nothing in it. Unproven: anything."""
    if checklist.is_done(key):
        return theirs == ours
    return not theirs if checklist.is_exempt(key) else True


def _operation(floor, booked, ident):
    """Return the booked operation that the pull called `ident`, by its place in the routing."""
    place = [operation.operation_id for operation in floor.order.operations].index(ident)
    return booked.operations[place]


def _of_order(floor, booked):
    figures, last = floor.figures(), floor.order.operations[-1].operation_id
    made = figures[last].good if last in figures else ZERO
    return [
        ("order", "push.production.good", booked.good, made),
        ("order", "push.production.scrap", booked.scrap, sum((one.scrap for one in figures.values()), ZERO)),
        ("order", "push.production.serials", sorted(booked.serials), serials(floor)),
        ("order", "push.production.batch", sorted(booked.batches), batches(floor)),
    ]


def serials(floor):
    """Return the serial numbers of the good pieces, sorted."""
    return sorted(one for event in floor.standing() if event.good for one in event.serials)


def batches(floor):
    """Return the batches of the good pieces, sorted, each once."""
    return sorted({event.batch for event in floor.standing() if event.good and event.batch})


def _of_operation(floor, ident, booked):
    figures = floor.figures().get(ident)
    told = [event for event in floor.standing() if event.operation_id == ident]
    links = floor.plant.subject.links.get("scrap_reason", {})
    reasons = {links.get(event.scrap_reason, event.scrap_reason) for event in told if event.scrap_reason}
    good, scrap, rework = (figures.good, figures.scrap, figures.rework) if figures else (ZERO, ZERO, ZERO)
    return [
        (ident, "push.production.operation_good", booked.good, good),
        (ident, "push.production.operation_scrap", booked.scrap, scrap),
        (ident, "push.production.rework", booked.rework, rework),
        (ident, "push.production.reason_codes", set(booked.reasons), reasons),
        *_times(floor.plant.checklist, ident, booked, told),
    ]


def _times(checklist, ident, booked, told):
    """Yield the times; a checklist may say that a kind is `counted_in` the other one."""
    theirs = {"push.time.setup": booked.setup_seconds, "push.time.run": booked.run_seconds}
    ours = {
        key: sum((event.seconds for event in told if event.time_kind is kind), ZERO)
        for key, kind in KIND_OF_TIME.items()
    }
    for key in KIND_OF_TIME:
        counted_in = checklist.entries[key].get("counted_in")
        if counted_in:
            ours[counted_in] += ours.pop(key)
    return [(ident, key, theirs[key], seconds) for key, seconds in ours.items()]
