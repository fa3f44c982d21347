"""What integration tests say again and again: call a door, post an event, look at a queue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import azure.functions as func
import orjson
from azure.core.exceptions import ResourceNotFoundError
from azure.functions.decorators.function_app import FunctionBuilder
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

from functions.http_events import receive_events
from shared.queues.envelope import WAKE_QUEUE, streams_of
from tests.contract.conformity import check_body, check_reply

PLAIN_PROFILE = str(Path(__file__).parents[1] / "fakes" / "plain.yaml")
NOBODY = "http://127.0.0.1:9"  # the discard port: refused at once
_numbers = count(1)


def plain_connection(name: str, url: str) -> dict[str, Any]:
    """Settings of a connection to a plain ERP at `url`."""
    return {
        "name": name,
        "profile": PLAIN_PROFILE,
        "settings": {"base_url": url, "api_key": "plain-key"},
    }


@dataclass(frozen=True)
class Reply:
    """What a door answered, its JSON read."""

    status: int
    body: Any
    headers: Mapping[str, str]
    media_type: str


async def call(
    door: FunctionBuilder,
    method: str = "GET",
    *,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    **route: str,
) -> Reply:
    """Call a door as the host does: `await call(order, number="WO-1", query={"connection": "main"})`.

    Whatever it answers must be what the OpenAPI document says.
    """
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body, default=str)
    request = func.HttpRequest(
        method, "http://here/", params=dict(query or {}), route_params=route, body=content
    )
    answered = await door(request)
    text = answered.get_body()
    reply = Reply(answered.status_code, json.loads(text), answered.headers, answered.mimetype or "")
    name = door._function.get_function_name()
    check_reply(name, reply.status, reply.media_type, reply.body)
    if reply.status in (200, 202) and body is not None:
        check_body(name, json.loads(content))
    return reply


def event(kind: str, order: str, operation: str = "10", minute: int = 0, **fields: Any) -> dict[str, Any]:
    """Return one event as the floor posts it; `data` and everything else by name. Ids are made up and unique."""
    stated = {
        "type": kind,
        "source": "line-1",
        "id": f"e-{next(_numbers)}",
        "time": f"2026-11-23T06:{minute:02}:00Z",
        "order": order,
        "operation": operation,
    }
    return stated | fields


async def post(*events: dict[str, Any]) -> Reply:
    """Post events to the events door as one batch; all of them must be accepted."""
    reply = await call(receive_events, "POST", body=list(events))
    assert reply.status == 202, reply.body
    return reply


def empty_queue(connection_string: str, name: str) -> None:
    """Make sure that the queue is there and empty."""
    with QueueClient.from_connection_string(connection_string, name) as queue:
        try:
            queue.clear_messages()
        except ResourceNotFoundError:
            queue.create_queue()


def texts_on(connection_string: str, name: str) -> list[str]:
    """Take every visible message off the queue and return the texts."""
    policy = TextBase64DecodePolicy()
    with QueueClient.from_connection_string(connection_string, name, message_decode_policy=policy) as queue:
        texts = []
        for message in queue.receive_messages(messages_per_page=32, visibility_timeout=30):
            texts.append(message.content)
            queue.delete_message(message)
        return texts


def woken(connection_string: str) -> list[str]:
    """Take the wake-ups off the queue and return the streams they name, sorted."""
    return sorted(key for text in texts_on(connection_string, WAKE_QUEUE) for key in streams_of(text))
