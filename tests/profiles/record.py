"""Records what each ERP says: `python -m tests.profiles.record [erp ...]` writes shared/profiles/replies/<erp>.json.

An order is released and pulled, a whole shift is told, and something of each kind is taken back. What is kept of
that: the order as the ERP has it beside ours, and of every kind of message as few examples as show all its steps.
"""

import asyncio
import inspect
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from urllib.parse import unquote, urlsplit

import httpx

from shared.domain.message import MessageKind
from shared.domain.plan_json import plan_to_json
from shared.erp.engine import build
from shared.erp.port import Exempt, Missing
from tests.profiles.conftest import subject_called
from tests.profiles.floor import RUN, Floor
from tests.profiles.plant import Plant
from tests.profiles.replies import NAMES, body, path_of, written
from tests.profiles.shift import COMPLETED, REPORTED, STARTED, TIMED, complete_one, tell, whole_shift, work
from tests.profiles.steady import SHIFT, steady

ROOT = Path(__file__).parents[2]
OF_THE_WIRE = {"connection", "content-encoding", "content-length", "date", "server", "transfer-encoding"}
SECRET = {"set-cookie", "x-csrf-token"}
LONGEST_REQUEST = 2000  # characters; the engine's evidence ends there too


# -- listening --------------------------------------------------------------------------------------------------------


class Listening(httpx.AsyncBaseTransport):
    """The network, and whole replies as they came: evidence is cut, and no reply that is cut can be read again."""

    def __init__(self):
        self._network = httpx.AsyncHTTPTransport()
        self.heard = []

    async def handle_async_request(self, request):
        reply = await self._network.handle_async_request(request)
        await reply.aread()
        self.heard.append((request.method, _place(str(request.url)), reply))
        headers = [pair for pair in reply.headers.multi_items() if pair[0] not in OF_THE_WIRE]
        return httpx.Response(reply.status_code, headers=headers, content=reply.content)

    async def aclose(self):
        await self._network.aclose()

    def reply_to(self, exchange):
        """Return the reply that `exchange` is the evidence of, and forget what was heard up to it."""
        asked = exchange.method, _place(exchange.url), exchange.status
        while self.heard:
            method, place, reply = self.heard.pop(0)
            if (method, place, reply.status_code) == asked:
                return reply
        raise LookupError(f"nobody heard {asked}")


def _place(url):
    _, _, path, query, _ = urlsplit(url)
    return unquote(path), unquote(query)


class ListeningPlant(Plant):
    """A plant whose replies are heard."""

    def connect(self, **patience):
        self.network = Listening()

        async def resolve(name):
            return self.secrets[name]

        given = self.subject.settings(self.simulator) | {name: name for name in self.secrets}
        profile = self.subject.loaded(**patience)
        erp = build(profile, given, resolve, lambda: datetime.now(UTC), self.network)
        self._connections.append(erp)
        return erp


class ListeningFloor(Floor):
    """A floor that notes down every exchange it causes."""

    def __init__(self, plant, erp, order):
        super().__init__(plant, erp, order)
        self.now = SHIFT
        self.examples = []

    async def _to_the_end(self, plan, told):
        self._calls = []
        end = await super()._to_the_end(plan, told)
        if end.finished:
            message = plan.message
            said = {"id": message.message_id, "operation": message.operation_id, "body": dict(message.body)}
            captured = dict(end.progress.captured)
            self.examples.append(
                {"kind": str(message.kind), "order": self.order.number, "message": said}
                | {"calls": self._calls, "captured": captured}
            )
        return end

    async def _try(self, plan, progress, tries, *, careful):
        advance = await super()._try(plan, progress, tries, careful=careful)
        clean = self.erp._caller.secrets.redacted
        self._calls += [_call(one, self.plant.network.reply_to(one), clean) for one in advance.exchanges]
        return advance


def _call(exchange, reply, clean):
    """Return one exchange as it is kept: the path from the server's root, the reply whole."""
    _, _, path, query, _ = urlsplit(exchange.url)
    kept = {name: clean(value) for name, value in reply.headers.items() if name not in OF_THE_WIRE | SECRET}
    request = exchange.request
    return {
        "step": exchange.step,
        "method": exchange.method,
        "path": f"{path}?{query}".rstrip("?"),
        "request": {"cut": request} if len(request) > LONGEST_REQUEST else body(request),
        "status": exchange.status,
        "headers": kept,
        "reply": body(clean(reply.text)),
    }


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
        for operation in floor.order.operations:
            ident = operation.operation_id
            await tell(floor, STARTED, ident, ["push.operation.started"])
            await work(floor, ident, floor.order.quantity - 1)
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
    """Return of each kind the examples that show steps no earlier one has shown, richest first."""
    kept = []
    for kind in MessageKind:
        shown = set()
        of_kind = [example for example in examples if example["kind"] == kind]
        for example in sorted(of_kind, key=lambda one: -len(steps_of(one))):
            if steps_of(example) - shown or not of_kind:
                shown |= steps_of(example)
                kept.append(example)
    return kept


def steps_of(example):
    """Return the names of the steps an example shows."""
    return {call["step"] for call in example["calls"]}


def document(plant, recorder):
    """Return the recording of one ERP."""
    kept = needed(recorder.examples)
    used = {example["order"] for example in kept} | set(list(recorder.orders)[:1])
    return {
        "profile": plant.subject.profile,
        "source": source(plant),
        "settings": plant.subject.settings(plant.simulator),
        "links": plant.subject.links,
        "orders": {number: order for number, order in recorder.orders.items() if number in used},
        "messages": kept,
    }


def source(plant):
    """Return in words who has replied."""
    if plant.subject.is_real:
        return f"{plant.subject.loaded().title} itself, with the data of demo/tryton"
    folder = Path(inspect.getfile(type(plant.simulator))).parent.relative_to(ROOT).as_posix()
    return f"simulator {folder}, written from the vendor's specs as {folder}/RULES.md states them"


def refuse_secrets(text, secrets):
    """Raise where one of `secrets` (setting -> value) is in `text`, plain or as JSON writes it."""
    for setting, secret in secrets.items():
        if secret in text or json.dumps(secret)[1:-1] in text:
            raise ValueError(f"{setting} is in the recording")


async def recorded(subject):
    """Return the text of one subject's recording."""
    with subject.simulator() as simulator:
        plant = ListeningPlant(subject, simulator)
        recorder = Recorder(plant)
        try:
            await recorder.play()
        finally:
            await plant.close()
        text = written(document(plant, recorder))
        refuse_secrets(
            text, plant.secrets | {f"a token ({token[:3]}...)": token for token in simulator.credentials}
        )
        return text


def main(names):
    """Record the ERPs called `names`, all without any."""
    for name in names or NAMES:
        began = perf_counter()
        subject = subject_called(name)
        with steady():
            text = asyncio.run(recorded(subject))
        path_of(name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}: {len(text):,} characters in {perf_counter() - began:.1f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
