"""The function app that the tests of devhost run: every trigger, and doors to see what happened."""

import azure.functions as func
from doors import doors
from floor import floor

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(doors)
app.register_functions(floor)
