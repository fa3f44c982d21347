"""The books of the plain ERP: orders, operations and postings, as naive as a real ERP keeps them.

Nothing here is idempotent: a result posted twice counts twice. What a real ERP refuses is refused: an
unknown order, an unknown operation, a wrong transition. Change times come from its own clock
and never go back.
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice

import orjson

OPEN = ("released", "started")
OPERATION_MOVES = {
    "start": ("pending", "running"),
    "pause": ("running", "paused"),
    "resume": ("paused", "running"),
    "complete": ("running", "completed"),
}
QUANTITIES = ("good", "scrap", "rework")


class RefusedError(Exception):
    """The ERP says no: `status` is the HTTP status it answers, the message its reason."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


@dataclass
class Order:
    """One works order: the planner's `record`, what has been posted on it, and the order of every effect."""

    record: dict
    states: dict = field(default_factory=dict)
    totals: dict = field(default_factory=lambda: dict.fromkeys((*QUANTITIES, "seconds"), Decimal(0)))
    postings: list = field(default_factory=list)
    history: list = field(default_factory=list)
    wire: bytes = b""

    @property
    def status(self):
        return self.record["status"]

    @property
    def place(self):
        """Where the order stands in a listing: (changed_at, number)."""
        return self.record["changed_at"], self.record["number"]


