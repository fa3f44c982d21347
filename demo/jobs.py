"""What a job sends, request by request: the ordinary course first, then what befalls it on the way. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from demo.facts import ZERO, Event, Made, Order, Post, Reached
from demo.schedule import PAUSE_SECONDS, UNTIMED, Slot, Twist
from demo.worker import Worker

PIECE = Decimal(1)
METRE_STEP = Decimal("0.25")
Request = list[Event]


@dataclass
class Floor:
    """What is on the floor while the shift is planned: pieces on their way from station to station."""

    name: str  # of the shift; with it the events of one shift are never those of another
    begins: datetime
    serial_part: str
    made: dict[str, Made] = field(default_factory=dict)
    pieces: dict[str, Decimal] = field(default_factory=dict)
    units: dict[str, list[str]] = field(default_factory=dict)
    wrong: dict[str, list[Event]] = field(default_factory=dict)

    def worker(self, slot: Slot) -> Worker:
        """Whoever does this job, at the hour it begins."""
        clock = self.begins + timedelta(seconds=slot.begins)
        made = self.made.setdefault(slot.order.number, Made(slot.order.number))
        return Worker(slot, clock, made, self.name)

    def incoming(self, order: Order) -> Decimal:
        """How much comes from the operation before."""
        return self.pieces.get(order.number, order.quantity)

    def serials(self, order: Order) -> list[str]:
        """The units of a serial part, numbered when they are first looked at one by one."""
        count = int(self.incoming(order))
        fresh = [f"SN-{order.number}-{unit}" for unit in range(1, count + 1)]
        return self.units.setdefault(order.number, fresh)


def posts_of(slot: Slot, floor: Floor) -> tuple[Post, ...]:
    """All requests of one job, in the order in which they are sent."""
    worker = floor.worker(slot)
    requests = [request for request in _course(worker, floor) if request]
    if slot.has(Twist.LATE_TIME):
        requests = _time_last(requests)
    if slot.has(Twist.OUT_OF_ORDER):
        requests.reverse()
    posts = [Post(tuple(request), recorded=len(request)) for request in requests]
    return tuple(_disturbed(slot, posts))


def _course(worker: Worker, floor: Floor) -> Iterator[Request]:
    slot = worker.slot
    by_unit = slot.order.part == floor.serial_part and slot.position >= len(slot.order.operations) - 2
    if slot.has(Twist.PUT_RIGHT):
        return _second_part(worker, floor)
    if slot.has(Twist.CANCELLED):
        return _begun_in_vain(worker)
    if slot.has(Twist.MISTAKE):
        return _mistaken(worker, floor)
    return _units(worker, floor) if by_unit else _pieces(worker, floor)


def _beginning(worker: Worker) -> Iterator[Request]:
    yield [worker.begin()]
    if worker.slot.setup:
        worker.wait(worker.slot.setup)
        yield [worker.book("setup", worker.slot.setup)]


def _pieces(worker: Worker, floor: Floor) -> Iterator[Request]:
    """An operation on all pieces together; some of the last ones report in two parts."""
    slot = worker.slot
    yield from _beginning(worker)
    yield from _corrected(worker, floor)
    parts = slot.last and (slot.begins % 2 == 0 or slot.has(Twist.UNFINISHED))
    first = _half(floor.incoming(slot.order), slot.order.unit) if parts else ZERO
    worker.wait(slot.run / 2)
    if first:
        yield [worker.report(first, batch=_batch(slot.order))]
    if slot.has(Twist.UNFINISHED):
        yield _time(worker, slot.run / 2)
    if slot.has(Twist.PAUSE):
        yield [worker.pause()]
    if slot.has(Twist.UNFINISHED):
        return
    if slot.has(Twist.PAUSE):
        yield [worker.resume(PAUSE_SECONDS)]
    worker.wait(slot.run / 2)
    yield [*_time(worker, slot.run), *_rest(worker, floor, first), worker.finish()]


def _time(worker: Worker, seconds: Decimal) -> Request:
    """Book the time of a run, where somebody does that."""
    return [] if worker.slot.station == UNTIMED else [worker.book("run", seconds)]


def _rest(worker: Worker, floor: Floor, reported: Decimal) -> Request:
    """Hand the good pieces on; report what was not reported yet, on earlier operations only what went wrong."""
    slot, incoming = worker.slot, floor.incoming(worker.slot.order)
    step = _step(slot.order.unit)
    scrap = step if slot.has(Twist.SCRAP) and incoming - reported > step else ZERO
    rework = PIECE if slot.has(Twist.REWORK) else ZERO
    extra = PIECE if slot.has(Twist.ONE_MORE) else ZERO
    good = incoming - reported - scrap + extra
    floor.pieces[slot.order.number] = reported + good
    if not (slot.last or scrap or rework or extra):
        return []
    return [worker.report(good, scrap, rework, _batch(slot.order) if slot.last else "")]


def _corrected(worker: Worker, floor: Floor) -> Iterator[Request]:
    """A wrong quantity and its correction, in this order or the other."""
    slot = worker.slot
    if not (slot.has(Twist.CORRECTED) or slot.has(Twist.CORRECTED_EARLY)):
        return
    wrong = worker.misstate(floor.incoming(slot.order) * 10)
    worker.wait(Decimal(20))
    said = [[wrong], [worker.correct(wrong)]]
    yield from reversed(said) if slot.has(Twist.CORRECTED_EARLY) else said


def _units(worker: Worker, floor: Floor) -> Iterator[Request]:
    """An operation unit by unit. At the test before the last one the first unit fails."""
    slot, serials = worker.slot, floor.serials(worker.slot.order)
    # The last look is timed as a whole, the test before it unit by unit.
    seconds = ZERO if slot.last else (slot.run / (len(serials) + 1)).quantize(PIECE)
    yield from _beginning(worker)
    if not slot.last and slot.has(Twist.SCRAP) and len(serials) > 1:
        yield [worker.unit(serials.pop(0), "fail", seconds, "scrap")]
    elif not slot.last:
        yield [worker.unit(serials[0], "fail", seconds)]
    through = serials[:-1] if slot.has(Twist.UNFINISHED) else serials
    for serial in through:
        yield [worker.unit(serial, "pass", seconds)]
    if slot.last:
        worker.wait(slot.run)
        yield _time(worker, slot.run)
    if not slot.has(Twist.UNFINISHED):
        yield [worker.finish()]


def _mistaken(worker: Worker, floor: Floor) -> Iterator[Request]:
    """The first part of a job, with a quantity and a time that are wrong."""
    order = worker.slot.order
    yield from _beginning(worker)
    worker.wait(worker.slot.run)
    wrong = [worker.misstate(floor.incoming(order) - PIECE), worker.misstate_time(worker.slot.run * 10)]
    floor.wrong[order.number] = wrong
    yield wrong


def _second_part(worker: Worker, floor: Floor) -> Iterator[Request]:
    """The rest of that job: what was wrong is taken back, what is right is stated."""
    yield [worker.correct(wrong) for wrong in floor.wrong[worker.slot.order.number]]
    worker.wait(worker.slot.run)
    yield [*_time(worker, worker.slot.run), *_rest(worker, floor, ZERO), worker.finish()]


def _begun_in_vain(worker: Worker) -> Iterator[Request]:
    yield [worker.begin()]
    worker.made.reached = Reached.CANCELLED


def _time_last(requests: Sequence[Request]) -> list[Request]:
    """Take the time out of the last request and send it after it."""
    late = [event for event in requests[-1] if event["type"] == "time.recorded"]
    return [*requests[:-1], [event for event in requests[-1] if event not in late], late]


def _disturbed(slot: Slot, posts: list[Post]) -> list[Post]:
    """Add what should not have been sent, and what was sent twice."""
    first = posts[0].events[0]
    if slot.has(Twist.MALFORMED):
        posts.insert(1, Post(({**_again(first, "typo"), "type": "operation.strated"},), refused=1))
        good, bad = posts[-1], _again(first, "no-time")
        del bad["time"]
        posts[-1] = Post((*good.events, bad), recorded=good.recorded, refused=1)
    if slot.has(Twist.MISTYPED_ORDER):
        mistyped = _again(first, "mistyped") | {"order": mistyped_number(slot.order.number)}
        posts.append(Post((mistyped,), recorded=1))
    if slot.has(Twist.SENT_TWICE):
        posts += [Post(post.events, duplicates=len(post.events)) for post in (posts[0], posts[-1])]
    return posts


def _again(event: Event, what: str) -> Event:
    return {**event, "id": f"{event['id']}/{what}"}


def mistyped_number(number: str) -> str:
    """The number with letters O for its noughts, as people type it."""
    return number.replace("0", "O")


def _batch(order: Order) -> str:
    """Parts with few pieces are made in batches that have a number."""
    return f"B-{order.number}" if order.quantity < 10 and order.unit == "u" else ""  # noqa: PLR2004  # few


def _step(unit: str) -> Decimal:
    return PIECE if unit == "u" else METRE_STEP


def _half(quantity: Decimal, unit: str) -> Decimal:
    step = _step(unit)
    return (quantity / 2 / step).to_integral_value(ROUND_FLOOR) * step
