"""Records what each ERP says: `python -m tests.profiles.record [erp ...]` writes shared/profiles/replies/<erp>.json.

An order is released and pulled, a whole shift is told, and something of each kind is taken back. What is kept of
that: the order as the ERP has it beside ours, and of every kind of message as few examples as show all its steps.
"""

import asyncio
import inspect
import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from shared.domain.message import MessageKind
from shared.domain.plan_json import plan_to_json
from tests.profiles.conftest import SUBJECTS, subject_called
from tests.profiles.floor import RUN
from tests.profiles.listening import ListeningFloor, ListeningPlant
from tests.profiles.replies import NAMES, in_order, path_of, written
from tests.profiles.shift import COMPLETED, REPORTED, STARTED, TIMED, complete_one, tell, whole_shift, work
from tests.profiles.steady import steady

ROOT = Path(__file__).parents[2]
# They take serial numbers on orders of one piece only: their checklists call serials exempt.
ONE_SERIAL = ("odoo17",)
ONE_PIECE = {"part": "PUMP", "quantity": Decimal(1), "serials": True}


# -- what is played ---------------------------------------------------------------------------------------------------


class Recorder:
    """Plays on one plant; `orders` and `examples` are what there is to keep."""

    def __init__(self, plant):
        self.plant = plant
        self.orders, self.examples = {}, []

    async def play(self):
        """Tell everything this ERP has a place for."""
        floor = await self._floor()
        await whole_shift(floor)
        await self._corrections()
        for key, order, report in (
            ("serials", self.plant.subject.serial_order, _by_serial),
            ("batch", self.plant.subject.batch_order, _by_batch),
        ):
            if order and self._does(f"push.production.{key}"):
                await self._tracked(order, report)
        if self.plant.subject.name in ONE_SERIAL:
            await self._tracked(replace(self.plant.subject.order, **ONE_PIECE), _by_one_serial)
        await self._ended_short()

    async def _corrections(self):
        floor = await self._floor()
        *before, last = [operation.operation_id for operation in floor.order.operations]
        for ident in before:
            await complete_one(floor, ident)
        started = await tell(floor, STARTED, last, ["push.operation.started"])
        if started and self._does("push.correction.status"):
            await floor.takes_back(started.messages[-1])
        await work(floor, last, 2)
        told = await work(floor, last, 3, scrap=Decimal(1), scrap_reason=self.plant.subject.scrap_reason)
        spent = await tell(
            floor, TIMED, last, ["push.time.run"], seconds=Decimal(720), time_kind=RUN, operator="Ann"
        )
        for key, wrong in (("quantity", told), ("time", spent)):
            if wrong and self._does(f"push.correction.{key}"):
                await floor.takes_back(wrong.messages[-1])

    async def _tracked(self, order, report):
        floor = await self._floor(order)
        *before, last = [operation.operation_id for operation in floor.order.operations]
        for ident in before:
            await complete_one(floor, ident)
        await tell(floor, STARTED, last, ["push.operation.started"])
        told = await tell(floor, REPORTED, last, **report(floor.order))
        if self._does("push.correction.quantity"):
            await floor.takes_back(told.messages[-1])

    async def _ended_short(self):
        if not self._does("push.production.under_production"):
            return
        floor = await self._floor()
        first, *others = [operation.operation_id for operation in floor.order.operations]
        await tell(floor, STARTED, first, ["push.operation.started"])
        # what was lost is told before what was made
        await work(floor, first, 0, scrap=Decimal(1), scrap_reason=self.plant.subject.scrap_reason)
        await work(floor, first, floor.order.quantity - 1)
        await tell(floor, COMPLETED, first, ["push.operation.completed"])
        for ident in others:
            await tell(floor, STARTED, ident, ["push.operation.started"])
            await work(floor, ident, floor.order.quantity - 2)
            await tell(floor, COMPLETED, ident, ["push.operation.completed"])

    def _does(self, key):
        return self.plant.checklist.is_done(key)

    async def _floor(self, order=None):
        """Release an order and keep what was pulled of it; returns the floor that works on it."""
        number, _ = self.plant.release(order)
        mapped = (await self.plant.pull())[0][number]
        record, operations = await _raw(self.plant.erp, number)
        self.orders[number] = {"record": record, "operations": operations, "mapped": plan_to_json(mapped)}
        floor = ListeningFloor(self.plant, self.plant.erp, mapped)
        floor.examples = self.examples
        return floor


def _by_serial(order):
    names = tuple(f"{order.number}-{letter}" for letter in "AB")
    return {"good": Decimal(2), "serials": names}


def _by_one_serial(order):
    return {"good": Decimal(1), "serials": (f"{order.number}-A",)}


