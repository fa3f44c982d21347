"""`profile new`: a first draft of a profile from what the ERP says of its API.

It proposes where names leave little doubt and says so in comments; what it cannot know (states, pushes) is written
so that the draft loads and `profile try` can be run at once.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

import yaml

from shared.domain.message import MessageKind
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cli.profile.described import Described, RecordType

ORDER_WORDS = ("works order", "work order", "production order", "manufacturing order", "job", "order")
OPERATION_WORDS = ("operation", "routing", "work order", "step", "oper")
# Our field -> the words an ERP may call it by, the likeliest first.
ORDER_FIELDS: Mapping[str, tuple[str, ...]] = {
    "number": (
        "order number",
        "order no",
        "manufacturing order",
        "production order",
        "number",
        "no",
        "name",
        "id",
    ),
    "part": ("part number", "item number", "source no", "material", "product", "item", "part"),
    "part_name": ("part name", "item name", "material name", "product name", "description"),
    "quantity": ("order quantity", "total quantity", "quantity", "qty"),
    "unit": ("unit of measure", "production unit", "unit", "uom"),
    "due_at": ("due date", "due", "scheduled end", "end date", "ending date", "deadline"),
    "state": ("order status", "status", "state"),
    "modified": (
        "last change date time",
        "modified at",
        "system modified at",
        "last modified",
        "modified",
        "changed at",
    ),
}
OPERATION_FIELDS: Mapping[str, tuple[str, ...]] = {
    "operation_id": (
        "operation number",
        "operation no",
        "manufacturing order operation",
        "sequence",
        "oper",
        "id",
        "no",
    ),
    "name": ("operation name", "operation text", "description", "name"),
    "work_centre": ("work centre", "work center", "work center no", "workstation", "resource", "machine"),
    "setup_seconds": ("setup seconds", "setup time", "setup"),
    "run_seconds": ("run seconds", "run time", "process time", "run"),
}
RELEASED = ("released", "confirmed", "open", "active", "started", "in progress", "progress")
COMPLETED = ("completed", "finished", "done", "closed", "ended")
CANCELLED = ("cancelled", "canceled", "deleted")
NAME = re.compile("[a-z][a-z0-9_-]*")  # as `Profile.profile` has it


class Proposal(NamedTuple):
    """What was chosen: the type of the orders, its list of operations, and our field -> theirs."""

    orders: RecordType
    steps: str
    header: Mapping[str, str]
    routing: Mapping[str, str]


def propose(described: Described, name: str) -> str:
    """Return a draft profile called `name` as YAML text.

    Raises:
        ConfigurationError: `name` is none, or nothing in the description looks like works orders; lists what there is.
    """
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name of a profile; valid: small letters, digits, '_' and '-', a letter first"
        )
    found = _chosen(described)
    if found is None:
        listed = ", ".join(each.name for each in described.types) or "(nothing that can be listed)"
        raise ConfigurationError(
            f"nothing looks like works orders with a number and a quantity; there is: {listed}"
        )
    return (
        "\n".join(
            [
                *_head(described, name),
                *_listings(described, found.orders),
                *_orders(described, found),
                *_open(found),
                *_push(),
            ]
        )
        + "\n"
    )


def _chosen(described: Described) -> Proposal | None:
    proposals = [_proposal(each) for each in described.types]
    usable = [each for each in proposals if "number" in each.header and "quantity" in each.header]
    return max(usable, key=_likelihood, default=None)


def _proposal(orders: RecordType) -> Proposal:
    steps = max(orders.children, key=lambda child: _rank(child, OPERATION_WORDS), default="")
    if steps and _rank(steps, OPERATION_WORDS) == 0:
        steps = ""
    routing = matched(orders.children[steps].fields, OPERATION_FIELDS) if steps else {}
    return Proposal(orders, steps, matched(orders.fields, ORDER_FIELDS), routing)


def _likelihood(proposal: Proposal) -> tuple[int, int, int]:
    named = _rank(proposal.orders.name, ORDER_WORDS)
    return (named, bool(proposal.steps), len(proposal.header) + len(proposal.routing))


def _rank(name: str, words: Sequence[str]) -> int:
    """Return how well `name` fits: the place of the first of `words` in it, counted from the end; 0 = not at all."""
    plain = plain_words(name)
    return next((len(words) - place for place, word in enumerate(words) if word in plain), 0)


def plain_words(name: str) -> str:
    """Return `ManufacturingOrder`, `manufacturing_order` and `manufacturing-order` as `manufacturing order`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-. ]+", " ", name)
    return apart.lower().strip()


