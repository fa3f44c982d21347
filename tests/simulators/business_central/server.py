"""Business Central online over HTTP: Entra's tokens, limits, companies, pages, and the two ways to post."""

import json
import time
import uuid
from collections import deque
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.simulators.business_central import audit, writes
from tests.simulators.business_central.books import Books
from tests.simulators.business_central.entities import analytics_pages, api_pages, web_services
from tests.simulators.business_central.protocol import (
    error_reply,
    etag,
    json_of,
    match,
    need,
    no_method,
    not_found,
)
from tests.simulators.business_central.tables import AlError
from tests.simulators.entra import Entra
from tests.simulators.harness import Simulator
from tests.simulators.odata import Limits, QueryError, json_v4, parse_path, parse_query, shaped
from tests.simulators.odata_listing import Listing
from tests.simulators.odata_metadata import csdl

SCOPE = "https://api.businesscentral.dynamics.com/.default"
CUSTOM_API = "tascus/manufacturing/v1.0"
ANALYTICS = "microsoft/analytics/v1.0"
ACTION = "Microsoft.NAV."
WINDOW_SECONDS = 300
ONE_FIELD_OR = Limits(frozenset({"in"}), or_across_fields=False)


class BusinessCentral(Simulator):
    """One environment with one company.

    `requests_in_window`: how many requests the caller may make in five minutes before 429. `late_output`: the extension
    lets output be entered on a finished operation without asking.
    """

    def __init__(self, page_size=20_000, requests_in_window=6_000, *, late_output=False):
        super().__init__()
        self.books = Books(late_output=late_output)
        self.entra = Entra(lambda: SCOPE)
        self.environment = "production"
        self.company_id = str(uuid.uuid4())
        self.company_name = "CRONUS"
        self.listing = Listing(page_size, ONE_FIELD_OR, seek=True)
        self.requests_in_window = requests_in_window
        self._asked = deque()
        self._pages = {
            CUSTOM_API: api_pages(self.books),
            ANALYTICS: analytics_pages(self.books),
            "ODataV4": web_services(self.books),
        }
        self._numbers = 0

    @property
    def base(self):
        """The path all services of the environment stand under."""
        return f"/v2.0/{self.entra.tenant}/{self.environment}"

    @property
    def api(self):
        """The path of the custom API pages of the company."""
        return f"{self.base}/api/{CUSTOM_API}/companies({self.company_id})"

    # -- HTTP -----------------------------------------------------------------------------------------------

    async def app(self, scope, receive, send):
        """Answer one request."""
        request = Request(scope, receive)
        body = await request.body()
        try:
            response = self._response(request, body)
        except QueryError as error:
            response = error_reply("BadRequest", str(error), 400)
        except AlError as error:
            response = error_reply(error.code, str(error), error.status)
        await response(scope, receive, send)

    def _response(self, request, body):
        path = request.url.path
        if path.endswith("/oauth2/v2.0/token"):
            return self.entra.answer(path.split("/")[1], body)
        if not self.entra.accepts(request.headers.get("authorization", "")):
            raise AlError(
                "Authentication_InvalidCredentials", "The server has rejected the client credentials.", 401
            )
        self._limit()
        return self._route(request, self._inside(path), body)

    def _limit(self):
        """Count this request into the sliding window of five minutes."""
        moment = time.monotonic()
        while self._asked and self._asked[0] < moment - WINDOW_SECONDS:
            self._asked.popleft()
        if len(self._asked) >= self.requests_in_window:
            raise AlError(
                "Application_TooManyRequests",
                f"Too many requests reached. Actual ({len(self._asked) + 1}). Maximum ({self.requests_in_window}).",
                429,
            )
        self._asked.append(moment)

    def _inside(self, path):
        """Return the path behind the environment; the tenant may be left out of it."""
        path = unquote(path)
        for prefix in (self.base, f"/v2.0/{self.environment}"):
            if path.startswith(prefix + "/"):
                return path.removeprefix(prefix + "/")
        raise not_found(path)

    def _route(self, request, path, body):
        if path.endswith("/$metadata"):
            return self._metadata(path.removesuffix("/$metadata").removeprefix("api/"))
        if path.startswith("ODataV4/"):
            return self._web_service(request, path.removeprefix("ODataV4/"), body)
        for route in (CUSTOM_API, ANALYTICS, "v2.0"):
            if path.startswith(f"api/{route}/"):
                return self._api(request, route, parse_path(path.removeprefix(f"api/{route}/")), body)
        raise not_found(path)

    def _api(self, request, route, segments, body):
        if segments[0].name == "companies" and not segments[0].key:
            return JSONResponse({"value": [self._company()]})
        company = segments[0].only if segments[0].name == "companies" else request.query_params.get("company")
        if company != self.company_id:
            raise AlError("Internal_CompanyNotFound", "The company cannot be found.", 404)
        rest = segments[1:] if segments[0].name == "companies" else segments
        if not rest:
            return JSONResponse(self._company())
        return self._page(request, self._pages.get(route, {}), rest, body)

    def _metadata(self, route):
        if route not in self._pages:
            raise not_found(route)
        sets = {name: page.entity for name, page in self._pages[route].items()}
        return Response(csdl("Microsoft.NAV", sets), media_type="application/xml")

    def _company(self):
        return {"id": self.company_id, "name": self.company_name, "displayName": self.company_name}

    def _web_service(self, request, path, body):
        segments = parse_path(path)
        if segments[0].name == "Company" and segments[0].only == self.company_name:
            segments = segments[1:]
        elif request.query_params.get("company") not in (self.company_name, self.company_id):
            raise AlError("Internal_CompanyNotFound", "The company cannot be found.", 404)
        if segments[0].name == "ProductionPosting_PostOutputJournal":
            if request.method != "POST":
                raise no_method(request.method)
            writes.post_document(self.books, json_of(body))
            return Response(status_code=204)
        return self._page(request, self._pages["ODataV4"], segments, body)

    # -- a page: its rows, one row, an action on it ---------------------------------------------------------------

    def _page(self, request, pages, segments, body):
        first = segments[0]
        if first.name not in pages:
            raise not_found(first.name)
        page = pages[first.name]
        if not first.key:
            return self._collection(request, page, body)
        shown = self._shown(page, first)
        if len(segments) > 1:
            return self._inner(request, page, shown, segments[1], body)
        return self._entity(request, page, shown, body)

    def _collection(self, request, page, body):
        if request.method == "POST":
            need(page, "insert", "POST")
            row = writes.insert(self.books, page, json_of(body))
            return JSONResponse(etag(page.shown(row)) | self._json_of(page, page.shown(row), {}), 201)
        if request.method != "GET":
            raise no_method(request.method)
        options = self._options(request)
        here, prefer = f"{self.url}{request.url.path}", request.headers.get("prefer", "")
        listing = self._listing(request)
        return JSONResponse(listing.body(page.rows(), page.entity, options, here, prefer=prefer, mark=etag))

    def _listing(self, request):
        """`in` is understood from schema version 2.1 on."""
        newer = request.query_params.get("$schemaversion") == "2.1"
        self.listing.limits = Limits(or_across_fields=False) if newer else ONE_FIELD_OR
        return self.listing

    def _options(self, request):
        return {name: value for name, value in request.query_params.items() if name != "$schemaversion"}

    def _shown(self, page, segment):
        """Return the row a key names; an API page's key stands without its name."""
        wanted = {name or page.entity.keys[0]: part.value for name, part in segment.key.items()}
        if set(wanted) != set(page.entity.keys):
            raise AlError("BadRequest_NotFound", "Bad Request - Error in query syntax", 404)
        for row in page.rows():
            if all(row[name] == value for name, value in wanted.items()):
                return row
        raise AlError("BadRequest_NotFound", "The record cannot be found.", 404)

    def _entity(self, request, page, shown, body):
        if request.method == "GET":
            return JSONResponse(etag(shown) | self._json_of(page, shown, self._options(request)))
        if request.method == "PATCH":
            need(page, "modify", "PATCH")
            match(request, shown)
            row = writes.modify(self.books, page, page.row_of(shown), json_of(body))
            return JSONResponse(etag(page.shown(row)) | self._json_of(page, page.shown(row), {}))
        if request.method == "DELETE":
            need(page, "delete", "DELETE")
            page.table.delete(page.row_of(shown))
            return Response(status_code=204)
        raise no_method(request.method)

    def _json_of(self, page, shown, options):
        return json_v4(shaped(shown, page.entity, parse_query(options, page.entity, 4, ONE_FIELD_OR)))

    def _inner(self, request, page, shown, segment, body):
        """Answer an action on a row, or the rows a navigation leads to."""
        if segment.name.startswith(ACTION):
            if request.method != "POST":
                raise no_method(request.method)
            action = segment.name.removeprefix(ACTION)
            writes.act(self.books, page, page.row_of(shown), action, json_of(body) if body else {})
            return Response(status_code=204)
        if segment.name not in page.entity.navigation:
            raise not_found(segment.name)
        target, follow = page.entity.navigation[segment.name]
        here = f"{self.url}{request.url.path}"
        return JSONResponse(self.listing.body(follow(shown), target, self._options(request), here, mark=etag))

    # -- the planner and the auditor -----------------------------------------------------------------------------

    def expire_credentials(self):
        """Make every token handed out so far worthless."""
        self.entra.expire()

    def revoke_credentials(self):
        """Withdraw the client secret."""
        self.entra.revoke()

    def release(self, order):
        """Enter and release a production order."""
        self._numbers += 1
        number = f"10{self._numbers:04d}"
        self.books.release(number, order)
        return number

    def change_quantity(self, number, quantity):
        """Change a released order's quantity, started or not."""
        self.books.change_quantity(number, quantity)

    def cancel(self, number):
        """Delete an order nothing is posted to; finish one that has entries: there is no cancelled status."""
        posted = self.books.capacity.where(order=number)
        self.books.finish(number) if posted else self.books.delete(number)

    def order_of(self, method, path, body):
        """Name the order a journal line is for."""
        try:
            found = json.loads(body)
            return str(found.get("orderNo") or found.get("Order_No") or "")
        except (ValueError, AttributeError):
            return ""

    def booked(self, number):
        """Return what the ledgers say."""
        return audit.booked(self.books, number)
