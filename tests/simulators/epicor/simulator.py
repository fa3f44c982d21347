"""Epicor Kinetic as one simulator: the planner's acts, the auditor's look, and the log-in that may be taken away."""

import json
from decimal import Decimal

from starlette.requests import Request

from tests.simulators.epicor.books import HOUR, Books
from tests.simulators.epicor.labor import Labor
from tests.simulators.epicor.service import Service
from tests.simulators.harness import ZERO, Booked, BookedOperation, Simulator


class Epicor(Simulator):
    """One company. `approval_required`: submitted time waits for a supervisor before it counts."""

    user, password, api_key, company, plant = (
        "apiuser",
        "Kinetic!1",
        "key-of-the-integration",
        "EPIC06",
        "MfgSys",
    )

    def __init__(self, *, approval_required=False):
        super().__init__()
        self.books = Books(self.company, self.plant)
        self.labor = Labor(self.books, approval_required=approval_required)
        self.service = Service(self.books, self.labor, self.user, self.password, self.api_key)

    async def app(self, scope, receive, send):
        """Answer one request as Kinetic's REST v2 does."""
        response = await self.service.answer(Request(scope, receive))
        await response(scope, receive, send)

    def order_of(self, method, path, body):
        """Return the job of the first detail in an `Update`."""
        if not path.endswith("/Update"):
            return ""
        try:
            rows = json.loads(body)["ds"]["LaborDtl"]
        except (ValueError, KeyError, TypeError):
            return ""
        return rows[0].get("JobNum", "") if rows else ""

    # -- the planner ----------------------------------------------------------------------------------------

    def release(self, order):
        """Enter, engineer and release a job; returns its number."""
        return self.books.add_job(order, released=True)

    def create(self, order):
        """Enter a job and leave it unreleased."""
        return self.books.add_job(order, released=False)

    def change_quantity(self, number, quantity):
        """Change the production quantity of the job and the run quantity of its operations."""
        job = self.books.jobs[number]
        job["ProdQty"], job["LastChangedOn"] = quantity, self.books.now()
        self.books.written(job)
        for step in self.books.of_job(number):
            step["RunQty"] = quantity
            self.books.written(step)

    def cancel(self, number):
        """Close the job; a job without labour is deleted instead and leaves nothing."""
        if any(row["JobNum"] == number for row in self.books.details.values()):
            self.close(number)
            return
        del self.books.jobs[number]
        self.books.operations[:] = [row for row in self.books.operations if row["JobNum"] != number]

    def close(self, number):
        """Close the job."""
        job = self.books.jobs[number]
        job["JobClosed"], job["ClosedDate"] = True, self.books.now()
        self.books.written(job)

    def approve_all(self):
        """Approve all submitted time, as a supervisor does."""
        for sequence, row in list(self.books.details.items()):
            if row["TimeStatus"] == "S":
                self.labor.approve(sequence)

    def touch(self, sequence):
        """Let somebody else change a labour detail in the meantime."""
        self.books.written(self.books.details[sequence])

    # -- the auditor ----------------------------------------------------------------------------------------

    def booked(self, number):
        """Read the tables. `rework` is the non-conformance quantity; labour keeps lots but no serial numbers."""
        if number not in self.books.jobs:
            return Booked(state="cancelled")
        job, rows = self.books.jobs[number], self.books.posted(number)
        return Booked(
            state=self._state(job),
            good=Decimal(job["QtyCompleted"]),
            scrap=_sum(rows, "ScrapQty"),
            batches=tuple(dict.fromkeys(row["LotNum"] for row in rows if row["LotNum"])),
            operations=[self._operation(step) for step in self.books.of_job(number)],
            postings=len(rows),
        )

    def _state(self, job):
        steps = self.books.of_job(job["JobNum"])
        if job["JobComplete"] or (steps and all(step["OpComplete"] for step in steps)):
            return "completed"
        if job["JobClosed"]:
            return "cancelled"
        started = any(row["JobNum"] == job["JobNum"] for row in self.books.details.values())
        return "started" if started else "released"

    def _operation(self, step):
        number, sequence = step["JobNum"], step["OprSeq"]
        every = [
            row for row in self.books.details.values() if (row["JobNum"], row["OprSeq"]) == (number, sequence)
        ]
        rows = self.books.posted(number, sequence)
        reasons = [row["ScrapReasonCode"] for row in rows if row["ScrapReasonCode"]]
        return BookedOperation(
            self.books.idents[number, sequence],
            "completed" if step["OpComplete"] else "running" if every else "pending",
            Decimal(step["QtyCompleted"]),
            Decimal(step["ActScrapQty"]),
            _sum(rows, "DiscrepQty"),
            Decimal(step["ActSetupHours"]) * HOUR,
            Decimal(step["ActProdHours"]) * HOUR,
            tuple(reasons),
        )

    # -- the log-in -----------------------------------------------------------------------------------------

    def revoke_credentials(self):
        """Change the password; Basic and an API key know nothing that expires."""
        self.service.password = "changed"


def _sum(rows, name):
    return sum((Decimal(row[name]) for row in rows), ZERO)
