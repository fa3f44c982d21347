"""The HTTP face: entity sets by OData V4, business-object methods by POST."""

import base64
import json
import re
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from tests.simulators.epicor import fields
from tests.simulators.epicor.errors import NOT_FOUND, ODATA, REST, RefusedError
from tests.simulators.epicor.methods import METHODS
from tests.simulators.odata import (
    EntityType,
    QueryError,
    chosen_rows,
    paged,
    parse_path,
    parse_query,
    shaped,
    split_outside,
)

DEFAULT_PAGE = 100


class Service:
    """Answers one request for a company."""

    def __init__(self, books, labor, user, password, api_key):
        self.books, self.labor = books, labor
        self.user, self.password, self.api_key = user, password, api_key
        self.root = f"/api/v2/odata/{books.company}/"
        self.sets = self._entity_sets()

    async def answer(self, request):
        """Return the response."""
        try:
            self._enter(request)
            return await self._routed(request)
        except RefusedError as refused:
            return JSONResponse(refused.body(), refused.status)
        except QueryError as refused:
            return JSONResponse(RefusedError(400, ODATA, str(refused)).body(), 400)

    def _enter(self, request):
        key = request.headers.get("x-api-key") or request.query_params.get("api-key")
        if request.headers.get("authorization") != self._basic() or key != self.api_key:
            raise RefusedError(401, REST, "Authorization has been denied for this request.")

    def _basic(self):
        return basic(self.user, self.password)

    async def _routed(self, request):
        if not request.url.path.startswith(self.root):
            raise RefusedError(
                404, REST, f"No resource {request.url.path}. Check the company and the version."
            )
        service, _, rest = request.url.path.removeprefix(self.root).partition("/")
        if (service, rest) in METHODS:
            return self._called(service, rest, await _parameters(request))
        segments = parse_path(self._named_keys(service, rest))
        if not segments or (service, segments[0].name) not in self.sets:
            raise RefusedError(404, REST, f"Resource not found for the segment '{rest}'.")
        if request.method != "GET":
            raise RefusedError(405, REST, f"{request.method} is not allowed here.")
        return self._read(request, service, segments)

    # -- methods --------------------------------------------------------------------------------------------

    def _called(self, service, name, given):
        needed, call = METHODS[service, name]
        for parameter in needed:
            if parameter not in given:
                raise RefusedError(400, REST, f"Parameter {parameter} is not found in the input object")
        returned, out = call(self.labor, given)
        body = {"returnObj": returned} if returned is not None else {}
        return JSONResponse(_json({**body, "parameters": out}))

    # -- entity sets ----------------------------------------------------------------------------------------

    def _entity_sets(self):
        opers = EntityType(
            "Erp.Tablesets.JobOperRow", ("Company", "JobNum", "AssemblySeq", "OprSeq"), fields.JOB_OPER
        )
        asmbls = EntityType(
            "Erp.Tablesets.JobAsmblRow", ("Company", "JobNum", "AssemblySeq"), fields.JOB_ASMBL
        )
        heads = EntityType("Erp.Tablesets.JobHeadRow", ("Company", "JobNum"), fields.JOB_HEAD)
        details = EntityType(
            "Erp.Tablesets.LaborDtlRow", ("Company", "LaborHedSeq", "LaborDtlSeq"), fields.LABOR_DTL
        )
        labors = EntityType("Erp.Tablesets.LaborHedRow", ("Company", "LaborHedSeq"), fields.LABOR_HED)
        reasons = EntityType(
            "Erp.Tablesets.ReasonRow", ("Company", "ReasonType", "ReasonCode"), fields.REASON
        )
        heads.navigation["JobAsmbls"] = (asmbls, _children(self.books.assemblies, "JobNum"))
        asmbls.navigation["JobOpers"] = (
            opers,
            _children(lambda: self.books.operations, "JobNum", "AssemblySeq"),
        )
        labors.navigation["LaborDtls"] = (details, _children(self.books.details.values, "LaborHedSeq"))
        job, labor = "Erp.BO.JobEntrySvc", "Erp.BO.LaborSvc"
        return {
            (job, "JobEntries"): (heads, self.books.jobs.values),
            (job, "JobAsmbls"): (asmbls, self.books.assemblies),
            (job, "JobOpers"): (opers, lambda: self.books.operations),
            (labor, "Labors"): (labors, self.books.headers.values),
            (labor, "LaborDtls"): (details, self.books.details.values),
            ("Erp.BO.ReasonSvc", "Reasons"): (reasons, lambda: self.books.reasons),
        }

    def _read(self, request, service, segments):
        entity, rows_of = self.sets[service, segments[0].name]
        rows = list(rows_of())
        for segment, following in zip(segments, [*segments[1:], None], strict=True):
            if segment.key:
                rows = [self._one(entity, rows, segment)]
            if following and following.name == "$count":
                return Response(str(len(rows)), media_type="text/plain")
            if following:
                entity, rows = self._followed(entity, rows, following)
        if segments[-1].key:
            query = parse_query(_options(request), entity)
            return JSONResponse(_json(shaped(rows[0], entity, query)))
        return self._list(request, entity, rows)

    def _one(self, entity, rows, segment):
        given = {name: found.value for name, found in segment.key.items()}
        found = [
            row
            for row in rows
            if set(given) == set(entity.keys) and all(row[k] == v for k, v in given.items())
        ]
        if not found:
            raise RefusedError(404, NOT_FOUND, "Record not found.")
        return found[0]

    def _named_keys(self, service, rest):
        """Kinetic takes the parts of a key by their order: JobEntries('EPIC06','J1') is (Company=…,JobNum=…)."""
        name, bracket, tail = rest.partition("(")
        inside, closing, after = tail.partition(")")
        if not bracket or not closing or (service, name) not in self.sets or re.match(r"\w+=", inside):
            return rest
        keys = self.sets[service, name][0].keys
        parts = zip(keys, split_outside(inside, ","), strict=False)
        return f"{name}({','.join(f'{key}={value}' for key, value in parts)}){after}"

    def _followed(self, entity, rows, segment):
        if segment.name not in entity.navigation:
            raise RefusedError(404, REST, f"Resource not found for the segment '{segment.name}'.")
        target, follow = entity.navigation[segment.name]
        return target, follow(rows[0])

    def _list(self, request, entity, rows):
        """Without $top a hundred rows come, and nothing says that there are more."""
        query = parse_query(_options(request), entity)
        chosen = chosen_rows(rows, query, entity.keys)
        page, _ = paged(chosen, query, DEFAULT_PAGE if query.top is None else max(query.top, 1))
        body = {"@odata.context": f"{self.root}$metadata#{entity.name}"}
        if query.count:
            body["@odata.count"] = len(chosen)
        body["value"] = [_json(shaped(row, entity, query)) for row in page]
        return JSONResponse(body)


def basic(user, password):
    """Return the header of a Basic log-in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _children(rows_of, *keys):
    def follow(row):
        return [child for child in list(rows_of()) if all(child[key] == row[key] for key in keys)]

    return follow


def _options(request):
    return {name: values[-1] for name, values in parse_qs(request.url.query, keep_blank_values=True).items()}


async def _parameters(request):
    if request.method == "GET":
        return {name: _literal(value) for name, value in request.query_params.items()}
    try:
        sent = json.loads(await request.body() or b"{}", parse_float=Decimal)
    except ValueError:
        raise RefusedError(400, REST, "The request body is not valid JSON.") from None
    return sent


def _literal(text):
    return int(text) if text.isdigit() else text.strip("'")


def _json(value):
    """Numbers as numbers; a date without its zone, as the tables hold it."""
    if isinstance(value, dict):
        return {name: _json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_json(inner) for inner in value]
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
