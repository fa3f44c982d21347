"""Refusals as RFC 9457 problem documents: which field, what is wrong, what would be valid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import azure.functions as func
import orjson

from shared.domain.events import EventType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MEDIA_TYPE = "application/problem+json"
JSON_TYPE = "application/json"
TITLES = {
    400: "The request cannot be read",
    404: "Not found",
    409: "Not possible in the present state",
    413: "The request is too large",
    415: "This media type is not understood",
    422: "The request is not valid",
    503: "Not available now",
}
QUOTED = re.compile(r"'([^']*)'")
EVENT_TYPES = frozenset(EventType)
WITHOUT_NUL = r"^[^\u0000]*$"  # SQLite's JSON functions would cut the text off there
UNKNOWN_PARAMETER = "unknown_parameter"


class NotValid(Exception):  # noqa: N818 - named after what is wrong with what was sent
    """What was sent is not valid; `errors` says where and why."""

    def __init__(self, cause: ValidationError) -> None:
        super().__init__(str(cause))
        self.cause = cause

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Every fault: JSON pointer, sentence and, where there is a list, the valid values."""
        return errors_of(self.cause)


def problem(
    status: int,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> func.HttpResponse:
    """Answer `status` with a problem document."""
    body = {"type": "about:blank", "title": TITLES[status], "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return func.HttpResponse(
        orjson.dumps(body),
        status_code=status,
        mimetype=MEDIA_TYPE,
        headers=dict(headers) if headers else None,
    )


def answer(
    body: Any,  # noqa: ANN401 - any JSON
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> func.HttpResponse:
    """Answer with JSON. Decimals become text, so no digit is lost; instants are RFC 3339 in UTC."""
    return func.HttpResponse(
        orjson.dumps(body, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS),
        status_code=status,
        mimetype=JSON_TYPE,
        headers=dict(headers) if headers else None,
    )


def errors_of(error: ValidationError, prefix: str = "") -> list[dict[str, Any]]:
    """Spell out every fault of a body: JSON pointer, sentence and, where there is a list, the valid values."""
    return [_one(details, prefix) for details in error.errors(include_url=False, include_context=True)]


def _one(details: ErrorDetails, prefix: str) -> dict[str, Any]:
    kind, context = details["type"], details.get("ctx", {})
    path = [str(part) for part in details["loc"]]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        path.append("type")
    elif path and path[0] in EVENT_TYPES:
        path = path[1:]  # pydantic names the branch of the union it was in; the sender never wrote that
    found: dict[str, Any] = {
        "pointer": prefix + "".join(f"/{part}" for part in path),
        "detail": details["msg"],
    }
    valid = _valid(kind, context)
    if kind == "value_error":
        found["detail"] = str(context["error"])  # without pydantic's "Value error, "
    if context.get("pattern") == WITHOUT_NUL:
        found["detail"] = "text must not hold the character U+0000"
    if valid:
        found["valid"] = valid
        if kind == "union_tag_invalid":
            found["detail"] = f"{context['tag']!r} is not an event type"
    return found


def _valid(kind: str, context: Mapping[str, Any]) -> list[str]:
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return sorted(EVENT_TYPES)
    if kind == UNKNOWN_PARAMETER:
        return [str(name) for name in context["valid"]]
    if kind in ("enum", "literal_error"):
        return QUOTED.findall(str(context.get("expected", "")))
    return []
