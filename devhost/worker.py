"""The only file that knows Microsoft's Python worker library.

It loads a function app, says what triggers it has, and invokes one function with plain values. The library's
own conversions and thread pool are used, so that a function sees what it sees in the cloud: asynchronous
functions run on the loop, the others in the pool that `PYTHON_THREADPOOL_THREAD_COUNT` sizes.
"""

import asyncio
import json
import logging
import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from azure_functions_runtime import handle_event, loader, start_threadpool_executor
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.http_v2 import HttpV2Registry
from azure_functions_runtime.native_invocation import invocation_request_native
from azure_functions_runtime.utils.validators import validate_script_file_name

from devhost.errors import DevhostError

logger = logging.getLogger("devhost")

SCRIPT: Final = "function_app.py"
_SUPPORTED: Final = ("httpTrigger", "http", "queueTrigger", "timerTrigger")

# The registry compares binding directions with the numbers of the protobuf enumeration; these are they.
_BINDING_INFO: Final = SimpleNamespace(BindingInfo=SimpleNamespace(out=1, inout=2, undefined=0))


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """A route template below the route prefix; no methods means every method."""

    route: str
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """The queue's name and the app setting that holds its connection string."""

    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """An NCRONTAB expression."""

    schedule: str
    run_on_startup: bool


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app; `parameter` is the name its trigger's value is passed under."""

    id: str
    name: str
    parameter: str
    trigger: HttpTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. Header names are in lower case; query, headers and parameters hold no empty values."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    route_parameters: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What the function answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One fetched message. Instants are RFC 3339 texts; the body is bytes where it is not UTF-8."""

    id: str
    body: str | bytes
    dequeue_count: int
    inserted: str
    expires: str
    next_visible: str
    pop_receipt: str


class Outcome(Enum):
    """How an invocation ended."""

    DONE = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "Timed out"


def load(app: Path) -> list[Function]:
    """Import the function app and register its functions with the worker library.

    Raises:
        DevhostError: there is no function app, or it uses a trigger or binding devhost does not know.
    """
    if not (app / SCRIPT).exists():
        raise DevhostError(f"{app} holds no {SCRIPT}: name the folder of the function app with --app")
    validate_script_file_name(SCRIPT)
    sys.path.insert(0, str(app))
    os.chdir(app)
    load_binding_registry()
    indexed = loader.index_function_app(str(app / SCRIPT))
    if HttpV2Registry.http_v2_enabled():
        raise DevhostError("HTTP streaming (the FastAPI extension) is not supported by devhost")
    start_threadpool_executor()
    return [_register(function) for function in indexed]


def _register(indexed: Any) -> Function:  # noqa: ANN401 -- the worker library has no types
    info = handle_event._functions.add_indexed_function(indexed, _BINDING_INFO)  # noqa: SLF001 -- its only way in
    bindings = [binding.get_dict_repr() for binding in indexed.get_bindings()]
    for binding in bindings:
        if binding["type"] not in _SUPPORTED:
            valid = ", ".join(_SUPPORTED)
            raise DevhostError(f"{info.name} uses a {binding['type']} binding; devhost knows {valid}")
    trigger = next(binding for binding in bindings if binding["type"].endswith("Trigger"))
    return Function(info.function_id, info.name, trigger["name"], _trigger(info.name, trigger))


def _trigger(name: str, binding: Mapping[str, Any]) -> HttpTrigger | QueueTrigger | TimerTrigger:
    if binding["type"] == "httpTrigger":
        route = binding.get("route")
        methods = frozenset(str(method).upper() for method in binding.get("methods") or ())
        return HttpTrigger(name if route is None else route, methods)
    if binding["type"] == "queueTrigger":
        return QueueTrigger(binding["queueName"], binding.get("connection") or "")
    return TimerTrigger(binding["schedule"], bool(binding.get("runOnStartup")))


class Worker:
    """Invokes functions, each at most for the function time-out (seconds; None is unlimited)."""

    def __init__(self, timeout: float | None = None) -> None:
        self._timeout = timeout
        # Set once an invocation was given up: its thread may still be running.
        self.abandoned = False

    async def http(self, function: Function, request: HttpRequest) -> HttpReply:
        """Invoke an HTTP function; one that raises answers 500 with an empty body, as in the cloud."""
        outcome, result = await self._invoke(function, _request_datum(request), {})
        return _reply(result) if outcome is Outcome.DONE else HttpReply(500, [], b"")

    async def queue(self, function: Function, item: QueueItem) -> Outcome:
        """Invoke a queue function with one message."""
        datum = Datum(item.body, "string" if isinstance(item.body, str) else "bytes")
        outcome, _ = await self._invoke(function, datum, _queue_metadata(item))
        return outcome

    async def timer(self, function: Function, *, past_due: bool, status: Mapping[str, str]) -> Outcome:
        """Invoke a timer function; `status` holds Last, Next and LastUpdated as RFC 3339 texts."""
        body = {"IsPastDue": past_due, "ScheduleStatus": dict(status), "Schedule": {"AdjustForDST": True}}
        outcome, _ = await self._invoke(function, Datum(json.dumps(body), "json"), {})
        return outcome

    async def _invoke(
        self, function: Function, value: Datum, metadata: dict[str, Datum]
    ) -> tuple[Outcome, Datum | None]:
        invocation = str(uuid.uuid4())
        inputs = [(function.parameter, value)]
        try:
            async with asyncio.timeout(self._timeout):
                ok, result, _, _, trace = await invocation_request_native(
                    invocation, function.id, inputs, metadata
                )
        except TimeoutError:
            # The host would restart the whole worker; here only this invocation is given up.
            self.abandoned = True
            logger.warning("Functions.%s ran into the function time-out (Id=%s)", function.name, invocation)
            return Outcome.TIMED_OUT, None
        if not ok:
            logger.error("Functions.%s failed (Id=%s)\n%s", function.name, invocation, trace)
        return (Outcome.DONE if ok else Outcome.FAILED), result


def _request_datum(request: HttpRequest) -> Datum:
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(request.url, "string"),
            "headers": _texts(request.headers),
            "query": _texts(request.query),
            "params": _texts(request.route_parameters),
            "body": Datum(request.body, "bytes"),
        },
        "http",
    )


def _texts(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _reply(result: Datum | None) -> HttpReply:
    if result is None or result.value is None:
        return HttpReply(204, [], b"")
    if result.type != "http":
        return HttpReply(200, [("content-type", "text/plain; charset=utf-8")], str(result.value).encode())
    reply = result.value
    headers = [(name, datum.value) for name, datum in reply["headers"].items()]
    for jar in reply["cookies"] or ():
        headers += [("set-cookie", morsel.OutputString()) for morsel in jar.values()]
    return HttpReply(int(reply["status_code"].value), headers, reply["body"].value)


def _queue_metadata(item: QueueItem) -> dict[str, Datum]:
    return {
        "Id": Datum(item.id, "string"),
        "DequeueCount": Datum(item.dequeue_count, "int"),
        "InsertionTime": Datum(item.inserted, "string"),
        "ExpirationTime": Datum(item.expires, "string"),
        "NextVisibleTime": Datum(item.next_visible, "string"),
        "PopReceipt": Datum(item.pop_receipt, "string"),
    }
