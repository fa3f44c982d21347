"""Deciding doors: a person retries or dismisses a message, closes a warning, settles a change, links a code."""

from decimal import Decimal
from typing import Annotated, Self

import azure.functions as func
from pydantic import BaseModel, Field, StringConstraints, model_validator

from functions.doors import body_of, door, named, query_of
from functions.finding import message_place, no_such_connection, no_such_message, not_one_order
from functions.listing import WhichConnection
from functions.problems import answer, problem
from shared.flows import link as linking
from shared.flows import review
from shared.flows.review import By, Decided, Verdict
from shared.store.links import ReferenceLink, load_links
from shared.store.reading import order_keys
from shared.wiring import app

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it

Actor = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Factor = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
PRINCIPAL = "X-MS-CLIENT-PRINCIPAL-NAME"  # set by the platform for people who have signed in


class Retry(BaseModel):
    """Who tries again, and why; may be left out."""

    actor: Actor | None = Field(default=None, description="empty: who has signed in, or `unnamed`")
    note: Annotated[str, StringConstraints(max_length=4000)] = ""


class Decision(BaseModel):
    """Who decides, and what they say about it; both stay in the audit trail."""

    actor: Actor
    note: Note


class ChangeDecision(Decision):
    """What to do with a plan the ERP changed under running work: take it over, or keep ours."""

    decision: Verdict


class Done(BaseModel):
    """The decision stands."""

    decided: Decided = Decided.DONE


class Link(BaseModel):
    """One ERP value for one Tascus value. `factor`, for units only: one Tascus unit is so many ERP units."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")] = Field(
        description="scrap_reason, rework_reason, work_centre, unit, or a kind the profile names"
    )
    tascus_value: Code
    erp_value: Code
    factor: Factor | None = None

    @model_validator(mode="after")
    def only_units_have_factors(self) -> Self:
        """Refuse a factor where it would be ignored; a unit without one is another name for the same unit."""
        if self.factor is not None and self.kind != "unit":
            raise ValueError("only links of kind 'unit' have a factor")
        if self.factor is None and self.kind == "unit":
            self.factor = Decimal(1)
        return self


class Links(BaseModel):
    """Reference links of one connection."""

    links: Annotated[list[Link], Field(max_length=5000)]


class Linked(BaseModel):
    """How many links were saved, and how many works orders go on because of them."""

    saved: int
    released: int


@bp.function_name("retry_message")
@bp.route(route="api/v1/messages/{message}/retry", methods=["POST"])
@door({202: Done}, body=Retry, body_required=False, problems={404, 409})
async def retry(req: func.HttpRequest) -> func.HttpResponse:
    """Put a parked message back into its stream, with its attempts forgiven."""
    place, stated = message_place(req), body_of(req, Retry)
    by = By(stated.actor or req.headers.get(PRINCIPAL) or "unnamed", stated.note)
    if place is None:
        return no_such_message(req)
    return _about_message(req, await review.retry_message(app().store, app().queues, place, by))


@bp.function_name("dismiss_message")
@bp.route(route="api/v1/messages/{message}/dismiss", methods=["POST"])
@door({202: Done}, body=Decision, problems={404, 409})
async def dismiss(req: func.HttpRequest) -> func.HttpResponse:
    """Take a parked message out for good; what it kept waiting goes out."""
    place, stated = message_place(req), body_of(req, Decision)
    if place is None:
        return no_such_message(req)
    by = By(stated.actor, stated.note)
    return _about_message(req, await review.dismiss_message(app().store, app().queues, place, by))


def _about_message(req: func.HttpRequest, decided: Decided) -> func.HttpResponse:
    if decided is Decided.UNKNOWN:
        return no_such_message(req)
    if decided is Decided.NOT_OPEN:
        return problem(409, "only a parked message can be retried or dismissed; this one is not parked")
    return answer(Done().model_dump(), 202)


@bp.function_name("resolve_warning")
@bp.route(route="api/v1/warnings/{warning}/resolve", methods=["POST"])
@door({200: Done}, body=Decision, problems={404, 409})
async def resolve(req: func.HttpRequest) -> func.HttpResponse:
    """Close a warning. It opens again by itself when its cause is seen again."""
    key, stated = named(req, "warning"), body_of(req, Decision)
    decided = await review.resolve_warning(app().store, key, By(stated.actor, stated.note))
    if decided is Decided.UNKNOWN:
        return problem(404, f"there is no warning {key!r}")
    if decided is Decided.ELSEWHERE:
        return problem(409, "a change of plan waits behind it: decide at /api/v1/orders/{number}/change")
    if decided is Decided.NOT_OPEN:
        return problem(409, "the warning is not open")
    return answer(Done().model_dump())


@bp.function_name("decide_change")
@bp.route(route="api/v1/orders/{number}/change", methods=["POST"])
@door({202: Done}, query=WhichConnection, body=ChangeDecision, problems={404, 409})
async def change(req: func.HttpRequest) -> func.HttpResponse:
    """Settle a change the ERP made to an order under way. Recorded work stays as it is either way."""
    number, asked, stated = named(req, "number"), query_of(req, WhichConnection), body_of(req, ChangeDecision)
    here = app()
    keys = await here.store.read(lambda tx: order_keys(tx, number, asked.connection))
    if len(keys) != 1:
        return not_one_order(number, keys.values())
    by = By(stated.actor, stated.note)
    decided = await review.decide_change(here.store, here.queues, next(iter(keys)), stated.decision, by)
    if decided is Decided.NOT_OPEN:
        return problem(409, f"no change of works order {number!r} waits for a decision")
    return answer(Done().model_dump(), 202)


@bp.function_name("list_links")
@bp.route(route="api/v1/connections/{connection}/links", methods=["GET"])
@door({200: Links}, problems={404})
async def links(req: func.HttpRequest) -> func.HttpResponse:
    """List the reference links of a connection."""
    here, name = app(), named(req, "connection")
    if name not in here.erps:
        return no_such_connection(name, here.erps)
    found = [link for link in await here.store.read(load_links) if link.connection == name]
    found.sort(key=lambda link: (link.kind, link.tascus_value))
    return answer(Links(links=[_shown(link) for link in found]).model_dump())


def _shown(link: ReferenceLink) -> Link:
    return Link(kind=link.kind, tascus_value=link.tascus_value, erp_value=link.erp_value, factor=link.factor)


@bp.function_name("save_links")
@bp.route(route="api/v1/connections/{connection}/links", methods=["PUT"])
@door({200: Linked}, body=Links, problems={404})
async def put_links(req: func.HttpRequest) -> func.HttpResponse:
    """Add links, or point known Tascus values elsewhere; others stay. Messages that waited for them go out."""
    here, name, stated = app(), named(req, "connection"), body_of(req, Links)
    if name not in here.erps:
        return no_such_connection(name, here.erps)
    given = [
        ReferenceLink(name, link.kind, link.tascus_value, link.erp_value, link.factor)
        for link in stated.links
    ]
    freed = await linking.save_links(here.store, here.queues, here.references, name, given)
    return answer(Linked(saved=len(given), released=len(freed)).model_dump())
