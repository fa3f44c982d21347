"""The /json/2 face of version 19: named arguments, bearer keys, real HTTP status codes.

Source: addons/rpc/controllers/json2.py, odoo/http.py Json2Dispatcher, ir_http._auth_method_bearer.
"""

import json
import re

from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.simulators.odoo.errors import OdooError

UNFIT = ("builtins.AttributeError", "werkzeug.exceptions.NotFound")
EVERY = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class Json2:
    """Calls by path; `users` knows who may."""

    def __init__(self, database, users):
        self.database = database
        self.users = users

    def routes(self):
        """Return the routes of this face."""
        return [
            Route("/json/2/{model}/{method}", self._endpoint(self._called), methods=["POST"]),
            Route("/json/2", self._endpoint(_lost), methods=EVERY),
            Route("/json/2/{path:path}", self._endpoint(_lost), methods=EVERY),
        ]

    def _endpoint(self, act):
        async def answer(request):
            try:
                raw = await request.body()
                at = await self.database.while_others_commit(request.path_params.get("method"))
                result = act(request, raw, at)
            except OdooError as refusal:
                extra = {"WWW-Authenticate": "bearer"} if refusal.status == 401 else None
                return JSONResponse(refusal.body(), status_code=refusal.status, headers=extra)
            return JSONResponse(result)

        return answer

    def _called(self, request, raw, at):
        self._database(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if raw and kind != "application/json":
            raise _werkzeug("UnsupportedMediaType", f"Request inferred type is compatible with {kind!r}")
        self._authenticated(request)
        params = _params(raw)
        idents, context = params.pop("ids", []), params.pop("context", {})
        idents = [idents] if isinstance(idents, int) else idents
        with self.database.transaction(at):
            return self._call(
                request.path_params["model"], request.path_params["method"], idents, context, params
            )

    def _call(self, model, name, idents, context, params):
        if not self.database.knows(model):
            raise _werkzeug("NotFound", f"the model {model!r} does not exist")
        try:
            _, of_model = self.database.find(model, name)
        except OdooError as refusal:
            raise _werkzeug("NotFound", str(refusal)) if refusal.name in UNFIT else refusal from refusal
        if of_model and idents:
            raise _werkzeug("UnprocessableEntity", f"cannot call {model}.{name} with ids")
        try:
            return self.database.call(model, name, idents, context, [], params)
        except OdooError as refusal:
            if refusal.name == "builtins.TypeError":
                raise _werkzeug("UnprocessableEntity", str(refusal)) from refusal
            raise

    def _database(self, request):
        named = request.headers.get("x-odoo-database")
        if named and named != self.users.database:
            raise _werkzeug("NotFound", "The requested URL was not found on the server.")

    def _authenticated(self, request):
        bearer = re.match(r"^bearer\s+(.+)$", request.headers.get("authorization", ""), re.IGNORECASE)
        if not bearer:
            raise _werkzeug(
                "Unauthorized", "User not authenticated, use an API Key with a Bearer Authorization header."
            )
        if not self.users.has_key(bearer.group(1)):
            raise _werkzeug("Unauthorized", "Invalid apikey")


def _params(raw):
    if not raw:
        return {}
    try:
        params = json.loads(raw)
    except ValueError as wrong:
        raise _werkzeug("BadRequest", f"could not parse the body as json: {wrong}") from wrong
    return dict(params) if isinstance(params, dict) else {}


def _werkzeug(kind, message):
    return OdooError(message, f"werkzeug.exceptions.{kind}")


def _lost(request, raw, at):
    raise _werkzeug("NotFound", "Did you mean POST /json/2/<model>/<method>?")
