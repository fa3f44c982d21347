"""`profile new|check|try|explain`: what an integration engineer sees."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from cli.__main__ import main
from cli.profile.described import read
from cli.profile.proposing import matched, plain_words, propose
from shared.domain.message import MessageKind
from shared.erp.engine import build
from shared.errors import ConfigurationError
from shared.profiles.loader import load_profile, parse_profile, shipped_profiles
from tests.fakes.plain_erp import PlainErp
from tests.simulators.harness import PlannedOperation, PlannedOrder
from tests.simulators.odata_v4 import ODataV4
from tests.simulators.sap import Sap

PLAIN = str(Path(__file__).parents[2] / "shared/profiles/plain_rest.yaml")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ManufacturingOrder", "manufacturing order"),
        ("last_modified_at", "last modified at"),
        ("MfgOrderPlannedEndDate", "mfg order planned end date"),
        ("Operation No.", "operation no"),
        ("itemNo", "item no"),
    ],
)
def test_names_are_read_as_words(name, words):
    assert plain_words(name) == words


def test_a_whole_name_wins_over_a_part_of_one_and_is_used_once():
    fields = dict.fromkeys(("UnitCost", "Unit", "OrderQuantity", "Quantity"), "")
    wanted = {"unit": ("unit",), "quantity": ("order quantity", "quantity"), "other": ("quantity",)}
    assert matched(fields, wanted) == {"unit": "Unit", "quantity": "OrderQuantity", "other": "Quantity"}


async def test_a_draft_from_odata_metadata_pulls_at_once(tmp_path):
    with ODataV4() as erp:
        routing = (PlannedOperation("10", "Turn", "LATHE", Decimal(60), Decimal(5)),)
        number = erp.release(PlannedOrder("BOLT", Decimal(12), routing))
        source, draft = tmp_path / "metadata.xml", tmp_path / "mine.yaml"
        source.write_text(described_by(erp))
        assert main(["profile", "new", "mine", "--from", str(source), "--to", str(draft)]) == 0
        pulled = await orders_of(draft, erp)
    assert [(order.number, order.part, order.quantity) for order in pulled] == [(number, "BOLT", 12)]
    (step,) = pulled[0].operations
    assert (step.operation_id, step.name, step.work_centre) == ("10", "Turn", "LATHE")
    assert (step.setup_seconds, step.run_seconds) == (60, 5)


def described_by(erp):
    return httpx.get(f"{erp.url}/odata/v4/$metadata", auth=(erp.user, erp.password)).text


async def orders_of(draft, erp):
    async def password(_name):
        return erp.password

    settings = {"base_url": f"{erp.url}/odata/v4", "user": erp.user, "password": "vault"}
    connected = build(load_profile(str(draft)), settings, password, lambda: datetime.now(UTC))
    try:
        return [order async for page in connected.pull(None) for order in page.orders]
    finally:
        await connected.close()


def test_a_draft_from_odata_2_finds_orders_and_their_operations():
    with Sap() as erp:
        address = f"{erp.url}/sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV/$metadata"
        draft = propose(read(httpx.get(address, auth=("API_USER", "Welcome1")).text), "mine")
    assert "      get: /A_ProductionOrder_2\n" in draft
    assert "        $expand: to_ProductionOrderOperation\n" in draft
    assert "\n  records: =reply.body.d.results\n" in draft
    assert 'park: "{reply.body.error.message.value}", look: true}' in draft
    assert "      number: =ManufacturingOrder\n" in draft
    assert "          operation_id: =text(ManufacturingOrderOperation)\n" in draft


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Shop API"},
    "paths": {
        "/customers": {"get": {"responses": {"200": {"$ref": "#/components/responses/Customers"}}}},
        "/jobs/{id}": {"get": {}},
        "/jobs": {
            "get": {
                "parameters": [{"name": "offset", "in": "query"}, {"name": "limit", "in": "query"}],
                "responses": {"200": {"$ref": "#/components/responses/Jobs"}},
            }
        },
    },
    "components": {
        "responses": {
            "Jobs": {
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "items": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}}
                            },
                        }
                    }
                }
            },
            "Customers": {
                "content": {
                    "application/json": {
                        "schema": {"type": "array", "items": {"properties": {"name": {"type": "string"}}}}
                    }
                }
            },
        },
        "schemas": {
            "Job": {
                "allOf": [
                    {"properties": {"job_number": {"type": "string"}, "number": {"type": "string"}}},
                    {
                        "properties": {
                            "item_number": {"type": "string"},
                            "quantity": {"type": "number"},
                            "uom": {"type": "string"},
                            "status": {"enum": ["planned", "released", "closed"]},
                            "steps": {
                                "type": "array",
                                "items": {"properties": {"sequence": {"type": "integer"}}},
                            },
                        }
                    },
                ]
            }
        },
    },
}


def test_a_draft_from_openapi(tmp_path, capsys):
    source = tmp_path / "openapi.json"
    source.write_text(json.dumps(OPENAPI))
    assert main(["profile", "new", "shop", "--from", str(source)]) == 0
    draft = capsys.readouterr().out
    assert (
        "      get: /jobs\n      query:\n        limit: =page.size\n        offset: =page.offset\n" in draft
    )
    assert "\n  paging: {kind: offset}\n" in draft
    assert "released: [released], completed: [closed], ignored: [planned]" in draft
    written = tmp_path / "shop.yaml"
    written.write_text(draft)
    assert main(["profile", "check", str(written)]) == 0
    assert main(["profile", "new", "shop", "--from", str(source), "--to", str(written)]) == 1
    assert "is there already" in capsys.readouterr().err


def test_the_example_in_a_draft_is_one():
    draft = propose(read(json.dumps(OPENAPI)), "shop")
    shown = [line.removeprefix("# ") for line in draft.splitlines() if line.startswith("#   ")]
    for kind in ("production.reported", "correction"):
        draft = draft.replace(f"  {kind}: {{exempt: not written yet}}\n", "")
    shop = parse_profile(draft.replace("push:\n", "\n".join(["push:", *shown, ""])), "shop.yaml")
    assert [kind for kind, push in shop.push.items() if push.steps] == ["production.reported", "correction"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello: 1", "OpenAPI 3"),
        ("<a/>", "EntityType"),
        ("<a", r"not OData \$metadata"),
        (json.dumps({"openapi": "3.0.0", "paths": {}}), "there is: .nothing that can be listed"),
    ],
)
def test_what_is_no_description_is_refused(text, said):
    with pytest.raises(ConfigurationError, match=said):
        propose(read(text), "mine")


def test_check_names_file_line_key_and_valid_values(tmp_path, capsys):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(Path(PLAIN).read_text().replace("since: =since", "since: =sinse"))
    assert main(["profile", "check", PLAIN, str(wrong)]) == 1
    said = capsys.readouterr().out
    assert "✓ plain_rest: " in said
    assert "✗ wrong.yaml:" in said
    assert "pull.orders.call.query.changed_since" in said
    assert "valid:" in said


def test_explain_shows_every_call_and_how_it_is_believed(capsys):
    assert main(["profile", "explain", PLAIN]) == 0
    said = capsys.readouterr().out
    assert "setting api_key (text, in the vault)" in said
    assert "GET /open-orders" in said
    for kind in load_profile(PLAIN).push:
        assert f"\n{kind}\n" in said
    assert main(["profile", "explain", PLAIN, "production.reported"]) == 0
    said = capsys.readouterr().out
    assert "POST /orders/{order.number}/results" in said
    assert "believed:" in said
    assert "looked up before it is sent again (GET /postings)" in said


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_shipped_profile_is_explained_down_to_its_calls(name, capsys):
    assert main(["profile", "explain", name]) == 0
    calls = [
        line for line in capsys.readouterr().out.splitlines() if re.match(r" +[0-9]+ \S+ +[A-Z]+ /", line)
    ]
    assert len(calls) >= len(MessageKind) - len([p for p in load_profile(name).push.values() if p.exempt])


@pytest.fixture
def connected(monkeypatch):
    with PlainErp.start(orders=3, operations=2) as plain:
        entry = {
            "name": "works",
            "profile": PLAIN,
            "settings": {"base_url": plain.url, "api_key": "plain-key"},
        }
        monkeypatch.setenv("TASCUS_CONNECTIONS", json.dumps([entry]))
        monkeypatch.setenv("TASCUS_SECRET_PLAIN_KEY", plain.api_key)
        yield plain


@pytest.mark.parametrize("kind", list(load_profile(PLAIN).push))
def test_try_shows_orders_raw_and_mapped_and_sends_nothing(connected, capsys, tmp_path, kind):
    command = ["profile", "try", "works", "--orders", "1", "--push", kind]
    assert main([*command, "--settings", str(tmp_path / "none.json")]) == 0
    said = capsys.readouterr().out
    assert said.count("--- as the ERP has it") == 1
    assert '"changed_at"' in said  # only the ERP's own record has it
    assert '"work_centre"' in said
    assert "would send POST" in said
    assert "plain-key" not in said
    assert connected.report()["writes"] == 0


def test_try_names_the_connections_there_are(connected, capsys, tmp_path):
    assert main(["profile", "try", "mill", "--settings", str(tmp_path / "none.json")]) == 1
    assert "valid: works" in capsys.readouterr().err
