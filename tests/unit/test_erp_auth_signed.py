"""Proofs of who we are that are signed: JWT assertions, OAuth 1.0a, our own certificate."""

import base64
import hashlib
import hmac
import json
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from shared.erp import oauth1
from shared.erp.client import Request
from shared.erp.tls import showing
from shared.errors import ConfigurationError
from shared.profiles.loader import parse_profile
from tests.unit.erp_at_hand import CONTEXT, NOW, SECRET, erp_of, message, profile_source


def pem_of(key, *, certificate=False):
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    if not certificate:
        return private
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "us")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return private + made.public_bytes(serialization.Encoding.PEM).decode()


RSA = rsa.generate_private_key(65537, 2048)
SHA1 = hashes.SHA1()  # noqa: S303 - what x5t is, by RFC 7515 4.1.7
EC = ec.generate_private_key(ec.SECP256R1())


def verified(algorithm, content, signature):
    """Check the signature as the other side would, with the public key; raises if it is wrong."""
    if algorithm == "ES256":
        numbers = (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        EC.public_key().verify(utils.encode_dss_signature(*numbers), content, ec.ECDSA(hashes.SHA256()))
        return
    pads = {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), 32)}
    RSA.public_key().verify(signature, content, pads[algorithm], hashes.SHA256())


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def connected(assertion, pem, handler):
    source = profile_source()
    source["connection"]["auth"] = {
        "kind": "oauth2_client_credentials",
        "token_url": "{settings.base_url}/token",
        "client_id": "us",
        "assertion": {"key": "=settings.password"} | assertion,
    }
    erp = erp_of(source, handler, password="vault-password")

    async def resolve(_name):
        return pem

    erp._caller.secrets._resolve = resolve
    return erp


class TokenEndpoint:
    """Gives tokens and keeps what it was asked."""

    def __init__(self):
        self.forms = []

    def __call__(self, request):
        if request.url.path == "/token":
            self.forms.append({k: v for k, [v] in parse_qs(request.content.decode()).items()})
            return httpx.Response(200, json={"access_token": "t-1", "expires_in": 3600})
        return httpx.Response(200 if request.headers["authorization"] == "Bearer t-1" else 401)


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("PS256", RSA), ("ES256", EC)])
async def test_an_assertion_is_signed_as_the_standard_says(algorithm, key):
    endpoint = TokenEndpoint()
    extra = {"header": {"kid": "k-7"}, "claims": {"scope": ["rest"], "sub": None}}
    erp = connected({"algorithm": algorithm} | extra, pem_of(key), endpoint)
    assert await erp.probe() is None
    (form,) = endpoint.forms
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in form
    signing_input, _, signature = form["client_assertion"].rpartition(".")
    verified(algorithm, signing_input.encode(), decoded(signature))
    header, claims = (json.loads(decoded(part)) for part in signing_input.split("."))
    assert header == {"typ": "JWT", "alg": algorithm, "kid": "k-7"}
    assert (claims["iss"], claims["aud"]) == ("us", "http://erp.test/token")
    assert (claims["iat"], claims["exp"]) == (int(NOW.timestamp()), int(NOW.timestamp()) + 300)
    assert (claims["scope"], "sub" in claims) == (["rest"], False)


@pytest.mark.parametrize(("name", "digest"), [("x5t", SHA1), ("x5t#S256", hashes.SHA256())])
async def test_an_assertion_names_its_certificate(name, digest):
    endpoint = TokenEndpoint()
    pem = pem_of(RSA, certificate=True)
    escaped = pem.replace("\n", "\\n")  # as environment variables carry it
    assert await connected({"thumbprint": name}, escaped, endpoint).probe() is None
    header = json.loads(decoded(endpoint.forms[0]["client_assertion"].split(".")[0]))
    certificate = x509.load_pem_x509_certificate(pem[pem.index("-----BEGIN CERTIFICATE") :].encode())
    assert decoded(header[name]) == certificate.fingerprint(digest)


@pytest.mark.parametrize(
    ("pem", "complaint"),
    [("none", "BEGIN PRIVATE KEY"), (pem_of(EC), "RS256 needs an RSA key")],
)
async def test_a_key_that_does_not_fit_halts_and_says_so(pem, complaint):
    erp = connected({}, pem, TokenEndpoint())
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, result.progress) == (Verdict.HALT, Progress())
    assert complaint in result.decision.reason


