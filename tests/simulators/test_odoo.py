"""The Odoo simulator, driven by hand as an integrator would: both versions and both faces, then what they refuse."""

import asyncio
import itertools
import threading
from decimal import Decimal

import httpx
import pytest

from tests.simulators.harness import PlannedOperation, PlannedOrder
from tests.simulators.odoo import Odoo
from tests.simulators.odoo.errors import OdooError

PRODUCTION, WORKORDER, TIMES = "mrp.production", "mrp.workorder", "mrp.workcenter.productivity"
OPERATIONS = (
    PlannedOperation("10", "Turn", "LATHE", Decimal(300), Decimal(30)),
    PlannedOperation("20", "Wash", "WASHER", None, Decimal(60)),
)


def bolts(quantity=10, operations=OPERATIONS, **extra):
    return PlannedOrder("BOLT", Decimal(quantity), operations, **extra)


class RefusedError(Exception):
    """The face said no: exception name and, on /json/2, the status."""

    def __init__(self, reply, error):
        super().__init__(error["message"])
        self.status = reply.status_code
        self.name = error["name"].rsplit(".", 1)[1]


class ByJsonRpc:
    """Calls over /jsonrpc as the manual of version 17 shows them."""

    def __init__(self, odoo, client):
        self.odoo, self.client = odoo, client
        self.numbers = itertools.count(1)

    def service(self, service, method, *args):
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "params": params, "id": next(self.numbers)}
        reply = self.client.post("/jsonrpc", json=body)
        assert reply.status_code == 200
        answer = reply.json()
        assert answer["id"] == body["id"]
        if "error" in answer:
            raise RefusedError(reply, answer["error"]["data"])
        return answer.get("result")

    def call(self, model, method, ids=None, context=None, **kwargs):
        users = self.odoo.users
        kwargs |= {"context": context} if context else {}
        args = [] if ids is None else [ids]
        return self.service("object", "execute_kw", users.database, 2, users.key, model, method, args, kwargs)


class ByJson2:
    """Calls over /json/2 as the manual of version 19 shows them."""

    def __init__(self, odoo, client):
        self.odoo, self.client = odoo, client

    def call(self, model, method, ids=None, context=None, **kwargs):
        body = kwargs | ({} if ids is None else {"ids": ids}) | ({"context": context} if context else {})
        reply = self.client.post(f"/json/2/{model}/{method}", json=body, headers=self.odoo.headers)
        if reply.is_error:
            raise RefusedError(reply, reply.json())
        return reply.json()


FACES = [(17, ByJsonRpc), (19, ByJsonRpc), (19, ByJson2)]


@pytest.fixture(params=FACES, ids=["17-jsonrpc", "19-jsonrpc", "19-json2"])
def face(request):
    version, kind = request.param
    with Odoo(version) as odoo, httpx.Client(base_url=odoo.url, timeout=5) as client:
        yield kind(odoo, client)


@pytest.fixture
def rpc():
    with Odoo(17) as odoo, httpx.Client(base_url=odoo.url, timeout=5) as client:
        yield ByJsonRpc(odoo, client)


@pytest.fixture
def json2():
    with Odoo(19) as odoo, httpx.Client(base_url=odoo.url, timeout=5) as client:
        yield ByJson2(odoo, client)


def order_id(face, number):
    (found,) = face.call(PRODUCTION, "search_read", domain=[["name", "=", number]], fields=["state"])
    return found["id"]


def steps(face, number):
    domain = [["production_id.name", "=", number]]
    return [
        row["id"] for row in face.call(WORKORDER, "search_read", domain=domain, fields=["id"], order="id")
    ]


def state_of(face, model, ident):
    return face.call(model, "read", [ident], fields=["state"])[0]["state"]


def new(face, model, **values):
    made = face.call(model, "create", vals_list=[values])
    return made[0]


def run(face, step, quantity):
    face.call(WORKORDER, "button_start", [step])
    face.call(WORKORDER, "write", [step], vals={"qty_produced": quantity})
    face.call(WORKORDER, "button_finish", [step])


