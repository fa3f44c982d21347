"""OAuth 1.0a: every call is signed with the consumer's and the token's secret (RFC 5849), here by HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from shared.erp.client import Request
    from shared.profiles.model import OAuth1Auth

METHOD = "HMAC-SHA256"
FORM = "application/x-www-form-urlencoded"
USUAL_PORTS = {"http": 80, "https": 443}


class Keys(NamedTuple):
    """What a call is signed with."""

    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str
    realm: str


def keys_of(auth: OAuth1Auth, facts: dict[str, Any]) -> Keys:
    """Return the keys a connection's settings give."""
    realm = auth.realm(facts) if auth.realm else None
    named = (auth.consumer_key, auth.consumer_secret, auth.token, auth.token_secret)
    key, secret, token, token_secret = (str(value(facts)) for value in named)
    return Keys(key, secret, token, token_secret, str(realm or ""))


def authorization(keys: Keys, request: Request, now: datetime, nonce: str = "") -> str:
    """Return the `Authorization` header that signs `request`; `nonce` left out: a new one."""
    stated = {
        "oauth_consumer_key": keys.consumer_key,
        "oauth_nonce": nonce or uuid4().hex,
        "oauth_signature_method": METHOD,
        "oauth_timestamp": str(int(now.timestamp())),
        "oauth_token": keys.token,
        "oauth_version": "1.0",
    }
    base = base_string(request.method, request.url, (*stated.items(), *_form(request)))
    secret = f"{_encoded(keys.consumer_secret)}&{_encoded(keys.token_secret)}"
    digest = hmac.new(secret.encode(), base.encode(), hashlib.sha256).digest()
    stated["oauth_signature"] = base64.b64encode(digest).decode()
    realm = {"realm": keys.realm} if keys.realm else {}
    told = (f'{name}="{_encoded(value)}"' for name, value in {**realm, **stated}.items())
    return f"OAuth {', '.join(told)}"


def base_string(method: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Return the signature base string (RFC 5849 3.4.1) of a call with these `parameters` beside its query's."""
    parts = urlsplit(url)
    usual = parts.port is None or parts.port == USUAL_PORTS.get(parts.scheme)
    host = (parts.hostname or "") if usual else f"{parts.hostname}:{parts.port}"
    address = f"{parts.scheme}://{host}{parts.path or '/'}"
    query = parse_qsl(parts.query, keep_blank_values=True)
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in (*parameters, *query))
    normal = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join(_encoded(part) for part in (method.upper(), address, normal))


def _form(request: Request) -> list[tuple[str, str]]:
    if request.headers.get("Content-Type") != FORM:
        return []
    return parse_qsl(request.content.decode(), keep_blank_values=True)


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")
