"""Registers the doors; nothing else happens here."""

import azure.functions as func

from functions import (
    http_events,
    http_health,
    http_openapi,
    http_orders,
    http_pull,
    http_review,
    queue_triggers,
    timers,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for door in (
    http_events,
    http_pull,
    http_orders,
    http_review,
    http_health,
    http_openapi,
    queue_triggers,
    timers,
):
    app.register_functions(door.bp)