def refused(name, status, act, /, *args, **kwargs):
    with pytest.raises(RefusedError) as caught:
        act(*args, **kwargs)
    assert caught.value.name == name, caught.value
    assert caught.value.status in (200, status)
    return str(caught.value)


# -- the whole order ------------------------------------------------------------------------------------------


def test_one_order_from_release_to_completion(face):
    odoo = face.odoo
    number = odoo.release(bolts())
    ident = order_id(face, number)
    turn, wash = steps(face, number)
    waiting = {17: "pending", 19: "blocked"}[odoo.version]
    assert [state_of(face, WORKORDER, step) for step in (turn, wash)] == ["ready", waiting]
    planned = face.call(
        WORKORDER, "read", [turn, wash], fields=["duration_expected", "workcenter_id", "operation_id"]
    )
    assert [row["duration_expected"] for row in planned] == [10, 10]
    assert [row["workcenter_id"][1] for row in planned] == ["LATHE", "WASHER"]

    face.call(WORKORDER, "button_start", [turn])
    assert odoo.booked(number).operation("10").state == "running"
    assert state_of(face, PRODUCTION, ident) == "progress"
    face.call(WORKORDER, "button_pending", [turn])
    assert odoo.booked(number).operation("10").state == "paused"
    assert state_of(face, WORKORDER, turn) == "progress"
    centre = planned[0]["workcenter_id"][0]
    (loss,) = face.call(f"{TIMES}.loss", "search", domain=[["loss_type", "=", "productive"]])
    spent = {"date_start": "2026-11-02 08:00:00", "date_end": "2026-11-02 08:45:30"}
    new(face, TIMES, workorder_id=turn, workcenter_id=centre, loss_id=loss, **spent)
    face.call(WORKORDER, "button_start", [turn])
    face.call(WORKORDER, "write", [turn], vals={"qty_produced": 8})
    face.call(WORKORDER, "button_finish", [turn])
    assert state_of(face, WORKORDER, wash) == "ready"

    product = face.call(PRODUCTION, "read", [ident], fields=["product_id"])[0]["product_id"][0]
    about = {"product_id": product, "scrap_qty": 2, "production_id": ident, "workorder_id": turn}
    if odoo.version == 19:
        about["scrap_reason_tag_ids"] = face.call(
            "stock.scrap.reason.tag", "search", domain=[["name", "=", "Machine"]]
        )
    scrap = new(face, "stock.scrap", **about)
    asked = face.call("stock.scrap", "action_validate", [scrap])
    assert asked["res_model"] == "stock.warn.insufficient.qty.scrap"
    assert odoo.booked(number).scrap == 0
    wizard = face.call(asked["res_model"], "create", vals_list=[{}], context=asked["context"])
    face.call(asked["res_model"], "action_done", wizard)
    assert state_of(face, "stock.scrap", scrap) == "done"

    run(face, wash, 8)
    assert state_of(face, PRODUCTION, ident) == "to_close"
    face.call(PRODUCTION, "write", [ident], vals={"qty_producing": 8})
    skipped = {"skip_consumption": True, "skip_backorder": True}
    assert face.call(PRODUCTION, "button_mark_done", [ident], context=skipped) is True
    booked = odoo.booked(number)
    # 8 received, and 2 had gone to scrap before: what is on hand is 6
    assert (booked.state, booked.good, booked.scrap, booked.postings) == ("completed", 6, 2, 2)
    turned = booked.operation("10")
    assert (turned.state, turned.good, turned.scrap, turned.setup_seconds) == ("completed", 8, 2, None)
    assert 2730 <= turned.run_seconds < 2740
    assert turned.reasons == (("Machine",) if odoo.version == 19 else ())


