"""The HTTP face: SAP Gateway with two OData V2 services. It knows HTTP and JSON, the books know production."""

import json
import time
import uuid
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.responses import JSONResponse, Response

from tests.simulators.odata import QueryError, chosen_rows, paged, parse_path, parse_query
from tests.simulators.sap import fields
from tests.simulators.sap.errors import RefusedError, business, not_found
from tests.simulators.sap.functions import FUNCTIONS, parameters_of
from tests.simulators.sap.metadata import edmx
from tests.simulators.sap.payload import entity_json, read_confirmation

ROOT = "/sap/opu/odata/sap/"
ORDER_SERVICE, CONFIRMATION_SERVICE = "API_PRODUCTION_ORDER_2_SRV", "API_PROD_ORDER_CONFIRMATION_2_SRV"
SERVICES = {
    ORDER_SERVICE: (
        "A_ProductionOrder_2",
        "A_ProductionOrderOperation_2",
        "A_ProductionOrderItem_2",
        "A_ProductionOrderStatus_2",
    ),
    CONFIRMATION_SERVICE: ("ProdnOrdConf2", "ProdnOrdConfMatlDocItm"),
}
READ = ("GET", "HEAD")


class Gateway:
    """Answers one request; `in_use(order)` tells whether another write on the order is still under way."""

    def __init__(self, sessions, views, confirming, numbers, page_size, in_use):
        self.sessions, self.views, self.confirming = sessions, views, confirming
        self.numbers, self.page_size, self.in_use = numbers, page_size, in_use

    async def answer(self, request):
        """Return the response: log-in first, then the token of a write, then the request itself."""
        if not self.sessions.may_enter(request):
            return _unauthorised()
        if request.method not in READ and not self.sessions.guarded(request):
            return _token_required()
        try:
            response = await self._served(request)
        except RefusedError as refused:
            return _error(refused, self._service_of(request))
        except QueryError as refused:
            return _error(RefusedError(400, "/IWBEP/CM_MGW_RT/000", str(refused)), self._service_of(request))
        if request.headers.get("x-csrf-token", "").lower() == "fetch" and request.method in READ:
            self.sessions.open(request, response)
        return response

    async def _served(self, request):
        service, rest = self._cut(request.url.path)
        if rest == "":
            return _json({"EntitySets": list(SERVICES[service])})
        if rest == "$metadata":
            return self._metadata(service)
        if rest in FUNCTIONS and service == CONFIRMATION_SERVICE:
            return self._called(request, rest)
        return await self._entities(request, service, parse_path(rest, 2))

    def _cut(self, path):
        inside = path[len(ROOT) :] if path.lower().startswith(ROOT) else ""
        service, _, rest = inside.partition("/")
        if service not in SERVICES:
            raise RefusedError(403, "/IWFND/MED/170", f"No service found for namespace '', name '{service}'")
        return service, rest.rstrip("/")

    def _service_of(self, request):
        return request.url.path.lower().removeprefix(ROOT).split("/")[0].upper()

    def _metadata(self, service):
        types = {name: self.views.types[name] for name in SERVICES[service]}
        functions = FUNCTIONS if service == CONFIRMATION_SERVICE else {}
        return Response(edmx(service, types, functions), media_type="application/xml")

    # -- entities -------------------------------------------------------------------------------------------

    async def _entities(self, request, service, segments):
        name = segments[0].name
        if name not in SERVICES[service]:
            raise not_found(name)
        if request.method == "POST" and len(segments) == 1 and name == "ProdnOrdConf2":
            return await self._confirmed(request)
        if request.method not in READ:
            raise RefusedError(
                405, "/IWFND/CM_MGW/096", f"Method {request.method} not allowed for entity set {name}"
            )
        options = _options(request)
        if "$filter" in options:
            options["$filter"] = self.numbers.filter(options["$filter"])
        if not segments[0].key:
            counting = len(segments) == 2 and segments[1].name == "$count"
            return self._collection(request, service, name, self.views.rows(name), options, counting)
        return self._one(request, service, name, segments, options)

    def _one(self, request, service, name, segments, options):
        row = self._row(name, segments[0])
        if len(segments) == 1:
            query = parse_query(options, self.views.types[name], 2)
            return self._render(request, self._entity(service, name, row, query))
        navigation = self.views.types[name].navigation.get(segments[1].name)
        if navigation is None:
            raise not_found(segments[1].name)
        target, follow = navigation
        counting = len(segments) == 3 and segments[2].name == "$count"
        return self._collection(request, service, target.name, follow(row), options, counting)

    def _row(self, name, segment):
        keys = self.views.types[name].keys
        given = {
            key or keys[0]: self.numbers.inside(key or keys[0], found.value)
            for key, found in segment.key.items()
        }
        if set(given) != set(keys):
            raise business("/IWBEP/CM_MGW_RT/022", f"Invalid key predicate for {name}")
        rows = [row for row in self.views.rows(name) if all(row[key] == given[key] for key in keys)]
        if not rows:
            raise not_found(f"{name}Type")
        return rows[0]

    def _collection(self, request, service, name, rows, options, counting):
        entity = self.views.types[name]
        query = parse_query(options, entity, 2)
        chosen = chosen_rows(rows, query, entity.keys)
        if counting:
            return Response(str(len(chosen)), media_type="text/plain")
        start = int(query.skip_token or 0)
        page, following = paged(chosen, query, self.page_size, start)
        body = {"results": [self._entity(service, name, row, query) for row in page]}
        if query.count:
            body["__count"] = str(len(chosen))
        if following is not None:
            body["__next"] = str(request.url.include_query_params(**{"$skiptoken": following}))
        return self._render(request, body)

    def _entity(self, service, name, row, query):
        return entity_json(self._root(service), self.views.types[name], row, query, self.numbers)

    def _root(self, service):
        return f"{self.base}{ROOT}{service}"

    def _render(self, request, body):
        """JSON only where it is asked for; otherwise Atom, as the gateway's default is."""
        wanted = request.query_params.get("$format") == "json" or "json" in request.headers.get("accept", "")
        if wanted:
            return _json(body)
        feed = f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">{escape(json.dumps(body))}</feed>'
        return Response(feed, media_type="application/atom+xml")

    # -- writes ---------------------------------------------------------------------------------------------

    async def _confirmed(self, request):
        given, items = read_confirmation(await request.body(), self.numbers)
        row = self.confirming.confirm(given, items, in_use=self.in_use(given.get("OrderID", "")))
        return self._booked(row)

    def _booked(self, row, status=201):
        shown = self._find_confirmation(row)
        query = parse_query({}, self.views.types["ProdnOrdConf2"], 2)
        body = self._entity(CONFIRMATION_SERVICE, "ProdnOrdConf2", shown, query)
        response = _json(body, status)
        response.headers["location"] = body["__metadata"]["uri"]
        return response

    def _find_confirmation(self, row):
        keys = ("ConfirmationGroup", "ConfirmationCount")
        return next(
            one for one in self.views.rows("ProdnOrdConf2") if all(one[key] == row[key] for key in keys)
        )

    def _called(self, request, name):
        if request.method != "POST":
            raise RefusedError(405, "/IWFND/CM_MGW/095", f"Function import {name} needs method POST")
        given = parameters_of(name, _options(request), self.numbers)
        if name == "GetConfProposal":
            return self._proposed(given)
        group, count = given.pop("ConfirmationGroup"), given.pop("ConfirmationCount")
        order = next((row["OrderID"] for row in self.confirming.books.of_group(group)), "")
        return self._booked(self.confirming.reverse(group, count, given, in_use=self.in_use(order)), 200)

    def _proposed(self, given):
        row = self.confirming.propose(given)
        query = parse_query({}, self.views.types["ProdnOrdConf2"], 2)
        entity = self.views.types["ProdnOrdConf2"]
        body = entity_json("", entity, {name: row[name] for name in fields.CONFIRMATION}, query, self.numbers)
        kept = {name: value for name, value in body.items() if name in fields.CONFIRMATION}
        return _json({"GetConfProposal": kept})

    base = ""


