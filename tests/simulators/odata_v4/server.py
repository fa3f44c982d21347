"""The plain service over HTTP, as the OData V4 standard words it. Rules and their sections: RULES.md here."""

import base64
import json
import secrets
from datetime import date
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.simulators.harness import Booked, BookedOperation, Simulator
from tests.simulators.odata import QueryError, json_v4, parse_path, parse_query, shaped
from tests.simulators.odata_listing import Listing
from tests.simulators.odata_metadata import csdl
from tests.simulators.odata_v4.books import Books, Operation, Order, RuleError
from tests.simulators.odata_v4.entities import Entities, report_of, report_row

ROOT = "/odata/v4/"
ORDER_ACTIONS = {"Shop.Start": "Started", "Shop.Complete": "Completed"}
OPERATION_ACTIONS = {"Shop.Start": "Running", "Shop.Pause": "Paused", "Shop.Complete": "Completed"}
STATES = {"Released": "released", "Started": "started", "Completed": "completed", "Cancelled": "cancelled"}
OPERATION_STATES = {"Waiting": "pending", "Running": "running", "Paused": "paused", "Completed": "completed"}


class ODataV4(Simulator):
    """One service; sign in with Basic (`user`, `password`), or with a bearer token from POST /token."""

    def __init__(self, page_size=50):
        super().__init__()
        self.books = Books()
        self.entities = Entities(self.books)
        self.listing = Listing(page_size, seek=True)
        self.user, self.password = "tascus", "secret-of-the-simulator"
        self.tokens = set()

    # -- HTTP -----------------------------------------------------------------------------------------------

    async def app(self, scope, receive, send):
        """Answer one request; every answer says which version of OData it is in."""
        request = Request(scope, receive)
        body = await request.body()
        try:
            response = self._response(request, body)
        except QueryError as error:
            response = _error(400, "BadQuery", str(error))
        except RuleError as error:
            response = _error(error.status, error.code, str(error), error.target)
        response.headers["OData-Version"] = "4.0"
        await response(scope, receive, send)

    def _response(self, request, body):
        path = request.url.path
        if path == "/token":
            return self._token(request)
        if not self._signed_in(request.headers.get("authorization", "")):
            response = _error(401, "Unauthorized", "Sign in first.")
            response.headers["WWW-Authenticate"] = 'Basic realm="shop"'
            return response
        if path == f"{ROOT}$metadata":
            return Response(csdl("Shop", self.entities.sets), media_type="application/xml")
        if not path.startswith(ROOT):
            raise _nothing_at(path)
        return self._resource(request, parse_path(path.removeprefix(ROOT)), body)

    def _token(self, request):
        if request.headers.get("authorization") != self._basic():
            return JSONResponse({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _basic(self):
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def _signed_in(self, authorization):
        scheme, _, token = authorization.partition(" ")
        return authorization == self._basic() or (scheme == "Bearer" and token in self.tokens)

    # -- resources ------------------------------------------------------------------------------------------------

    def _resource(self, request, segments, body):
        if not segments:
            sets = [{"name": name, "kind": "EntitySet", "url": name} for name in self.entities.sets]
            return JSONResponse({"@odata.context": f"{self.url}{ROOT}$metadata", "value": sets})
        first, *rest = segments
        if first.name not in self.entities.sets:
            raise _nothing_at(first.name)
        if not first.key:
            return self._collection(request, first.name, body)
        row = self._row(first)
        if rest:
            return self._inner(request, first.name, row, rest[0].name)
        return self._entity(request, first.name, row, body)

    def _collection(self, request, name, body):
        if request.method == "POST" and name == "Reports":
            return self._create_report(request, body)
        if request.method != "GET":
            raise RuleError(405, "MethodNotAllowed", f"{request.method} is not allowed on {name}.")
        return self._list(request, self.entities.rows(name), self.entities.sets[name])

    def _list(self, request, rows, entity):
        here, prefer = f"{self.url}{request.url.path}", request.headers.get("prefer", "")
        options = dict(request.query_params)
        return JSONResponse(self.listing.body(rows, entity, options, here, prefer=prefer, mark=_etag))

    def _row(self, segment):
        entity = self.entities.sets[segment.name]
        wanted = {name or entity.keys[0]: part.value for name, part in segment.key.items()}
        if set(wanted) != set(entity.keys):
            raise QueryError(f"The key of {entity.name} is {', '.join(entity.keys)}.")
        for row in self.entities.rows(segment.name):
            if all(row[name] == value for name, value in wanted.items()):
                return row
        raise _nothing_at(segment.name)

    def _entity(self, request, name, row, body):
        if request.method == "GET":
            if request.headers.get("if-none-match") == _etag(row)["@odata.etag"]:
                return Response(status_code=304)
            return self._one(name, row, dict(request.query_params))
        if request.method == "PATCH" and name == "Orders":
            _match(request, row)
            return self._change_order(row, _json(request, body))
        raise RuleError(405, "MethodNotAllowed", f"{request.method} is not allowed on one of {name}.")

    def _one(self, name, row, options, status=200):
        entity = self.entities.sets[name]
        found = json_v4(shaped(row, entity, parse_query(options, entity)))
        tag = _etag(row)
        return JSONResponse(tag | found, status, {"ETag": tag["@odata.etag"]})

    def _inner(self, request, name, row, inner):
        entity = self.entities.sets[name]
        if inner in entity.navigation and request.method == "GET":
            target, follow = entity.navigation[inner]
            return self._list(request, follow(row), target)
        if request.method != "POST":
            raise _nothing_at(inner)
        if "if-match" in request.headers:
            _match(request, row)
        self._act(name, row, inner)
        return Response(status_code=204)

    # -- changes ------------------------------------------------------------------------------------------------

    def _act(self, name, row, action):
        """Invoke a bound action."""
        if name == "Orders" and action in ORDER_ACTIONS:
            self.books.move_order(self.books.orders[row["Number"]], ORDER_ACTIONS[action])
        elif name == "Operations" and action in OPERATION_ACTIONS:
            found = self.books.operation(row["OrderNumber"], row["Sequence"])
            self.books.move_operation(*found, OPERATION_ACTIONS[action])
        elif name == "Reports" and action == "Shop.Reverse":
            self.books.reverse(self.books.reports[row["Id"] - 1])
        else:
            raise _nothing_at(action)

    def _change_order(self, row, body):
        order = self.books.orders[row["Number"]]
        if set(body) != {"Quantity"} or not isinstance(body["Quantity"], int | Decimal):
            raise RuleError(400, "NotWritable", "Quantity, a number, is what can be changed.")
        order.quantity = Decimal(body["Quantity"])
        order.touch()
        return self._one("Orders", self.entities.order_row(order), {})

    def _create_report(self, request, body):
        report = self.books.report(report_of(_json(request, body)))
        where = {"Location": f"{self.url}{ROOT}Reports({report.ident})"}
        if "return=minimal" in request.headers.get("prefer", ""):
            minimal = {"OData-EntityId": where["Location"], "Preference-Applied": "return=minimal"}
            return Response(status_code=204, headers=where | minimal)
        response = self._one("Reports", report_row(report), {}, 201)
        response.headers["Location"] = where["Location"]
        return response

    # -- the planner and the auditor -----------------------------------------------------------------------------

    def expire_credentials(self):
        """Make every token handed out so far worthless."""
        self.tokens.clear()

    def revoke_credentials(self):
        """Change the password, and take back the tokens."""
        self.password = secrets.token_urlsafe(12)
        self.tokens.clear()

    def release(self, order):
        """Enter and release an order."""
        number = f"W-{len(self.books.orders) + 1:05d}"
        operations = [
            Operation(found.ident, found.name, found.work_centre, found.setup_seconds, found.run_seconds)
            for found in order.operations
        ]
        due = date.fromisoformat(order.due)
        self.books.orders[number] = Order(
            number, order.part, order.quantity, order.unit, due, order.serials, order.batch, operations
        )
        return number

    def change_quantity(self, number, quantity):
        """Change an order's quantity."""
        order = self.books.orders[number]
        order.quantity = quantity
        order.touch()

    def cancel(self, number):
        """Cancel an order; it stays readable."""
        order = self.books.orders[number]
        order.state = "Cancelled"
        order.touch()

    def order_of(self, method, path, body):
        """Name the order a report or an action is about."""
        try:
            return str(json.loads(body).get("OrderNumber", ""))
        except (ValueError, AttributeError):
            return path.split("'")[1] if "'" in path else ""

    def booked(self, number):
        """Return what the shop's own books say."""
        order = self.books.orders[number]
        reports = [report for report in self.books.active() if report.order == number]
        return Booked(
            STATES[order.state],
            self.books.total(number, "good", order.operations[-1].sequence),
            self.books.total(number, "scrap"),
            tuple(serial for report in reports for serial in report.serials),
            tuple(dict.fromkeys(report.batch for report in reports if report.batch)),
            [self._booked(number, operation) for operation in order.operations],
            sum(report.order == number for report in self.books.reports),
        )

    def _booked(self, number, operation):
        mine = [
            report
            for report in self.books.active()
            if (report.order, report.sequence) == (number, operation.sequence)
        ]
        totals = [
            self.books.total(number, name, operation.sequence)
            for name in ("good", "scrap", "rework", "setup", "run")
        ]
        reasons = tuple(dict.fromkeys(report.reason for report in mine if report.reason))
        return BookedOperation(operation.sequence, OPERATION_STATES[operation.state], *totals, reasons)


# -- replies and requests -----------------------------------------------------------------------------------------


def _error(status, code, text, target=""):
    error = {"code": code, "message": text} | ({"target": target} if target else {})
    return JSONResponse({"error": error}, status)


def _nothing_at(name):
    return RuleError(404, "NotFound", f"There is nothing at '{name}'.")


def _etag(row):
    return {"@odata.etag": f'W/"{row["version"]}"'}


def _match(request, row):
    """A change says which version it changes: none said 428, another version 412."""
    wanted = request.headers.get("if-match")
    if not wanted:
        raise RuleError(428, "PreconditionRequired", "Say which version you change: If-Match.")
    if wanted not in ("*", _etag(row)["@odata.etag"]):
        raise RuleError(412, "PreconditionFailed", "The version you change is not the present one.")


def _json(request, body):
    if "json" not in request.headers.get("content-type", ""):
        raise RuleError(415, "UnsupportedMediaType", "Send application/json.")
    try:
        found = json.loads(body, parse_float=Decimal)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RuleError(400, "BadBody", "The body is not a JSON object.")
    return {name: value for name, value in found.items() if not name.startswith("@")}
