"""The HTTP face: token endpoint, SuiteQL, records and their transforms, asynchronous jobs."""

import json
import re
from urllib.parse import parse_qsl, urlencode

from starlette.responses import JSONResponse, Response

from tests.simulators.netsuite import records
from tests.simulators.netsuite.books import BUILD, CLOSE, COMPLETION
from tests.simulators.netsuite.errors import RefusedError, bad_login, invalid_content, no_record

REST = "/services/rest"
TOKEN = f"{REST}/auth/oauth2/v1/token"
REPORTS = (COMPLETION, BUILD, CLOSE)
LARGEST_PAGE = 1000
ROUTES = (
    ("POST", r"/query/v1/suiteql", "suiteql"),
    ("GET", r"/record/v1/(workOrder|workOrderCompletion|assemblyBuild)", "listed"),
    ("GET", r"/record/v1/(workOrder)/([^/]+)", "read_order"),
    (
        "POST",
        r"/record/v1/workOrder/([^/]+)/!transform/(workOrderCompletion|assemblyBuild|workOrderClose)",
        "transform",
    ),
    ("GET", r"/record/v1/(workOrderCompletion|assemblyBuild|workOrderClose)/([^/]+)", "read_report"),
    ("DELETE", r"/record/v1/(workOrderCompletion|assemblyBuild)/([^/]+)", "delete_report"),
    ("PATCH", r"/record/v1/(workOrderCompletion)/([^/]+)/operation/(\d+)", "change_line"),
    ("GET", r"/record/v1/manufacturingOperationTask/([^/]+)", "read_task"),
    ("PATCH", r"/record/v1/manufacturingOperationTask/([^/]+)", "change_task"),
    ("GET", r"/async/v1/job/(\d+)(/task(?:/1)?)?", "job"),
    ("GET", r"/async/v1/job/(\d+)/task/1/result", "job_result"),
)


