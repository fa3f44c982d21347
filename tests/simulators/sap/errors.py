"""What SAP refuses: a status, a message class with its number, and the text a user reads."""


class RefusedError(Exception):
    """A request SAP does not carry out; `code` is "class/number" of the T100 message, or an exception's name."""

    def __init__(self, status, code, text, target=""):
        super().__init__(text)
        self.status, self.code, self.text, self.target = status, code, text, target


def business(code, text, target=""):
    """Return a business error: status 400, the message in the body."""
    return RefusedError(400, code, text, target)


def not_found(what):
    """Return the answer to a key nobody has."""
    return RefusedError(404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{what}'")
