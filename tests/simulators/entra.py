"""Microsoft Entra's token endpoint for client credentials, as Business Central and Dynamics 365 stand behind it.

Source: Microsoft identity platform, "OAuth 2.0 client credentials flow" (request, answer, error body) and "Microsoft
Entra authentication and authorization error codes" (AADSTS numbers). Real tokens are signed JWTs that live for about
an hour; these are opaque and live until `expire`.
"""

import secrets
from urllib.parse import parse_qs

from starlette.responses import JSONResponse

FIELDS = ("grant_type", "client_id", "client_secret", "scope")


class Entra:
    """One tenant with one registered client; `scope` is the only resource the client may ask for."""

    def __init__(self, scope):
        self.scope = scope
        self.tenant = "3b1f1e60-56f6-4f0e-9f2f-2d8f1f5b7a10"
        self.client_id = "8d5b0c94-3f0f-4a3e-8a57-0d1c6fd6a001"
        self.client_secret = "secret-of-the-simulator"
        self.tokens = set()
        self.issued = 0

    def expire(self):
        """Make every token handed out so far worthless."""
        self.tokens.clear()

    def revoke(self):
        """Withdraw the client's secret, and its tokens with it."""
        self.client_secret = secrets.token_urlsafe(20)
        self.expire()

    def accepts(self, authorization):
        """Say whether an Authorization header bears a token that is worth something."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and token in self.tokens

    def answer(self, tenant, body):
        """Answer a POST to `/{tenant}/oauth2/v2.0/token` whose form is `body`."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        status, code, text = self._refusal(tenant, form)
        if status:
            return JSONResponse({"error": code, "error_description": text}, status)
        self.issued += 1
        token = f"ey.{self.issued}.{secrets.token_urlsafe(16)}"
        self.tokens.add(token)
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}
        )

    def _refusal(self, tenant, form):
        """Return (status, error, description) of the first thing that is wrong; status 0: nothing is."""
        missing = next((name for name in FIELDS if name not in form), None)
        checks = (
            (tenant == self.tenant, 400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found."),
            (missing is None, 400, "invalid_request", f"AADSTS900144: The body must contain '{missing}'."),
            (form.get("grant_type") == "client_credentials", 400, "unsupported_grant_type", "AADSTS70003"),
            (form.get("client_id") == self.client_id, 400, "unauthorized_client", "AADSTS700016: not found."),
            (
                form.get("client_secret") == self.client_secret,
                401,
                "invalid_client",
                "AADSTS7000215: Invalid client secret provided.",
            ),
            (form.get("scope") == self.scope(), 400, "invalid_scope", "AADSTS70011: scope is not valid."),
        )
        return next((found[1:] for found in checks if not found[0]), (0, "", ""))
