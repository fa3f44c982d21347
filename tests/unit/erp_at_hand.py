"""What the engine's unit tests share: a small profile, a network that a function plays, one message."""

from datetime import UTC, datetime

import httpx
import yaml

from shared.domain.message import Message, MessageKind
from shared.erp.engine import build
from shared.erp.port import PushContext
from shared.profiles.loader import parse_profile

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SECRET = 'pa"ss/word'
CONTEXT = PushContext({"number": "WO/1", "erp_ref": {"id": 7}}, {"operation_id": "10"})


def profile_source(push=None, **parts):
    """A whole profile; `push` are the steps of production.reported, `parts` replace top-level keys."""
    step = {"name": "report", "call": {"path": "/report", "body": {"good": "=decimal(message.good)"}}}
    step["verified"] = {"status": "so says the test"}
    kinds = {kind.value: {"exempt": "not in this test"} for kind in MessageKind}
    source = {
        "profile": "small",
        "version": 1,
        "title": "Small",
        "settings": {
            "base_url": {"type": "url", "help": "where"},
            "password": {"secret": True, "help": "vault name", "required": False},
        },
        "connection": {"base_url": "{settings.base_url}", "probe": {"method": "GET", "path": "/"}},
        "pull": {
            "orders": {
                "call": {"method": "GET", "path": "/orders", "query": {"since": "=since"}},
                "records": "=reply.body",
                "state": {"value": "=state", "released": ["released"]},
                "watermark": {"value": "=at"},
                "map": {
                    "number": "=no",
                    "part": "=part",
                    "quantity": "=qty",
                    "unit": "pcs",
                    "operations": {"records": "=ops", "map": OPERATION},
                },
            },
            "open_orders": {
                "call": {"method": "GET", "path": "/open"},
                "records": "=reply.body",
                "number": "=@",
            },
        },
        "push": kinds | {"production.reported": push or {"steps": [step]}},
    }
    return source | parts


OPERATION = {"operation_id": "=id", "position": "=id", "name": "=id", "work_centre": "W"}


def order_record(number, **changes):
    """One order as the small ERP lists it."""
    record = {"no": number, "part": "P", "qty": "5", "state": "released", "at": "2026-11-23T09:00:00Z"}
    return record | {"ops": [{"id": "10"}]} | changes


def erp_of(source, handler, **settings):
    """The profile in `source`, its network played by `handler(request) -> httpx.Response`."""
    profile = parse_profile(yaml.safe_dump(source), "small.yaml")

    async def resolve(name):
        return {"vault-password": SECRET}[name]

    given = {"base_url": "http://erp.test"} | settings
    return build(profile, given, resolve, lambda: NOW, httpx.MockTransport(handler))


def message(kind=MessageKind.PRODUCTION_REPORTED, **body):
    """One message on operation 10."""
    return Message("m-1", "stream", 3, kind, "10", {"good": "2.50"} | body)
