"""Token-based authentication: OAuth 1.0a with HMAC-SHA256 over the base string of RFC 5849, verified, not believed."""

import base64
import hashlib
import hmac
import time
from urllib.parse import parse_qsl, quote, unquote

from tests.simulators.netsuite.errors import bad_login

TOLERANCE_SECONDS = 300
NEEDED = ("oauth_consumer_key", "oauth_token", "oauth_nonce", "oauth_timestamp", "oauth_signature")


class Tokens:
    """One integration's consumer and token, and the nonces it has used."""

    consumer_key, consumer_secret = "consumer-key-of-the-integration", "consumer-secret"
    token_id, token_secret = "token-of-the-role", "token-secret"

    def __init__(self, account):
        self.account = account
        self.revoked = False
        self.nonces = set()

    def check(self, method, url, query, header):
        """Check an `Authorization: OAuth …` header against the request; RefusedError where anything differs."""
        given = _parameters(header)
        if self.revoked or any(name not in given for name in NEEDED):
            raise bad_login()
        if (given["oauth_consumer_key"], given["oauth_token"]) != (self.consumer_key, self.token_id):
            raise bad_login()
        if given.get("realm") != self.account or given.get("oauth_signature_method") != "HMAC-SHA256":
            raise bad_login()
        self._check_freshness(given)
        if not hmac.compare_digest(given["oauth_signature"], self.sign(method, url, query, given)):
            raise bad_login()

    def sign(self, method, url, query, given):
        """Return the signature the request ought to carry."""
        apart = ("realm", "oauth_signature")
        pairs = parse_qsl(query, keep_blank_values=True)
        pairs += [(name, value) for name, value in given.items() if name not in apart]
        joined = "&".join(f"{name}={value}" for name, value in sorted((_enc(n), _enc(v)) for n, v in pairs))
        base = "&".join((method.upper(), _enc(url), _enc(joined)))
        key = f"{_enc(self.consumer_secret)}&{_enc(self.token_secret)}"
        return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()

    def _check_freshness(self, given):
        """A nonce counts once; a timestamp is of now."""
        stamp, nonce = given["oauth_timestamp"], given["oauth_nonce"]
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS or nonce in self.nonces:
            raise bad_login()
        self.nonces.add(nonce)


def _parameters(header):
    pairs = (part.strip().partition("=") for part in header.partition(" ")[2].split(","))
    return {name: unquote(value.strip('"')) for name, _, value in pairs}


def _enc(text):
    return quote(str(text), safe="-._~")
