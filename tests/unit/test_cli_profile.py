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


REF = "#/components/schemas/"
JOB = {"properties": {"number": {"type": "string"}, "quantity": {"type": "number"}}}


def api(schema, schemas, path="/jobs", **more):
    """An OpenAPI document whose one list gives `schema`."""
    reply = {"content": {"application/json": {"schema": schema}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop"},
        "paths": {path: {"get": {"responses": {"200": reply}, **more}}},
        "components": {"schemas": schemas},
    }


def ref(name):
    return {"$ref": f"{REF}{name}"}


LIST = {"type": "array", "items": ref("Job")}


def test_a_schema_that_leads_back_to_itself_says_nothing():
    for schemas in (
        {"A": ref("A")},
        {"A": ref("B"), "B": ref("A")},
        {"A": {"allOf": [ref("A")]}},
        {"A": {"allOf": [ref("B")]}, "B": {"allOf": [ref("A"), ref("B")]}},
        {"A": {"type": "array", "items": ref("A")}},
        {"A": {"properties": {"items": ref("A")}}},
    ):
        with pytest.raises(ConfigurationError, match="nothing looks like works orders"):
            propose(read(json.dumps(api(ref("A"), schemas))), "mine")


@pytest.mark.parametrize(
    "job",
    [
        {**JOB, "allOf": [ref("Job")]},
        {"allOf": [ref("Job"), JOB]},
        {
            "properties": {
                **JOB["properties"],
                "parent": ref("Job"),
                "steps": {"type": "array", "items": ref("Job")},
            }
        },
        {"properties": {**JOB["properties"], "loop": ref("Loop"), "x": True, "y": None, "z": [1]}},
        {**JOB, "allOf": 5},
        {"allOf": [JOB, True, None, ref("nowhere"), {"$ref": "other.yaml#/X"}, {"$ref": 5}]},
    ],
)
def test_a_record_that_holds_itself_is_read_to_where_it_does(job):
    document = api(LIST, {"Job": job, "Loop": ref("Loop")})
    (jobs,) = read(json.dumps(document)).types
    assert jobs.fields.items() >= {"number": "string", "quantity": "number"}.items()
    assert (
        parse_profile(propose(read(json.dumps(document)), "mine"), "mine.yaml").pull.orders.map.number.source
        == "=number"
    )


def test_parameters_that_lead_back_to_themselves_are_none():
    circle = {"$ref": "#/components/parameters/P"}
    named = {"name": "offset", "in": "query"}
    document = api(
        LIST, {"Job": JOB}, parameters=[circle, named, {"in": "query"}, 5, {"$ref": "#/paths/~1jobs/x-p"}]
    )
    document["components"]["parameters"] = {"P": circle}
    document["paths"]["/jobs"]["x-p"] = {"name": "limit", "in": "query"}
    (jobs,) = read(json.dumps(document)).types
    assert [name for name in jobs.parameters if name] == ["offset", "limit"]


def test_parts_that_are_shared_many_times_over_are_read_once():
    deep = {f"L{depth}": {"allOf": [ref(f"L{depth + 1}")] * 9} for depth in range(40)}
    (jobs,) = read(json.dumps(api(LIST, {"Job": ref("L0"), **deep, "L40": JOB}))).types
    assert set(jobs.fields) == {"number", "quantity"}


def test_yaml_whose_aliases_make_a_circle_is_refused():
    with pytest.raises(ConfigurationError, match="recursive"):
        read("openapi: 3.0.3\npaths: &paths {/jobs: *paths}")


ODD = [
    "a: b",
    "a\nb",
    "a\r\n  b",
    "#x",
    "a #x",
    "[x]",
    "x]",
    "{{x}}",
    "x, y: z",
    "'",
    '"',
    'it\'s "so"',
    "=x",
    "~x",
    "&x",
    "*x",
    "!x",
    "!!int 5",
    "%x",
    "|",
    ">",
    "- x",
    "? x",
    "true",
    "null",
    "~",
    "5",
    "1.10",
    "<<",
    "a`b",
    "a\\b",
    "\\",
    "a\tb",
    "\x85",
    "\u2028x",
    "\ufeffx",
    "\x7f",
    "\x00x",
    "größe",
    "数量",
    "😀",
    "\ud800",
    "a " * 200,
]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_the_draft_loads_at_once_whatever_the_erp_calls_its_things(odd):
    number, steps = f"{odd} number", f"{odd} steps"
    states = {"enum": ["released", odd, odd, None, 5]}
    step = {"properties": {f"{odd} sequence": {"type": "integer"}, f"{odd} name": {"type": "string"}}}
    job = {number: {}, "quantity": {}, f"{odd} status": states, steps: {"type": "array", "items": step}}
    document = api(
        {"properties": {odd: {"type": "array", "items": ref("Job")}}}, {"Job": {"properties": job}}
    )
    document["info"]["title"] = odd
    mine = parse_profile(propose(read(json.dumps(document)), "mine"), "mine.yaml")
    sound = odd.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
    assert mine.title == (" ".join(sound.split()) or "mine")
    assert mine.pull.orders.records({"reply": {"body": {sound: ["them"]}}}) == ["them"]
    assert mine.pull.orders.map.number({f"{sound} number": "4711"}) == "4711"
    assert mine.pull.orders.map.operations.records({f"{sound} steps": ["these"]}) == ["these"]
    assert mine.pull.orders.map.operations.map.operation_id({f"{sound} sequence": 10}) == "10"
    assert mine.pull.orders.state.value({f"{sound} status": "released"}) == "released"
    assert set(mine.pull.orders.state.ignored) == {sound, "5"}


@pytest.mark.parametrize("odd", [each for each in ODD if not set(each) & set("{}")], ids=ascii)
def test_the_draft_loads_at_once_whatever_the_path(odd):
    mine = parse_profile(
        propose(read(json.dumps(api(LIST, {"Job": JOB}, f"/x {odd} y"))), "mine"), "mine.yaml"
    )
    sound = odd.encode("utf-8", "replace").decode()
    calls = (mine.connection.probe, mine.pull.orders.call, mine.pull.open_orders.call)
    assert [call.path({}) for call in calls] == [f"/x {sound} y"] * 3


@pytest.mark.parametrize("path", ["jobs", "", "/jobs/{id}", "/jobs}", "{x}"])
def test_a_path_that_cannot_be_called_as_it_stands_is_passed_over(path):
    with pytest.raises(ConfigurationError, match="nothing that can be listed"):
        propose(read(json.dumps(api(LIST, {"Job": JOB}, path))), "mine")


EDMX = """<Edmx Version="4.0"><Schema Namespace="N">
<EntityType Name="Job"><Property Name="Number" Type="Edm.String"/><Property Name="Quantity" Type="Edm.Decimal"/>
<Property Name="Modified {0}" Type="Edm.DateTimeOffset"/><Property Name="Last modified {0}" Type="Edm.DateTimeOffset"/>
<NavigationProperty Name="Steps {0}" Type="Collection(N.Job)"/></EntityType>
<EntityContainer Name="C"><EntitySet Name="Jobs" EntityType="N.Job"/><EntitySet Name="Orders {0}" EntityType="N.Job"/>
</EntityContainer></Schema></Edmx>"""


@pytest.mark.parametrize("odd", ["'", "{x}", ": ", "&#10;", "&quot;", "#"])
def test_names_that_odata_does_not_allow_are_passed_over(odd):
    draft = propose(read(EDMX.replace("{0}", odd)), "mine")
    mine = parse_profile(draft, "mine.yaml")
    assert (mine.pull.orders.call.path.source, mine.pull.orders.watermark) == ("/Jobs", None)


@pytest.mark.parametrize("name", ["mine", "true", "null", "y", "a-b_2", "x" * 200])
def test_a_name_is_taken_as_it_is(name):
    assert parse_profile(propose(read(json.dumps(OPENAPI)), name), "mine.yaml").profile == name


@pytest.mark.parametrize("name", ["Bad Name!", "a\nb", "a\n", "", "2x", "-x", "Mine", "größe", "a.b", "../a"])
def test_a_name_that_is_none_is_refused_and_nothing_written(name, tmp_path, capsys):
    source, draft = tmp_path / "openapi.json", tmp_path / "mine.yaml"
    source.write_text(json.dumps(OPENAPI))
    assert main(["profile", "new", f"--from={source}", f"--to={draft}", "--", name]) == 1
    assert "is no name of a profile; valid: small letters" in capsys.readouterr().err
    assert not draft.exists()


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(OPENAPI).replace("Shop", "Größe").encode("latin-1"), "the file is not UTF-8"),
        (json.dumps(OPENAPI).encode("utf-16"), "the file is not UTF-8"),
        (bytes(range(256)), "the file is not UTF-8"),
        (b"", "give OpenAPI 3"),
        (b"\x00", "neither XML nor JSON nor YAML"),
        (b'"\\UFFFFFFFF"', "neither XML nor JSON nor YAML"),
        (DEEP.encode(), "nested too deeply"),
        (b"openapi: 3.0.0\npaths: 5", "nothing that can be listed"),
        (
            b"openapi: 3.0.0\npaths: {/a: 5, /b: {get: 5}, /c: [], /d: {get: {responses: [], parameters: 5}}}",
            "nothing",
        ),
        (b"openapi: 3.0.0\ninfo: []\npaths: {/a: {get: {responses: {200: {$ref: []}}}}}", "nothing"),
    ],
    ids=lambda each: ascii(each)[:40],
)
def test_a_source_that_cannot_be_read_is_refused_in_words(content, said, tmp_path, capsys):
    source = tmp_path / "source"
    source.write_bytes(content)
    assert main(["profile", "new", "mine", "--from", str(source)]) == 1
    assert said in capsys.readouterr().err