def test_search_read_filters_pages_and_orders(face):
    numbers = [face.odoo.release(bolts()) for _ in range(7)]
    released = [["state", "in", ["confirmed", "progress"]]]
    pages = [
        face.call(
            PRODUCTION, "search_read", domain=released, fields=["name"], offset=start, limit=3, order="id"
        )
        for start in (0, 3, 6)
    ]
    assert [row["name"] for page in pages for row in page] == numbers
    by_name = face.call(PRODUCTION, "search_read", domain=[], fields=["name"], limit=2, order="name desc")
    assert [row["name"] for row in by_name] == numbers[:-3:-1]
    row = face.call(PRODUCTION, "search_read", domain=[["name", "=", numbers[0]]])[0]
    assert row["write_date"] == row["write_date"][:19]
    assert row["product_id"] == [row["product_id"][0], "[BOLT] BOLT"]
    assert row["date_finished"] is False
    assert row["date_deadline"] == "2026-12-01 00:00:00"
    assert len(row["workorder_ids"]) == 2
    since = face.call(PRODUCTION, "search_count", domain=[["write_date", ">=", row["write_date"]]])
    assert since == 7


DOMAINS = [
    (["|", ["name", "=", "WH/MO/00001"], ["name", "=", "WH/MO/00002"]], 2),
    (["&", ["product_qty", ">", 10], ["product_qty", "<=", 12]], 2),
    (["!", ["product_qty", "=", 10]], 2),
    ([["product_qty", "!=", 10]], 2),
    ([["name", "like", "MO/0000"], ["product_qty", "<", 11]], 1),
    ([["name", "ilike", "mo/00003"]], 1),
    ([["name", "not in", ["WH/MO/00001"]]], 2),
    ([["product_id.default_code", "=", "BOLT"]], 3),
    ([["product_id", "ilike", "bol"]], 3),
    ([["workorder_ids.state", "=", "ready"]], 3),
    ([["date_finished", "=", False]], 3),
    ([["origin", "not ilike", "x"]], 3),
    ([["date_finished", ">", "2020-01-01 00:00:00"]], 0),
]


def test_domains(json2):
    for quantity in (10, 11, 12):
        json2.odoo.release(bolts(quantity))
    found = [json2.call(PRODUCTION, "search_count", domain=domain) for domain, _ in DOMAINS]
    assert found == [count for _, count in DOMAINS]


def test_serial_numbers_in_version_19_are_many_per_order(json2):
    number = json2.odoo.release(bolts(3, (), serials=True))
    ident = order_id(json2, number)
    asked = json2.call(PRODUCTION, "button_mark_done", [ident])
    assert asked["type"] == "ir.actions.act_window"
    product = json2.call(PRODUCTION, "read", [ident], fields=["product_id"])[0]["product_id"][0]
    lots = json2.call(
        "stock.lot", "create", vals_list=[{"name": f"S-{n}", "product_id": product} for n in range(3)]
    )
    vals = {"lot_producing_ids": [[6, 0, lots]], "qty_producing": 3}
    json2.call(PRODUCTION, "write", [ident], vals=vals)
    json2.call(PRODUCTION, "set_qty_producing", [ident])
    assert json2.call(PRODUCTION, "button_mark_done", [ident]) is True
    assert json2.odoo.booked(number).serials == ("S-0", "S-1", "S-2")
    again = order_id(json2, json2.odoo.release(bolts(1, (), serials=True)))
    vals = {"lot_producing_ids": [[4, lots[0]]], "qty_producing": 1}
    json2.call(PRODUCTION, "write", [again], vals=vals)
    refused("UserError", 422, json2.call, PRODUCTION, "button_mark_done", [again])


