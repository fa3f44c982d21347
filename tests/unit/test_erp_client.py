"""Real sockets: what was sent, what was not, and replies that lie about themselves. Both wires are held to it."""

import asyncio
import gzip
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from shared.domain.verdict import ReplyKind
from shared.erp.aiohttp_wire import address
from shared.erp.client import HttpClient, Request
from shared.erp.reply import header_facts, parsed, retry_after
from shared.errors import MappingError
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


@asynccontextmanager
async def client_of(reply=5.0, tls=None, **limits):
    client = HttpClient(Timeouts(connect=2, reply=reply), Limits(**limits), tls=tls)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture(params=["send", "send_log_in"])
def send(request):
    """One GET by either wire."""

    async def sent(url, reply=5.0, headers=None, **limits):
        async with client_of(reply, **limits) as client:
            return await getattr(client, request.param)(Request("GET", url, headers or {}))

    return sent


async def test_nothing_was_sent_where_nobody_listens(send):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reply = await send(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert reply.kind is ReplyKind.UNREACHABLE


async def test_nothing_was_sent_to_a_name_that_does_not_exist(send):
    assert (await send("http://nobody.invalid/")).kind is ReplyKind.UNREACHABLE


async def test_a_connection_dropped_after_sending_is_ambiguous(send):
    async with serving(None) as url:
        assert (await send(url)).kind is ReplyKind.AMBIGUOUS


async def test_a_connection_dropped_in_the_middle_of_the_reply_is_ambiguous(send):
    half = HEAD % (100, b"", b"only this")
    async with serving(half, then_close=True) as url:
        assert (await send(url)).kind is ReplyKind.AMBIGUOUS


async def test_silence_is_ambiguous(send):
    async with serving(b"") as url:
        assert (await send(url, reply=0.05)).kind is ReplyKind.AMBIGUOUS


async def test_what_is_not_http_is_ambiguous(send):
    async with serving(b"SSH-2.0-OpenSSH\r\n\r\n") as url:
        assert (await send(url)).kind is ReplyKind.AMBIGUOUS


@pytest.mark.parametrize("body", [gzip.compress(b'{"a": 1}'), b'{"a": 1}'])
async def test_gzip_is_believed_only_when_it_is(send, body):
    async with serving(answer(body, b"Content-Encoding: gzip\r\n")) as url:
        assert parsed((await send(url)).content) == {"a": 1}


@pytest.mark.parametrize("packed", [True, False])
async def test_a_reply_may_not_be_larger_than_allowed(send, packed):
    body = gzip.compress(bytes(50_000)) if packed else bytes(50_000)
    headers = b"Content-Encoding: gzip\r\n" if packed else b""
    async with serving(answer(body, headers)) as url:
        reply = await send(url, reply_bytes=10_000)
    assert (reply.kind, reply.content) == (ReplyKind.ANSWERED, b"")
    assert "larger than 10000" in reply.problem


async def test_header_names_do_not_mind_their_case(send):
    async with serving(answer(b"{}", b"Retry-After: 7\r\nX-A: 1\r\nX-a: 2\r\n")) as url:
        headers = (await send(url)).headers
    assert headers["retry-after"] == headers["Retry-After"] == "7"
    assert header_facts(headers)["x-a"] == "1, 2"


async def test_cookies_come_one_by_one(send):
    async with serving(answer(b"{}", b"Set-Cookie: a=1; Path=/\r\nset-cookie: b=2, 3\r\n")) as url:
        assert (await send(url)).cookies == ("a=1; Path=/", "b=2, 3")


async def test_a_certificate_of_our_own_is_asked_for_once():
    asked = []

    async def tls():
        asked.append(1)
        return ssl.create_default_context()

    async with serving(*[answer(b"{}")] * 3) as url, client_of(tls=tls) as client:
        await asyncio.gather(*(client.send(Request("GET", url, {})) for _ in range(3)))
    assert asked == [1]


@pytest.mark.parametrize("url", ["ftp://erp.test/x", "/x", "http://"])
async def test_what_is_no_address_is_the_mappings_fault(send, url):
    with pytest.raises(MappingError):
        await send(url)


async def test_a_line_break_in_a_header_is_the_mappings_fault(send):
    async with serving(answer(b"{}")) as url:
        with pytest.raises(MappingError):
            await send(url, headers={"X-A": "1\r\nX-B: 2"})


async def test_what_reads_only_is_sent_again_on_a_kept_connection_that_was_dropped():
    async with serving(answer(b"1"), None, answer(b"2")) as url, client_of() as client:
        await client.send(Request("GET", url, {}))
        assert (await client.send(Request("GET", url, {}))).content == b"2"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
async def test_what_writes_is_never_sent_again_by_itself(method):
    async with serving(answer(b"1"), None, answer(b"2")) as url, client_of() as client:
        await client.send(Request("GET", url, {}))
        assert (await client.send(Request(method, url, {}))).kind is ReplyKind.AMBIGUOUS


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://erp.test/api/Work Order", "/api/Work%20Order"),
        ("http://erp.test/o/WO%2F1%2B", "/o/WO%2F1%2B"),
        (
            "http://erp.test/A('O%27%27Brien')?$filter=a%20eq%20'b+c'",
            "/A('O%27%27Brien')?$filter=a%20eq%20'b+c'",
        ),
        ("http://erp.test/ä?q=[1]", "/%C3%A4?q=[1]"),
        ("http://erp.test/a//b/", "/a//b/"),
        ("http://erp.test?x=1", "/?x=1"),
        ("http://erp.test", "/"),
    ],
)
def test_an_address_goes_out_as_it_was_written(url, sent):
    assert address(url).raw_path_qs == sent


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