class Service:
    """Answers one request for an account."""

    def __init__(self, books, suiteql, tokens, grants, jobs):
        self.books, self.queries, self.tokens, self.grants, self.jobs = books, suiteql, tokens, grants, jobs
        self.base = ""

    async def answer(self, request, *, crowded):
        """Return the response; `crowded` says that too many requests are being answered already."""
        try:
            if request.url.path == TOKEN:
                return self._token(await request.body())
            self._enter(request)
            _check_crowd(crowded=crowded)
            return await self._routed(request)
        except RefusedError as refused:
            return self._refused(refused)

    def _token(self, body):
        status, answer = self.grants.exchange(dict(parse_qsl(body.decode())), f"{self.base}{TOKEN}")
        return JSONResponse(answer, status)

    def _enter(self, request):
        header = request.headers.get("authorization", "")
        if header.lower().startswith("oauth "):
            url = f"{self.base}{request.url.path}"
            self.tokens.check(request.method, url, request.url.query, header)
        elif not self.grants.is_valid(header.removeprefix("Bearer ")):
            raise bad_login()

    def _refused(self, refused):
        headers = {}
        if refused.status == 401:
            problem = 'error="invalid_token", error_description="Invalid login attempt."'
            headers["www-authenticate"] = f'Bearer realm="{self.tokens.account}", {problem}'
        return JSONResponse(
            refused.body(), refused.status, headers, "application/vnd.oracle.resource+json; type=error"
        )

    async def _routed(self, request):
        path = request.url.path.removeprefix(REST)
        matches = [(method, re.fullmatch(pattern, path), name) for method, pattern, name in ROUTES]
        found = [(match, name) for method, match, name in matches if match and method == request.method]
        if not found:
            known = any(match for _, match, _ in matches)
            code = (405, "METHOD_NOT_ALLOWED") if known else (404, "NOT_FOUND")
            raise RefusedError(*code, f"The request {request.method} {request.url.path} is not supported.")
        match, name = found[0]
        body = _json(await request.body()) if request.method in ("POST", "PATCH") else {}
        if request.method != "GET" and "respond-async" in request.headers.get("prefer", ""):
            return self._later(request, name, match.groups(), body)
        return getattr(self, name)(request, *match.groups(), body)

    # -- asynchronous ---------------------------------------------------------------------------------------

    def _later(self, request, name, groups, body):
        key = request.headers.get("x-netsuite-idempotency-key")
        job = self.jobs.known(key)
        if job:
            text = "A request with the same idempotency key is already submitted."
            refused = RefusedError(400, "IDEMPOTENCY_ERROR", text)
            return JSONResponse(refused.body(), 400, self._job_headers(job))
        try:
            response = getattr(self, name)(request, *groups, body)
            outcome = (response.status_code, {}, response.headers.get("location", ""))
        except RefusedError as refused:
            outcome = (refused.status, refused.body(), "")
        job = self.jobs.submit(key, *outcome)
        return Response(status_code=202, headers=self._job_headers(job))

    def _job_headers(self, job):
        return {"preference-applied": "respond-async", "location": f"{REST}/async/v1/job/{job.number}"}

    def job(self, request, number, task, body):
        """Poll a job or its one task."""
        found = self._job(number)
        return JSONResponse(self.jobs.shown(found, f"{self.base}{request.url.path}"))

    def job_result(self, request, number, body):
        """Give what the request would have been answered."""
        found = self._job(number)
        if found.status >= 400:
            return JSONResponse(found.body, found.status)
        return Response(status_code=found.status, headers={"location": found.location})

    def _job(self, number):
        found = self.jobs.by_number.get(int(number))
        if found is None:
            raise no_record()
        return found

    # -- SuiteQL --------------------------------------------------------------------------------------------

    def suiteql(self, request, body):
        """Run a query; `Prefer: transient` is required, the page is cut by limit and offset."""
        if request.headers.get("prefer") != "transient":
            text = "The required request header 'Prefer' is missing or invalid. Use 'Prefer: transient'."
            raise RefusedError(400, "INVALID_HEADER", text, header="Prefer")
        if not isinstance(body.get("q"), str):
            raise invalid_content("Missing parameter 'q'.", "q")
        limit, offset = _page(request.query_params)
        rows = self.queries.run(body["q"])
        return JSONResponse(self._collection(request.url.path, rows, limit, offset))

    def _collection(self, path, rows, limit, offset):
        page = rows[offset : offset + limit]
        more = offset + limit < len(rows)
        links = [("self", offset)] + ([("next", offset + limit)] if more else [])
        if offset:
            links.append(("previous", offset - limit))
        return {
            "links": [
                {"rel": rel, "href": f"{self.base}{path}?{urlencode({'limit': limit, 'offset': at})}"}
                for rel, at in links
            ],
            "count": len(page),
            "hasMore": more,
            "items": page,
            "offset": offset,
            "totalResults": len(rows),
        }

    # -- records --------------------------------------------------------------------------------------------

    def listed(self, request, kind, body):
        """List the ids of a record type; the fields are read one record at a time."""
        limit, offset = _page(request.query_params)
        rows = self.queries.run(f"select id from {kind.lower()} order by id")  # noqa: S608 - one of three views
        path = f"{REST}/record/v1/{kind}"
        items = [
            {"links": [{"rel": "self", "href": f"{self.base}{path}/{row['id']}"}], "id": row["id"]}
            for row in rows
        ]
        return JSONResponse(self._collection(path, items, limit, offset))

    def read_order(self, request, kind, key, body):
        """Read a work order."""
        row = self.books.record(kind, key)
        return JSONResponse(records.work_order(self.books, row, self.base, expanded=_expanded(request)))

    def read_report(self, request, kind, key, body):
        """Read a completion, a build or a close."""
        row = self.books.record(kind, key)
        return JSONResponse(records.report(self.books, kind, row, self.base, expanded=_expanded(request)))

    def read_task(self, request, key, body):
        """Read an operation task."""
        return JSONResponse(records.task(self.books, self.books.task(key), self.base))

    def transform(self, request, key, kind, body):
        """Make a completion, a build or a close of a work order."""
        self._check_names(request, kind, body)
        for line in (body.get("operation") or {}).get("items", []):
            self._check_names(request, "operation", line)
        order = self.books.record("workOrder", key)
        make = {COMPLETION: self.books.complete, BUILD: self.books.build, CLOSE: self.books.close}[kind]
        return self._made(f"{self.base}{REST}/record/v1/{kind}/{make(order, body)}")

    def delete_report(self, request, kind, key, body):
        """Delete a completion or a build."""
        self.books.delete(kind, key)
        return Response(status_code=204)

    def change_line(self, request, kind, key, sequence, body):
        """Change the times of one operation of a completion."""
        self._check_names(request, "operation", body)
        self.books.change_line(kind, key, sequence, body)
        return self._made(f"{self.base}{request.url.path}")

    def change_task(self, request, key, body):
        """Change an operation task."""
        self._check_names(request, "manufacturingOperationTask", body)
        self.books.change_task(key, body)
        return self._made(f"{self.base}{request.url.path}")

    def _check_names(self, request, kind, body):
        records.check_names(kind, body, request.headers.get("x-netsuite-propertynamevalidation", "Warning"))

    def _made(self, location):
        return Response(status_code=204, headers={"location": location})


def _check_crowd(*, crowded):
    if crowded:
        text = "Concurrent request limit exceeded. Request blocked."
        raise RefusedError(429, "CONCURRENCY_LIMIT_EXCEEDED", text)


def _expanded(request):
    return request.query_params.get("expandSubResources") == "true"


def _json(body):
    try:
        sent = json.loads(body or b"{}")
    except ValueError:
        raise invalid_content("Invalid content in the request body. The JSON cannot be read.") from None
    if not isinstance(sent, dict):
        raise invalid_content("Invalid content in the request body. An object is required.")
    return sent


def _page(options):
    limit, offset = (options.get(name, default) for name, default in (("limit", "1000"), ("offset", "0")))
    if not limit.isdigit() or not 1 <= int(limit) <= LARGEST_PAGE:
        text = f"Invalid value '{limit}' for limit. It must be between 1 and {LARGEST_PAGE}."
        raise RefusedError(400, "INVALID_PARAMETER", text, queryParam="limit")
    if not offset.isdigit() or int(offset) % int(limit):
        text = f"Invalid value '{offset}' for offset. Provide an offset value divisible by limit."
        raise RefusedError(400, "INVALID_PARAMETER", text, queryParam="offset")
    return int(limit), int(offset)