def _options(request):
    return {name: values[-1] for name, values in parse_qs(request.url.query, keep_blank_values=True).items()}


def _json(body, status=200):
    return JSONResponse({"d": body}, status, headers={"dataserviceversion": "2.0"})


def _unauthorised():
    body = "<html><head><title>Logon Error Message</title></head><body>Anmeldung fehlgeschlagen</body></html>"
    challenge = {"www-authenticate": 'Basic realm="SAP NetWeaver Application Server [S4H/100]"'}
    return Response(body, 401, media_type="text/html", headers=challenge)


def _token_required():
    headers = {"x-csrf-token": "Required"}
    return Response("CSRF token validation failed", 403, media_type="text/plain", headers=headers)


def _error(refused, service):
    detail = {
        "code": refused.code,
        "message": refused.text,
        "propertyref": refused.target,
        "severity": "error",
    }
    body = {
        "code": refused.code,
        "message": {"lang": "en", "value": refused.text},
        "innererror": {
            "application": {
                "component_id": "PP-SFC",
                "service_namespace": "/SAP/",
                "service_id": service,
                "service_version": "0001",
            },
            "transactionid": uuid.uuid4().hex.upper(),
            "timestamp": time.strftime("%Y%m%d%H%M%S.0000000"),
            "Error_Resolution": {"SAP_Transaction": "", "SAP_Note": ""},
            "errordetails": [detail],
        },
    }
    return JSONResponse({"error": body}, refused.status)
