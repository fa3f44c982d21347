"""The JSON-RPC face: /jsonrpc with services, and the web client's session. Every reply to a call is HTTP 200.

Source: odoo/http.py JsonRPCDispatcher, odoo/addons/base/controllers/rpc.py, odoo/service/{common,model}.py.
"""

import json
import secrets

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from tests.simulators.odoo.errors import OdooError
from tests.simulators.odoo.records import USER

DENIED, EXPIRED = "odoo.exceptions.AccessDenied", "odoo.http.SessionExpiredException"
NOT_FOUND = "werkzeug.exceptions.NotFound"
CODES = {EXPIRED: (100, "Odoo Session Expired"), NOT_FOUND: (404, "404: Not Found")}


class JsonRpc:
    """Calls by envelope; `users` knows who may."""

    def __init__(self, database, users):
        self.database = database
        self.users = users
        self.sessions = set()
        self._began = None

    def routes(self):
        """Return the routes of this face."""
        return [
            Route("/jsonrpc", self._endpoint(self.service), methods=["POST"]),
            Route("/web/session/authenticate", self._endpoint(self.authenticate), methods=["POST"]),
            Route("/web/dataset/call_kw", self._endpoint(self.call_kw), methods=["POST"]),
            Route("/web/dataset/call_kw/{path:path}", self._endpoint(self.call_kw), methods=["POST"]),
            Route("/{path:path}", self._endpoint(_nowhere), methods=["POST"]),
        ]

    def _endpoint(self, act):
        async def answer(request):
            try:
                envelope = json.loads(await request.body())
            except ValueError:
                return PlainTextResponse("Invalid JSON data", status_code=400)
            if not isinstance(envelope, dict):
                return PlainTextResponse("Invalid JSON-RPC data", status_code=400)
            at = await self.database.while_others_commit(_method(envelope.get("params") or {}))
            return self._answer(act, request, envelope, at)

        return answer

    def _answer(self, act, request, envelope, at):
        reply = {"jsonrpc": "2.0", "id": envelope.get("id")}
        cookies = {}
        self._began = at
        try:
            result = act(request, envelope.get("params") or {}, cookies)
        except OdooError as refusal:
            reply["error"] = self._error(refusal)
        else:
            reply |= {} if result is None else {"result": result}  # None leaves the envelope without a result
        response = JSONResponse(reply)
        for name, value in cookies.items():
            response.set_cookie(name, value, httponly=True)
        return response

    def _error(self, refusal):
        code, message = CODES.get(
            refusal.name, (200 if self.database.version == 17 else 0, "Odoo Server Error")
        )
        return {"code": code, "message": message, "data": refusal.body()}

    # -- /jsonrpc -------------------------------------------------------------------------------------------

    def service(self, request, params, cookies):
        """Dispatch to the common or the object service."""
        try:
            service, method, args = params["service"], params["method"], params["args"]
        except KeyError as missing:
            raise OdooError(f"missing a required argument: {missing}", "builtins.TypeError") from missing
        if service == "common":
            return self._common(method, args)
        if service != "object" or method not in ("execute", "execute_kw"):
            raise OdooError(f"Method not available {service}.{method}", "builtins.NameError")
        return self._object(method, args)

    def _common(self, method, args):
        if method == "version":
            number = self.database.version
            return {"server_version": f"{number}.0", "server_version_info": [number, 0, 0, "final", 0, ""]}
        if method not in ("authenticate", "login"):
            raise OdooError(f"Method not found: {method}", "builtins.Exception")
        self.users.database_exists(args[0])
        return USER if self.users.may_log_in(args[1], args[2]) else False

    def _object(self, method, args):
        if len(args) < 5:
            raise OdooError("not enough values to unpack", "builtins.ValueError")
        database, uid, secret, model, name, *rest = args
        self.users.database_exists(database)
        if int(uid) != USER or not self.users.may_call(secret):
            raise OdooError("Access Denied", DENIED)
        if method == "execute_kw":
            given, kwargs = rest[0] if rest else [], dict(rest[1] or {}) if len(rest) > 1 else {}
        else:
            given, kwargs = rest, {}
        return self._call(model, name, list(given), kwargs)

    def _call(self, model, name, args, kwargs):
        """call_kw: the first argument is the ids, unless the method is the model's."""
        if not self.database.knows(model):
            raise OdooError(f"Object {model} doesn't exist")
        context = kwargs.pop("context", None) or {}
        idents = []
        if not self.database.find(model, name)[1]:
            if not args:
                raise OdooError("list index out of range", "builtins.IndexError")
            first, *args = args
            idents = [first] if isinstance(first, int) else list(first or [])
        with self.database.transaction(self._began):
            result = self.database.call(model, name, idents, context, args, kwargs)
        return (
            result[0]
            if name == "create" and isinstance((args or [kwargs.get("vals_list")])[0], dict)
            else result
        )

    # -- the web client's session ---------------------------------------------------------------------------

    def authenticate(self, request, params, cookies):
        """/web/session/authenticate: a password, not an API key; hands out the session cookie."""
        self.users.database_exists(params.get("db"))
        if not self.users.has_password(params.get("login"), params.get("password")):
            raise OdooError("Access Denied", DENIED)
        cookies["session_id"] = secrets.token_hex(20)
        self.sessions.add(cookies["session_id"])
        return {"uid": USER, "db": params["db"], "username": params["login"], "user_context": {"tz": "UTC"}}

    def call_kw(self, request, params, cookies):
        """/web/dataset/call_kw: the same call by session."""
        if request.cookies.get("session_id") not in self.sessions:
            raise OdooError("Session expired", EXPIRED)
        wanted = ("model", "method", "args", "kwargs")
        if any(name not in params for name in wanted):
            raise OdooError(f"missing a required argument of {', '.join(wanted)}", "builtins.TypeError")
        return self._call(params["model"], params["method"], list(params["args"]), dict(params["kwargs"]))


def _method(params):
    """Return the model's method a call names, "" where it names none."""
    args = params.get("args")
    if params.get("service") == "object" and isinstance(args, list) and len(args) > 4:
        return args[4]
    return params.get("method", "") if "model" in params else "read"


def _nowhere(request, params, cookies):
    """A JSON POST to no route is answered in the envelope, with HTTP 200."""
    raise OdooError("404: Not Found", NOT_FOUND)