def matched(fields: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Map our fields to theirs by name; each of theirs is used once, whole names before parts of names."""
    found: dict[str, str] = {}
    for whole in (True, False):
        for ours, words in wanted.items():
            taken = found.values()
            left = {theirs: plain_words(theirs) for theirs in fields if theirs not in taken}
            best = next(
                (theirs for word in words for theirs, said in left.items() if _says(said, word, whole=whole)),
                "",
            )
            if best and ours not in found:
                found[ours] = best
    return found


def _says(said: str, word: str, *, whole: bool) -> bool:
    return said == word if whole else len(word) > 2 and re.search(rf"\b{word}\b", said) is not None  # noqa: PLR2004


# --- the text -----------------------------------------------------------------------------------------------


def _head(described: Described, name: str) -> list[str]:
    return [
        f"# A draft made from the ERP's own description ({described.protocol}). Lines marked CHECK are guesses:",
        f"# look at them, then run `profile check {name}.yaml` and `profile try`.",
        f"profile: {_text(name)}",
        "version: 1",
        f"title: {_text(' '.join(described.title.split()) or name)}",
        "",
        "settings:",
        '  base_url: {type: url, help: "address of the API, without the paths below"}',
        '  user: {help: "name the integration logs in with"}',
        '  password: {secret: true, help: "vault name of its password"}',
        "",
        "connection:",
        '  base_url: "{settings.base_url}"',
        "  auth: {kind: basic, username: =settings.user, password: =settings.password}  # CHECK",
        *_rules(described),
        f"  probe: {_text(f'GET {_probe(described)}')}",
        "",
    ]


def _rules(described: Described) -> list[str]:
    """Return the rule for the error body that the protocol prescribes; OpenAPI prescribes none."""
    said = {"odata4": "reply.body.error.message", "odata2": "reply.body.error.message.value"}
    words = said.get(described.protocol)
    if words is None:
        return []
    statuses = "[400, 404, 409, 412]"
    return ["  rules:", f'    - {{status: {statuses}, when: ={words}, park: "{{{words}}}", look: true}}']


def _probe(described: Described) -> str:
    return "/$metadata" if described.protocol != "openapi" else described.types[0].path


def _listings(described: Described, orders: RecordType) -> list[str]:
    return [
        "pull:",
        f"  records: {_text(_records(described, orders))}",
        f"  paging: {_paging(described, orders)}",
    ]


def _orders(described: Described, found: Proposal) -> list[str]:
    header, orders = found.header, found.orders
    lines = [
        "  orders:",
        "    call:",
        f"      get: {_text(orders.path)}",
        *_query(described, found),
    ]
    if "modified" in header:
        modified = _text(f"={field_path(header['modified'])}")
        lines.append(f"    watermark: {{value: {modified}}}  # CHECK: does it move with every change?")
    lines += [*_states(orders, header), "    map:"]
    for ours, convert in (
        ("number", "{}"),
        ("part", "{}"),
        ("part_name", "{}"),
        ("quantity", "decimal({})"),
        ("unit", "{}"),
    ):
        lines += _mapped("      ", ours, convert, header, required=ours != "part_name")
    lines += _mapped("      ", "due_at", "instant({})", header, required=False)
    return [*lines, *_steps(described, found)]


def _query(described: Described, found: Proposal) -> list[str]:
    if described.protocol == "openapi":
        size = next(
            (each for each in found.orders.parameters if each in ("limit", "page_size", "per_page", "size")),
            "",
        )
        turn = next((each for each in found.orders.parameters if each in ("offset", "page")), "")
        said = [f"        {size}: =page.size"] if size else []
        said += [f"        {turn}: =page.{'offset' if turn == 'offset' else 'number'}"] if turn else []
        return ["      query:", *said] if said else []
    lines = ["      query:"]
    if found.steps:
        lines.append(f"        $expand: {_text(found.steps)}")
    if "modified" in found.header:
        literal = "since" if described.protocol == "odata4" else "odata_datetimeoffset(since)"
        changed = f"=since && concat('{found.header['modified']} ge ', {literal}) || `null`"
        lines.append(f"        $filter: {_text(changed)}  # CHECK: released ones only")
    return lines if len(lines) > 1 else []


def _records(described: Described, orders: RecordType) -> str:
    inside_of = {
        "odata4": "value",
        "odata2": "d.results",
        "openapi": orders.records and field_path(orders.records),
    }
    inside = inside_of[described.protocol]
    return f"=reply.body.{inside}" if inside else "=reply.body"


def _paging(described: Described, orders: RecordType) -> str:
    if described.protocol == "odata4":
        return "{kind: next_link, next: '=reply.body.\"@odata.nextLink\"'}"
    if described.protocol == "odata2":
        return "{kind: next_link, next: =reply.body.d.__next}"
    if "offset" in orders.parameters:
        return "{kind: offset}"
    return "{kind: page}" if "page" in orders.parameters else "{kind: none}  # CHECK"


def _states(orders: RecordType, header: Mapping[str, str]) -> list[str]:
    theirs = header.get("state")
    if theirs is None:
        return [
            "    state: {value: \"='released'\", released: [released]}  # CHECK: no field looks like a state"
        ]
    choices = orders.choices.get(theirs, ())
    sorted_out = {
        kind: [each for each in choices if plain_words(each) in words] for kind, words in STATES.items()
    }
    known = [each for group in sorted_out.values() for each in group]
    sorted_out["ignored"] = [each for each in choices if each not in known]
    sorted_out["released"] = sorted_out["released"] or ["Released"]
    said = ", ".join(
        f"{kind}: [{', '.join(map(_text, group))}]" for kind, group in sorted_out.items() if group
    )
    return [f"    state: {{value: {_text(f'={field_path(theirs)}')}, {said}}}  # CHECK"]


STATES: Mapping[str, tuple[str, ...]] = {"released": RELEASED, "completed": COMPLETED, "cancelled": CANCELLED}


def _steps(described: Described, found: Proposal) -> list[str]:
    inside = {"odata2": ".results"}.get(described.protocol, "")
    records = f"={field_path(found.steps)}{inside}" if found.steps else "=`[]`"
    lines = [
        "      operations:",
        f"        records: {_text(records)}{'' if found.steps else '  # CHECK: none found'}",
        "        map:",
    ]
    routing = found.routing or {"operation_id": "id", "name": "name"}
    lines += _mapped("          ", "operation_id", "text({})", routing, required=True)
    position = routing.get("operation_id", "id")
    lines.append(f"          position: {_text(f'=integer({field_path(position)})')}  # CHECK")
    lines += _mapped(
        "          ", "name", "{}", {**routing, "name": routing.get("name", position)}, required=True
    )
    lines += _mapped("          ", "work_centre", "{}", routing, required=True)
    for ours in ("setup_seconds", "run_seconds"):
        lines += _mapped("          ", ours, "seconds({}, 's')", routing, required=False)
    return lines


def _mapped(indent: str, ours: str, convert: str, fields: Mapping[str, str], *, required: bool) -> list[str]:
    theirs = fields.get(ours)
    if theirs is None:
        return [f'{indent}{ours}: ""  # CHECK: no field looks like it'] if required else []
    return [f"{indent}{ours}: {_text('=' + convert.format(field_path(theirs)))}"]


def _open(found: Proposal) -> list[str]:
    return [
        "  open_orders:",
        f"    call: {_text(f'GET {found.orders.path}')}  # CHECK: those still open, and only their numbers",
        f"    number: {_text(f'={field_path(found.header["number"])}')}",
    ]


EXAMPLE = """
  production.reported:
    steps:
      - name: report
        call: {post: /reports, body: {reference: =told.id, good: =told.good, scrap: =told.scrap}}
        find: {call: "GET /reports?reference={told.id}", found: "=reply.body.id || reply.body[0].id"}
        verified: reply
        rules: [{status: [423], retry: somebody works on it}]
  correction:
    takes_back: [production.reported]
    steps:
      - name: find
        call: GET /reports?reference={told.id}
        rules: [{when: "=!(reply.body)", park: "the ERP has no report {told.id}"}]
        capture: {report: "=reply.body[0].id"}
      - name: delete
        call: DELETE /reports/{captured.report}
        idempotent_because: what is gone answers 404
        rules: [{status: [404], done: it is gone}]
        verified: {status: it answers only once it is gone}
"""


def _push() -> list[str]:
    return [
        "",
        "push:",
        *(f"  {kind}: {{exempt: not written yet}}" for kind in MessageKind),
        "",
        "# One kind of message after the other; this is how two of them may look:",
        *(f"# {line}" for line in EXAMPLE.strip("\n").splitlines()),
    ]


def field_path(name: str) -> str:
    """Return a field's name as JMESPath has it."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else json.dumps(name, ensure_ascii=False)


def _text(text: str) -> str:
    """Return a text as YAML has it, on one line and anywhere, also between braces and brackets."""
    sound = text.encode("utf-8", "replace").decode(
        "utf-8"
    )  # half a surrogate pair, as JSON can hold it, is no text
    style = None if sound.isprintable() else '"'  # with escapes
    listed: str = yaml.safe_dump(
        [sound], default_flow_style=True, default_style=style, allow_unicode=style is None, width=sys.maxsize
    )
    return listed.strip().removeprefix("[").removesuffix("]")