def _by_batch(_order):
    return {"good": Decimal(2), "batch": "B-7"}


async def _raw(erp, number):
    """Return the ERP's record of the order `number`, and its operations' where they are records of their own."""
    puller = erp._puller
    pull = puller._pull
    orders = pull.orders
    async for records, _ in puller._pages(orders.call, orders.paging, orders.records, {"since": None}):
        for record in records:
            if puller._reader.name(record) == number:
                found = await puller._operations(pull.operations, [record]) if pull.operations else {}
                return record, [operation for of_one in found.values() for operation in of_one]
    raise LookupError(number)


# -- what is kept -----------------------------------------------------------------------------------------------------


def needed(examples):
    """Return of each kind the examples that show steps no earlier one has shown, richest first, variants last."""
    kept = []
    for kind in MessageKind:
        shown = set()
        of_kind = [example for example in examples if example["kind"] == kind]
        for example in sorted(of_kind, key=lambda one: ("/" in one["order"], -len(steps_of(one)))):
            if steps_of(example) - shown or not shown:
                shown |= steps_of(example)
                kept.append(example)
    return kept


def steps_of(example):
    """Return the names of the steps an example shows."""
    return {call["step"] for call in example["calls"]}


def document(subject, source, settings, recorders):
    """Return the recording of one ERP, as played on its variants: {"": recorder, "variant/": recorder}."""
    examples = [
        example | {"order": f"{variant}{example['order']}"}
        for variant, recorder in recorders.items()
        for example in recorder.examples
    ]
    orders = {
        f"{variant}{number}": order
        for variant, recorder in recorders.items()
        for number, order in recorder.orders.items()
    }
    kept = needed(examples)
    if subject.is_real:
        _put_in_order(orders, kept)
    used = {example["order"] for example in kept}
    return {
        "profile": subject.profile,
        "source": source,
        "settings": settings,
        "links": subject.links,
        "orders": {name: order for name, order in orders.items() if name in used},
        "messages": kept,
    }


def _put_in_order(orders, examples):
    """Sort the fields of what the ERP said: a real one may give them in another order every time."""
    for order in orders.values():
        order |= {name: in_order(order[name]) for name in ("record", "operations")}
    for example in examples:
        example["captured"] = in_order(example["captured"])
        for call in example["calls"]:
            call |= {name: in_order(call[name]) for name in ("request", "reply")}


def source_of(plant):
    """Return in words who has replied."""
    if plant.subject.is_real:
        return f"{plant.subject.loaded().title} itself, with the data of demo/tryton"
    file = Path(inspect.getfile(type(plant.simulator))).relative_to(ROOT)
    rules = file.with_name("RULES.md")
    if not (ROOT / rules).exists():
        return f"the plain ERP of the tests, {file.as_posix()}"
    return f"simulator {file.parent.as_posix()}, written from the vendor's specs as {rules.as_posix()} states them"


def refuse_secrets(text, secrets):
    """Raise where one of `secrets` (setting -> value) is in `text`, plain or as JSON writes it."""
    for setting, secret in secrets.items():
        if secret in text or json.dumps(secret)[1:-1] in text:
            raise ValueError(f"{setting} is in the recording")


class Recorded(NamedTuple):
    """What one subject gave."""

    source: str
    settings: dict
    secrets: dict
    recorder: Recorder


async def played(subject):
    """Play on one subject."""
    with subject.simulator() as simulator:
        plant = ListeningPlant(subject, simulator)
        recorder = Recorder(plant)
        try:
            await recorder.play()
        finally:
            await plant.close()
        secrets = plant.secrets | {f"a token ({token[:3]}...)": token for token in simulator.credentials}
        return Recorded(source_of(plant), subject.settings(simulator), secrets, recorder)


def variants(name):
    """Return the subjects of the profile `name` by what their orders' names begin with, its own first."""
    others = [other for other in SUBJECTS if other != name and subject_called(other).profile == name]
    return {"": subject_called(name)} | {f"{other}/": subject_called(other) for other in others}


def recorded(name):
    """Return the text of the recording of the profile `name`."""
    subjects = variants(name)  # loads the simulators, so that they can be made steady
    with steady():
        played_on = {variant: asyncio.run(played(subject)) for variant, subject in subjects.items()}
    first = played_on[""]
    recorders = {variant: one.recorder for variant, one in played_on.items()}
    text = written(document(subject_called(name), first.source, first.settings, recorders))
    for one in played_on.values():
        refuse_secrets(text, one.secrets)
    return text


def main(names):
    """Record the ERPs called `names`, all without any."""
    for name in names or NAMES:
        began = perf_counter()
        text = recorded(name)
        path_of(name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}: {len(text):,} characters in {perf_counter() - began:.1f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
