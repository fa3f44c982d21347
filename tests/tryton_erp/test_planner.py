"""What a planner may do while the floor works, and what the ERP then shows."""

from decimal import Decimal

import pytest

from demo.tryton.planner import Planner, PlannerRefusedError
from demo.tryton.readback import read_back

pytestmark = pytest.mark.tryton


@pytest.fixture
def planner(server):
    return Planner(server)


def test_changes_the_quantity_of_a_released_order(server, planner):
    planner.change_quantity("WO-00002", Decimal(35))
    order = read_back(server.database)["WO-00002"]
    assert (order["state"], order["planned"]) == ("waiting", 35)


def test_changing_a_started_order_sends_it_back_to_waiting(server, hand, planner):
    order = hand.order("WO-00001")
    hand.start(order)
    hand.work(order["works"][0], 60)
    planner.change_quantity("WO-00001", Decimal(300))
    after = read_back(server.database)["WO-00001"]
    assert (after["state"], after["planned"]) == ("waiting", 300)
    # Tryton keeps the started work and adds the whole routing beside it.
    assert [(work["sequence"], work["state"]) for work in after["works"]] == [
        (10, "finished"),
        (10, "request"),
        (20, "request"),
        (30, "request"),
    ]


def test_a_changed_started_order_can_be_started_again(hand, planner):
    order = hand.order("WO-00006")
    hand.start(order)
    planner.change_quantity("WO-00006", Decimal(70))
    hand.start(hand.order("WO-00006"))
    assert hand.order("WO-00006")["quantity"] == 70


def test_cancels_an_order(server, planner):
    planner.cancel("WO-00003")
    assert read_back(server.database)["WO-00003"]["state"] == "cancelled"


def test_deletes_an_order_without_a_trace(server, planner):
    planner.delete("WO-00004")
    assert "WO-00004" not in read_back(server.database)


def test_releases_one_more_order(server, planner):
    number = planner.release("P-00012", Decimal(9))
    order = read_back(server.database)[number]
    assert (order["state"], order["planned"]) == ("waiting", 9)
    assert [work["sequence"] for work in order["works"]] == [10, 20, 30, 40, 50]


def test_what_tryton_refuses_is_said_in_its_words(hand, planner):
    hand.start(hand.order("WO-00009"))
    with pytest.raises(PlannerRefusedError, match='You can not call "cancel" on "WO-00009"'):
        planner.cancel("WO-00009")
