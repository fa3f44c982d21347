"""GET /api/v1/health/live and /ready: is the process there, and can it take events."""

from dataclasses import dataclass
from typing import Literal

import azure.functions as func

from functions.doors import RETRY_AFTER, door
from functions.problems import answer
from shared.domain.health_view import Health, Readiness
from shared.wiring import app

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it


@dataclass(frozen=True, slots=True)
class Alive:
    """The process answers."""

    status: Literal["alive"] = "alive"


@bp.function_name("health_live")
@bp.route(route="api/v1/health/live", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@door({200: Alive})
async def live(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger's own argument
    """Say that the process answers; nothing is asked of anybody."""
    return answer(Alive())


@bp.function_name("health_ready")
@bp.route(route="api/v1/health/ready", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@door({200: Health, 503: Health})
async def ready(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001
    """Say whether events can be taken: 200 while SQL or the queue works, else 503. An ERP that is away is no reason."""
    health = await app().health.readiness()
    if health.status is Readiness.UNAVAILABLE:
        return answer(health, 503, RETRY_AFTER)
    return answer(health)
