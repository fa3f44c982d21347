"""OAuth 2.0 client credentials: a signed assertion (JWT) is exchanged for an access token that lives an hour."""

import functools
import secrets

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ALGORITHMS = ["PS256", "PS384", "PS512"]  # RS256 is not among them; the ES family needs another key
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 3600


@functools.cache
def certificate_key():
    """Return the private key whose certificate is uploaded to the account: (PEM text, public key)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, none).decode(), key.public_key()


class Grants:
    """The client, its certificate, and the access tokens handed out."""

    client_id, certificate_id = "client-id-of-the-integration", "certificate-1"

    def __init__(self):
        self.private_key, self._public_key = certificate_key()
        self.tokens = set()
        self.revoked = False

    def exchange(self, form, audience):
        """Return (status, body) of the token endpoint."""
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION:
            return 400, {"error": "invalid_request"}
        if self.revoked or not self._is_ours(form.get("client_assertion", ""), audience):
            return 400, {"error": "invalid_grant"}
        token = secrets.token_urlsafe(24)
        self.tokens.add(token)
        return 200, {"access_token": token, "expires_in": str(LIFETIME), "token_type": "bearer"}

    def is_valid(self, token):
        """Tell whether an access token is one of ours and still good."""
        return token in self.tokens and not self.revoked

    def _is_ours(self, assertion, audience):
        needed = {"require": ["iss", "aud", "exp", "iat", "scope"]}
        try:
            named = jwt.get_unverified_header(assertion).get("kid")
            claims = jwt.decode(
                assertion, self._public_key, ALGORITHMS, needed, audience=audience, issuer=self.client_id
            )
        except jwt.PyJWTError:
            return False
        short = claims["exp"] - claims["iat"] <= LIFETIME
        return named == self.certificate_id and short and "rest_webservices" in str(claims["scope"])
