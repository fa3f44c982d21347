"""Who we are: fetched when needed, once for all, and once again after a 401."""

import asyncio
from urllib.parse import parse_qs

import httpx
import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from tests.unit.erp_at_hand import CONTEXT, SECRET, erp_of, message, profile_source

OAUTH = {
    "kind": "oauth2_client_credentials",
    "token_url": "{settings.base_url}/token",
    "client_id": "us",
    "client_secret": "=settings.password",
    "scope": "all",
}
SESSION = {
    "kind": "session",
    "call": {"path": "/login", "body": {"password": "=settings.password"}},
    "capture": {"token": "=reply.body.token"},
    "headers": {"Authorization": "Session {login.token}"},
}


class Guarded:
    """Hands out tokens t1, t2, ... and accepts only those from `valid` on."""

    def __init__(self, valid=1, status=200):
        self.given, self.valid, self.status, self.calls = 0, valid, status, 0

    async def __call__(self, request):
        if request.url.path in {"/token", "/login"}:
            self.given += 1
            self.asked = request.content.decode()
            await asyncio.sleep(0)
            body = {"access_token": f"t{self.given}", "expires_in": 3600, "token": f"t{self.given}"}
            return httpx.Response(self.status, json=body)
        self.calls += 1
        token = request.headers["authorization"].split(" t")[1]
        return httpx.Response(200 if int(token) >= self.valid else 401, json={})


def erp(auth, guarded):
    source = profile_source()
    source["connection"]["auth"] = auth
    return erp_of(source, guarded, password="vault-password")


@pytest.mark.parametrize("auth", [OAUTH, SESSION])
async def test_one_log_in_serves_all_calls(auth):
    guarded = Guarded()
    connected = erp(auth, guarded)
    assert await asyncio.gather(*(connected.probe() for _ in range(5))) == [None] * 5
    assert (guarded.given, guarded.calls) == (1, 5)


@pytest.mark.parametrize("auth", [OAUTH, SESSION])
async def test_a_401_is_answered_once_with_fresh_credentials(auth):
    guarded = Guarded(valid=2)
    assert await erp(auth, guarded).probe() is None
    assert (guarded.given, guarded.calls) == (2, 2)


async def test_a_401_to_fresh_credentials_halts():
    guarded = Guarded(valid=99)
    connected = erp(OAUTH, guarded)
    result = await connected.advance(connected.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, result.progress.unknown) == (Verdict.HALT, False)
    assert (guarded.given, guarded.calls) == (2, 2)


@pytest.mark.parametrize(
    ("status", "verdict"), [(400, Verdict.HALT), (401, Verdict.HALT), (503, Verdict.RETRY)]
)
@pytest.mark.parametrize("auth", [OAUTH, SESSION])
async def test_a_failed_log_in_leaves_the_message_unsent(auth, status, verdict):
    guarded = Guarded(status=status)
    connected = erp(auth, guarded)
    result = await connected.advance(connected.plan(message(), CONTEXT), Progress(), 0)
    assert (result.decision.verdict, result.progress) == (verdict, Progress())
    assert not result.decision.spends_attempt
    assert guarded.calls == 0


async def test_the_token_request_is_the_standard_one():
    guarded = Guarded()
    await erp(OAUTH, guarded).probe()
    assert parse_qs(guarded.asked) == {
        "grant_type": ["client_credentials"],
        "scope": ["all"],
        "client_id": ["us"],
        "client_secret": [SECRET],
    }


async def test_a_rotated_secret_is_picked_up():
    asked = []

    def handler(request):
        asked.append(request.headers["x-key"])
        return httpx.Response(200 if asked[-1] == "new" else 401)

    source = profile_source()
    source["connection"]["auth"] = {"kind": "api_key", "header": "X-Key", "value": "{settings.password}"}
    answers = iter(["old", "new"])
    connected = erp_of(source, handler, password="vault-password")

    async def resolve(_name):
        return next(answers)

    connected._caller.secrets._resolve = resolve
    assert await connected.probe() is None
    assert asked == ["old", "new"]
