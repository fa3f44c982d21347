"""A real Tryton behind a small reverse proxy, so that the suite's faults hit a real ERP; read by its own database."""

import json
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx

from demo.tryton.environment import DATABASE, prepare
from demo.tryton.planner import Planner
from demo.tryton.readback import read_back
from demo.tryton.server import TrytonServer
from tests.profiles.subject import Subject
from tests.simulators.harness import Booked, BookedOperation, PlannedOperation, PlannedOrder, Simulator

ROOT = Path(__file__).parents[3]
SETTINGS = ("company", "employee", "storage_location", "scrap_location", "quality_control")
ORDER_STATES = {"running": "started", "done": "completed", "cancelled": "cancelled"}
WORK_STATES = {
    "running": "running",
    "finished": "paused",
    "done": "completed",
}  # finished: no cycle is running
REWORK_FROM = 9000
LIKE = {"P-00010": "P-00011"}  # counted in whole pieces too, ten or more of them
DESK = ROOT / "demo" / "tryton"
RELEASE_MANY = """
import json, sys
from proteus import config
from planner_desk import release
url, login, password = json.load(sys.stdin)
with config.set_xmlrpc_session(url, login, password):
    print(json.dumps([release(*sys.argv[1:3]) for _ in range(int(sys.argv[3]))]))
"""
OF_ONE_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
ROUTING = """
SELECT work.sequence, operation.name, centre.name AS centre
FROM production_work AS work
JOIN production ON production.id = work.production
JOIN production_routing_operation AS operation ON operation.id = work.operation
JOIN production_work_center AS centre ON centre.id = work.work_center
WHERE production.number = ? ORDER BY work.sequence
"""
PART = """
SELECT product.code FROM production JOIN product_product AS product ON product.id = production.product
WHERE production.number = ?
"""
POSTINGS = """
SELECT (SELECT count(*) FROM stock_move WHERE production_output = production.id AND state IN ('done', 'cancelled'))
     + (SELECT count(*) FROM production_work WHERE production = production.id)
     + (SELECT count(*) FROM production_work_cycle AS cycle
        JOIN production_work AS work ON work.id = cycle.work WHERE work.production = production.id)
     + (SELECT count(*) FROM timesheet_line AS line
        JOIN timesheet_work AS sheet ON sheet.id = line.work
        JOIN production_work AS work ON sheet.origin = 'production.work,' || work.id
        WHERE work.production = production.id)
FROM production WHERE number = ?
"""