def test_a_serial_number_in_version_17_is_one_per_order(rpc):
    number = rpc.odoo.release(bolts(2, (), serials=True))
    ident = order_id(rpc, number)
    product = rpc.call(PRODUCTION, "read", [ident], fields=["product_id"])[0]["product_id"][0]
    lot = new(rpc, "stock.lot", name="S-1", product_id=product, company_id=1)
    rpc.call(PRODUCTION, "write", [ident], vals={"lot_producing_id": lot, "qty_producing": 2})
    skipped = {"skip_consumption": True, "skip_backorder": True}
    refused("ValidationError", 200, rpc.call, PRODUCTION, "button_mark_done", [ident], context=skipped)
    rpc.call(PRODUCTION, "write", [ident], vals={"qty_producing": 1})
    asked = rpc.call(PRODUCTION, "button_mark_done", [ident], context={"skip_consumption": True})
    assert asked["res_model"] == "mrp.production.backorder"
    (wizard,) = rpc.call(asked["res_model"], "create", vals_list=[{}], context=asked["context"])
    done = rpc.call(asked["res_model"], "action_backorder", [wizard], context={"skip_consumption": True})
    assert done["res_model"] == PRODUCTION
    names = rpc.call(PRODUCTION, "read", [ident, done["res_id"]], fields=["name", "state", "product_qty"])
    assert [(row["name"], row["state"], row["product_qty"]) for row in names] == [
        ("WH/MO/00001-001", "done", 1),
        ("WH/MO/00001-002", "confirmed", 1),
    ]
    assert rpc.odoo.booked(number).serials == ("S-1",)
    assert rpc.odoo.booked(number).state == "started"


def test_records_come_nested(face):
    number = face.odoo.release(bolts())
    shown = {"product_uom_id": {}, "workorder_ids": {"fields": {"workcenter_id": {"fields": {"code": {}}}}}}
    asked = {"domain": [["name", "=", number]], "specification": shown, "limit": 1}
    found = face.call(PRODUCTION, "web_search_read", **asked)
    (row,) = found["records"]
    assert found["length"] == 1
    assert isinstance(row["product_uom_id"], int)
    assert [set(step["workcenter_id"]) for step in row["workorder_ids"]] == [{"id", "code"}] * 2
    assert face.call(PRODUCTION, "web_read", [row["id"]], specification=shown) == [row]
    refused("ValueError", 500, face.call, PRODUCTION, "web_read", [row["id"]], specification={"nothing": {}})


def test_many_to_many_commands_change_what_is_linked(json2):
    ident = order_id(json2, json2.odoo.release(bolts(3, (), serials=True)))
    product = json2.call(PRODUCTION, "read", [ident], fields=["product_id"])[0]["product_id"][0]
    lots = json2.call(
        "stock.lot", "create", vals_list=[{"name": f"S-{n}", "product_id": product} for n in range(3)]
    )
    for commands in ([[4, lots[0]]], [[4, lots[1]], [4, lots[2]]], [[3, lots[0]]]):
        json2.call(PRODUCTION, "write", [ident], vals={"lot_producing_ids": commands})
    assert (
        json2.call(PRODUCTION, "read", [ident], fields=["lot_producing_ids"])[0]["lot_producing_ids"]
        == lots[1:]
    )


def test_a_scrap_order_is_not_deleted_by_a_user(face):
    number = face.odoo.release(bolts(1, ()))
    product = face.call(PRODUCTION, "read", [order_id(face, number)], fields=["product_id"])[0]["product_id"][
        0
    ]
    scrap = new(face, "stock.scrap", product_id=product, scrap_qty=1)
    refused("AccessError", 403, face.call, "stock.scrap", "unlink", [scrap])


def test_a_lot_is_the_batch(face):
    number = face.odoo.release(bolts(5, (), batch=True))
    ident = order_id(face, number)
    product = face.call(PRODUCTION, "read", [ident], fields=["product_id"])[0]["product_id"][0]
    lot = new(face, "stock.lot", name="B-1", product_id=product, company_id=1)
    field = {17: {"lot_producing_id": lot}, 19: {"lot_producing_ids": [[6, 0, [lot]]]}}[face.odoo.version]
    face.call(PRODUCTION, "write", [ident], vals=field)
    assert face.call(PRODUCTION, "button_mark_done", [ident]) is True
    assert (face.odoo.booked(number).batches, face.odoo.booked(number).good) == (("B-1",), 5)
    if face.odoo.version == 19:
        other = new(face, "stock.lot", name="B-2", product_id=product)
        two = {"lot_producing_ids": [[6, 0, [lot, other]]]}
        refused("UserError", 422, face.call, PRODUCTION, "write", [ident], vals=two)
    twin = {"name": "B-1", "product_id": product, "company_id": 1}
    assert "unique" in refused("ValidationError", 422, new, face, "stock.lot", **twin)


