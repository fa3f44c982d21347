"""Query strings of the doors: which, how many, and where to go on."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from functions.shape import Moment, Shape
from shared.domain.message import MessageKind, MessageState
from shared.domain.page import read_cursor
from shared.domain.state import Status
from shared.domain.warning import WarningKind, WarningState
from shared.domain.works_order import ErpState


def _reads(*kinds: type) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:  # noqa: ANN401 - whatever the caller wrote
        return read_cursor(str(text), *kinds)

    return read


AS_TEXT = WithJsonSchema({"type": "string", "description": "`next` of the page before"})
OrderCursor = Annotated[tuple[str, str] | None, BeforeValidator(_reads(str, str)), AS_TEXT]
MessageCursor = Annotated[tuple[str, int] | None, BeforeValidator(_reads(str, int)), AS_TEXT]
WarningCursor = Annotated[tuple[Moment, str] | None, BeforeValidator(_reads(str, str)), AS_TEXT]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Listing(Shape):
    """Query of a list."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    connection: Annotated[Name | None, Field(description="only this connection")] = None


class WhichConnection(Shape):
    """Two ERPs may use the same number."""

    connection: Annotated[Name | None, Field(description="needed where the number exists twice")] = None


class OrdersQuery(Listing):
    """Which works orders."""

    status: Annotated[Status | None, Field(description="state on the floor")] = None
    erp_state: Annotated[ErpState | None, Field(description="state in the ERP")] = None
    q: Annotated[Name | None, Field(description="how the number begins, exact")] = None
    cursor: OrderCursor = None


class MessagesQuery(Listing):
    """Which messages."""

    state: MessageState | None = None
    kind: MessageKind | None = None
    order: Annotated[Name | None, Field(description="works order number, exact")] = None
    cursor: MessageCursor = None


class WarningsQuery(Listing):
    """Which warnings; open ones unless `state` says otherwise."""

    state: WarningState = WarningState.OPEN
    kind: WarningKind | None = None
    order: Annotated[Name | None, Field(description="works order number, exact")] = None
    cursor: WarningCursor = None


class AccountQuery(WhichConnection):
    """Which events; all of them without `order`."""

    order: Annotated[Name | None, Field(description="works order number, exact")] = None


class PullQuery(Shape):
    """How to pull."""

    reconcile: Annotated[
        bool,
        Field(
            description="compare the ERP's open orders with ours instead: finds what was deleted; the next pull reads"
            " all released orders anew"
        ),
    ] = False
