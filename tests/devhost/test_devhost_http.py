"""HTTP functions behave as behind `func start`."""

import httpx
import pytest


@pytest.fixture(scope="session")
def host(shared):
    return shared.host


@pytest.fixture(scope="module")
def client(host):
    with httpx.Client(base_url=host.url) as client:
        yield client


def test_a_function_gets_method_url_headers_query_and_route(client, host):
    url = "/echo/a/b%20c%2Fd?x=1&y=%C3%A9&x=2&blank="
    seen = client.put(url, headers=[("X-Twice", "one"), ("X-Twice", "two")], content=b"12345").json()
    assert seen["method"] == "PUT"
    assert seen["url"] == host.url + url
    assert seen["headers"]["x-twice"] == "one,two"
    assert seen["query"] == {"x": "1,2", "y": "é"}
    assert seen["route"] == {"rest": "a/b c%2Fd"}
    assert seen["length"] == 5


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/orders/000123", "number 000123"),
        ("/orders/WO-7", "name WO-7"),
        ("/orders/WO%207", "name WO 7"),
        ("/orders/open", "open"),
        ("/Orders/OPEN/", "open"),
    ],
)
def test_the_most_exact_route_answers(client, path, answer):
    assert client.get(path).text == answer


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/"),
        ("POST", "/orders/open"),
        ("HEAD", "/orders/open"),
        ("GET", "/orders"),
    ],
)
def test_an_unknown_route_or_a_wrong_method_is_404(client, method, path):
    assert client.request(method, path).status_code == 404


def test_bytes_status_headers_and_cookies_come_back_as_sent(client):
    body = bytes(range(256)) * 8192
    reply = client.post("/mirror", content=body)
    assert reply.status_code == 207
    assert reply.content == body
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["x-length"] == str(len(body))
    assert reply.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


def test_a_chunked_body_arrives_whole(client):
    assert client.post("/mirror", content=iter([b"one ", b"two ", b"three"])).content == b"one two three"


def test_a_synchronous_function_runs_in_a_thread_and_may_return_text(client):
    reply = client.get("/plain")
    assert reply.text == "main thread: False"
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get("/echo/here").json()["thread"] is True


def test_no_content_has_no_body(client):
    reply = client.delete("/empty")
    assert reply.status_code == 204
    assert "content-length" not in reply.headers


def test_a_raising_function_answers_500_without_a_body_and_its_traceback_is_logged(client, host):
    reply = client.get("/broken")
    assert (reply.status_code, reply.content) == (500, b"")
    assert "Functions.broken failed" in host.log()
    assert "RuntimeError: broken on purpose" in host.log()


def test_a_timer_can_be_fired_by_hand(client, shared):
    assert client.post("/admin/functions/ticking", json={}).status_code == 202
    shared.journal.wait(1, "tick", "ended")
    assert client.post("/admin/functions/ticking", content="{}").status_code == 415
    assert client.post("/admin/functions/broken", json={}).status_code == 404
