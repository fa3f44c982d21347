"""Real sockets: what was sent, what was not, and replies that lie about themselves."""

import asyncio
import gzip
import socket
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from shared.domain.verdict import ReplyKind
from shared.erp.client import HttpClient, Request
from shared.erp.reply import parsed, retry_after
from shared.profiles.model import Limits, Timeouts
from tests.unit.erp_at_hand import NOW

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b"


def answer(body, headers=b""):
    return HEAD % (len(body), headers, body)


@asynccontextmanager
async def serving(*answers, then_close=False):
    """A server that gives one answer a request, in turn; None closes the connection without one."""
    left = list(answers)

    async def talk(reader, writer):
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                reply = left.pop(0)
                if reply is None:
                    break
                writer.write(reply)
                if then_close:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


async def send(url, reply=5.0, **limits):
    client = HttpClient(Timeouts(connect=2, reply=reply), Limits(**limits))
    try:
        return await client.send(Request("GET", url, {}))
    finally:
        await client.close()


async def test_nothing_was_sent_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reply = await send(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert reply.kind is ReplyKind.UNREACHABLE


async def test_nothing_was_sent_to_a_name_that_does_not_exist():
    assert (await send("http://nobody.invalid/")).kind is ReplyKind.UNREACHABLE


async def test_a_connection_dropped_after_sending_is_ambiguous():
    async with serving(None) as url:
        assert (await send(url)).kind is ReplyKind.AMBIGUOUS


async def test_a_connection_dropped_in_the_middle_of_the_reply_is_ambiguous():
    half = HEAD % (100, b"", b"only this")
    async with serving(half, then_close=True) as url:
        assert (await send(url)).kind is ReplyKind.AMBIGUOUS


async def test_silence_is_ambiguous():
    async with serving(b"") as url:
        assert (await send(url, reply=0.05)).kind is ReplyKind.AMBIGUOUS


async def test_what_is_not_http_is_ambiguous():
    async with serving(b"SSH-2.0-OpenSSH\r\n\r\n") as url:
        assert (await send(url)).kind is ReplyKind.AMBIGUOUS


@pytest.mark.parametrize("body", [gzip.compress(b'{"a": 1}'), b'{"a": 1}'])
async def test_gzip_is_believed_only_when_it_is(body):
    async with serving(answer(body, b"Content-Encoding: gzip\r\n")) as url:
        assert parsed((await send(url)).content) == {"a": 1}


@pytest.mark.parametrize("packed", [True, False])
async def test_a_reply_may_not_be_larger_than_allowed(packed):
    body = gzip.compress(bytes(50_000)) if packed else bytes(50_000)
    headers = b"Content-Encoding: gzip\r\n" if packed else b""
    async with serving(answer(body, headers)) as url:
        reply = await send(url, reply_bytes=10_000)
    assert (reply.kind, reply.content) == (ReplyKind.ANSWERED, b"")
    assert "larger than 10000" in reply.problem


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("7", timedelta(seconds=7)),
        ("Mon, 23 Nov 2026 10:01:00 GMT", timedelta(minutes=1)),
        ("Mon, 23 Nov 2026 09:00:00 GMT", timedelta()),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after(value, delay):
    assert retry_after(value, NOW) == delay
