"""The plain ERP of the tests, which the starter runs on as it stands: the suite is tried on it first."""

from decimal import Decimal

from tests.fakes.plain_erp_books import Books, make_operation
from tests.fakes.plain_erp_server import Erp, application
from tests.profiles.subject import Subject
from tests.simulators.harness import Booked, BookedOperation, Simulator


class Plain(Simulator):
    """The plain ERP in this process."""

    def __init__(self):
        super().__init__()
        self.books = Books()
        self.erp = Erp(self.books, "plain-key")
        self._app = application(self.erp)

    async def app(self, scope, receive, send):
        """Answer as the plain ERP does."""
        await self._app(scope, receive, send)

    def release(self, order):
        number = f"WO-{len(self.books.orders) + 1:06}"
        operations = [
            make_operation(1)
            | {"id": one.ident, "seq": int(one.ident), "name": one.name, "work_centre": one.work_centre}
            | {"setup_s": str(one.setup_seconds), "run_s": str(one.run_seconds)}
            for one in order.operations
        ]
        record = {"number": number, "part": order.part, "quantity": str(order.quantity), "unit": order.unit}
        self.books.add([record | {"operations": operations, "due": order.due}])
        return number

    def enter(self, order):
        number = self.release(order)
        self.books.change([{"number": number, "status": "planned"}])
        return number

    def change_quantity(self, number, quantity):
        self.books.change([{"number": number, "quantity": str(quantity)}])

    def cancel(self, number):
        self.books.cancel([number])

    def booked(self, number):
        order = self.books.orders[number]
        standing = [one for one in order.postings if not one["voided"] and one["kind"] != "correction"]
        results = [one for one in standing if one["kind"] == "result"]
        last = order.record["operations"][-1]["id"]
        return Booked(
            state=order.status,
            good=total(results, "good", last),
            scrap=total(results, "scrap"),
            serials=tuple(serial for one in results for serial in one["serials"]),
            batches=tuple({one["batch"] for one in results if one.get("batch")}),
            operations=[operation(ident, state, standing) for ident, state in order.states.items()],
            postings=len(order.postings),
        )

    def revoke_credentials(self):
        self.erp.api_key = "another"

    def order_of(self, method, path, body):
        return path.split("/")[2]


def operation(ident, state, standing):
    results = [one for one in standing if one["kind"] == "result" and one["operation"] == ident]
    return BookedOperation(
        ident,
        state,
        total(results, "good"),
        total(results, "scrap"),
        total(results, "rework"),
        None,
        total([one for one in standing if one["kind"] == "time"], "seconds", ident),
        tuple(one["reason"] for one in results if one.get("reason")),
    )


def total(postings, name, operation=None):
    return sum((Decimal(one[name]) for one in postings if operation in (None, one["operation"])), Decimal(0))


SUBJECT = Subject(
    profile="plain_rest",
    simulator=Plain,
    settings=lambda erp: {"base_url": erp.url},
    secrets=lambda erp: {"api_key": "plain-key"},
    enter=lambda erp, order: erp.enter(order),
)
