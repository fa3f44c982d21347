"""POST /api/v1/events: the floor speaks, one event or a batch, and is never kept waiting for an ERP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from json import loads as exact_loads
from typing import TYPE_CHECKING, Any

import azure.functions as func
import orjson

from functions.doors import RETRY_AFTER, Description, described
from functions.lazily import lazily
from functions.problems import NotValid, answer, problem
from functions.replies import EventsAnswer
from shared.domain.receipt import Disposition
from shared.errors import QueueUnavailable
from shared.wiring import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions import schemas
    from shared.domain.events import ExecutionEvent
    from shared.domain.receipt import Receipt
    from shared.wiring import App
else:
    schemas = lazily("functions.schemas")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it

LARGEST_EVENT = (
    40_000  # bytes of JSON; a message of the buffer queue must hold it, or an outage of SQL refuses it
)
LONG_NUMBER = re.compile(rb"[:\[,\s]-?(?=[\d.]{16})\d+\.\d")  # more digits than a binary float can hold
TAKES = Description(
    {202: EventsAnswer, 207: EventsAnswer},
    body=lambda: schemas.OneOrMany,
    problems=frozenset({400, 413, 422, 503}),
)


@dataclass(slots=True)
class Parsed:
    """A request read: the good events with their places, and what is wrong with the others."""

    size: int
    events: list[ExecutionEvent] = field(default_factory=list)
    stated: list[schemas.AnyEvent] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    faults: dict[int, list[dict[str, Any]]] = field(default_factory=dict)


@bp.function_name("receive_events")
@bp.route(route="api/v1/events", methods=["POST"])
@described(TAKES)
async def receive_events(req: func.HttpRequest) -> func.HttpResponse:
    """Record the events of a request; 202, or 207 when some of a batch are refused."""
    here, body = app(), req.get_body()
    if len(body) > here.settings.max_body_bytes:
        return problem(
            413, f"{len(body)} bytes; at most {here.settings.max_body_bytes}: send smaller batches"
        )
    try:
        stated = load(body)
    except ValueError as error:
        return problem(400, f"the body is not JSON: {error}")
    single = not isinstance(stated, list)
    items = [stated] if single else stated
    if not items or len(items) > here.settings.max_batch:
        return problem(422, f"a batch holds 1 to {here.settings.max_batch} events, this one {len(items)}")
    parsed = parse(items, here.settings.default_connection)
    if len(body) > LARGEST_EVENT:
        set_large_aside(parsed)
    if not parsed.events:
        return problem(422, "no event of the request is valid", _faults(parsed, single=single))
    return await _record(here, parsed)


def load(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON without losing a digit: numbers too long for a binary float are read exactly. Raises ValueError."""
    stated = orjson.loads(body)  # strict: no NaN, no half characters, no bottomless nesting
    return exact_loads(body, parse_float=Decimal) if LONG_NUMBER.search(body) else stated


def parse(items: list[Any], default_connection: str) -> Parsed:
    """Validate every event by itself, so that one bad event does not take the good ones with it."""
    parsed = Parsed(len(items))
    items = [schemas.plain(item) for item in items]
    try:
        stated = schemas.read_events(items)
    except NotValid:
        return _parse_apart(parsed, items, default_connection)
    parsed.events = [schemas.execution_event(event, default_connection) for event in stated]
    parsed.stated, parsed.places = stated, list(range(len(items)))
    return parsed


def _parse_apart(parsed: Parsed, items: list[Any], default_connection: str) -> Parsed:
    for place, item in enumerate(items):
        try:
            stated = schemas.read_event(item)
        except NotValid as error:
            parsed.faults[place] = error.errors
            continue
        parsed.events.append(schemas.execution_event(stated, default_connection))
        parsed.stated.append(stated)
        parsed.places.append(place)
    return parsed


def set_large_aside(parsed: Parsed) -> None:
    """Refuse single events that the buffer could not take; at any time, not only when SQL is away."""
    good = list(zip(parsed.events, parsed.stated, parsed.places, strict=True))
    parsed.events, parsed.stated, parsed.places = [], [], []
    for event, stated, place in good:
        size = len(schemas.as_json(stated))
        if size > LARGEST_EVENT:
            detail = (
                f"the event has {size} bytes of JSON; at most {LARGEST_EVENT}: state it as several events"
            )
            parsed.faults[place] = [{"pointer": "", "detail": detail}]
            continue
        parsed.events.append(event)
        parsed.stated.append(stated)
        parsed.places.append(place)


async def _record(here: App, parsed: Parsed) -> func.HttpResponse:
    try:
        packed = partial(map, schemas.as_json, parsed.stated)
        receipts = await here.intake.take_in(parsed.events, packed)
    except QueueUnavailable:
        detail = (
            "neither SQL nor the buffer can be reached; nothing was recorded, send the same request again"
        )
        return problem(503, detail, headers=RETRY_AFTER)
    return answer(_summary(parsed, receipts), 207 if parsed.faults else 202)


def _summary(parsed: Parsed, receipts: Sequence[Receipt]) -> dict[str, Any]:
    lines: list[dict[str, Any]] = [{}] * parsed.size
    for place, event, receipt in zip(parsed.places, parsed.events, receipts, strict=True):
        lines[place] = _line(event, receipt)
    for place, errors in parsed.faults.items():
        lines[place] = {"disposition": "rejected", "errors": errors}
    duplicates = sum(receipt.disposition is Disposition.DUPLICATE for receipt in receipts)
    return {
        "accepted": len(receipts) - duplicates,
        "duplicates": duplicates,
        "rejected": len(parsed.faults),
        "events": lines,
    }


def _line(event: ExecutionEvent, receipt: Receipt) -> dict[str, Any]:
    line: dict[str, Any] = {"source": event.source, "id": event.event_id, "disposition": receipt.disposition}
    if receipt.warnings:
        line["warnings"] = receipt.warnings
    return line


def _faults(parsed: Parsed, *, single: bool) -> list[dict[str, Any]]:
    return [
        {**error, "pointer": error["pointer"] if single else f"/{place}{error['pointer']}"}
        for place, errors in parsed.faults.items()
        for error in errors
    ]
