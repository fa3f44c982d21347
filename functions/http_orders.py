"""Reading doors: works orders, messages, warnings and the account of every event."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.doors import door, named, query_of
from functions.finding import message_place, no_such_message, not_one_order
from functions.lazily import lazily
from functions.problems import answer, problem
from shared.domain.account_view import Account
from shared.domain.message_view import MessageDetail, MessageFilter, MessageLine
from shared.domain.order_view import NotOne, OrderDetail, OrderFilter, OrderLine
from shared.domain.page import Page
from shared.domain.warning_view import WarningDetail, WarningFilter, WarningLine
from shared.wiring import app

if TYPE_CHECKING:
    from functions import queries
else:
    queries = lazily("functions.queries")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it


@bp.function_name("list_orders")
@bp.route(route="api/v1/orders", methods=["GET"])
@door({200: Page[OrderLine]}, query=lambda: queries.OrdersQuery)
async def orders(req: func.HttpRequest) -> func.HttpResponse:
    """List works orders by number, with their progress."""
    asked = query_of(req, queries.OrdersQuery)
    wanted = OrderFilter(asked.connection, asked.status, asked.erp_state, asked.q)
    return answer(await app().look.orders(wanted, asked.cursor, asked.limit))


@bp.function_name("read_order")
@bp.route(route="api/v1/orders/{number}", methods=["GET"])
@door({200: OrderDetail}, query=lambda: queries.WhichConnection, problems={404})
async def order(req: func.HttpRequest) -> func.HttpResponse:
    """Show one works order: plan, operations, what the floor did, open warnings, stream."""
    number, asked = named(req, "number"), query_of(req, queries.WhichConnection)
    found = await app().look.order(number, asked.connection)
    return not_one_order(number, found) if isinstance(found, NotOne) else answer(found)


@bp.function_name("list_messages")
@bp.route(route="api/v1/messages", methods=["GET"])
@door({200: Page[MessageLine]}, query=lambda: queries.MessagesQuery)
async def messages(req: func.HttpRequest) -> func.HttpResponse:
    """List messages, order by order in sequence."""
    asked = query_of(req, queries.MessagesQuery)
    wanted = MessageFilter(asked.state, asked.kind, asked.connection, asked.order)
    return answer(await app().look.messages(wanted, asked.cursor, asked.limit))


@bp.function_name("read_message")
@bp.route(route="api/v1/messages/{message}", methods=["GET"])
@door({200: MessageDetail}, problems={404})
async def message(req: func.HttpRequest) -> func.HttpResponse:
    """Show one message with every attempt to deliver it."""
    place = message_place(req)
    if place is None:
        return no_such_message(req)
    found = await app().look.message(*place)
    return answer(found) if found else no_such_message(req)


@bp.function_name("list_warnings")
@bp.route(route="api/v1/warnings", methods=["GET"])
@door({200: Page[WarningLine]}, query=lambda: queries.WarningsQuery)
async def warnings(req: func.HttpRequest) -> func.HttpResponse:
    """List warnings, newest first."""
    asked = query_of(req, queries.WarningsQuery)
    wanted = WarningFilter(asked.state, asked.kind, asked.connection, asked.order)
    return answer(await app().look.warnings(wanted, asked.cursor, asked.limit))


@bp.function_name("read_warning")
@bp.route(route="api/v1/warnings/{warning}", methods=["GET"])
@door({200: WarningDetail}, problems={404})
async def warning(req: func.HttpRequest) -> func.HttpResponse:
    """Show one warning with its audit trail."""
    key = named(req, "warning")
    found = await app().look.warning(key)
    return answer(found) if found else problem(404, f"there is no warning {key!r}")


@bp.function_name("completeness")
@bp.route(route="api/v1/completeness", methods=["GET"])
@door({200: Account}, query=lambda: queries.AccountQuery, problems={404})
async def completeness(req: func.HttpRequest) -> func.HttpResponse:
    """Account for every event: delivered, on its way, or with a person."""
    asked = query_of(req, queries.AccountQuery)
    if asked.order is None:
        return answer(await app().accounts.of_everything())
    found = await app().accounts.of_order(asked.order, asked.connection)
    return answer(found) if found else not_one_order(asked.order, NotOne(()))