# -- what it does that nobody expects -------------------------------------------------------------------------


def test_an_order_done_short_asks_about_components_then_about_a_backorder(face):
    number = face.odoo.release(bolts(10, ()))
    ident = order_id(face, number)
    face.call(PRODUCTION, "write", [ident], vals={"qty_producing": 6})
    asked = face.call(PRODUCTION, "button_mark_done", [ident])
    assert asked["res_model"] == "mrp.consumption.warning"
    wizard = face.call(asked["res_model"], "create", vals_list=[{}], context=asked["context"])
    asked = face.call(asked["res_model"], "action_set_qty", wizard)
    assert asked["res_model"] == "mrp.production.backorder"
    assert face.odoo.booked(number).good == 0
    wizard = face.call(asked["res_model"], "create", vals_list=[{}], context=asked["context"])
    assert face.call(asked["res_model"], "action_close_mo", wizard) is True
    assert (face.odoo.booked(number).good, face.odoo.booked(number).state) == (6, "completed")


def test_a_backorder_takes_what_is_left_of_each_operation(face):
    number = face.odoo.release(bolts())
    ident = order_id(face, number)
    turn, wash = steps(face, number)
    run(face, turn, 10)
    run(face, wash, 6)
    face.call(PRODUCTION, "write", [ident], vals={"qty_producing": 6})
    context = {"skip_consumption": True, "skip_backorder": True, "mo_ids_to_backorder": [ident]}
    rest = face.call(PRODUCTION, "button_mark_done", [ident], context=context)["res_id"]
    assert [
        row["state"] for row in face.call(WORKORDER, "search_read", domain=[["production_id", "=", rest]])
    ] == [
        "cancel",
        "ready",
    ]
    assert face.call(PRODUCTION, "read", [rest], fields=["product_qty"])[0]["product_qty"] == 4
    assert face.call(PRODUCTION, "search_count", domain=[["name", "=", number]]) == 0
    assert face.odoo.booked(number).good == 6


def test_an_operation_nobody_clocked_is_given_its_expected_time(face):
    number = face.odoo.release(bolts())
    face.call(PRODUCTION, "button_mark_done", [order_id(face, number)])
    booked = face.odoo.booked(number)
    assert booked.state == "completed"
    assert [one.run_seconds for one in booked.operations] == [600, 600]


def test_a_blocked_operation_may_start_and_a_second_start_changes_nothing(face):
    number = face.odoo.release(bolts())
    _, wash = steps(face, number)
    for _ in range(2):
        face.call(WORKORDER, "button_start", [wash])
    assert len(face.call(TIMES, "search", domain=[["workorder_id", "=", wash]])) == 1
    assert face.odoo.booked(number).operation("20").state == "running"


def test_marking_done_twice_posts_once(face):
    number = face.odoo.release(bolts(10, ()))
    ident = order_id(face, number)
    for _ in range(2):
        assert face.call(PRODUCTION, "button_mark_done", [ident]) is True
    assert (face.odoo.booked(number).good, face.odoo.booked(number).postings) == (10, 1)


def test_a_cancelled_order_marked_done_is_done_with_nothing(face):
    number = face.odoo.release(bolts(10, ()))
    ident = order_id(face, number)
    face.odoo.cancel(number)
    assert face.call(PRODUCTION, "button_mark_done", [ident]) is True
    assert state_of(face, PRODUCTION, ident) == "done"
    assert face.odoo.booked(number).good == 0


def test_an_unbuild_takes_goods_back(face):
    number = face.odoo.release(bolts(10, ()))
    ident = order_id(face, number)
    product = face.call(PRODUCTION, "read", [ident], fields=["product_id"])[0]["product_id"][0]
    early = new(face, "mrp.unbuild", product_id=product, mo_id=ident, product_qty=3)
    refused("UserError", 422, face.call, "mrp.unbuild", "action_unbuild", [early])
    face.call(PRODUCTION, "button_mark_done", [ident])
    assert face.call("mrp.unbuild", "action_validate", [early]) is True
    assert (face.odoo.booked(number).good, face.odoo.booked(number).postings) == (7, 2)


