"""Dynamics 365 SCM over HTTP: Entra's tokens, /data for reading, SendMessage for reporting."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.simulators.d365_scm.books import SECONDS_PER_HOUR, Books, Operation, Order
from tests.simulators.d365_scm.entities import SPACE, Entities
from tests.simulators.d365_scm.messages import QUEUE, Processor
from tests.simulators.entra import Entra
from tests.simulators.harness import ZERO, Booked, BookedOperation, Simulator
from tests.simulators.odata import Limits, QueryError, json_v4, parse_path, parse_query, shaped
from tests.simulators.odata_listing import Listing
from tests.simulators.odata_metadata import csdl

SEND_MESSAGE = "/api/services/SysMessageServices/SysMessageService/SendMessage"
ENVELOPE = ("_companyId", "_messageQueue", "_messageType", "_messageContent")
LIMITS = Limits(frozenset({"in", "contains", "startswith", "endswith"}), enum_order=False)
INVALID = "The query specified in the URI is not valid. "


class D365Scm(Simulator):
    """One environment with three companies; the integration's user belongs to `default_company`.

    Messages wait until the batch job runs: call `process_messages()`, or `settle()` to let it run until nothing is
    queued, or set `runs_after_reads` to a number N to have it run after every Nth read, as a scheduled job would.
    """

    def __init__(self, page_size=10_000, default_company="dat", company="usmf", runs_after_reads=0):
        super().__init__()
        self.books = Books()
        self.processor = Processor(self.books)
        self.entities = Entities(self.books)
        self.entra = Entra(lambda: f"{self.url}/.default")
        self.listing = Listing(page_size, LIMITS)
        self.company = company
        self.default_company = default_company
        self.runs_after_reads = runs_after_reads
        self._reads = 0
        self._throttled = [0, 0]

    # -- HTTP -----------------------------------------------------------------------------------------------

    async def app(self, scope, receive, send):
        """Answer one request."""
        request = Request(scope, receive)
        body = await request.body()
        await self._response(request, body)(scope, receive, send)

    def _response(self, request, body):
        path = request.url.path
        if path.endswith("/oauth2/v2.0/token"):
            return self.entra.answer(path.split("/")[1], body)
        if not self.entra.accepts(request.headers.get("authorization", "")):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        if self._throttled[0]:
            self._throttled[0] -= 1
            return Response(status_code=429, headers={"Retry-After": str(self._throttled[1])})
        if path == SEND_MESSAGE:
            return self._send_message(request, body)
        return self._read(request) if path.startswith("/data/") else _no_resource(request)

    def _send_message(self, request, body):
        """Queue a message. Only the envelope can be refused here: the content is looked at when it is processed."""
        if request.method != "POST":
            return _no_resource(request, 405)
        try:
            envelope = json.loads(body)
            values = [envelope[name] for name in ENVELOPE]
        except (ValueError, KeyError, TypeError) as error:
            return _failed(f"The parameter is missing or cannot be read: {error}")
        if not all(isinstance(value, str) for value in values):
            return _failed("The value is not a string.")
        company, queue, kind, content = values
        if company.lower() not in self.books.companies:
            return _failed(f"Company {company} does not exist.")
        if queue != QUEUE:
            return _failed(f"Message queue {queue} does not exist.")
        self.processor.queue(company.lower(), kind, content)
        return Response(status_code=200)

    def _read(self, request):
        if request.method != "GET":
            return _no_resource(request, 405)
        if request.url.path == "/data/$metadata":
            sets = {name: entity for name, (entity, _) in self.entities.sets.items()}
            return Response(csdl(SPACE, sets), media_type="application/xml")
        try:
            response = self._read_set(request)
        except QueryError as error:
            response = _bad_query(str(error))
        self._count_read()
        return response

    def _read_set(self, request):
        segment = parse_path(request.url.path.removeprefix("/data/"))[0]
        if segment.name not in self.entities.sets:
            return _no_resource(request)
        entity, rows = self.entities.sets[segment.name]
        options = dict(request.query_params)
        seen = self._seen(rows(), options)
        if segment.key:
            return self._one(segment, entity, seen, options)
        here = f"{self.url}{request.url.path}"
        prefer = request.headers.get("prefer", "")
        return JSONResponse(self.listing.body(seen, entity, options, here, prefer=prefer, mark=_etag))

    def _seen(self, rows, options):
        """Without `cross-company=true` a user sees only the company they belong to."""
        if options.get("cross-company", "").lower() == "true":
            return rows
        return [row for row in rows if row["dataAreaId"] == self.default_company]

    def _one(self, segment, entity, rows, options):
        if set(segment.key) != set(entity.keys):
            raise QueryError("All fields of the entity key must be provided.")
        wanted = {name: part.value for name, part in segment.key.items()}
        for row in rows:
            if all(row[name] == value for name, value in wanted.items()):
                body = shaped(row, entity, parse_query(options, entity, 4, LIMITS))
                return JSONResponse(_etag(row) | json_v4(body))
        return Response(status_code=404)

    def _count_read(self):
        self._reads += 1
        if self.runs_after_reads and self._reads % self.runs_after_reads == 0:
            self.process_messages()

    # -- the batch job, and what an administrator may do --------------------------------------------------------

    def process_messages(self, runs=1):
        """Let the message processor's batch job run; each run gives every order's oldest message one try."""
        for _ in range(runs):
            self.processor.run()

    def settle(self):
        """Let the batch job run until no message is queued."""
        while self.processor.waiting():
            self.processor.run()

    def throttle(self, times, retry_after):
        """Answer the next `times` requests 429 with Retry-After seconds, as priority-based throttling does."""
        self._throttled = [times, retry_after]

    def expire_credentials(self):
        """Make every token handed out so far worthless."""
        self.entra.expire()

    def revoke_credentials(self):
        """Withdraw the client secret."""
        self.entra.revoke()

    def order_of(self, method, path, body):
        """Name the order a message is about."""
        try:
            return json.loads(json.loads(body)["_messageContent"])["ProductionOrderNumber"]
        except (ValueError, KeyError, TypeError):
            return ""

    # -- the planner and the auditor -----------------------------------------------------------------------------

    def release(self, order, company=""):
        """Enter and release a production order; operation identifiers must be whole numbers (10, 20, …)."""
        number = f"P{len(self.books.orders) + 1:06d}"
        operations = [_planned(order, at) for at in range(len(order.operations))]
        due = datetime.fromisoformat(order.due).replace(tzinfo=UTC)
        entered = Order(
            company or self.company,
            number,
            order.part,
            order.quantity,
            due,
            operations,
            order.serials,
            order.batch,
            order.unit,
        )
        self.books.add(entered)
        self.books.release(entered)
        return number

    def change_quantity(self, number, quantity):
        """Re-plan an order."""
        self.books.change_quantity(self.books.order(self.company, number), quantity)

    def cancel(self, number):
        """Delete an untouched order, end a started one: there is no cancelled status."""
        self.books.cancel(self.books.order(self.company, number))

    def booked(self, number):
        """Return what the journals say; an operation's figures come from route cards, the order's from reports."""
        order = self.books.orders.get((self.company, number))
        if order is None:
            return Booked(state="cancelled")
        return Booked(
            _state(order),
            sum((report.good for report in order.reports), ZERO),
            sum((report.error for report in order.reports), ZERO),
            tuple(report.serial for report in order.reports if report.serial),
            tuple(dict.fromkeys(report.batch for report in order.reports if report.batch)),
            [_booked(order, operation) for operation in order.operations],
            len(order.reports) + len(order.cards),
        )


def _state(order):
    """Reported as finished counts as completed once the job is ended: more may be reported until then."""
    if order.status == "Completed" or (order.status == "ReportedFinished" and order.ended_job):
        return "completed"
    return "started" if order.status in ("StartedUp", "ReportedFinished") else "released"


def _planned(order, at):
    planned, following = order.operations[at], order.operations[at + 1 : at + 2]
    if not planned.ident.isdigit():
        raise ValueError(f"OperationNumber is an Edm.Int32; {planned.ident!r} is not a whole number")
    return Operation(
        int(planned.ident),
        planned.name[:10],
        planned.work_centre,
        (planned.setup_seconds or ZERO) / SECONDS_PER_HOUR,
        (planned.run_seconds or ZERO) / SECONDS_PER_HOUR,
        int(following[0].ident) if following else 0,
    )


def _booked(order, operation):
    cards = [card for card in order.cards if card.operation == operation.number]
    started = "running" if operation.started else "pending"
    return BookedOperation(
        str(operation.number),
        "completed" if operation.completed else started,
        sum((card.good for card in cards), ZERO),
        sum((card.error for card in cards), ZERO),
        None,
        _seconds(cards, "Setup"),
        _seconds(cards, "Process"),
        tuple(dict.fromkeys(card.cause for card in cards if card.cause != "None")),
    )


def _seconds(cards, task):
    return sum((Decimal(card.hours) * SECONDS_PER_HOUR for card in cards if card.task == task), ZERO)


# -- replies ------------------------------------------------------------------------------------------------------


def _etag(row):
    digest = hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).hexdigest()[:12]
    return {"@odata.etag": f'W/"{digest}"'}


def _bad_query(why):
    inner = {"message": why, "type": "Microsoft.OData.ODataException", "stacktrace": ""}
    return JSONResponse({"error": {"code": "", "message": INVALID + why, "innererror": inner}}, 400)


def _failed(why):
    """Say what a JSON custom service says when its operation throws: status 500, whoever is at fault."""
    message = f"An exception occured when invoking the operation - {why}"
    return JSONResponse(
        {"Message": message, "ExceptionType": "InvalidOperationException", "ActivityId": ""}, 500
    )


def _no_resource(request, status=404):
    message = f"No HTTP resource was found that matches the request URI '{request.url}'."
    return JSONResponse({"Message": message}, status)