def test_a_secret_or_an_assertion_is_needed_not_both():
    source = profile_source()
    auth = {"kind": "oauth2_client_credentials", "token_url": "x", "client_id": "us"}
    for proof in ({}, {"client_secret": "s", "assertion": {"key": "k"}}):
        source["connection"]["auth"] = auth | proof
        with pytest.raises(ConfigurationError, match="`client_secret` or `assertion`"):
            parse_profile(json.dumps(source), "small.yaml")


def test_the_base_string_is_the_one_of_the_standard():
    # RFC 5849 3.4.1.1, its own example: a POST with a form and a query, parameters repeated and odd.
    url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    told = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ]
    assert oauth1.base_string("post", url, told) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26"
        "c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
        "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


OAUTH1 = {
    "kind": "oauth1",
    "consumer_key": "ck",
    "consumer_secret": "=settings.password",
    "token": "tk",
    "token_secret": "ts",
    "realm": "123_SB1",
}


async def test_every_call_is_signed_with_a_nonce_of_its_own():
    seen = []

    def handler(request):
        fields = dict(
            part.split("=", 1) for part in request.headers["authorization"].removeprefix("OAuth ").split(", ")
        )
        told = {name: unquote(value.strip('"')) for name, value in fields.items()}
        signature, realm = told.pop("oauth_signature"), told.pop("realm")
        base = oauth1.base_string(request.method, str(request.url), told.items())
        secret = f"{oauth1._encoded(SECRET)}&ts".encode()
        expected = base64.b64encode(hmac.new(secret, base.encode(), hashlib.sha256).digest()).decode()
        seen.append((signature == expected, realm, told["oauth_nonce"], told["oauth_signature_method"]))
        return httpx.Response(200, json=[])

    source = profile_source()
    source["connection"]["auth"] = OAUTH1
    erp = erp_of(source, handler, password="vault-password")
    assert await erp.probe() is None
    assert [page async for page in erp.pull("2026-11-23T08:00:00Z")]
    assert [(right, realm, how) for right, realm, _, how in seen] == [(True, "123_SB1", "HMAC-SHA256")] * 2
    assert len({nonce for _, _, nonce, _ in seen}) == 2


async def test_a_refused_signature_halts_without_hammering():
    calls = []
    source = profile_source()
    source["connection"]["auth"] = OAUTH1
    erp = erp_of(source, lambda request: calls.append(1) or httpx.Response(401), password="vault-password")
    result = await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, len(calls)) == (Verdict.HALT, 1)


def test_a_form_is_part_of_the_signature():
    keys = oauth1.Keys("ck", "cs", "tk", "ts", "")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    signed = {
        oauth1.authorization(keys, Request("POST", "http://x/y", headers, content), NOW, "n")
        for content in (b"a=1", b"a=2")
    }
    assert len(signed) == 2


def test_our_certificate_is_shown_from_memory():
    context = showing(pem_of(RSA, certificate=True))
    assert context.verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(ConfigurationError, match="cannot be used"):
        showing(pem_of(RSA))


async def test_the_erp_sees_our_certificate(tmp_path):
    """A server that takes nobody without a certificate of ours, on a real socket."""
    pem = pem_of(RSA, certificate=True)
    own = tmp_path / "server.pem"
    own.write_text(pem)
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(own)
    server_context.load_verify_locations(own)
    server_context.verify_mode = ssl.CERT_REQUIRED
    names = []

    async def talk(reader, writer):
        names.append(writer.get_extra_info("peercert")["subject"][0][0][1])
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    import asyncio

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=server_context)
    port = server.sockets[0].getsockname()[1]
    source = profile_source()
    source["connection"]["certificate"] = "=settings.password"
    profile = parse_profile(json.dumps(source), "small.yaml")

    async def resolve(_name):
        return pem

    from shared.erp.engine import build

    erp = build(profile, {"base_url": f"https://127.0.0.1:{port}", "password": "v"}, resolve, lambda: NOW)
    trusting = erp._caller._client._tls

    async def trusts_the_server():
        context = await trusting()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    erp._caller._client._tls = trusts_the_server
    try:
        assert await erp.probe() is None
        assert names == ["us"]
    finally:
        await erp.close()
        server.close()
        await server.wait_closed()