def test_duration_written_becomes_time_lines(face):
    number = face.odoo.release(bolts())
    turn, _ = steps(face, number)
    face.call(WORKORDER, "write", [turn], vals={"duration": 7.5})
    assert face.odoo.booked(number).operation("10").run_seconds == 450
    face.call(WORKORDER, "write", [turn], vals={"duration": 12})
    lines = face.call(
        TIMES, "search_read", domain=[["workorder_id", "=", turn]], fields=["duration", "loss_type"]
    )
    kinds = [(row["duration"], row["loss_type"]) for row in lines]
    assert kinds == [(7.5, "productive"), (2.5, "productive"), (2, "performance")]
    face.call(WORKORDER, "write", [turn], vals={"duration": 5})
    assert face.odoo.booked(number).operation("10").run_seconds == 300


# -- what it refuses ------------------------------------------------------------------------------------------


def test_finished_and_cancelled_work_is_refused(face):
    number = face.odoo.release(bolts())
    ident = order_id(face, number)
    turn, wash = steps(face, number)
    run(face, turn, 10)
    refused("UserError", 422, face.call, WORKORDER, "button_start", [turn])
    if face.odoo.version == 19:
        refused("UserError", 422, face.call, WORKORDER, "write", [turn], vals={"qty_produced": 5})
        refused("UserError", 422, face.call, WORKORDER, "write", [wash], vals={"qty_produced": -1})
    face.odoo.cancel(number)
    assert face.odoo.booked(number).state == "cancelled"
    refused("UserError", 422, face.call, WORKORDER, "button_start", [wash])
    refused(
        "UserError", 422, face.call, PRODUCTION, "write", [ident], vals={"date_start": "2026-11-02 08:00:00"}
    )


def test_an_open_time_line_is_one_per_user_and_work_order(face):
    turn, _ = steps(face, face.odoo.release(bolts()))
    face.call(WORKORDER, "button_start", [turn])
    row = face.call(
        TIMES, "search_read", domain=[["workorder_id", "=", turn]], fields=["workcenter_id", "loss_id"]
    )[0]
    line = {"workorder_id": turn, "workcenter_id": row["workcenter_id"][0], "loss_id": row["loss_id"][0]}
    refused("ValidationError", 422, new, face, TIMES, **line)
    assert len(face.call(TIMES, "search", domain=[["workorder_id", "=", turn]])) == 1
    refused("ValidationError", 422, new, face, TIMES, workorder_id=turn)


def test_unknown_names_and_forbidden_writes(face):
    face.odoo.release(bolts())
    refused("ValueError", 500, face.call, PRODUCTION, "search_read", domain=[], fields=["nosuchfield"])
    refused("ValueError", 500, face.call, PRODUCTION, "search", domain=[["nosuchfield", "=", 1]])
    refused("ValueError", 500, face.call, PRODUCTION, "search", domain=[["name", "resembles", 1]])
    refused("ValueError", 500, face.call, PRODUCTION, "search", domain=["|", ["name", "=", 1]])
    refused("ValueError", 500, face.call, PRODUCTION, "write", [1], vals={"nosuchfield": 1})
    refused("MissingError", 404, face.call, PRODUCTION, "button_mark_done", [999])
    refused("MissingError", 404, face.call, PRODUCTION, "read", [999], fields=["name"])
    refused("AccessError", 403, face.call, "product.product", "write", [1], vals={"name": "x"})
    refused("AccessError", 403, face.call, "mrp.bom", "create", vals_list=[{"name": "x"}])
    refused("AccessError", 403, face.call, PRODUCTION, "_compute_state", [1])


