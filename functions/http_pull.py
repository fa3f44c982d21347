"""POST /api/v1/connections/{connection}/pull: an ERP, or a person, says that something has changed."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.doors import door, named, query_of
from functions.finding import no_such_connection
from functions.lazily import lazily
from functions.problems import answer, problem
from shared.domain.pull_report import PullReport
from shared.wiring import app

if TYPE_CHECKING:
    from functions import queries
else:
    queries = lazily("functions.queries")

bp = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions does not type it


@bp.function_name("pull_now")
@bp.route(route="api/v1/connections/{connection}/pull", methods=["POST"])
@door({202: PullReport}, query=lambda: queries.PullQuery, problems={404, 409})
async def pull(req: func.HttpRequest) -> func.HttpResponse:
    """Pull the connection now. An ERP that cannot be reached is told in the report's `error`."""
    here, name, asked = app(), named(req, "connection"), query_of(req, queries.PullQuery)
    connected = here.erps.get(name)
    if connected is None:
        return no_such_connection(name, here.erps)
    report = await (here.puller.reconcile if asked.reconcile else here.puller.pull)(connected)
    if not report.ran:
        return problem(409, f"another instance is pulling {name} at this moment; it reads what you would")
    return answer(report, 202)
