"""NetSuite as one simulator: the planner's acts, the auditor's look, and the log-in that may be taken away."""

import re
from decimal import Decimal

from starlette.requests import Request

from tests.simulators.harness import ZERO, Booked, BookedOperation, Simulator
from tests.simulators.netsuite.books import Books
from tests.simulators.netsuite.jobs import Jobs
from tests.simulators.netsuite.oauth1 import Tokens
from tests.simulators.netsuite.oauth2 import Grants
from tests.simulators.netsuite.service import Service
from tests.simulators.netsuite.suiteql import SuiteQl
from tests.simulators.netsuite.tables import every, one, update

STATES = {"A": "released", "B": "released", "D": "started", "G": "completed"}
TASKS = {"NOTSTART": "pending", "PROGRESS": "running", "COMPLETE": "completed"}


class Netsuite(Simulator):
    """One account. `wip`: orders are work in process (completions), else builds; `concurrency`: of the account."""

    account = "1234567_SB1"

    def __init__(self, *, wip=True, concurrency=5):
        super().__init__()
        self.wip, self.concurrency = wip, concurrency
        self.books = Books()
        self.tokens, self.grants, self.jobs = Tokens(self.account), Grants(), Jobs()
        self.service = Service(self.books, SuiteQl(self.books.database), self.tokens, self.grants, self.jobs)
        self._busy = 0

    async def app(self, scope, receive, send):
        """Answer one request as NetSuite's REST web services do."""
        self.service.base = self.url
        response = await self.service.answer(Request(scope, receive), crowded=self._busy > self.concurrency)
        await response(scope, receive, send)

    async def _answer(self, scope, body, send, fault):
        """Count the requests that are being answered at once; one whose reply got lost on its way is none of them."""
        working = not fault.startswith("hang")
        self._busy += working
        try:
            await super()._answer(scope, body, send, fault)
        finally:
            self._busy -= working

    def order_of(self, method, path, body):
        """Return the work order a transform or a task's change belongs to."""
        made = re.search(r"/workOrder/([^/]+)/!transform/", path)
        if made:
            return made[1]
        task = re.search(r"/manufacturingOperationTask/(\d+)", path)
        found = task and one(
            self.books.database, "select workorder from manufacturingoperationtask where id = ?", task[1]
        )
        return str(found["workorder"]) if found else ""

    # -- the planner ----------------------------------------------------------------------------------------

    def release(self, order):
        """Enter a released work order; returns its document number."""
        return self.books.add_order(order, wip=self.wip, released=True)

    def create(self, order):
        """Enter a planned work order, not released."""
        return self.books.add_order(order, wip=self.wip, released=False)

    def change_quantity(self, number, quantity):
        """Change the quantity of the order and of its operations."""
        key = self._order(number)["id"]
        self.books.database.execute(
            'update transactionline set quantity = ? where "transaction" = ?', [float(quantity), key]
        )
        for task in self.books.tasks(key):
            update(
                self.books.database, "manufacturingoperationtask", task["id"], inputquantity=float(quantity)
            )
        update(self.books.database, "transaction", key, lastmodifieddate=self.books.now())

    def cancel(self, number):
        """Close the order; where nothing is reported, it is deleted instead and leaves nothing."""
        order = self._order(number)
        if self.books.reports(order["id"]):
            self.books.close(order, {})
            return
        for table, column in (
            ("manufacturingoperationtask", "workorder"),
            ("transactionline", '"transaction"'),
        ):
            self.books.database.execute(f"delete from {table} where {column} = ?", [order["id"]])  # noqa: S608 - our own names
        self.books.database.execute('delete from "transaction" where id = ?', [order["id"]])

    def _order(self, number):
        found = one(self.books.database, 'select * from "transaction" where tranid = ?', number)
        if found is None:
            raise KeyError(number)
        return found

    # -- the auditor ----------------------------------------------------------------------------------------

    def booked(self, number):
        """Read the tables; a deleted order is "cancelled" and empty, one closed after builds is "completed".

        NetSuite keeps no reason codes and no rework.
        """
        if one(self.books.database, 'select id from "transaction" where tranid = ?', number) is None:
            return Booked(state="cancelled")
        order = self._order(number)
        reports = [details for _, details in self.books.reports(order["id"])]
        item = one(
            self.books.database, "select * from item where id = ?", self.books.line(order["id"])["item"]
        )
        numbers = tuple(number for details in reports for number in details["numbers"])
        built = sum((details["built"] for details in reports), ZERO)
        return Booked(
            state=STATES.get(order["status"].partition(":")[2], "completed" if built else "cancelled"),
            good=built,
            scrap=sum((details["scrap"] for details in reports), ZERO),
            serials=numbers if item["isserialitem"] == "T" else (),
            batches=tuple(dict.fromkeys(numbers)) if item["islotitem"] == "T" else (),
            operations=[self._operation(task, reports) for task in self.books.tasks(order["id"])],
            postings=len(reports),
        )

    def _operation(self, task, reports):
        ending = [
            found
            for found in reports
            if found["operations"] and found["operations"][-1]["task"] == task["id"]
        ]
        return BookedOperation(
            str(task["operationsequence"]),
            TASKS[task["status"]],
            Decimal(str(task["completedquantity"])).normalize() + ZERO,
            sum((details["scrap"] for details in ending), ZERO),
            None,
            Decimal(str(task["actualsetuptime"])) * 60,
            Decimal(str(task["actualruntime"])) * 60,
        )

    def transactions(self, number):
        """Return the standing completions and builds of an order: rows of the transaction table."""
        order = self._order(number)["id"]
        query = """select t.* from "transaction" t join transactionline l on l."transaction" = t.id
                   where l.createdfrom = ?"""
        return every(self.books.database, query, order)

    # -- the log-in -----------------------------------------------------------------------------------------

    def expire_credentials(self):
        """End every access token; OAuth 1.0a tokens do not expire."""
        self.grants.tokens.clear()

    def revoke_credentials(self):
        """Revoke the token of the role and the certificate."""
        self.tokens.revoked = self.grants.revoked = True