def test_a_custom_field_holds_our_reference(face):
    face.odoo.add_custom_field("stock.scrap", "x_tascus_id")
    with pytest.raises(ValueError, match="x_"):
        face.odoo.add_custom_field("stock.scrap", "tascus_id")
    number = face.odoo.release(bolts())
    ident = order_id(face, number)
    product = face.call(PRODUCTION, "read", [ident], fields=["product_id"])[0]["product_id"][0]
    for _ in range(2):  # nothing makes it unique
        new(face, "stock.scrap", product_id=product, scrap_qty=1, x_tascus_id="e-1")
    assert len(face.call("stock.scrap", "search", domain=[["x_tascus_id", "=", "e-1"]])) == 2


# -- each face's own ------------------------------------------------------------------------------------------


def test_json_rpc_authentication(rpc):
    users = rpc.odoo.users
    assert rpc.service("common", "version")["server_version_info"][0] == 17
    assert rpc.service("common", "authenticate", users.database, users.login, users.key, {}) == 2
    assert rpc.service("common", "authenticate", users.database, users.login, "wrong", {}) is False
    wrong = (users.database, 2, "wrong", PRODUCTION, "search", [[]])
    refused("AccessDenied", 200, rpc.service, "object", "execute_kw", *wrong)
    elsewhere = ("elsewhere", 2, users.key, PRODUCTION, "search", [[]])
    refused("OperationalError", 200, rpc.service, "object", "execute_kw", *elsewhere)
    rpc.odoo.revoke_credentials()
    refused("AccessDenied", 200, rpc.service, "object", "execute_kw", *wrong)


def test_json_rpc_envelopes(rpc):
    assert rpc.client.post("/jsonrpc", content=b"{").status_code == 400
    lost = rpc.client.post(f"/json/2/{PRODUCTION}/search", json={"domain": []})
    assert (lost.status_code, lost.json()["error"]["code"]) == (200, 404)
    refused("UserError", 200, rpc.call, "no.such.model", "search", domain=[])
    refused("AttributeError", 200, rpc.call, PRODUCTION, "no_such_method", [1])
    refused("TypeError", 200, rpc.call, PRODUCTION, "search", domain=[], nosuchargument=1)


def test_a_web_session_expires(rpc):
    users = rpc.odoo.users
    log_in = {"db": users.database, "login": users.login, "password": users.password}
    assert rpc.client.post("/web/session/authenticate", json={"params": log_in}).json()["result"]["uid"] == 2
    call = {"params": {"model": PRODUCTION, "method": "search", "args": [[]], "kwargs": {}}}
    assert rpc.client.post("/web/dataset/call_kw", json=call).json()["result"] == []
    rpc.odoo.expire_credentials()
    expired = rpc.client.post("/web/dataset/call_kw", json=call)
    assert (expired.status_code, expired.json()["error"]["code"]) == (200, 100)
    denied = rpc.client.post("/web/session/authenticate", json={"params": log_in | {"password": users.key}})
    assert denied.json()["error"]["data"]["name"] == "odoo.exceptions.AccessDenied"


def test_json2_statuses(json2):
    client, url = json2.client, f"/json/2/{PRODUCTION}/search"
    bare = client.post(url, json={"domain": []})
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "bearer")
    assert bare.json()["name"] == "werkzeug.exceptions.Unauthorized"
    wrong = {"Authorization": "bearer wrong"}
    assert client.post(url, json={"domain": []}, headers=wrong).status_code == 401
    elsewhere = json2.odoo.headers | {"X-Odoo-Database": "elsewhere"}
    assert client.post(url, json={"domain": []}, headers=elsewhere).status_code == 404
    assert client.get(url, headers=json2.odoo.headers).status_code == 404
    assert (
        client.post(
            url, content=b"{", headers=json2.odoo.headers | {"content-type": "application/json"}
        ).status_code
        == 400
    )
    assert client.post(url, content=b"a=b", headers=json2.odoo.headers).status_code == 415
    refused("NotFound", 404, json2.call, "no.such.model", "search", domain=[])
    refused("NotFound", 404, json2.call, PRODUCTION, "no_such_method", [1])
    refused("UnprocessableEntity", 422, json2.call, PRODUCTION, "search", [1], domain=[])
    refused("UnprocessableEntity", 422, json2.call, PRODUCTION, "search")
    refused("UnprocessableEntity", 422, json2.call, PRODUCTION, "search", domain=[], nosuchargument=1)
    json2.odoo.revoke_credentials()
    assert client.post(url, json={"domain": []}, headers={"Authorization": "bearer old"}).status_code == 401


