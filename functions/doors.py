"""What HTTP doors share: query and body validated, failures that have a name answered, the door described.

A door is described where it stands: `@door(...)` says what it takes and answers, and http_openapi.py makes the
document from that and from the registered routes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import azure.functions as func
import orjson

from functions.lazily import lazily
from functions.problems import NotValid, problem
from shared.errors import ConfigurationError, QueueUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from functions import shape
    from functions.shape import Shape
else:
    shape = lazily("functions.shape")

type Handler = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]

RETRY_AFTER = {"Retry-After": "5"}
HOSTS_OWN = frozenset({"code", "clientId"})  # how the Functions host is handed a key
ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
LARGEST_BODY = 1_048_576


@dataclass(frozen=True, slots=True)
class Description:
    """What a door takes and answers: shapes by status; any type pydantic can describe.

    What it takes is named by a function, because the shape is only made when somebody needs it.
    """

    replies: Mapping[int, Any]
    query: Callable[[], type[Shape]] | None = None
    body: Callable[[], Any] | None = None
    body_required: bool = True
    problems: frozenset[int] = field(default_factory=frozenset)


_described: dict[tuple[str, str], Description] = {}  # by module and name of the function behind the door


def described[H: Callable[..., Any]](description: Description) -> Callable[[H], H]:
    """Note what a door takes and answers, and leave it as it is."""

    def note(handler: H) -> H:
        _described[handler.__module__, handler.__name__] = description
        return handler

    return note


def description_of(handler: Callable[..., Any]) -> Description:
    """Return what `handler` said of itself. Raises KeyError for a door that was not described."""
    return _described[handler.__module__, handler.__name__]


def door(
    replies: Mapping[int, Any],
    *,
    query: Callable[[], type[Shape]] | None = None,
    body: Callable[[], Any] | None = None,
    body_required: bool = True,
    problems: frozenset[int] | set[int] = frozenset(),
) -> Callable[[Handler], Handler]:
    """Describe a door and answer for it when what it was handed, or what it stands on, will not do."""

    def dress(handler: Handler) -> Handler:
        @wraps(handler)
        async def answering(req: func.HttpRequest) -> func.HttpResponse:
            try:
                return await handler(req)
            except NotValid as error:
                return problem(422, "what was asked cannot be understood", error.errors)
            except Unreadable as error:
                return problem(error.status, str(error))
            except (StoreUnavailable, QueueUnavailable):
                return problem(503, "the store cannot be reached now; ask again", headers=RETRY_AFTER)
            except ConfigurationError as error:
                return problem(503, f"the settings have to be mended first: {error}", headers=RETRY_AFTER)

        known = {503, *problems, *({422} if query or body else ()), *({400, 413} if body else ())}
        return described(Description(replies, query, body, body_required, frozenset(known)))(answering)

    return dress


class Unreadable(Exception):  # noqa: N818 - named after what is wrong with the body
    """The body is no JSON, or too long."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def query_of[S: Shape](req: func.HttpRequest, wanted: type[S]) -> S:
    """Read the query string. Raises NotValid naming the parameter and its valid values."""
    stated = {name: text for name, text in req.params.items() if name not in HOSTS_OWN}
    return shape.query_as(wanted, stated)


def body_of[S: Shape](req: func.HttpRequest, wanted: type[S]) -> S:
    """Read a JSON body; an empty one counts as {}. Raises NotValid or Unreadable."""
    content = req.get_body()
    if len(content) > LARGEST_BODY:
        raise Unreadable(413, f"{len(content)} bytes; at most {LARGEST_BODY}")
    try:
        stated = orjson.loads(content or b"{}")
    except ValueError as error:
        raise Unreadable(400, f"the body is not JSON: {error}") from error
    return shape.body_as(wanted, stated)


def named(req: func.HttpRequest, name: str) -> str:
    """Return the part of the path called `name`, exact. The host decodes it, except for slashes."""
    return ENCODED_SLASH.sub("/", req.route_params.get(name) or "")