class Books:
    """Every order of the ERP and the counts a test reads back."""

    def __init__(self, orders=0, operations=8):
        self.orders = {}
        self.listing = []
        self.by_reference = {}
        self.counted = set()
        self.posted = self.writes = self.refused = self.duplicates = 0
        self.last_change = datetime.now(UTC) - timedelta(hours=1)
        for index in range(orders):
            self._seed(index, operations)

    def _seed(self, index, operations):
        # Planners release in bulk: ten orders share one time stamp, so paging by time alone would lose some.
        at = self.last_change + timedelta(seconds=index // 10)
        self._insert(make_record({}, index + 1, operations), stamp(at))

    # --- what the planner does -------------------------------------------------------------------

    def add(self, records):
        """Insert orders; a record may be partial, `{}` is a whole made-up order."""
        for record in records:
            number = len(self.orders) + 1
            self._insert(make_record(record, number, 8), self._now())

    def change(self, records):
        """Overwrite the given fields of the orders named by `number`; `operations` replaces the routing."""
        for record in records:
            order = self._known(record["number"])
            order.record.update(record)
            order.states = {o["id"]: order.states.get(o["id"], "pending") for o in order.record["operations"]}
            self._touch(order)

    def cancel(self, numbers):
        """Cancel orders by number; the floor may still believe in them."""
        for number in numbers:
            self._move_order(self._known(number), "cancelled")

    # --- reading ---------------------------------------------------------------------------------

    def page(self, statuses, changed_since, after, limit):
        """Return (orders as JSON bytes, next cursor or None), by change time, then number."""
        found = list(islice(self._from(statuses, changed_since, after), limit + 1))
        more = "|".join(found[limit - 1].place) if len(found) > limit else None
        return [order.wire for order in found[:limit]], more

    def _from(self, statuses, changed_since, after):
        start = bisect_left(self.listing, (changed_since, ""))
        if after:
            start = max(start, bisect_right(self.listing, tuple(after.split("|", 1))))
        for place in islice(self.listing, start, None):
            order = self.orders[place[1]]
            if not statuses or order.status in statuses:
                yield order

    def open_page(self, after, limit):
        """Return (numbers of orders released or started after the cursor, next cursor or None)."""
        numbers = sorted(n for n, order in self.orders.items() if n > after and order.status in OPEN)
        return numbers[:limit], numbers[limit - 1] if len(numbers) > limit else None

    def order(self, number):
        """Return one order as the ERP shows it: record, state of each operation, totals."""
        order = self._known(number)
        operations = [row | {"state": order.states[row["id"]]} for row in order.record["operations"]]
        return order.record | {"state": order.status, "operations": operations, "totals": text(order.totals)}

    def postings(self, reference):
        """Return every posting made with the reference, on whichever order."""
        return self.by_reference.get(reference, [])

    def report(self):
        """Return what was counted, per order and over all."""
        return {
            "orders": {n: report_of(order) for n, order in self.orders.items()},
            "duplicates": self.duplicates,
            "writes": self.writes,
            "refused": self.refused,
        }

    # --- what the floor's integration does -------------------------------------------------------

    def start_order(self, number):
        order = self._known(number)
        if order.status != "released":
            raise RefusedError(409, f"already {order.status}")
        self._move_order(order, "started")
        return self._effect(order, "start")

    def complete_order(self, number):
        order = self._known(number)
        if order.status != "started":
            raise RefusedError(
                409, "not started" if order.status == "released" else f"already {order.status}"
            )
        if set(order.states.values()) - {"completed"}:
            raise RefusedError(409, "operations open")
        self._move_order(order, "completed")
        return self._effect(order, "complete")

    def move_operation(self, number, operation, verb):
        order = self._known(number)
        self._known_operation(order, operation)
        wanted, becomes = OPERATION_MOVES[verb]
        if order.status != "started":
            raise RefusedError(409, f"order {order.status}, not started")
        if order.states[operation] != wanted:
            raise RefusedError(409, f"already {order.states[operation]}, cannot {verb}")
        order.states[operation] = becomes
        return self._effect(order, f"{operation} {verb}")

    def post_result(self, number, body):
        order = self._bookable(number, body)
        amounts = {name: amount(body, name) for name in QUANTITIES}
        return self._post(order, "result", body, amounts)

    def post_time(self, number, body):
        order = self._bookable(number, body)
        return self._post(order, "time", body, {"seconds": amount(body, "seconds")})

    def post_correction(self, number, body):
        order = self._known(number)
        same = [
            p for p in order.postings if p["reference"] == body.get("voids") and p["kind"] != "correction"
        ]
        if not same:
            raise RefusedError(404, "no posting with that reference")
        posting = next((p for p in same if not p["voided"]), None)
        if posting is None:
            raise RefusedError(409, "already voided")
        posting["voided"] = True
        amounts = {name: -Decimal(posting[name]) for name in order.totals if name in posting}
        return self._post(order, "correction", body, amounts)

    def _post(self, order, kind, body, amounts):
        reference = body.get("reference")
        if not isinstance(reference, str) or not reference:
            raise RefusedError(400, "reference: a text is needed")
        for name, quantity in amounts.items():
            order.totals[name] += quantity
        self._count(kind, reference)
        self.posted += 1
        facts = {
            "posting": self.posted,
            "kind": kind,
            "order": order.record["number"],
            "at": stamp(datetime.now(UTC)),
        }
        posting = body | text(amounts) | facts | {"voided": False}
        order.postings.append(posting)
        self.by_reference.setdefault(reference, []).append(posting)
        self._effect(order, f"{kind} {reference}")
        return {"posting": self.posted}

    def _count(self, kind, reference):
        self.duplicates += (kind, reference) in self.counted
        self.counted.add((kind, reference))

    def _effect(self, order, what):
        self.writes += 1
        order.history.append(what)
        return {"number": order.record["number"], "state": order.status}

    # --- rules -----------------------------------------------------------------------------------

    def _known(self, number):
        if number not in self.orders:
            raise RefusedError(404, f"unknown order {number}")
        return self.orders[number]

    def _known_operation(self, order, operation):
        if operation not in order.states:
            raise RefusedError(404, f"unknown operation {operation}")

    def _bookable(self, number, body):
        """Postings are taken late, even on a completed order; never on a cancelled one."""
        order = self._known(number)
        self._known_operation(order, body.get("operation"))
        if order.status == "cancelled":
            raise RefusedError(409, "order cancelled")
        return order

    def _move_order(self, order, status):
        order.record["status"] = status
        self._touch(order)

    def _insert(self, record, at):
        if record["number"] in self.orders:
            raise RefusedError(409, f"order {record['number']} exists")
        order = Order(record | {"changed_at": at}, {row["id"]: "pending" for row in record["operations"]})
        order.wire = orjson.dumps(order.record)
        self.orders[record["number"]] = order
        insort(self.listing, order.place)

    def _touch(self, order):
        del self.listing[bisect_left(self.listing, order.place)]
        order.record["changed_at"] = self._now()
        order.wire = orjson.dumps(order.record)
        insort(self.listing, order.place)

    def _now(self):
        self.last_change = max(self.last_change, datetime.now(UTC))
        return stamp(self.last_change)


def make_record(given, index, operations):
    """Complete a partial order record; `index` numbers it, `operations` is the length of its routing."""
    made = {
        "number": f"WO-{index:06}",
        "part": f"P-{index % 97:03}",
        "part_name": f"Valve body {index % 97}",
        "quantity": "10",
        "unit": "pcs",
        "due": "2026-11-30",
        "status": "released",
    }
    return made | {"operations": [make_operation(step) for step in range(1, operations + 1)]} | given


def make_operation(step):
    """Return the step-th operation of a made-up routing: id "10", "20" and so on."""
    return {
        "id": str(step * 10),
        "seq": step * 10,
        "name": f"Step {step}",
        "work_centre": f"WC-{step}",
        "setup_s": "120",
        "run_s": "30.5",
    }


def report_of(order):
    """Return one order's part of the report; `history` names every effect in the order it happened."""
    return {
        "state": order.status,
        "operations": order.states,
        "postings": order.postings,
        "history": order.history,
    } | text(order.totals)


def amount(body, name):
    """Read a quantity that is a text or an integer, zero when absent; a float has already lost digits."""
    given = body.get(name, "0")
    try:
        value = Decimal(given) if isinstance(given, str | int) else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or value < 0:
        raise RefusedError(400, f'{name}: a decimal text of zero or more is needed, as "12.5"')
    return value


def text(amounts):
    """Decimals as plain text, never an exponent."""
    return {name: format(value, "f") for name, value in amounts.items()}


def stamp(at):
    """An instant as this ERP writes it: ISO, UTC, milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
