"""The server starts on its own copy, goes away, comes back on the same port, and can be made to hang."""

import httpx
import pytest

from demo.tryton.server import TrytonDidNotStartError, TrytonServer, running_tryton
from tests.tryton_erp.hand import Hand

pytestmark = pytest.mark.tryton


@pytest.fixture
def server(seeded, tmp_path):
    """A server a test here, because these tests stop it."""
    with running_tryton(seeded, tmp_path) as server:
        yield server


def test_reads_an_order_with_its_operations(hand):
    order = hand.order("WO-00001")
    assert (order["state"], order["quantity"]) == ("assigned", 250.0)
    assert [work["sequence"] for work in order["works"]] == [10, 20, 30]


def test_comes_back_on_the_same_port_with_what_was_committed(server, hand):
    hand.start(hand.order("WO-00001"))
    url = server.url
    server.stop()
    with pytest.raises(httpx.ConnectError):
        hand.order("WO-00001")
    server.start()
    assert server.url == url
    assert hand.order("WO-00001")["state"] == "running"


def test_starting_twice_and_stopping_twice_change_nothing(server, hand):
    server.start()
    assert hand.order("WO-00001")["number"] == "WO-00001"
    server.stop()
    server.stop()


def test_the_template_stays_as_it_was(seeded, hand):
    before = seeded.database_template.read_bytes()
    hand.start(hand.order("WO-00001"))
    assert seeded.database_template.read_bytes() == before


def test_a_frozen_server_carries_out_later_what_nobody_waits_for(server, hand):
    order = hand.order("WO-00001")
    server.freeze()
    with Hand(server, timeout=0.5) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.post(f"production/{order['id']}/run")
    server.thaw()
    assert until_it_says(hand, "WO-00001", "running")


def test_a_server_that_cannot_start_shows_its_log(seeded, tmp_path):
    server = TrytonServer(seeded, tmp_path)
    (tmp_path / "trytond.conf").write_text("this is no configuration")
    with pytest.raises(TrytonDidNotStartError, match="MissingSectionHeaderError"):
        server.start()


def test_freezing_a_stopped_server_is_refused(seeded, tmp_path):
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        TrytonServer(seeded, tmp_path).freeze()


def until_it_says(hand, number, state, tries=200):
    """Each try is a round trip to the single-threaded server, so this needs no clock."""
    return any(hand.order(number)["state"] == state for _ in range(tries))
