"""Units of their own: what the floor has made agrees with what the ERP has, whenever plan, link and event arrive."""

from decimal import Decimal

import pytest

from functions.http_orders import order as show
from functions.http_review import change, put_links
from tests.fakes.plain_erp_books import make_operation, make_record
from tests.integration.kit import call, event, plain_connection, post
from tests.integration.plant import assert_books_agree, deliver_all, states, warnings_of

ORDER, OTHER, NEW = "WO-000001", "WO-000002", "WO-900000"
BY = {"actor": "Ada", "note": "agreed with planning"}


@pytest.fixture
def connections(plain_erp):
    return [plain_connection("main", plain_erp.url)]


@pytest.fixture
async def plant(here):
    await pull(here)
    return here


async def pull(here):
    report = await here.puller.pull(here.erps["main"])
    assert not report.error
    return report


async def link(unit, erp_unit, factor):
    links = [{"kind": "unit", "tascus_value": unit, "erp_value": erp_unit, "factor": factor}]
    assert (await call(put_links, "PUT", connection="main", body={"links": links})).status == 200


async def report(good, unit="", order=ORDER, **fields):
    """Report on the last operation, of two; return the event's id and what was warned of."""
    stated = event("production.reported", order, "20", data={"good": good, "unit": unit, **fields})
    reply = await post(stated)
    return stated["id"], reply.body["events"][0].get("warnings", [])


async def floor(order=ORDER):
    """What `GET /orders/{number}` says: good of the order and of its last operation, and what is left out."""
    found = (await call(show, number=order)).body
    (last,) = [line for line in found["operations"] if line["operation_id"] == "20"]
    left_out = {line["unit"]: Decimal(line["good"]) for line in last["unlinked"]}
    assert found["order"]["unlinked_units"] == sorted(left_out)
    good = found["order"]["good"]
    return None if good is None else Decimal(good), Decimal(last["good"]), left_out


def in_erp(plain_erp, order=ORDER):
    return Decimal(plain_erp.report()["orders"][order]["good"])


def states_of(here, kind):
    return {row.subject: row.state for row in warnings_of(here, kind)}


async def test_boxes_and_pieces_are_not_added_up(plant, plain_erp):
    """An order of 10 pieces: one box of 8 fits, and a piece, and another; the next is one too many."""
    await link("box", "pcs", "8")
    warned = [
        (await report(good, unit))[1] for good, unit in (("1", "box"), ("1", ""), ("1", "pcs"), ("1", ""))
    ]
    assert warned == [[], [], [], ["over_completion"]]
    assert await floor() == (11, 11, {})
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [ORDER])
    (found,) = warnings_of(plant, "over_completion")
    assert found.detail == "11 good of 10 pcs planned on operation 20"


async def test_a_unit_of_less_than_a_piece_warns_of_nothing(plant, plain_erp):
    await link("half", "pcs", "0.5")
    assert (await report("20", "half", scrap="3", rework="1"))[1] == []
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [ORDER])
    assert (await report("1", "half"))[1] == ["over_completion"]


async def test_what_has_no_link_is_left_out_until_it_has(plant, plain_erp):
    assert (await report("5", "crate"))[1] == ["unknown_unit"]
    assert (await report("9"))[1] == []
    assert await floor() == (9, 9, {"crate": 5})
    await deliver_all(plant)
    await link("crate", "pcs", "2.5")
    assert await floor() == (Decimal("21.5"), Decimal("21.5"), {})
    assert states_of(plant, "over_completion") == {f"{ORDER}/20": "open"}  # no event will say so
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [ORDER])
    assert states_of(plant, "unknown_unit") == {"crate": "resolved"}


async def test_a_link_to_another_unit_is_none(plant, plain_erp):
    await link("sack", "kg", "25")
    assert (await report("1", "sack"))[1] == ["unknown_unit"]
    assert await floor() == (0, 0, {"sack": 1})


async def test_a_changed_factor_holds_for_old_and_new_alike(plant):
    await link("box", "pcs", "12")
    await report("0.5", "box")
    await link("box", "pcs", "2")
    await report("1", "box")
    assert await floor() == (3, 3, {})


async def test_a_correction_takes_back_what_was_counted(plant, plain_erp):
    """Before and after the link changed, of what was sent and of what was not."""
    await link("box", "pcs", "2")
    sent, _ = await report("2", "box")
    await report("1")
    await deliver_all(plant)
    unsent, _ = await report("1", "box")
    assert await floor() == (7, 7, {})
    for taken_back, left in ((unsent, 5), (sent, 1)):
        await post(event("correction", ORDER, "20", 9, data={"id": taken_back}))
        assert await floor() == (left, left, {})
    await deliver_all(plant)
    assert in_erp(plain_erp) == 1


