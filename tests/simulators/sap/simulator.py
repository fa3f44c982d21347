"""SAP S/4HANA as one simulator: the planner's acts, the auditor's look, and the log-in that may be taken away."""

import datetime as dt
import json
from collections import Counter

from starlette.requests import Request

from tests.simulators.harness import ZERO, Booked, BookedOperation, Simulator
from tests.simulators.sap.books import Books, Operation, Order
from tests.simulators.sap.confirming import Confirming
from tests.simulators.sap.gateway import Gateway
from tests.simulators.sap.numbers import Numbers
from tests.simulators.sap.session import Sessions
from tests.simulators.sap.views import Views


class Sap(Simulator):
    """One plant. What differs from system to system is a parameter:

    `converted_numbers`: order numbers without leading zeros outside, either form taken (SAP's public sandbox);
    `overdelivery_refused`, `sequence_checked`: confirmation parameters of the plant; `teco_refused`: a status profile
    forbids postings on completed orders; `milestones`: planner's operation numbers that confirm those before
    them; `lock_status`: the status of a locked order; `page_size`: of the server.
    """

    user, password, plant = "API_USER", "Welcome1", "1010"

    def __init__(
        self,
        *,
        converted_numbers=False,
        overdelivery_refused=False,
        sequence_checked=False,
        teco_refused=False,
        milestones=(),
        lock_status=423,
        page_size=1000,
    ):
        super().__init__()
        self._booking = Counter()
        self.books = Books(self.plant)
        self.views = Views(self.books)
        self.numbers = Numbers(converted=converted_numbers)
        self.sessions = Sessions(self.user, self.password)
        self.milestones = frozenset(milestones)
        self.confirming = Confirming(
            self.books,
            overdelivery_refused=overdelivery_refused,
            sequence_checked=sequence_checked,
            teco_refused=teco_refused,
            lock_status=lock_status,
        )
        self.gateway = Gateway(
            self.sessions, self.views, self.confirming, self.numbers, page_size, self._in_use
        )

    async def app(self, scope, receive, send):
        """Answer one request as SAP Gateway does."""
        request = Request(scope, receive)
        self.gateway.base = self.url
        response = await self.gateway.answer(request)
        await response(scope, receive, send)

    def order_of(self, method, path, body):
        """Return the order of a confirmation, twelve digits."""
        try:
            number = json.loads(body).get("OrderID", "")
        except ValueError:
            number = ""
        return str(number).zfill(12) if number else ""

    async def _answer(self, scope, body, send, fault):
        """Lock the order while its confirmation is being booked; a reply that is lost on its way keeps no lock."""
        order = "" if fault.startswith("hang") else self.order_of(scope["method"], scope["path"], body)
        self._booking[order] += 1
        try:
            await super()._answer(scope, body, send, fault)
        finally:
            self._booking[order] -= 1

    def _in_use(self, order):
        """An order is locked while a confirmation of it is being booked."""
        return self._booking[order] > 1

    # -- the planner ----------------------------------------------------------------------------------------

    def release(self, order):
        """Create and release a production order; returns its number as the API shows it."""
        number = self.create(order)
        self._planned(number).released = True
        return number

    def create(self, order):
        """Create a production order and leave it unreleased (status CRTD)."""
        number, moment = self.books.next_order(), self.books.now()
        made = Order(
            number,
            order.part,
            order.quantity,
            "PC" if order.unit == "pcs" else order.unit.upper(),
            dt.date.fromisoformat(order.due),
            moment,
            moment,
            f"{int(number) + 2000:010d}",
            self.books.next_group(),
            order.serials,
            order.batch,
            released=False,
        )
        made.operations = [self._operation(planned) for planned in order.operations]
        self.books.orders[number] = made
        return self.numbers.outside("ManufacturingOrder", number)

    def change_quantity(self, number, quantity):
        """Change the order's quantity; SAP stamps the change."""
        order = self._planned(number)
        order.quantity, order.changed = quantity, self.books.now()

    def cancel(self, number):
        """Complete the order technically and set its deletion flag: nothing is deleted from the tables."""
        order = self._planned(number)
        order.technically_complete = order.deleted = True
        order.changed = self.books.now()

    def complete_technically(self, number):
        """Set the status TECO."""
        self._planned(number).technically_complete = True

    def close(self, number):
        """Set the status CLSD."""
        self._planned(number).closed = True

    def lock(self, number):
        """Let a planner have the order open in a change transaction."""
        self.books.locked.add(self.numbers.inside("ManufacturingOrder", number))

    def unlock(self, number):
        """Let the planner leave the order."""
        self.books.locked.discard(self.numbers.inside("ManufacturingOrder", number))

    def close_period(self, last_day):
        """Close the books up to and with `last_day` (date): no posting date before it is taken."""
        self.books.closed_until = last_day

    def _operation(self, planned):
        self.books.work_centres.add(planned.work_centre)
        return Operation(
            planned.ident,
            planned.ident.zfill(4),
            planned.name,
            planned.work_centre,
            self.books.next_group(),
            planned.setup_seconds or ZERO,
            planned.run_seconds or ZERO,
            planned.ident in self.milestones,
        )

    def _planned(self, number):
        return self.books.orders[self.numbers.inside("ManufacturingOrder", number)]

    # -- the auditor ----------------------------------------------------------------------------------------

    def booked(self, number):
        """Read the tables; SAP keeps no serial numbers on these confirmations, and no state between them."""
        order = self._planned(number)
        groups = self.books.order_groups(order)
        return Booked(
            state=self._state(order),
            good=self.books.confirmed_yield(order),
            scrap=sum((self.books.total(group, "ConfirmationScrapQuantity") for group in groups), ZERO),
            batches=self._batches(order),
            operations=[self._booked_operation(order, operation) for operation in order.operations],
            postings=sum(len(self.books.of_group(group)) for group in groups),
        )

    def _state(self, order):
        if order.technically_complete or order.deleted or order.closed:
            return "completed" if self.books.is_confirmed(order) and not order.deleted else "cancelled"
        if self.books.is_confirmed(order):
            return "completed"
        return "started" if self.books.is_started(order) else "released"

    def _batches(self, order):
        moved = [row for row in self.books.movements if row["OrderID"] == order.number and row["Batch"]]
        returned = [row["Batch"] for row in moved if row["GoodsMovementType"] == "102"]
        received = [row["Batch"] for row in moved if row["GoodsMovementType"] == "101"]
        for batch in returned:
            received.remove(batch)
        return tuple(dict.fromkeys(received))

    def _booked_operation(self, order, operation):
        group, books = operation.group, self.books
        final = books.is_done(order, operation)
        started = bool(books.valid(group) or books.valid(order.group))
        return BookedOperation(
            operation.ident,
            "completed" if final else "running" if started else "pending",
            books.done(order, operation),
            books.total(group, "ConfirmationScrapQuantity"),
            books.total(group, "ConfirmationReworkQuantity"),
            books.worked_seconds(group, 1),
            books.worked_seconds(group, 2),
            tuple(row["VarianceReasonCode"] for row in books.valid(group) if row["VarianceReasonCode"]),
        )

    # -- the log-in -----------------------------------------------------------------------------------------

    def expire_credentials(self):
        """End every session: tokens and cookies are worthless, the password is not."""
        self.sessions.forget()

    def revoke_credentials(self):
        """Change the password."""
        self.sessions.password = "changed"
        self.sessions.forget()
