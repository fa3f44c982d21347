"""Registers the doors, and says how often this process looks for garbage; nothing else happens here."""

import gc

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

# A page of orders is a hundred thousand objects, none of them garbage. Python looks through what is new every 2,000
# objects, and through the rest every 200,000: a fifth of a pull's time.
gc.set_threshold(50_000, 20, 20)
