"""Facts -> nested body: what a push's expressions see, and how its bodies are written down. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import orjson

from shared.errors import MappingError
from shared.mapping.conversions import rfc3339, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.domain.message import Message
    from shared.mapping.conversions import Raw, Tables
    from shared.mapping.expressions import Value

    type Decimals = Literal["text", "number"]


AMOUNTS = ("good", "scrap", "rework", "seconds")


def message_facts(message: Message) -> dict[str, Any]:
    """Return `message` as expressions see it: its body, with `id`, `kind`, `sequence` and `operation_id`."""
    return {
        **message.body,
        "id": message.message_id,
        "kind": message.kind.value,
        "sequence": message.sequence,
        "operation_id": message.operation_id,
    }


def told_facts(message: Message) -> dict[str, Any]:
    """Return what is told, or by a correction taken back, ready to be written: its body with numbers for amounts.

    `id` and `mark` name the message that told it, in a correction too, so that both find the same in the ERP; `began`
    is the instant its seconds began. Lists are never null.
    """
    voids: Any = message.body.get("voids")
    body: Mapping[str, Any] = voids["body"] if voids else message.body
    told_by = voids["message_id"] if voids else message.message_id
    amounts = {name: Decimal(str(body.get(name) or 0)) for name in AMOUNTS}
    return {
        **body,
        **amounts,
        "id": told_by,
        "mark": f"[tascus:{told_by}]",
        "kind": voids["kind"] if voids else message.kind.value,
        "serials": list(body.get("serials") or ()),
        "began": _before(body.get("occurred_at"), amounts["seconds"]),
    }


def _before(instant: str | None, seconds: Decimal) -> str | None:
    if not instant or not seconds:
        return instant
    return rfc3339(datetime.fromisoformat(instant) - timedelta(microseconds=int(seconds * 1_000_000)))


def values(parts: Iterable[Mapping[str, Value]], facts: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """Return the push's named values, each seeing those before it as `values`.

    Raises:
        UnknownCode: a code or link is missing; the push has to wait.
        MappingError: a value can never be worked out.
    """
    worked_out: dict[str, Any] = {}
    scope = {**facts, "values": worked_out}
    for part in parts:
        for name, value in part.items():
            worked_out[name] = value(scope, tables)
    return worked_out


def encode_json(body: Raw, decimals: Decimals) -> bytes:
    """Return `body` as JSON; Decimals keep every digit, as text or as numbers."""
    try:
        return orjson.dumps(body, default=_number if decimals == "number" else _text)
    except TypeError as error:
        raise MappingError(f"body: {error}") from error


def encode_form(body: Raw) -> bytes:
    """Return a flat object as a URL-encoded form; nulls are left out.

    Raises:
        MappingError: the body is not an object, or a value has parts.
    """
    if not isinstance(body, dict):
        raise MappingError("body: a form must be an object")
    return query_text(body).encode()


def query_text(pairs: Mapping[str, Any]) -> str:
    """Return `pairs` as the query of an address; nulls are left out, a list repeats its name."""
    told = ((name, text(one)) for name, value in pairs.items() for one in _each(value))
    return urlencode([(name, plain) for name, plain in told if plain is not None])


def plain_json(value: Raw) -> Raw:
    """Return `value` as JSON that any store keeps: Decimals as text."""
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, dict):
        return {key: plain_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(part) for part in value]
    return value


def _each(value: Raw) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Raw) -> str:
    if isinstance(value, Decimal):
        return text(value) or ""
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _number(value: Raw) -> orjson.Fragment:
    return orjson.Fragment(_text(value))
