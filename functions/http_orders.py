"""Reading doors: works orders, messages, warnings and the account of every event."""

from typing import Annotated

import azure.functions as func
from pydantic import Field
from sqlalchemy import Connection

from functions.doors import door, named, query_of
from functions.finding import message_place, no_such_message, not_one_order
from functions.listing import Listing, MessageCursor, Name, OrderCursor, WarningCursor, WhichConnection
from functions.problems import answer, problem
from shared.domain.message import MessageKind, MessageState
from shared.domain.state import Status
from shared.domain.warning import WarningKind, WarningState
from shared.domain.works_order import ErpState
from shared.flows.account import Account, account, account_of_orders
from shared.store.paging import Page
from shared.store.reading import OrderDetail, OrderFilter, OrderLine, list_orders, order_keys, read_order
from shared.store.reading_messages import (
    MessageDetail,
    MessageFilter,
    MessageLine,
    list_messages,
    read_message,
)
from shared.store.reading_warnings import (
    WarningDetail,
    WarningFilter,
    WarningLine,
    list_warnings,
    read_warning,
)
from shared.wiring import app

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it


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


@bp.function_name("list_orders")
@bp.route(route="api/v1/orders", methods=["GET"])
@door({200: Page[OrderLine]}, query=OrdersQuery)
async def orders(req: func.HttpRequest) -> func.HttpResponse:
    """List works orders by number, with their progress."""
    asked = query_of(req, OrdersQuery)
    wanted = OrderFilter(asked.connection, asked.status, asked.erp_state, asked.q)
    return answer(await app().store.read(lambda tx: list_orders(tx, wanted, asked.limit, asked.cursor)))


@bp.function_name("read_order")
@bp.route(route="api/v1/orders/{number}", methods=["GET"])
@door({200: OrderDetail}, query=WhichConnection, problems={404})
async def order(req: func.HttpRequest) -> func.HttpResponse:
    """Show one works order: plan, operations, what the floor did, open warnings, stream."""
    number, asked, store = named(req, "number"), query_of(req, WhichConnection), app().store
    keys = await store.read(lambda tx: order_keys(tx, number, asked.connection))
    if len(keys) != 1:
        return not_one_order(number, keys.values())
    return answer(await store.read(lambda tx: read_order(tx, next(iter(keys)))))


@bp.function_name("list_messages")
@bp.route(route="api/v1/messages", methods=["GET"])
@door({200: Page[MessageLine]}, query=MessagesQuery)
async def messages(req: func.HttpRequest) -> func.HttpResponse:
    """List messages, order by order in sequence."""
    asked = query_of(req, MessagesQuery)

    def work(tx: Connection) -> Page[MessageLine]:
        keys = None if asked.order is None else order_keys(tx, asked.order, asked.connection)
        wanted = MessageFilter(asked.state, asked.kind, asked.connection, keys)
        return list_messages(tx, wanted, asked.limit, asked.cursor)

    return answer(await app().store.read(work))


@bp.function_name("read_message")
@bp.route(route="api/v1/messages/{message}", methods=["GET"])
@door({200: MessageDetail}, problems={404})
async def message(req: func.HttpRequest) -> func.HttpResponse:
    """Show one message with every attempt to deliver it."""
    place = message_place(req)
    if place is None:
        return no_such_message(req)
    found = await app().store.read(lambda tx: read_message(tx, *place))
    return answer(found) if found else no_such_message(req)


@bp.function_name("list_warnings")
@bp.route(route="api/v1/warnings", methods=["GET"])
@door({200: Page[WarningLine]}, query=WarningsQuery)
async def warnings(req: func.HttpRequest) -> func.HttpResponse:
    """List warnings, newest first."""
    asked = query_of(req, WarningsQuery)

    def work(tx: Connection) -> Page[WarningLine]:
        keys = None if asked.order is None else order_keys(tx, asked.order, asked.connection)
        wanted = WarningFilter(asked.state, asked.kind, asked.connection, keys)
        return list_warnings(tx, wanted, asked.limit, asked.cursor)

    return answer(await app().store.read(work))


@bp.function_name("read_warning")
@bp.route(route="api/v1/warnings/{warning}", methods=["GET"])
@door({200: WarningDetail}, problems={404})
async def warning(req: func.HttpRequest) -> func.HttpResponse:
    """Show one warning with its audit trail."""
    key = named(req, "warning")
    found = await app().store.read(lambda tx: read_warning(tx, key))
    return answer(found) if found else problem(404, f"there is no warning {key!r}")


@bp.function_name("completeness")
@bp.route(route="api/v1/completeness", methods=["GET"])
@door({200: Account}, query=AccountQuery, problems={404})
async def completeness(req: func.HttpRequest) -> func.HttpResponse:
    """Account for every event: delivered, on its way, or with a person."""
    asked, here = query_of(req, AccountQuery), app()
    number = asked.order
    if number is None:
        return answer(await account(here.store, here.queues))
    keys = await here.store.read(lambda tx: order_keys(tx, number, asked.connection))
    if not keys:
        return not_one_order(number, ())
    return answer(await here.store.read(lambda tx: account_of_orders(tx, keys)))