class Tryton(Simulator):
    """One Tryton on a fresh copy of the seeded database. What is released comes from its seeded orders, in turn."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="tryton-")
        self.server = TrytonServer(prepare(ROOT / ".cache" / "tryton"), Path(self._folder.name, "tryton"))
        self.server.start()
        self._planner = Planner(self.server)
        self._http = None
        self._unused = {}
        for number in self.facts["released"]:
            self._unused.setdefault(self._one(PART, number), []).append(number)
        return super().__enter__()

    def __exit__(self, *stopping):
        super().__exit__(*stopping)
        self.server.stop()
        self._folder.cleanup()

    @property
    def facts(self):
        """What is in the seeded database."""
        return self.server.seeded.facts

    async def app(self, scope, receive, send):
        """Pass the request on, and the reply back."""
        self._http = self._http or httpx.AsyncClient(base_url=self.server.url, timeout=60)
        body = (await receive())["body"]
        headers = [pair for pair in scope["headers"] if pair[0].decode() not in OF_ONE_HOP]
        address = httpx.URL(
            raw_path=scope["raw_path"] + b"?" * bool(scope["query_string"]) + scope["query_string"]
        )
        reply = await self._http.request(scope["method"], address, content=body, headers=headers)
        kept = [(name.lower(), value) for name, value in reply.headers.raw if _is_kept(name)]
        await send({"type": "http.response.start", "status": reply.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": reply.content})

    def order_of(self, method, path, body):
        """Return the production a write names; moves and works name it only in Tryton's tables."""
        parts = path.split("/production/")
        return parts[1].split("/")[0] if len(parts) > 1 else ""

    # -- the planner ----------------------------------------------------------------------------------------------

    def release(self, order):
        """Plan and release one more order of the part."""
        return self._planner.release(order.part, order.quantity)

    def unused(self, order):
        """Take a released order of the part that no scenario has worked on; plan one when they are used up."""
        like = next(
            (part for part in (order.part, LIKE.get(order.part)) if self._unused.get(part)), order.part
        )
        if not self._unused.get(like):
            self._unused[like] = self._released(order, 8)
        number = self._unused[like].pop(0)
        planned = read_back(self.server.database)[number]["planned"]
        return number, replace(order, part=like, quantity=planned, operations=self._routing(number))

    def _released(self, order, count):
        """Plan and release `count` orders in one go: to sign in takes longer than all of them."""
        command = [self.server.seeded.python, "-c", RELEASE_MANY, order.part, str(order.quantity), str(count)]
        facts = self.facts
        sign_in = [f"{self.server.url}/{DATABASE}/rpc/", facts["planner_login"], facts["planner_password"]]
        done = subprocess.run(
            command, input=json.dumps(sign_in), capture_output=True, text=True, check=True, cwd=DESK
        )
        return json.loads(done.stdout)

    def enter(self, order):
        """Leave it to the drafts of the seeded database: they have no number, and a pull would reject them for that."""

    def change_quantity(self, number, quantity):
        self._planner.change_quantity(number, quantity)

    def cancel(self, number):
        self._planner.cancel(number)

    def revoke_credentials(self):
        """Delete the key, as an administrator does on the user's form."""
        with closing(sqlite3.connect(self.server.database)) as database, database:
            database.execute("DELETE FROM res_user_application")

    def _routing(self, number):
        with self._database() as database:
            rows = database.execute(ROUTING, [number]).fetchall()
        return tuple(PlannedOperation(str(sequence), name, centre) for sequence, name, centre in rows)

    def _one(self, query, number):
        with self._database() as database:
            return database.execute(query, [number]).fetchone()[0]

    def _database(self):
        return closing(sqlite3.connect(f"file:{self.server.database}?mode=ro", uri=True))

    # -- the auditor ----------------------------------------------------------------------------------------------

    def booked(self, number):
        """Read the tables: Tryton counts pieces on the order, and time on its operations."""
        found = read_back(self.server.database)[number]
        is_serial = self._one(PART, number) == self.facts["serial_part"]
        lots = tuple(found["serials"])
        return Booked(
            ORDER_STATES.get(found["state"], "released"),
            found["good"],
            found["scrap"],
            lots if is_serial else (),
            () if is_serial else tuple(dict.fromkeys(lots)),
            [_operation(work, found["works"]) for work in found["works"] if work["sequence"] < REWORK_FROM],
            self._one(POSTINGS, number),
        )


def _operation(work, works):
    rework = [one for one in works if one["sequence"] == REWORK_FROM + work["sequence"]]
    return BookedOperation(
        str(work["sequence"]),
        WORK_STATES.get(work["state"], "pending"),
        good=None,
        scrap=None,
        rework=Decimal(len(rework)),
        run_seconds=work["booked_seconds"],
    )


def _is_kept(name):
    return name.lower().decode() not in OF_ONE_HOP | {"content-encoding"}


SUBJECT = Subject(
    profile="tryton",
    simulator=Tryton,
    settings=lambda erp: (
        {name: erp.facts[name] for name in SETTINGS} | {"base_url": f"{erp.url}/{DATABASE}/rest/model"}
    ),
    secrets=lambda erp: {"api_key": erp.facts["api_key"]},
    order=PlannedOrder("P-00010", Decimal(50), (), unit="u"),
    serial_order=PlannedOrder("P-00020", Decimal(3), (), unit="u", serials=True),
    batch_order=PlannedOrder("P-00010", Decimal(50), (), unit="u", batch=True),
    release=lambda erp, order: erp.unused(order),
    enter=lambda erp, order: erp.enter(order),
    is_real=True,
    shared=True,
)
