"""Who may come in: Basic log-in, the session cookie, and the token that guards every write (CSRF)."""

import base64
import binascii
import secrets
from http.cookies import SimpleCookie

SESSION, ANTI_CSRF = "SAP_SESSIONID_S4H_100", "sap-XSRF_S4H_100"


class Sessions:
    """The log-ins a system knows and the sessions it has opened: session id -> token."""

    def __init__(self, user, password):
        self.user, self.password = user, password
        self.tokens = {}

    def may_enter(self, request):
        """Tell whether the request carries the right Basic log-in."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(given).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and (user.upper(), password) == (self.user.upper(), self.password)

    def token_of(self, request):
        """Return the token of the session whose cookie came along, None where there is no such session."""
        return self.tokens.get(_cookie(request, SESSION))

    def guarded(self, request):
        """Tell whether a write brings the token and the cookie of one and the same session."""
        token = self.token_of(request)
        return bool(token) and request.headers.get("x-csrf-token") == token

    def open(self, request, response):
        """Put a token and its cookies on the response: of the session there is, or of a new one."""
        token = self.token_of(request)
        if not token:
            session, token = secrets.token_urlsafe(24), secrets.token_urlsafe(16)
            self.tokens[session] = token
            response.set_cookie(SESSION, session, path="/")
            response.set_cookie(ANTI_CSRF, token, path="/")
        response.headers["x-csrf-token"] = token

    def forget(self):
        """End all sessions."""
        self.tokens.clear()


def _cookie(request, name):
    jar = SimpleCookie(request.headers.get("cookie", ""))
    return jar[name].value if name in jar else ""
