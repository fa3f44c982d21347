"""What NetSuite refuses: a status and `o:errorDetails`."""

TITLES = {
    400: ("Bad Request", "15.5.1"),
    401: ("Unauthorized", "15.5.2"),
    404: ("Not Found", "15.5.5"),
    405: ("Method Not Allowed", "15.5.6"),
    429: ("Too Many Requests", "15.5.20"),
}
AUDIT = (
    "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at Setup > Users/Roles > "
    "User Management > View Login Audit Trail."
)


class RefusedError(Exception):
    """A request NetSuite does not carry out; `where` names the header, the query parameter or the path at fault."""

    def __init__(self, status, code, detail, **where):
        super().__init__(detail)
        self.status, self.code, self.detail, self.where = status, code, detail, where

    def body(self):
        """Return the JSON body."""
        title, section = TITLES[self.status]
        at = {f"o:error{name[0].upper()}{name[1:]}": value for name, value in self.where.items()}
        return {
            "type": f"https://www.rfc-editor.org/rfc/rfc9110.html#section-{section}",
            "title": title,
            "status": self.status,
            "o:errorDetails": [{"detail": self.detail, **at, "o:errorCode": self.code}],
        }


def user_error(detail):
    """Return the refusal of a rule of the business: status 400, code USER_ERROR."""
    return RefusedError(400, "USER_ERROR", f"Error while accessing a resource. {detail}")


def invalid_content(detail, path=""):
    """Return the refusal of a body: status 400, code INVALID_CONTENT."""
    return RefusedError(400, "INVALID_CONTENT", detail, **({"path": path} if path else {}))


def no_record():
    """Return the answer to an id nobody has."""
    return RefusedError(
        404, "NONEXISTENT_ID", "The record instance does not exist. Provide a valid record instance ID."
    )


def bad_login():
    """Return the answer to a log-in that fails, whatever is wrong with it."""
    return RefusedError(401, "INVALID_LOGIN", AUDIT)
