"""HTTP functions."""

import asyncio
import json
import os
import threading
import time

import azure.functions as func
from journal import note

doors = func.Blueprint()


@doors.route(route="echo/{*rest}", methods=["GET", "POST", "PUT"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Everything the function was given."""
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "route": dict(req.route_params),
        "length": len(req.get_body()),
        "thread": threading.current_thread() is threading.main_thread(),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@doors.route(route="orders/{id:int}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def order_by_number(req: func.HttpRequest) -> func.HttpResponse:
    """A constrained parameter."""
    return func.HttpResponse("number " + req.route_params["id"])


@doors.route(route="orders/{name}", methods=["GET"])
async def order_by_name(req: func.HttpRequest) -> func.HttpResponse:
    """A plain parameter."""
    return func.HttpResponse("name " + req.route_params["name"])


@doors.route(route="orders/open", methods=["GET"])
async def open_orders(req: func.HttpRequest) -> func.HttpResponse:
    """A literal."""
    return func.HttpResponse("open")


@doors.route(route="mirror", methods=["POST"])
async def mirror(req: func.HttpRequest) -> func.HttpResponse:
    """The bytes that came, with a status, headers and two cookies of our own."""
    reply = func.HttpResponse(req.get_body(), status_code=207, mimetype="application/octet-stream")
    reply.headers["X-Length"] = str(len(req.get_body()))
    reply.headers.add("Set-Cookie", "a=1; Path=/")
    reply.headers.add("Set-Cookie", "b=2; HttpOnly")
    return reply


@doors.route(route="plain", methods=["GET"])
def plain(req: func.HttpRequest) -> str:
    """A synchronous function that returns text."""
    return f"main thread: {threading.current_thread() is threading.main_thread()}"


@doors.route(route="empty", methods=["DELETE"])
async def empty(req: func.HttpRequest) -> func.HttpResponse:
    """No content."""
    return func.HttpResponse(status_code=204)


@doors.route(route="broken")
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    """Raises."""
    raise RuntimeError("broken on purpose")


@doors.route(route="slow")
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    """Takes its time."""
    note("slow", state="begun")
    await asyncio.sleep(float(req.params["seconds"]))
    return func.HttpResponse("slept")


@doors.route(route="block")
def block(req: func.HttpRequest) -> str:
    """Takes its time in a thread, and cannot be interrupted."""
    note("block", state="begun")
    time.sleep(float(req.params["seconds"]))
    return "slept"


@doors.route(route="setting/{name}", methods=["GET"])
async def setting(req: func.HttpRequest) -> func.HttpResponse:
    """One environment variable."""
    return func.HttpResponse(os.environ.get(req.route_params["name"], "(not set)"))


@doors.route(route="events", methods=["POST"])
async def events(req: func.HttpRequest) -> func.HttpResponse:
    """As small as a request gets; for measuring."""
    req.get_body()
    return func.HttpResponse(b"{}", status_code=202, mimetype="application/json")
