"""The HTTP face of Frappe: /api/resource and /api/method, token authentication, the error body.

Source: frappe/app.py, frappe/api/v1.py, frappe/auth.py, frappe/utils/response.py.
"""

import asyncio
import base64
import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.simulators.erpnext import methods
from tests.simulators.erpnext.errors import FrappeError

UNSAFE = ("POST", "PUT", "DELETE", "PATCH")


class Web:
    """The ASGI application over one site; `keys` maps API keys to secrets."""

    def __init__(self, site, keys):
        self.site = site
        self.keys = keys
        self.commit_seconds = 0.0
        resource = "/api/resource/{doctype}"
        self.app = Starlette(
            routes=[
                Route(
                    "/api/method/{path:path}",
                    self.endpoint(self.method),
                    methods=["GET", "POST", "PUT", "DELETE"],
                ),
                Route(resource, self.endpoint(self.listed), methods=["GET"]),
                Route(resource, self.endpoint(self.create), methods=["POST"]),
                Route(resource + "/{name:path}", self.endpoint(self.read), methods=["GET"]),
                Route(resource + "/{name:path}", self.endpoint(self.update), methods=["PUT"]),
                Route(resource + "/{name:path}", self.endpoint(self.remove), methods=["DELETE"]),
                Route(resource + "/{name:path}", self.endpoint(self.run), methods=["POST"]),
            ],
            exception_handlers={404: _lost, 405: _lost},
        )

    def endpoint(self, act):
        """Return a Starlette endpoint: authenticate, one transaction, refusals as Frappe words them."""

        async def answer(request: Request):
            try:
                guest = self._guest(request)
                body = await _form(request)
                snapshot = self.site.snapshot()
                at = await self._while_others_commit(request)
                with self.site.transaction(keep=request.method in UNSAFE, snapshot=snapshot, at=at):
                    return act(request, body, guest)
            except FrappeError as refusal:
                return _refused(refusal)

        return answer

    async def _while_others_commit(self, request):
        """Let a write take `commit_seconds`, stamped with the time it began, as MariaDB's readers meet it."""
        if request.method not in UNSAFE or not self.commit_seconds:
            return None
        at = self.site.tables.now()
        await asyncio.sleep(self.commit_seconds)
        return at

    # -- who asks -------------------------------------------------------------------------------------------

    def _guest(self, request):
        """Tell whether the caller is Guest; a header that leads to no user is refused."""
        parts = request.headers.get("authorization", "").split(" ")
        if len(parts) != 2:
            return True
        key, _, secret = _credentials(*parts).partition(":")
        if not key or self.keys.get(key) != secret:
            raise FrappeError("", "AuthenticationError")
        return False

    # -- resources ------------------------------------------------------------------------------------------

    def listed(self, request, body, guest):
        """GET /api/resource/<doctype>."""
        doctype = _permitted(request, guest)
        asked = dict(request.query_params)
        length = int(asked.get("limit_page_length") or asked.get("limit") or 20)
        if "0" in (asked.get("limit_page_length"), asked.get("limit")):
            length = 0
        rows = self.site.query(doctype).rows(
            _loaded(asked.get("filters")),
            _loaded(asked.get("fields")),
            asked.get("order_by"),
            int(asked.get("limit_start") or 0),
            length,
            _loaded(asked.get("or_filters")),
        )
        return JSONResponse({"data": rows})

    def read(self, request, body, guest):
        """GET /api/resource/<doctype>/<name>."""
        doctype = _permitted(request, guest)
        self.site.documents.doctype(doctype)
        return self._document(doctype, self.site.tables.get(doctype, request.path_params["name"]))

    def create(self, request, body, guest):
        """POST /api/resource/<doctype>: `docstatus` 1 submits in the same call."""
        doctype = _permitted(request, guest)
        return self._document(doctype, self.site.documents.insert(doctype, body))

    def update(self, request, body, guest):
        """PUT /api/resource/<doctype>/<name>."""
        doctype = _permitted(request, guest)
        return self._document(doctype, self.site.documents.update(doctype, request.path_params["name"], body))

    def remove(self, request, body, guest):
        """DELETE /api/resource/<doctype>/<name>: 202."""
        doctype = _permitted(request, guest)
        self.site.documents.delete(doctype, request.path_params["name"])
        return JSONResponse({"data": "ok"}, status_code=202)

    def run(self, request, body, guest):
        """POST /api/resource/<doctype>/<name>?run_method=submit|cancel."""
        doctype = _permitted(request, guest)
        wanted = request.query_params.get("run_method") or body.get("run_method")
        if wanted not in ("submit", "cancel"):
            raise FrappeError(f"Method {wanted} not whitelisted", "PermissionError")
        act = self.site.submit if wanted == "submit" else self.site.cancel
        return self._document(doctype, act(doctype, request.path_params["name"]))

    def method(self, request, body, guest):
        """/api/method/<path>: GET works too, and its changes are rolled back."""
        path = request.path_params["path"]
        if guest and path not in methods.OPEN_TO_GUESTS:
            raise FrappeError(f"Function {path} is not whitelisted.", "PermissionError")
        message = methods.call(self.site, path, dict(request.query_params) | body)
        return JSONResponse({} if message is None else {"message": message})

    def _document(self, doctype, doc):
        return JSONResponse({"data": self.site.documents.public(doctype, doc)})


def _credentials(scheme, token):
    if scheme.lower() == "token":
        return token
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(token).decode()
    except ValueError:
        return ""


def _permitted(request, guest):
    doctype = request.path_params["doctype"]
    if guest:
        raise FrappeError(
            f"User Guest does not have doctype access via role permission for {doctype}", "PermissionError"
        )
    return doctype


async def _form(request):
    raw = await request.body()
    if not raw:
        return {}
    body = _loaded(raw)
    if isinstance(body, dict) and "data" in body:
        body = _loaded(body["data"]) if isinstance(body["data"], str) else body["data"]
    if not isinstance(body, dict):
        raise FrappeError("'list' object has no attribute 'pop'", "AttributeError")
    return body


def _loaded(text):
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as wrong:
        raise FrappeError(str(wrong), "JSONDecodeError") from wrong


def _refused(refusal):
    message = {"message": str(refusal), "title": "Message", "indicator": "red", "raise_exception": 1}
    body = {
        "exception": refusal.traceback_line,
        "exc_type": refusal.kind,
        "exc": json.dumps([f"Traceback (most recent call last):\n{refusal.traceback_line}\n"]),
    }
    if str(refusal) and refusal.status not in (401, 500):
        body["_server_messages"] = json.dumps([json.dumps(message)])
    return JSONResponse(body, status_code=refusal.status)


async def _lost(request, _):
    return _refused(FrappeError("", "DoesNotExistError"))