async def test_an_order_that_comes_after_its_events(plant, plain_erp):
    await link("box", "pcs", "12")
    for good, unit in (("1", "box"), ("2", "pcs"), ("3", "")):
        assert (await report(good, unit, NEW))[1] == ["unknown_order"]
    left_out = {"box": 1, "pcs": 2}  # nobody knows what the order counts in
    assert await floor(NEW) == (None, 3, left_out)
    plain_erp.orders(add=[make_record({"number": NEW}, 1, 2)])
    await pull(plant)
    assert await floor(NEW) == (17, 17, {})
    await deliver_all(plant)
    assert_books_agree(plant, plain_erp, [NEW])


async def test_an_order_whose_unit_is_changed_counts_in_the_new_one(plant, plain_erp):
    """Twelve pieces are one box: what named no unit is in the order's, whichever that is."""
    await link("pcs", "box", "0.5")
    await report("2", "pcs")
    await report("3", "box")
    await report("1")
    assert await floor() == (3, 3, {"box": 3})
    plain_erp.orders(change=[{"number": ORDER, "unit": "box"}])
    assert (await pull(plant)).proposed == 1
    assert await floor() == (3, 3, {"box": 3})
    await deliver_all(plant)
    assert (await call(change, "POST", number=ORDER, body=BY | {"decision": "accept"})).status == 202
    assert await floor() == (5, 5, {})
    await report("4", "pcs")
    await report("1", "box")
    assert await floor() == (8, 8, {})


# --- warnings that a decision answers ---------------------------------------------------------------------------


async def test_an_accepted_unit_closes_its_warning(plant, plain_erp):
    await report("6", "box")
    await report("5")
    await report("1", "kg")
    await deliver_all(plant)
    plain_erp.orders(change=[{"number": ORDER, "unit": "box"}])
    await pull(plant)
    assert states_of(plant, "unknown_unit") == {"box": "open", "kg": "open"}
    assert (await call(change, "POST", number=ORDER, body=BY | {"decision": "accept"})).status == 202
    assert states_of(plant, "unknown_unit") == {"box": "resolved", "kg": "open"}
    assert states_of(plant, "over_completion") == {f"{ORDER}/20": "open"}
    await deliver_all(plant)
    assert states_of(plant, "unknown_unit") == {"box": "resolved", "kg": "open"}


async def test_it_stays_open_while_another_order_waits_for_the_unit(plant, plain_erp):
    for order in (ORDER, OTHER):
        await report("1", "box", order)
    await deliver_all(plant)
    plain_erp.orders(change=[{"number": ORDER, "unit": "box"}])
    await pull(plant)
    await call(change, "POST", number=ORDER, body=BY | {"decision": "accept"})
    assert states_of(plant, "unknown_unit") == {"box": "open"}
    await deliver_all(plant)
    assert states(plant, ORDER).keys() == {"done"}


async def test_a_plan_that_is_kept_answers_nothing(plant, plain_erp):
    await report("1", "box")
    await deliver_all(plant)
    plain_erp.orders(change=[{"number": ORDER, "unit": "box"}])
    await pull(plant)
    assert (await call(change, "POST", number=ORDER, body=BY | {"decision": "keep"})).status == 202
    assert states_of(plant, "unknown_unit") == {"box": "open"}


async def test_an_accepted_routing_closes_the_warnings_about_its_operations(plant, plain_erp):
    await report("1")
    plain_erp.orders(change=[{"number": ORDER, "operations": [make_operation(step) for step in (1, 2, 3)]}])
    assert (await pull(plant)).proposed == 1
    for operation in ("30", "99"):
        await post(event("production.reported", ORDER, operation, 5, data={"good": "1"}))
    await deliver_all(plant)
    assert states_of(plant, "unknown_operation") == {f"{ORDER}/30": "open", f"{ORDER}/99": "open"}
    assert (await call(change, "POST", number=ORDER, body=BY | {"decision": "accept"})).status == 202
    assert states_of(plant, "unknown_operation") == {f"{ORDER}/30": "resolved", f"{ORDER}/99": "open"}


# --- a connection that is configured later -----------------------------------------------------------------------


async def test_a_connection_that_is_configured_is_unknown_no_longer(open_app, connections, plain_erp):
    """It is configured, and the app begins anew: what waited goes out, and its warning is closed."""
    before = await open_app(connections)
    for name in ("plant2", "plant3"):
        await post(event("production.reported", ORDER, "20", connection=name, data={"good": "3"}))
    await deliver_all(before)
    assert states_of(before, "unknown_connection") == {"plant2": "open", "plant3": "open"}
    after = await open_app([*connections, plain_connection("plant2", plain_erp.url)])
    await after.puller.pull(after.erps["plant2"])
    await deliver_all(after)
    assert states_of(after, "unknown_connection") == {"plant2": "resolved", "plant3": "open"}
    assert in_erp(plain_erp) == 3


async def test_a_pull_that_brings_the_order_says_what_is_too_many(plant, plain_erp):
    """Nobody could tell when it was reported: 12 pieces of 10."""
    await link("box", "pcs", "12")
    await report("1", "box", NEW)
    plain_erp.orders(add=[make_record({"number": NEW}, 1, 2)])
    await pull(plant)
    assert states_of(plant, "over_completion") == {f"{NEW}/20": "open"}
