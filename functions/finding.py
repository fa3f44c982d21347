"""What a path names, or a problem that says why it names nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.doors import named
from functions.problems import problem
from shared.domain.identity import place_of
from shared.domain.page import LARGEST_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterable

    import azure.functions as func

    from shared.domain.order_view import NotOne


def message_place(req: func.HttpRequest) -> tuple[str, int] | None:
    """Read the message id in the path; None if it cannot be one."""
    try:
        stream_key, sequence = place_of(named(req, "message"))
    except ValueError:
        return None
    return (stream_key, sequence) if sequence <= LARGEST_INTEGER else None


def no_such_message(req: func.HttpRequest) -> func.HttpResponse:
    """Say that the path names no message."""
    return problem(404, f"there is no message {named(req, 'message')!r}: ids are listed at /api/v1/messages")


def not_one_order(number: str, found: NotOne) -> func.HttpResponse:
    """Say that `number` names no order, or one on several connections."""
    names = found.connections
    if not names:
        return problem(404, f"neither an ERP nor the floor has spoken of works order {number!r}")
    errors = [
        {
            "pointer": "/connection",
            "detail": "several connections have this order; name one",
            "valid": list(names),
        }
    ]
    return problem(422, f"works order {number!r} is on {len(names)} connections", errors)


def no_such_connection(name: str, configured: Iterable[str]) -> func.HttpResponse:
    """Say that no connection of that name is configured, and which are."""
    names = sorted(configured)
    errors = [{"pointer": "/connection", "detail": f"{name!r} is not configured", "valid": names}]
    return problem(404, f"there is no connection {name!r}; configured: {', '.join(names) or 'none'}", errors)
