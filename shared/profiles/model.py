"""The whole profile language: what a YAML file may say to teach the project one kind of ERP.

Three kinds of text:

- `Expression`: starts with `=`, JMESPath over the facts in scope, with the conversions of
  `mapping/conversions.py`;
- `Value`: any YAML; its texts that start with `=` are expressions, those that start with `~` are templates,
  all else is literal. An object's key ending in `?` is left out where its value is null;
  `{for_each: =list, make: value}` is a list with `value` made for every `item`;
  `{as_json: value}` is the value as JSON text; a key that begins with `~` is a template; the key `...` takes in
  another object, whose keys those after it replace;
- `Template`: text with expressions in `{...}`.

The facts in scope (a wrong name is refused when the profile is loaded):

- everywhere: `settings` (secret ones only under `connection`);
- in `connection`: `login` (what the log-in or token call gave), `reply` (its reply), `body` and `path` in `envelope`;
- in `pull` calls: `since` (watermark minus overlap, null at first), `page` (`size`, `number` from 1,
  `offset`, `cursor`), and `keys` in `pull.operations`; in `records`, `next`, `total`: also `reply`;
- in `map`, `key`, `after`, `number`, `state.value` and `watermark.value`: the record itself;
- in `push`, `groups` and `finds`: `message` (`id`, `kind`, `sequence`, `operation_id` and its body), `told` (what it
  tells, or as a correction takes back, with amounts as numbers), `order`, `operation`, `values`, `captured`, `item`
  (inside `for_each`), `given` (inside a group: its `with`); in rules, `capture`, `found`, `verified`, `compare` and
  `expect`: also `reply` (`status`, `headers` in lower case, `body`, `result`).

Durations are seconds. Unknown keys are refused.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, LiteralString, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.domain.combine import MAY, Combine
from shared.domain.message import MessageKind
from shared.domain.verdict import Verdict
from shared.mapping import expressions
from shared.profiles import words
from shared.profiles.codes import check_codes
from shared.profiles.flow import Flow, arranged
from shared.profiles.given import check_given
from shared.profiles.scope import check_scopes
from shared.profiles.sequence import check_sequence
from shared.profiles.yaml_core import QUOTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    from shared.mapping.conversions import Raw

READING = frozenset({"GET", "HEAD"})
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


def _expression(source: Raw) -> expressions.Expression:
    if not isinstance(source, str) or not source.startswith(expressions.MARK):
        raise ValueError(f"{source!r} is not an expression: an expression starts with '{expressions.MARK}'")
    return expressions.Expression(source[len(expressions.MARK) :])


def _template(source: Raw) -> expressions.Template:
    if not isinstance(source, str):
        hint = f"; {QUOTE}" if isinstance(source, dict | list) else ""
        raise ValueError(f"{source!r} is not text{hint}")  # noqa: TRY004 - pydantic collects ValueErrors
    return expressions.Template(source)


def _path(source: Raw) -> expressions.Template:
    path = _template(source)
    if not path.source.startswith("/"):
        raise ValueError(f"{source!r} does not begin with '/': joined to the base it would name another host")
    return path


Expression = Annotated[
    expressions.Expression,
    PlainValidator(_expression),
    WithJsonSchema({"type": "string", "pattern": "^=", "description": "JMESPath over the facts in scope"}),
]
Value = Annotated[
    expressions.Value,
    PlainValidator(expressions.Value),
    WithJsonSchema({"description": "any YAML; texts that start with '=' are expressions"}),
]
Template = Annotated[
    expressions.Template,
    PlainValidator(_template),
    WithJsonSchema({"type": "string", "description": "text with expressions in {...}"}),
]


Address = Annotated[
    expressions.Template,
    PlainValidator(_path),
    WithJsonSchema(
        {"type": "string", "pattern": "^/", "description": "path after the base; expressions in {...}"}
    ),
]
TimeOfDay = Annotated[Value, AfterValidator(words.time_of_day)]
Zone = Annotated[Value, AfterValidator(words.zone)]
Whole = Annotated[int, Field(strict=True)]
Status = Annotated[int, Field(strict=True, ge=100, le=599)]
Number = Annotated[float, BeforeValidator(words.number), Field(allow_inf_nan=False)]
ReferenceKind = Literal["part", "operation", "work_centre", "scrap_reason", "rework_reason", "unit"]
Name = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$")]


class Part(BaseModel):
    """A part of a profile: frozen, strict about its keys. `short_forms`: the schemas of shorter ways to write it."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    short_forms: ClassVar[tuple[dict[str, Any], ...]] = ()

    @classmethod
    def spelt_out(cls, short: str) -> dict[str, Any]:
        """Return the keys that the text `short` stands for."""
        raise ValueError(f"{short!r} is not an object with the keys {', '.join(sorted(cls.valid_keys()))}")

    @classmethod
    def normal(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the keys `given` in their ordinary form."""
        return given

    @classmethod
    def valid_keys(cls) -> set[str]:
        """Return the keys this part may have."""
        return {field.alias or name for name, field in cls.model_fields.items()}

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Raw) -> Raw:
        if isinstance(data, str) and cls.short_forms:
            data = cls.spelt_out(data)
        elif isinstance(data, dict):
            data = cls.normal(data)
        given = data if isinstance(data, dict) else {}
        for key in given:
            if key not in cls.valid_keys():
                valid = ", ".join(sorted(cls.valid_keys()))
                raise _key_error("unknown key '{key}'; valid: {valid}", str(key), valid=valid)
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if field.is_required() and key in given and given[key] is None:
                raise _key_error("'{key}' is required: it cannot be null", key)
        return data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Publish the short forms beside the long one."""
        whole = handler(schema)
        return {"anyOf": [*cls.short_forms, whole]} if cls.short_forms else whole


def _key_error(template: LiteralString, key: str, **words: str) -> PydanticCustomError:
    return PydanticCustomError("key", template, {"key": key, **words})


# --- what a connection must give ----------------------------------------------------------------------------


class Setting(Part):
    """One value a connection gives. A `secret` one holds its NAME in the vault, never the secret."""

    type: Literal["text", "url", "integer", "decimal", "boolean", "zone"] = "text"
    help: str
    required: bool = True
    default: str | int | bool | None = None
    secret: bool = False
    choices: tuple[str, ...] = ()


# --- calls and what their replies mean ----------------------------------------------------------------------


class Call(Part):
    """One HTTP request, or in short its method and path: `GET /orders/{order.number}`.

    A method in small letters may stand for `method` and `path`: `{put: /orders/{order.number}, body: ...}`. `path`
    joins `connection.base_url`; null query values and headers are left out. `reads`: a POST that changes nothing,
    such as a query.
    """

    short_forms = (
        {"type": "string", "pattern": f"^({'|'.join(METHODS)}) +/"},
        {
            "type": "object",
            "properties": {"query": {}, "headers": {}, "body": {}, "form": {}, "reads": {}},
            "patternProperties": {f"^({'|'.join(METHODS).lower()})$": {"type": "string", "pattern": "^/"}},
            "additionalProperties": False,
            "minProperties": 1,
            "not": {"required": ["path"]},
        },
    )

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "POST"
    path: Address
    reads: bool = False
    query: dict[str, Value] = {}
    headers: dict[str, Value] = {}
    body: Value | None = None
    form: bool = False  # send the body as a URL-encoded form instead of JSON

    @classmethod
    def spelt_out(cls, short: str) -> dict[str, Any]:
        """Return `GET /path` as its method and path."""
        method, _, path = short.partition(" ")
        if method not in METHODS or not path:
            raise ValueError(f"{short!r} is not a method and a path; methods: {', '.join(METHODS)}")
        return {"method": method, "path": path.strip()}

    @classmethod
    def normal(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return `{get: /path}` as method and path."""
        short = [key for key in given if isinstance(key, str) and key.upper() in METHODS and key.islower()]
        if len(short) != 1 or "path" in given or "method" in given:
            return given
        rest = {key: value for key, value in given.items() if key != short[0]}
        return {"method": short[0].upper(), "path": given[short[0]], **rest}

    @property
    def writes(self) -> bool:
        """Tell whether the call may change something in the ERP."""
        return self.method not in READING and not self.reads


def _reads(call: Call) -> Call:
    if call.writes:
        raise ValueError(
            f"{call.method} would write; here a call only reads: GET or HEAD, or `reads: true` if it does"
        )
    return call


def _over_reply(expression: Expression) -> Expression:
    if "reply" not in expression.roots:
        raise ValueError("reads nothing of the `reply`, so whatever came it would say the same")
    return expression


Reading = Annotated[Call, AfterValidator(_reads)]
OverReply = Annotated[Expression, AfterValidator(_over_reply)]


class Rule(Part):
    """What a reply means where its status alone lies. The first rule that fits counts, else the status.

    A rule without `status` is about 2xx: what an error says is looked at only where the rule means errors.

    `look`: ask the step's `find` at once; only where that finds nothing does the verdict stand. For ERPs that
    refuse with the same words what is already done and what cannot be done. `after`: seconds to wait, or the
    instant to come back at (the end of a closed period, say), for the verdicts `retry` and `halt`. `not_taken`: such
    a reply, even a 5xx, says that nothing was taken: no look before the step is sent again. In short the verdict is
    the key of the reason: `{status: [404], park: "no order {order.number}"}`.
    """

    short_forms = (
        {
            "type": "object",
            "description": "the verdict with its reason",
            "properties": {
                "status": {},
                "when": {},
                "look": {},
                "after": {},
                "not_taken": {},
                **{verdict.value: {"type": "string"} for verdict in Verdict},
            },
            "additionalProperties": False,
            "not": {"required": ["verdict"]},
        },
    )

    status: tuple[Status | Literal["2xx", "3xx", "4xx", "5xx"], ...] = ()  # empty: 2xx
    when: Expression | None = None
    verdict: Verdict
    reason: Template
    look: bool = False
    after: Expression | None = None
    not_taken: bool = False

    @classmethod
    def normal(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return `{park: reason}` as verdict and reason."""
        short = [verdict.value for verdict in Verdict if verdict.value in given]
        if len(short) != 1 or "verdict" in given or "reason" in given:
            return given
        rest = {key: value for key, value in given.items() if key != short[0]}
        return {"verdict": short[0], "reason": given[short[0]], **rest}

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if not self.status and self.when is None:
            raise ValueError("a rule needs `status` or `when`, or it would swallow every reply")
        return self


class Comparison(Part):
    """A quantity the ERP stores beside ours; a difference is a warning that shows both."""

    theirs: Expression
    ours: Expression


class Expectation(Part):
    """One comparison of what the ERP holds with what it should. `otherwise`: what a difference means."""

    that: Expression
    otherwise: Literal["warn", "retry", "park"] = "warn"
    reason: Template


# --- connection ---------------------------------------------------------------------------------------------


class NoAuth(Part):
    """The ERP asks for no credentials."""

    kind: Literal["none"] = "none"


class BasicAuth(Part):
    """`Authorization: Basic`, RFC 7617."""

    kind: Literal["basic"]
    username: Value
    password: Value


class HeaderAuth(Part):
    """A fixed key in a header: `X-Api-Key: ...`, or `Authorization: token ...` with a prefix."""

    kind: Literal["api_key"]
    header: str
    value: Template


class BearerAuth(Part):
    """`Authorization: Bearer` with a token that does not change."""

    kind: Literal["bearer"]
    token: Value


class Assertion(Part):
    """A signed JWT instead of a client secret (RFC 7523 2.2). `claims` and `header` add to the usual ones.

    Claims: `iss` and `sub` (the client id), `aud` (the token's address), `iat`, `exp`, `jti`. `thumbprint` names
    the header that carries the fingerprint of the certificate in `key`'s PEM text. A claim or header that is null
    is left out.
    """

    key: Value
    algorithm: Literal["RS256", "PS256", "ES256"] = "RS256"
    header: dict[str, Value] = {}
    claims: dict[str, Value] = {}
    thumbprint: Literal["x5t", "x5t#S256"] | None = None
    lifetime: Whole = Field(default=300, ge=1, le=3600)


class ClientCredentialsAuth(Part):
    """OAuth 2.0 client credentials (RFC 6749 4.4); the token is kept until shortly before it expires."""

    kind: Literal["oauth2_client_credentials"]
    token_url: Template
    client_id: Value
    client_secret: Value | None = None
    assertion: Assertion | None = None
    scope: Value | None = None
    extra: dict[str, Value] = {}  # further form fields, such as `resource` or `audience`
    credentials_in: Literal["body", "header"] = "body"

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.client_secret is None) == (self.assertion is None):
            raise ValueError("give `client_secret` or `assertion`, one of them")
        return self


class OAuth1Auth(Part):
    """OAuth 1.0a with ready tokens (RFC 5849): every call is signed with HMAC-SHA256."""

    kind: Literal["oauth1"]
    consumer_key: Value
    consumer_secret: Value
    token: Value
    token_secret: Value
    realm: Value | None = None


class SessionAuth(Part):
    """A log-in call whose reply gives a session; `headers` then travel with every call, and with `cookies` its cookies.

    What is captured is `login`, also in `connection.envelope`. `lasts`: seconds, where the session ends unasked.
    `refused`: how a reply says that it has ended, where not by a 401; then we log in again, once.
    """

    kind: Literal["session"]
    call: Call
    rules: tuple[Rule, ...] = ()
    capture: dict[str, Expression] = {}
    headers: dict[str, Template] = {}
    cookies: bool = False
    lasts: Expression | None = None
    refused: Expression | None = None


Auth = Annotated[
    NoAuth | BasicAuth | HeaderAuth | BearerAuth | ClientCredentialsAuth | OAuth1Auth | SessionAuth,
    Field(discriminator="kind"),
]


class Csrf(Part):
    """A token against forged requests: fetched with `call`, sent with its cookies on every call that writes.

    Fetched anew, once, when a reply is `refused`; left out: 403 with the token's header saying `Required`.
    """

    call: Call
    header: str = "X-CSRF-Token"
    refused: Expression | None = None


class Timeouts(Part):
    """Seconds. `connect` covers waiting for a socket; `reply` the whole exchange."""

    connect: Number = Field(default=5, gt=0)
    reply: Number = Field(default=60, gt=0)


class QuietHours(Part):
    """When the ERP takes nothing: from `start` to `end` (HH:MM, past midnight too) in `zone`; null: never.

    Where both are the same, a whole day is meant.

    `days`: the days on which it starts; left out: every day.
    """

    start: TimeOfDay
    end: TimeOfDay
    zone: Zone
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()


class RateHeaders(Part):
    """The ERP's own account of our allowance. With `remaining` at 0, or after a 429, calls wait for `reset`.

    `reset`: seconds, or the instant at which the allowance is full again.
    """

    remaining: Expression | None = None
    reset: Expression


class Limits(Part):
    """What the ERP bears. `page_size` must not be over the ERP's own maximum: a short page is the last one."""

    concurrency: Whole = Field(default=8, ge=1)
    requests_per_second: Number | None = Field(default=None, gt=0)
    page_size: Whole = Field(default=100, ge=1)
    reply_bytes: Whole = Field(default=32 * 1024 * 1024, ge=1024)
    quiet_hours: tuple[QuietHours, ...] = ()
    rate_headers: RateHeaders | None = None


class Connection(Part):
    """How to talk to the ERP. `rules` hold for every call, after the step's own.

    `certificate`: PEM text with our certificate and its key, shown to the ERP (mutual TLS). `envelope`: what every
    call's JSON body is wrapped in (JSON-RPC, say); there the call's own body is `body`, its path after the base is
    `path`, and secrets may be used. `result`: what of a reply is the answer, as `reply.result` everywhere. `answers`:
    null where a 2xx to a reading call is no answer of this ERP but a gateway's, however much JSON it is.
    """

    base_url: Template
    headers: dict[str, Value] = {}
    auth: Auth = NoAuth()
    csrf: Csrf | None = None
    certificate: Value | None = None
    envelope: Value | None = None
    result: Expression | None = None
    answers: Expression | None = None
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    decimals: Literal["text", "number"] = "text"  # how Decimal values are written in JSON bodies
    rules: tuple[Rule, ...] = ()
    probe: Reading  # a cheap read that fails when the ERP or our credentials do


# --- in: pull -----------------------------------------------------------------------------------------------


class NoPaging(Part):
    """Everything comes in one reply."""

    kind: Literal["none"] = "none"


class Drifting(Part):
    """Pages of a list that may move while it is read.

    A listing of several pages is read again until a whole pass shows nothing new, unless `stable` says why what
    moves cannot be missed: a snapshot, or a cursor that names the last record's key.
    """

    stable: str | None = None


class NextLinkPaging(Drifting):
    """The reply names the address of the next page; another host than the ERP's own is refused."""

    kind: Literal["next_link"]
    next: Expression


class CursorPaging(Drifting):
    """The reply gives an opaque cursor for `page.cursor`; null is the end."""

    kind: Literal["cursor"]
    next: Expression


class KeysetPaging(Part):
    """The next page starts after the last record seen: `after` makes `page.cursor` from it.

    Safe while the data changes, as long as the call sorts by exactly that key with a unique tie-breaker.
    """

    kind: Literal["keyset"]
    after: Value


class Overlapping(Part):
    """Pages by place.

    Each begins `reread` records before the last one's end; where none of those is met again, records have moved away
    before them, and reading goes on further back.
    """

    reread: Whole = Field(default=5, ge=0)


class OffsetPaging(Overlapping):
    """`page.offset` counts records. `total`: how many there are, where the reply tells."""

    kind: Literal["offset"]
    total: Expression | None = None


class RangePaging(Overlapping):
    """A `Range: <unit>=first-last` header, answered by `Content-Range: <unit> first-last/total`."""

    kind: Literal["range"]
    unit: str = "items"


class NumberPaging(Drifting):
    """`page.number` counts pages from 1. `total`: how many records there are, where the reply tells."""

    kind: Literal["page"]
    total: Expression | None = None


Paging = Annotated[
    NoPaging | NextLinkPaging | CursorPaging | KeysetPaging | OffsetPaging | NumberPaging | RangePaging,
    Field(discriminator="kind"),
]


class Watermark(Part):
    """How far a pull has read, by the ERP's own clock.

    `instant`: compared in time, text without offset is local to `zone`, and `since` is set back by `overlap`
    seconds (60 if left out) plus `resolution` (ERPs stamp rows before they commit them), and further where the
    clocks of `zone` go back. `integer`: an ERP's own version counter, set back by `overlap` versions (none if left
    out). `text`: compared as text.
    `ascending`: records come sorted by it, so every page may move the watermark; otherwise only the last page
    does.
    """

    value: Expression
    kind: Literal["instant", "text", "integer"] = "instant"
    zone: Zone | None = None  # the IANA zone of values without offset; left out: UTC
    resolution: Number = Field(default=1, ge=0)
    overlap: Number | None = Field(default=None, ge=0)
    ascending: bool = False

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind != "instant" and self.zone is not None:
            raise ValueError(f"`zone` is for instants, not for {self.kind}")
        if self.kind == "text" and self.overlap is not None:
            raise ValueError("text cannot be set back: `overlap` is for instants and integers")
        return self


class State(Part):
    """What the ERP's words for an order's state mean. `ignored` ones are not ours yet; others are refused."""

    value: Expression
    released: tuple[str, ...] = Field(min_length=1)
    completed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _each_word_once(self) -> Self:
        meant: dict[str, str] = {}
        for ours in ("released", "completed", "cancelled", "ignored"):
            for word in getattr(self, ours):
                if word in meant:
                    problem = "{word} is {first} already: a state has one meaning"
                    raise _key_error(problem, ours, word=repr(word), first=meant[word])
                meant[word] = ours
        return self


class OperationMap(Part):
    """One operation, from its record. Standard times in seconds; `erp_ref` is for pushes to find it."""

    operation_id: Value
    position: Value
    name: Value
    work_centre: Value
    setup_seconds: Value | None = None
    run_seconds: Value | None = None
    erp_ref: Value | None = None


class NestedOperations(Part):
    """Operations that come inside the order's record."""

    records: Expression
    map: OperationMap


class OrderMap(Part):
    """One works order, from its record."""

    number: Value
    part: Value
    quantity: Value
    unit: Value
    part_name: Value | None = None
    due_at: Value | None = None
    erp_ref: Value | None = None
    operations: NestedOperations | None = None


class Listing(Part):
    """A call that lists records, page by page."""

    call: Reading
    records: Expression
    paging: Paging = NoPaging()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Leave `records` to the whole pull, where it may stand for all listings."""
        whole = handler(schema)
        return {**whole, "required": [key for key in whole["required"] if key != "records"]}


class OrdersPull(Listing):
    """The call that lists works orders released or changed since the watermark."""

    watermark: Watermark | None = None  # none: every pull reads all released orders
    state: State
    map: OrderMap


class OperationsPull(Listing):
    """Operations in a call of their own, made once per page of orders for its `keys`, and joined by key."""

    order_key: Expression  # over an order's record
    key: Expression  # over an operation's record: equals its order's key
    map: OperationMap


class OpenOrdersPull(Listing):
    """The call that lists the numbers of all orders still open, for the reconciling pass."""

    number: Expression  # over a record


class ReferenceMap(Part):
    """One value of the ERP's reference data, from its record. `unit`: of a part."""

    code: Value
    name: Value | None = None
    unit: Value | None = None


class ReferencePull(Listing):
    """The call that lists one kind of reference data."""

    map: ReferenceMap


class Pull(Part):
    """In: what the ERP plans. `reference`: its reference data, for aligning codes with the floor's once.

    `records` and `paging` hold for every listing that does not say its own.
    """

    records: Expression | None = None
    paging: Paging | None = None
    orders: OrdersPull
    operations: OperationsPull | None = None
    open_orders: OpenOrdersPull
    reference: dict[ReferenceKind, ReferencePull] = {}
    LISTINGS: ClassVar = ("orders", "operations", "open_orders")

    @classmethod
    def normal(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return every listing with the records and paging that hold for all."""
        common: dict[str, Any] = {key: given[key] for key in ("records", "paging") if key in given}
        lists = {name: _with(common, given[name]) for name in cls.LISTINGS if name in given}
        reference = given.get("reference")
        if isinstance(reference, dict):
            lists["reference"] = {kind: _with(common, listing) for kind, listing in reference.items()}
        return {**given, **lists}

    @model_validator(mode="after")
    def _operations_once(self) -> Self:
        if (self.orders.map.operations is None) == (self.operations is None):
            raise ValueError(
                "say where operations come from: `orders.map.operations` or `operations`, one of them"
            )
        return self


def _with(common: dict[str, Any], listing: Raw) -> Raw:
    return {**common, **listing} if isinstance(listing, dict) else listing


# --- out: push ----------------------------------------------------------------------------------------------


class Find(Part):
    """A read that tells whether a step's effect is in the ERP already. `capture` left out: what the step captures.

    `compare`: the quantities the ERP stored, as this read shows them, against ours; left out: those of the step, where
    this read is its proof (`verified: find`).

    `every`: seconds between the looks at what comes late (`verified: find`); after twelve of them a person is asked.
    """

    call: Reading
    found: OverReply
    every: Number | None = Field(default=None, gt=0)
    capture: dict[Name, Expression] | None = None
    compare: dict[str, Comparison] = {}


NamedOrFind = Annotated[
    Annotated[Find, Tag("find")] | Annotated[Name, Tag("name")],
    Discriminator(lambda find: "name" if isinstance(find, str) else "find"),
]


class ReadBack(Part):
    """A read after the step: success is believed only when what the ERP holds agrees."""

    call: Reading
    compare: dict[str, Comparison] = {}
    expect: tuple[Expectation, ...] = ()

    @model_validator(mode="after")
    def _looks_at_something(self) -> Self:
        if not self.compare and not self.expect:
            raise ValueError("`read_back` needs `compare` or `expect`")
        return self


class ByStatus(Part):
    """Success believed for its status alone; `status` says why that is enough."""

    status: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _verified_by(word: Raw) -> str:
    if isinstance(word, dict | ByStatus):
        return "status"
    return "expression" if not isinstance(word, str) or word.startswith(expressions.MARK) else "word"


Verified = Annotated[
    Annotated[Literal["reply", "find", "read_back"], Tag("word")]
    | Annotated[ByStatus, Tag("status")]
    | Annotated[OverReply, Tag("expression")],
    Discriminator(_verified_by),
]


class Step(Part):
    """One call with one effect.

    `verified` says how success is known, and a step that writes needs it: `reply` (the find's `found` holds over
    the step's own reply), `find` (asked after the step), `read_back` (what it is if there is one), an expression
    over the reply, or `{status: <why the status alone is believed>}`.

    `on_unknown` says what to do when the step was sent and no reply was read: `find` looks in the ERP, `park`
    leaves it to a person, `resend` sends again, `await` takes it as accepted and goes on with `verified: find`, for
    ERPs that work off later what they take now. Left out: `find` if there is one, `resend` for reads, with an
    `idempotency_header` and with `idempotent_because` (why a second call has no second effect), else `park`.

    `compare` holds what the reply says is stored against ours; a difference is a warning. `back_to` names an
    earlier step of the same list to go on with once this one is done: a loop over what a read shows is left, which
    ends when the `when` of its steps no longer holds.
    """

    name: Name
    when: Expression | None = None
    call: Call
    find: NamedOrFind | None = None
    idempotency_header: str | None = None
    on_unknown: Literal["find", "park", "resend", "await"] | None = None
    idempotent_because: str | None = None
    rules: tuple[Rule, ...] = ()
    capture: dict[Name, Expression] = {}
    verified: Verified | None = None
    compare: dict[str, Comparison] = {}
    read_back: ReadBack | None = None
    back_to: Name | None = None

    @property
    def unknown_policy(self) -> Literal["find", "park", "resend", "await"]:
        """What happens where it is not known whether the step took effect."""
        if self.on_unknown:
            return self.on_unknown
        if self.find:
            return "find"
        repeatable = self.idempotency_header or self.idempotent_because or not self.call.writes
        return "resend" if repeatable else "park"

    @model_validator(mode="after")
    def _no_guessing(self) -> Self:
        if self.on_unknown == "find" and self.find is None:
            raise ValueError("`on_unknown: find` needs `find`")
        if self.on_unknown == "await" and self.verified != "find":
            raise ValueError("`on_unknown: await` needs `verified: find`")
        if self.on_unknown == "resend" and not (self.idempotent_because or self.idempotency_header):
            raise ValueError(
                "`on_unknown: resend` needs `idempotent_because`: why a second call has no second effect"
            )
        return self

    @model_validator(mode="after")
    def _believes_for_a_reason(self) -> Self:
        if self.verified is None and self.read_back is None and self.call.writes:
            raise ValueError(f"{self.name}: a call that writes needs `verified`; {VERIFIED_BY}")
        if self.verified in {"reply", "find"} and self.find is None:
            raise ValueError(f"`verified: {self.verified}` needs `find`; {VERIFIED_BY}")
        if self.verified == "read_back" and self.read_back is None:
            raise ValueError("`verified: read_back` needs `read_back`")
        return self


VERIFIED_BY = (
    "valid: `reply` (the find's `found` holds over the reply), `find`, `read_back`, `=<expression over the reply>`, "
    "or `{status: <why the status alone is believed>}`"
)


class Use(Part):
    """The steps of a group in this place: `{use: group, with: {...}}`, in short `{group: {...}}` or its name alone.

    `when` holds for each of them too; `with` is `given` in them; `name` is what they are called here. `rules` come
    before those of the last one, `capture` adds to what it captures, over its reply and what was `captured` so far;
    `compare` and `read_back` go with the last one, too.
    """

    short_forms = (
        {"type": "string", "description": "the name of a group"},
        {
            "type": "object",
            "description": "one key is the name of a group, its value what the group is given",
            "not": {"anyOf": [{"required": [key]} for key in ("call", "for_each", "use", "with")]},
            "minProperties": 1,
        },
    )

    use: Name
    when: Expression | None = None
    name: Name | None = None
    given: dict[Name, Value] = Field(default={}, alias="with")
    rules: tuple[Rule, ...] = ()
    capture: dict[Name, Expression] = {}
    compare: dict[str, Comparison] = {}
    read_back: ReadBack | None = None
    back_to: Name | None = None

    @classmethod
    def spelt_out(cls, short: str) -> dict[str, Any]:
        """Return the name of a group as its use."""
        return {"use": short}

    @classmethod
    def normal(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return `{group: {...}}` as the use of a group with what it is given."""
        named = [key for key in given if key not in cls.valid_keys()]
        if len(named) != 1 or "use" in given or "with" in given:
            return given
        rest = {key: value for key, value in given.items() if key != named[0]}
        return {"use": named[0], "with": given[named[0]] or {}, **rest}


STEP_ONLY = Step.valid_keys() - Use.valid_keys()


def _kind_of_step(part: Raw) -> str:
    if isinstance(part, ForEach) or (isinstance(part, dict) and "for_each" in part):
        return "for_each"
    if isinstance(part, Step):
        return "step"
    return "step" if isinstance(part, dict) and not part.keys().isdisjoint(STEP_ONLY) else "use"


StepOrUse = Annotated[Annotated[Step, Tag("step")] | Annotated[Use, Tag("use")], Discriminator(_kind_of_step)]


class ForEach(Part):
    """Steps repeated for every element of a list known before the first call; the element is `item`."""

    for_each: Expression
    steps: tuple[StepOrUse, ...] = Field(min_length=1)


AnyStep = Annotated[
    Annotated[Step, Tag("step")] | Annotated[Use, Tag("use")] | Annotated[ForEach, Tag("for_each")],
    Discriminator(_kind_of_step),
]


class Refusal(Part):
    """A message the ERP cannot be told: parked, with its reason, before any call."""

    when: Expression
    reason: Template


class Push(Part):
    """Out: the steps that tell the ERP one kind of fact, or the reason why it has no place for it.

    `values` are worked out before the first call; only there may `link`, `lookup` and `need` be used: what
    they miss holds the message before anything has reached the ERP. `needs`: kinds whose steps come first, their
    `when`s telling what is still to be done. `refuse`: what is parked at once; `takes_back`: of a correction, the
    kinds it can take back, all others are parked at once. `combine`: what becomes of several such messages that wait.
    """

    exempt: str | None = None
    needs: tuple[MessageKind, ...] = ()
    combine: Combine | None = None
    refuse: tuple[Refusal, ...] = ()
    takes_back: tuple[MessageKind, ...] | None = None
    values: dict[str, Value] = {}
    steps: tuple[AnyStep, ...] = ()

    @model_validator(mode="after")
    def _pushes_or_says_why_not(self) -> Self:
        if bool(self.exempt) == bool(self.steps or self.needs):
            raise ValueError('give `steps`, or `exempt: "<the reason>"`, one of them')
        return self


# --- the whole ----------------------------------------------------------------------------------------------


class Profile(Part):
    """One kind of ERP."""

    profile: str = Field(pattern="^[a-z][a-z0-9_-]*$")
    version: Whole = Field(ge=1)
    title: str
    settings: dict[str, Setting] = {}
    codes: dict[str, dict[str, str]] = {}
    calls: dict[str, Any] = {}  # a place for YAML anchors; nothing reads it
    connection: Connection
    pull: Pull
    finds: dict[Name, Find] = {}  # for steps that say `find: <name>`
    groups: dict[
        Name, Annotated[tuple[AnyStep, ...], Field(min_length=1)]
    ] = {}  # for steps that say `use: <name>`
    push: dict[MessageKind, Push]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = [kind.value for kind in MessageKind if kind not in self.push]
        if missing:
            problem = f'{", ".join(missing)} neither pushed nor exempt; give `steps` or `exempt: "<why>"`'
            raise PydanticCustomError(
                "whole", "{problem}", {"path": ("push", missing[0]), "problem": problem}
            )
        self._check_combined()
        self._check_taken_back()
        check_scopes(self)
        self.flows  # noqa: B018 - worked out now, so that a wrong name is refused at load
        check_given(self)
        check_sequence(self)
        check_codes(self)
        return self

    def _check_combined(self) -> None:
        for kind, push in self.push.items():
            if push.combine is None or (kind in MAY[push.combine] and not push.exempt):
                continue
            valid = ", ".join(sorted(MAY[push.combine]))
            problem = f"`{push.combine}` is for what is pushed of {valid}"
            path = ("push", kind.value, "combine")
            raise PydanticCustomError("whole", "{problem}", {"path": path, "problem": problem})

    def _check_taken_back(self) -> None:
        for kind, push in self.push.items():
            if push.takes_back is not None and kind is not MessageKind.CORRECTION:
                path = ("push", kind.value, "takes_back")
                problem = "only a correction takes back"
                raise PydanticCustomError("whole", "{problem}", {"path": path, "problem": problem})

    @cached_property
    def flows(self) -> Mapping[MessageKind, Flow]:
        """What is done for each kind of message, step by step: groups, finds and needs put in their places."""
        return {kind: arranged(self, kind) for kind in self.push}
