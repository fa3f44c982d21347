"""What Odoo raises: the exception's dotted name, and the status /json/2 gives it.

Source: odoo/exceptions.py (http_status) and odoo/http.py Json2Dispatcher.handle_error, Odoo 19.
"""

STATUS = {
    "odoo.exceptions.UserError": 422,
    "odoo.exceptions.ValidationError": 422,
    "odoo.exceptions.AccessError": 403,
    "odoo.exceptions.AccessDenied": 403,
    "odoo.exceptions.MissingError": 404,
    "werkzeug.exceptions.BadRequest": 400,
    "werkzeug.exceptions.Unauthorized": 401,
    "werkzeug.exceptions.NotFound": 404,
    "werkzeug.exceptions.UnsupportedMediaType": 415,
    "werkzeug.exceptions.UnprocessableEntity": 422,
}


class OdooError(Exception):
    """One refusal; `name` is what the reply's `name` says; whatever nobody declared is a 500."""

    def __init__(self, message, name="odoo.exceptions.UserError"):
        super().__init__(message)
        self.name = name

    @property
    def status(self):
        """HTTP status on /json/2; JSON-RPC always answers 200."""
        return STATUS.get(self.name, 500)

    def body(self):
        """Return what serialize_exception makes of it."""
        arguments = [str(self), self.status] if self.name.startswith("werkzeug") else [str(self)]
        debug = f"Traceback (most recent call last):\n{self.name}: {self}\n"
        return {
            "name": self.name,
            "message": str(self),
            "arguments": arguments,
            "context": {},
            "debug": debug,
        }


def value_error(message):
    """Return the ValueError of a client mistake: 500 on /json/2."""
    return OdooError(message, "builtins.ValueError")


def validation_error(message):
    """Return a ValidationError."""
    return OdooError(message, "odoo.exceptions.ValidationError")
