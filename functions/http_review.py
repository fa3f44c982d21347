"""Deciding doors: a person retries or dismisses a message, closes a warning, settles a change, links a code."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.doors import body_of, door, named, query_of
from functions.finding import message_place, no_such_connection, no_such_message, not_one_order
from functions.lazily import lazily
from functions.problems import answer, problem
from functions.replies import Done, Linked
from shared.domain.decision import By, Decided
from shared.domain.order_view import NotOne
from shared.domain.reference_link import LinkLine, LinkLines, ReferenceLink
from shared.wiring import app

if TYPE_CHECKING:
    from functions import bodies, queries
else:
    bodies, queries = lazily("functions.bodies"), lazily("functions.queries")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it

PRINCIPAL = "X-MS-CLIENT-PRINCIPAL-NAME"  # set by the platform for people who have signed in


@bp.function_name("retry_message")
@bp.route(route="api/v1/messages/{message}/retry", methods=["POST"])
@door({202: Done}, body=lambda: bodies.Retry, body_required=False, problems={404, 409})
async def retry(req: func.HttpRequest) -> func.HttpResponse:
    """Put a parked message back into its stream, with its attempts forgiven."""
    place, stated = message_place(req), body_of(req, bodies.Retry)
    by = By(stated.actor or req.headers.get(PRINCIPAL) or "unnamed", stated.note)
    if place is None:
        return no_such_message(req)
    return _about_message(req, await app().review.retry_message(place, by))


@bp.function_name("dismiss_message")
@bp.route(route="api/v1/messages/{message}/dismiss", methods=["POST"])
@door({202: Done}, body=lambda: bodies.Decision, problems={404, 409})
async def dismiss(req: func.HttpRequest) -> func.HttpResponse:
    """Take a parked message out for good; what it kept waiting goes out."""
    place, stated = message_place(req), body_of(req, bodies.Decision)
    if place is None:
        return no_such_message(req)
    by = By(stated.actor, stated.note)
    return _about_message(req, await app().review.dismiss_message(place, by))


def _about_message(req: func.HttpRequest, decided: Decided) -> func.HttpResponse:
    if decided is Decided.UNKNOWN:
        return no_such_message(req)
    if decided is Decided.NOT_OPEN:
        return problem(409, "only a parked message can be retried or dismissed; this one is not parked")
    if decided is Decided.ELSEWHERE:
        return problem(
            409, "it was sent as one with another message: decide about that one; the reason names it"
        )
    return answer(Done(), 202)


@bp.function_name("resolve_warning")
@bp.route(route="api/v1/warnings/{warning}/resolve", methods=["POST"])
@door({200: Done}, body=lambda: bodies.Decision, problems={404, 409})
async def resolve(req: func.HttpRequest) -> func.HttpResponse:
    """Close a warning. It opens again by itself when its cause is seen again."""
    key, stated = named(req, "warning"), body_of(req, bodies.Decision)
    decided = await app().review.resolve_warning(key, By(stated.actor, stated.note))
    if decided is Decided.UNKNOWN:
        return problem(404, f"there is no warning {key!r}")
    if decided is Decided.ELSEWHERE:
        return problem(409, "a change of plan waits behind it: decide at /api/v1/orders/{number}/change")
    if decided is Decided.NOT_OPEN:
        return problem(409, "the warning is not open")
    return answer(Done())


@bp.function_name("decide_change")
@bp.route(route="api/v1/orders/{number}/change", methods=["POST"])
@door(
    {202: Done},
    query=lambda: queries.WhichConnection,
    body=lambda: bodies.ChangeDecision,
    problems={404, 409},
)
async def change(req: func.HttpRequest) -> func.HttpResponse:
    """Settle a change the ERP made to an order under way. Recorded work stays as it is either way."""
    number, asked = named(req, "number"), query_of(req, queries.WhichConnection)
    stated = body_of(req, bodies.ChangeDecision)
    by = By(stated.actor, stated.note)
    decided = await app().review.decide_change(number, asked.connection, stated.decision, by)
    if isinstance(decided, NotOne):
        return not_one_order(number, decided)
    if decided is Decided.NOT_OPEN:
        return problem(409, f"no change of works order {number!r} waits for a decision")
    return answer(Done(), 202)


@bp.function_name("list_links")
@bp.route(route="api/v1/connections/{connection}/links", methods=["GET"])
@door({200: LinkLines}, problems={404})
async def links(req: func.HttpRequest) -> func.HttpResponse:
    """List the reference links of a connection."""
    here, name = app(), named(req, "connection")
    if name not in here.erps:
        return no_such_connection(name, here.erps)
    return answer(LinkLines([_line(link) for link in await here.linker.links(name)]))


def _line(link: ReferenceLink) -> LinkLine:
    return LinkLine(link.kind, link.tascus_value, link.erp_value, link.factor)


@bp.function_name("save_links")
@bp.route(route="api/v1/connections/{connection}/links", methods=["PUT"])
@door({200: Linked}, body=lambda: bodies.Links, problems={404})
async def put_links(req: func.HttpRequest) -> func.HttpResponse:
    """Add links, or point known Tascus values elsewhere; others stay. Messages that waited for them go out."""
    here, name, stated = app(), named(req, "connection"), body_of(req, bodies.Links)
    if name not in here.erps:
        return no_such_connection(name, here.erps)
    given = [
        ReferenceLink(name, link.kind, link.tascus_value, link.erp_value, link.factor)
        for link in stated.links
    ]
    freed = await here.linker.save(name, given)
    return answer(Linked(saved=len(given), released=len(freed)))
