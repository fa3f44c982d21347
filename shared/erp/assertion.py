"""A signed JWT that says who we are to a token endpoint, instead of a client secret (RFC 7523, 7515, 7518)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.erp import pem
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from shared.profiles.model import Assertion

    type Facts = dict[str, Any]

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 2.2
ES256_BYTES = 32  # of each of the two numbers of a P-256 signature, RFC 7518 3.4


def signed(assertion: Assertion, facts: Facts, client_id: str, audience: str, now: datetime) -> str:
    """Return the JWT: `iss` and `sub` are the client, `aud` the token endpoint; the profile's claims go over these.

    Raises:
        ConfigurationError: the vault's text holds no key, or one that does not fit the algorithm.
    """
    key = str(assertion.key(facts))
    at = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": at,
        "nbf": at,
        "exp": at + assertion.lifetime,
        "jti": str(uuid4()),
        **{name: value(facts) for name, value in assertion.claims.items()},
    }
    header = {"typ": "JWT", "alg": assertion.algorithm, **_thumbprint(assertion, key)}
    header |= {name: value(facts) for name, value in assertion.header.items()}
    signing_input = f"{_part(header)}.{_part(claims)}"
    return f"{signing_input}.{_encoded(signature(assertion.algorithm, key, signing_input.encode()))}"


def signature(algorithm: str, key: str, content: bytes) -> bytes:
    """Return the JWS signature of `content` by `algorithm` (RS256, PS256, ES256) with the key in PEM text `key`."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    private = pem.private_key(key)
    if algorithm == "ES256" and isinstance(private, ec.EllipticCurvePrivateKey):
        numbers = utils.decode_dss_signature(private.sign(content, ec.ECDSA(SHA256())))
        return b"".join(number.to_bytes(ES256_BYTES) for number in numbers)
    if algorithm == "PS256" and isinstance(private, rsa.RSAPrivateKey):
        return private.sign(content, padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size), SHA256())
    if algorithm == "RS256" and isinstance(private, rsa.RSAPrivateKey):
        return private.sign(content, padding.PKCS1v15(), SHA256())
    wanted = "an elliptic curve key (P-256)" if algorithm == "ES256" else "an RSA key"
    raise ConfigurationError(f"{algorithm} needs {wanted}; the vault's is {type(private).__name__}")


def _thumbprint(assertion: Assertion, key: str) -> dict[str, str]:
    if assertion.thumbprint is None:
        return {}
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    # x5t is SHA-1 by RFC 7515 4.1.7; it names a certificate and protects nothing.
    digest = hashes.SHA1() if assertion.thumbprint == "x5t" else hashes.SHA256()  # noqa: S303
    return {assertion.thumbprint: _encoded(pem.certificate(key).fingerprint(digest))}


def _part(fields: dict[str, Any]) -> str:
    stated = {name: value for name, value in fields.items() if value is not None}
    return _encoded(json.dumps(stated, separators=(",", ":")).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