def test_a_method_without_a_result(face):
    turn, _ = steps(face, face.odoo.release(bolts()))
    result = face.call(WORKORDER, "button_pending", [turn])
    assert result is (True if face.odoo.version == 17 else None)


# -- the planner in between -----------------------------------------------------------------------------------


def test_the_planner_changes_a_quantity(face):
    number = face.odoo.release(bolts())
    turn, _ = steps(face, number)
    run(face, turn, 10)
    before = face.call(PRODUCTION, "search_read", domain=[["name", "=", number]], fields=["write_date"])
    assert face.odoo.change_quantity(number, Decimal(12)) == number
    after = face.call(
        PRODUCTION, "search_read", domain=[["name", "=", number]], fields=["write_date", "product_qty"]
    )
    assert after[0]["product_qty"] == 12
    assert after[0]["write_date"] >= before[0]["write_date"]
    assert state_of(face, WORKORDER, turn) == "progress"  # two more to turn


def test_a_done_order_cannot_be_cancelled(face):
    number = face.odoo.release(bolts(10, ()))
    ident = order_id(face, number)
    face.call(PRODUCTION, "button_mark_done", [ident])
    if face.odoo.version == 19:
        refused("UserError", 422, face.call, PRODUCTION, "action_cancel", [ident])
    else:
        face.call(PRODUCTION, "action_cancel", [ident])
    assert face.odoo.booked(number).state == "completed"
    with pytest.raises(OdooError):
        face.odoo.cancel(number)
    refused("UserError", 422, face.call, PRODUCTION, "unlink", [ident])


async def test_a_late_commit_carries_an_early_write_date():
    with Odoo(19) as odoo:
        first, second = (odoo.release(bolts(10, ())) for _ in range(2))
        odoo.database.commit_seconds = 1
        begun = threading.Event()
        odoo.before("/write", begun.set)
        async with httpx.AsyncClient(base_url=odoo.url, headers=odoo.headers, timeout=5) as client:
            body = {"ids": [1], "vals": {"origin": "late"}}
            writing = asyncio.create_task(client.post(f"/json/2/{PRODUCTION}/write", json=body))
            await asyncio.to_thread(begun.wait, 5)
            await asyncio.sleep(0.1)
            odoo.change_quantity(second, Decimal(12))
            asked = {"domain": [], "fields": ["name", "origin"], "order": "write_date"}
            before = (await client.post(f"/json/2/{PRODUCTION}/search_read", json=asked)).json()
            await writing
            after = (await client.post(f"/json/2/{PRODUCTION}/search_read", json=asked)).json()
    assert [(row["name"], row["origin"]) for row in before] == [(first, False), (second, False)]
    assert [(row["name"], row["origin"]) for row in after] == [(first, "late"), (second, False)]


def test_a_dropped_reply_leaves_its_effect(face):
    number = face.odoo.release(bolts())
    turn, _ = steps(face, number)
    face.odoo.fault("POST", "drop_after_effect")
    with pytest.raises(httpx.RemoteProtocolError):
        face.call(WORKORDER, "button_start", [turn])
    assert face.odoo.booked(number).operation("10").state == "running"


@pytest.mark.parametrize("model", [PRODUCTION, WORKORDER])
def test_the_harness_learns_whose_order_a_write_is_about(model):
    odoo = Odoo(19)
    odoo.release(bolts())
    assert odoo.order_of("POST", f"/json/2/{model}/write", b'{"ids": [1], "vals": {}}') == "1"
    assert odoo.order_of("POST", f"/json/2/{model}/read", b'{"ids": [1]}') == ""
    made = b'{"vals_list": [{"production_id": 1}]}'
    assert odoo.order_of("POST", "/json/2/stock.scrap/create", made) == "1"
