"""Sessions: cookies kept, tokens against forged requests, envelopes, sessions that end without a 401."""

import asyncio
import json

import httpx
import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from tests.unit.erp_at_hand import CONTEXT, SECRET, erp_of, message, profile_source

CSRF = {"call": "GET /service/"}


class Gateway:
    """Takes a write only with the token and both cookies of its session, as SAP Gateway does."""

    def __init__(self, fetch_status=200):
        self.sessions, self.fetch_status, self.log = 0, fetch_status, []

    async def __call__(self, request):
        fetched = request.headers.get("x-csrf-token") == "Fetch"
        self.log.append("fetch" if fetched else f"{request.method} {request.url.path}")
        if fetched:
            self.sessions += 1
            await asyncio.sleep(0)
            cookies = [
                ("set-cookie", f"SID=s{self.sessions}; path=/; HttpOnly"),
                ("set-cookie", "ctx=c=1; Secure"),
            ]
            return httpx.Response(
                self.fetch_status, headers=[("x-csrf-token", f"token-{self.sessions}"), *cookies]
            )
        if request.method == "GET":
            return httpx.Response(200, json=[])
        known = request.headers.get("x-csrf-token") == f"token-{self.sessions}"
        if known and request.headers.get("cookie") == f"SID=s{self.sessions}; ctx=c=1":
            return httpx.Response(201, json={})
        return httpx.Response(403, headers={"x-csrf-token": "Required"}, text="CSRF token validation failed")


def guarded(gateway, **connection):
    source = profile_source()
    source["connection"] |= {"csrf": CSRF} | connection
    return erp_of(source, gateway)


async def report(erp):
    return await erp.advance(erp.plan(message(), CONTEXT), Progress(), 0)


async def test_one_token_serves_all_writes_and_reads_need_none():
    gateway = Gateway()
    erp = guarded(gateway)
    assert await erp.probe() is None
    results = await asyncio.gather(*(report(erp) for _ in range(4)))
    assert all(result.finished for result in results)
    assert gateway.log == ["GET /", "fetch", *["POST /report"] * 4]


async def test_a_token_that_has_run_out_is_fetched_again_once():
    gateway = Gateway()
    erp = guarded(gateway)
    assert (await report(erp)).finished
    gateway.sessions += 1  # the ERP has forgotten the session
    assert (await report(erp)).finished
    assert gateway.log == ["fetch", "POST /report", "POST /report", "fetch", "POST /report"]


async def test_a_token_that_is_never_accepted_halts_after_two_tries():
    gateway = Gateway()

    async def forgetful(request):
        reply = await gateway(request)
        gateway.sessions += 1
        return reply

    result = await report(guarded(forgetful))
    assert result.decision.verdict is Verdict.HALT
    assert gateway.log == ["fetch", "POST /report", "fetch", "POST /report"]


@pytest.mark.parametrize(
    ("status", "verdict"), [(503, Verdict.RETRY), (403, Verdict.HALT), (401, Verdict.HALT)]
)
async def test_without_a_token_nothing_is_sent(status, verdict):
    gateway = Gateway(fetch_status=status)
    result = await report(guarded(gateway))
    assert (result.decision.verdict, result.progress) == (verdict, Progress())
    assert "POST /report" not in gateway.log


async def test_a_reply_without_a_token_halts():
    result = await report(guarded(lambda request: httpx.Response(200)))
    assert result.decision.verdict is Verdict.HALT
    assert "X-CSRF-Token" in result.decision.reason


class JsonRpc:
    """One address; who is known by number and key, which travel in every body."""

    def __init__(self):
        self.bodies = []

    def __call__(self, request):
        body = json.loads(request.content)
        self.bodies.append(body)
        params = body["params"]
        if params["service"] == "common":
            right = params["args"] == ["db", "us", SECRET]
            return httpx.Response(200, json={"result": 7 if right else False})
        database, uid, key, *call = params["args"]
        if (database, uid, key) != ("db", 7, SECRET):
            return httpx.Response(200, json={"error": {"message": "Access Denied"}})
        return httpx.Response(200, json={"result": call})


def rpc(network):
    source = profile_source()
    source["connection"] |= {
        "auth": {
            "kind": "session",
            "call": {
                "post": "/jsonrpc",
                "body": {"params": {"service": "common", "args": ["db", "us", "=settings.password"]}},
            },
            "rules": [{"when": "=!(reply.body.result)", "verdict": "halt", "reason": "wrong user or key"}],
            "capture": {"uid": "=reply.body.result"},
        },
        "envelope": {
            "params": {
                "service": "object",
                "args": "=['db', login.uid, settings.password, body.model, body.args]",
            }
        },
        "rules": [{"when": "=reply.body.error", "verdict": "park", "reason": "{reply.body.error.message}"}],
    }
    step = {
        "name": "write",
        "call": {"post": "/jsonrpc", "body": {"model": "m", "args": ["=decimal(message.good)"]}},
        "verified": "=reply.body.result",
        "capture": {"told": "=reply.body.result"},
    }
    source["push"]["production.reported"] = {"steps": [step]}
    return erp_of(source, network, password="vault-password")


async def test_an_envelope_carries_user_and_key_that_no_evidence_shows():
    network = JsonRpc()
    result = await report(rpc(network))
    assert (result.finished, result.progress.captured) == (True, {"told": ["m", ["2.50"]]})
    assert [body["params"]["service"] for body in network.bodies] == ["common", "object"]
    (exchange,) = result.exchanges
    assert json.loads(exchange.request) == {"model": "m", "args": ["2.50"]}
    assert SECRET not in repr(result)


async def test_a_log_in_that_answers_200_and_false_halts():
    network = JsonRpc()
    erp = rpc(network)

    async def resolve(_name):
        return "another"

    erp._caller.secrets._resolve = resolve
    result = await report(erp)
    assert (result.decision.verdict, "wrong user or key" in result.decision.reason) == (Verdict.HALT, True)


async def test_a_session_with_cookies_that_ends_with_a_200_is_opened_again_once():
    log = []

    def handler(request):
        log.append((request.url.path, request.headers.get("cookie")))
        if request.url.path == "/login":
            count = sum(path == "/login" for path, _ in log)
            return httpx.Response(200, json={}, headers={"set-cookie": f"session_id=s{count}; HttpOnly"})
        expired = request.headers["cookie"] != "session_id=s2"
        return httpx.Response(200, json={"error": {"code": 100}} if expired else {"ok": True})

    source = profile_source()
    source["connection"]["auth"] = {
        "kind": "session",
        "call": "POST /login",
        "cookies": True,
        "refused": "=reply.body.error.code == `100`",
    }
    erp = erp_of(source, handler)
    assert (await report(erp)).finished
    assert log == [
        ("/login", None),
        ("/report", "session_id=s1"),
        ("/login", None),
        ("/report", "session_id=s2"),
    ]


async def test_a_session_ends_when_the_profile_says():
    log = []

    def handler(request):
        log.append(request.url.path)
        return httpx.Response(200, json={"expires": 20})

    source = profile_source()
    source["connection"]["auth"] = {"kind": "session", "call": "POST /login", "lasts": "=reply.body.expires"}
    erp = erp_of(source, handler)
    assert await erp.probe() is None
    assert await erp.probe() is None  # 20 seconds are within the margin in which a new one is fetched early
    assert log == ["/login", "/", "/login", "/"]