def test_where_a_draft_cannot_be_written_it_is_said(tmp_path, capsys):
    source = tmp_path / "openapi.json"
    source.write_text(json.dumps(OPENAPI))
    for to, said in (
        (tmp_path / "none/x.yaml", "cannot be written: No such file"),
        (tmp_path, "is there already"),
    ):
        assert main(["profile", "new", "mine", "--from", str(source), "--to", str(to)]) == 1
        assert f"{to} {said}" in capsys.readouterr().err
    assert main(["profile", "new", "mine", "--from", str(tmp_path)]) == 1
    assert "Is a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "title: Größe".encode("latin-1"),
        "title: x".encode("utf-16"),
        b"title: {{x}}",
        b"title: \x00",
        b"",
        b"- a",
        DEEP[:1500].encode(),
    ],
    ids=lambda each: ascii(each)[:40],
)
@pytest.mark.parametrize("beneath", [False, True])
def test_check_refuses_files_that_are_none_in_words(content, beneath, tmp_path, capsys):
    wrong, over = tmp_path / "wrong.yaml", tmp_path / "over.yaml"
    wrong.write_bytes(content)
    over.write_text("extends: wrong.yaml")
    assert main(["profile", "check", str(over if beneath else wrong)]) == 1
    assert "wrong.yaml:1:" in capsys.readouterr().out


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
