"""The whole profile language: what a YAML file may say to teach the project one kind of ERP.

Three kinds of text:

- `Expression`: starts with `=`, JMESPath over the facts in scope, with the conversions of
  `mapping/conversions.py`;
- `Value`: any YAML; its texts that start with `=` are expressions, all else is literal; an object's key
  ending in `?` is left out where its value is null;
- `Template`: text with expressions in `{...}`.

The facts in scope (a wrong name is refused when the profile is loaded):

- everywhere: `settings` (secret ones only under `connection`);
- in `connection.auth`: `login` (what the log-in or token call gave), `reply` (its reply);
- in `pull` calls: `since` (watermark minus overlap, null at first), `page` (`size`, `number` from 1,
  `offset`, `cursor`), and `keys` in `pull.operations`; in `records`, `next` and `number`: also `reply`;
- in `map`, `key`, `after`, `state.value` and `watermark.value`: the record itself;
- in `push`: `message` (`id`, `kind`, `sequence`, `operation_id` and its body), `order`, `operation`,
  `values`, `captured`, `item` (inside `for_each`); in rules, captures, `found` and `expect`: also `reply`
  (`status`, `headers` in lower case, `body`).

Durations are seconds. Unknown keys are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.domain.message import MessageKind
from shared.domain.verdict import Verdict  # noqa: TC001 - pydantic reads it at run time
from shared.mapping import expressions
from shared.profiles.scope import check_scopes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.mapping.conversions import Raw

READING = frozenset({"GET", "HEAD"})


def _expression(source: Raw) -> expressions.Expression:
    if not isinstance(source, str) or not source.startswith(expressions.MARK):
        raise ValueError(f"{source!r} is not an expression: an expression starts with '{expressions.MARK}'")
    return expressions.Expression(source[len(expressions.MARK) :])


def _template(source: Raw) -> expressions.Template:
    if not isinstance(source, str):
        raise ValueError(f"{source!r} is not text")  # noqa: TRY004 - pydantic collects ValueErrors
    return expressions.Template(source)


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


class Part(BaseModel):
    """A part of a profile: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Raw) -> Raw:
        valid = {field.alias or name for name, field in cls.model_fields.items()}
        unknown = [key for key in data if key not in valid] if isinstance(data, dict) else []
        if unknown:
            raise PydanticCustomError(
                "unknown_key",
                "unknown key '{key}'; valid: {valid}",
                {"key": unknown[0], "valid": ", ".join(sorted(valid))},
            )
        return data


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
    """One HTTP request. `path` joins `connection.base_url`; null query values and headers are left out."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "POST"
    path: Template
    query: dict[str, Value] = {}
    headers: dict[str, Value] = {}
    body: Value | None = None
    form: bool = False  # send the body as a URL-encoded form instead of JSON


class Rule(Part):
    """What a reply means where its status alone lies. The first rule that fits counts, else the status.

    `look`: ask the step's `find` at once; only where that finds nothing does the verdict stand. For ERPs that
    refuse with the same words what is already done and what cannot be done.
    """

    status: tuple[int, ...] = ()  # empty: any status
    when: Expression | None = None
    verdict: Verdict
    reason: Template
    look: bool = False

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if not self.status and self.when is None:
            raise ValueError("a rule needs `status` or `when`, or it would swallow every reply")
        return self


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


class ClientCredentialsAuth(Part):
    """OAuth 2.0 client credentials (RFC 6749 4.4); the token is kept until shortly before it expires."""

    kind: Literal["oauth2_client_credentials"]
    token_url: Template
    client_id: Value
    client_secret: Value
    scope: Value | None = None
    extra: dict[str, Value] = {}  # further form fields, such as `resource` or `audience`
    credentials_in: Literal["body", "header"] = "body"


class SessionAuth(Part):
    """A log-in call whose reply gives a session; `headers` then travel with every call."""

    kind: Literal["session"]
    call: Call
    rules: tuple[Rule, ...] = ()
    capture: dict[str, Expression]
    headers: dict[str, Template]


Auth = Annotated[
    NoAuth | BasicAuth | HeaderAuth | BearerAuth | ClientCredentialsAuth | SessionAuth,
    Field(discriminator="kind"),
]


class Timeouts(Part):
    """Seconds. `connect` covers waiting for a socket; `reply` the whole exchange."""

    connect: float = 5
    reply: float = 60


class Limits(Part):
    """What the ERP bears."""

    concurrency: int = Field(default=8, ge=1)
    requests_per_second: float | None = Field(default=None, gt=0)
    page_size: int = Field(default=100, ge=1)
    reply_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)


class Connection(Part):
    """How to talk to the ERP. `rules` hold for every call, after the step's own."""

    base_url: Template
    headers: dict[str, Value] = {}
    auth: Auth = NoAuth()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    decimals: Literal["text", "number"] = "text"  # how Decimal values are written in JSON bodies
    rules: tuple[Rule, ...] = ()
    probe: Call  # a cheap read that fails when the ERP or our credentials do


# --- in: pull -----------------------------------------------------------------------------------------------


class NoPaging(Part):
    """Everything comes in one reply."""

    kind: Literal["none"] = "none"


class NextLinkPaging(Part):
    """The reply names the address of the next page; another host than the ERP's own is refused."""

    kind: Literal["next_link"]
    next: Expression


class CursorPaging(Part):
    """The reply gives an opaque cursor for `page.cursor`; null is the end."""

    kind: Literal["cursor"]
    next: Expression


class KeysetPaging(Part):
    """The next page starts after the last record seen: `after` makes `page.cursor` from it.

    Safe while the data changes, as long as the call sorts by exactly that key with a unique tie-breaker.
    """

    kind: Literal["keyset"]
    after: Value


class OffsetPaging(Part):
    """`page.offset` counts records. What moves between pages is missed until the reconciling pass."""

    kind: Literal["offset"]


class NumberPaging(Part):
    """`page.number` counts pages from 1. Same weakness as `offset`."""

    kind: Literal["page"]


class RangePaging(Part):
    """A `Range: <unit>=first-last` header, answered by `Content-Range: <unit> first-last/total`."""

    kind: Literal["range"]
    unit: str = "items"


Paging = Annotated[
    NoPaging | NextLinkPaging | CursorPaging | KeysetPaging | OffsetPaging | NumberPaging | RangePaging,
    Field(discriminator="kind"),
]


class Watermark(Part):
    """How far a pull has read, by the ERP's own clock.

    `instant`: compared in time, text without offset is local to `zone`, and `since` is set back by `overlap`
    seconds plus `resolution` (ERPs stamp rows before they commit them). `text` and `integer`: an ERP's own
    version counter.
    `ascending`: records come sorted by it, so every page may move the watermark; otherwise only the last page
    does.
    """

    value: Expression
    kind: Literal["instant", "text", "integer"] = "instant"
    zone: Value | None = None  # the IANA zone of values without offset; left out: UTC
    resolution: float = Field(default=1, ge=0)
    overlap: float = Field(default=60, ge=0)
    ascending: bool = False


class State(Part):
    """What the ERP's words for an order's state mean. `ignored` ones are not ours yet; others are refused."""

    value: Expression
    released: tuple[str, ...]
    completed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


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


class OrdersPull(Part):
    """The call that lists works orders released or changed since the watermark."""

    call: Call
    records: Expression
    paging: Paging = NoPaging()
    watermark: Watermark | None = None  # none: every pull reads all released orders
    state: State
    map: OrderMap


class OperationsPull(Part):
    """Operations in a call of their own, made once per page of orders for its `keys`, and joined by key."""

    order_key: Expression  # over an order's record
    call: Call
    records: Expression
    paging: Paging = NoPaging()
    key: Expression  # over an operation's record: equals its order's key
    map: OperationMap


class OpenOrdersPull(Part):
    """The call that lists the numbers of all orders still open, for the reconciling pass."""

    call: Call
    records: Expression
    number: Expression  # over a record
    paging: Paging = NoPaging()


class Pull(Part):
    """In: what the ERP plans."""

    orders: OrdersPull
    operations: OperationsPull | None = None
    open_orders: OpenOrdersPull

    @model_validator(mode="after")
    def _operations_once(self) -> Self:
        if (self.orders.map.operations is None) == (self.operations is None):
            raise ValueError(
                "say where operations come from: `orders.map.operations` or `operations`, one of them"
            )
        return self


# --- out: push ----------------------------------------------------------------------------------------------


class Find(Part):
    """A read that tells whether a step's effect is in the ERP already."""

    call: Call
    found: Expression
    capture: dict[str, Expression] = {}


class ReadBack(Part):
    """A read after the step: success is believed only when what the ERP holds agrees."""

    call: Call
    expect: tuple[Expectation, ...] = Field(min_length=1)


class Step(Part):
    """One call with one effect.

    `on_unknown` says what to do when the step was sent and no reply was read: `find` looks in the ERP, `park`
    leaves it to a person, `resend` sends again and needs `idempotent_because`. Left out: `find` if there is
    one, `resend` for reads and with an `idempotency_header`, else `park`.

    `back_to` names an earlier step to go on with once this one is done: a loop over what a read shows is
    left, which ends when the `when` of its steps no longer holds.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    when: Expression | None = None
    call: Call
    find: Find | None = None
    idempotency_header: str | None = None
    on_unknown: Literal["find", "park", "resend"] | None = None
    idempotent_because: str | None = None
    rules: tuple[Rule, ...] = ()
    capture: dict[str, Expression] = {}
    read_back: ReadBack | None = None
    back_to: str | None = None

    @property
    def unknown_policy(self) -> Literal["find", "park", "resend"]:
        """What happens where it is not known whether the step took effect."""
        if self.on_unknown:
            return self.on_unknown
        if self.find:
            return "find"
        return "resend" if self.call.method in READING or self.idempotency_header else "park"

    @model_validator(mode="after")
    def _no_guessing(self) -> Self:
        if self.on_unknown == "find" and self.find is None:
            raise ValueError("`on_unknown: find` needs `find`")
        if self.on_unknown == "resend" and not (self.idempotent_because or self.idempotency_header):
            raise ValueError(
                "`on_unknown: resend` needs `idempotent_because`: why a second call has no second effect"
            )
        return self


class ForEach(Part):
    """Steps repeated for every element of a list known before the first call; the element is `item`."""

    for_each: Expression
    steps: tuple[Step, ...] = Field(min_length=1)


def _step_or_repetition(part: Raw) -> str:
    return (
        "for_each" if isinstance(part, ForEach) or (isinstance(part, dict) and "for_each" in part) else "step"
    )


AnyStep = Annotated[
    Annotated[Step, Tag("step")] | Annotated[ForEach, Tag("for_each")], Discriminator(_step_or_repetition)
]


class Push(Part):
    """Out: the steps that tell the ERP one kind of fact, or the reason why it has no place for it.

    `values` are worked out before the first call; only there may `link`, `lookup` and `need` be used: what
    they miss holds the message before anything has reached the ERP.
    """

    exempt: str | None = None
    values: dict[str, Value] = {}
    steps: tuple[AnyStep, ...] = ()

    @model_validator(mode="after")
    def _pushes_or_says_why_not(self) -> Self:
        if bool(self.exempt) == bool(self.steps):
            raise ValueError('give `steps`, or `exempt: "<the reason>"`, one of them')
        return self

    @model_validator(mode="after")
    def _goes_back_to_earlier_steps(self) -> Self:
        earlier: list[str] = []
        for step in self.steps:
            name = step.name if isinstance(step, Step) else ""
            back_to = step.back_to if isinstance(step, Step) else None
            if name in earlier:
                raise ValueError(f"two steps are called {name!r}")
            if back_to and back_to not in earlier:
                raise ValueError(f"`back_to: {back_to}` names no earlier step; earlier: {', '.join(earlier)}")
            earlier += [name] if name else []
        return self

    def all_steps(self) -> Iterator[Step]:
        """Yield every step, those inside `for_each` too."""
        for step in self.steps:
            yield from step.steps if isinstance(step, ForEach) else (step,)


# --- the whole ----------------------------------------------------------------------------------------------


class Profile(Part):
    """One kind of ERP."""

    profile: str = Field(pattern="^[a-z][a-z0-9_-]*$")
    version: int = Field(ge=1)
    title: str
    settings: dict[str, Setting] = {}
    codes: dict[str, dict[str, str]] = {}
    calls: dict[str, Any] = {}  # a place for YAML anchors; nothing reads it
    connection: Connection
    pull: Pull
    push: dict[MessageKind, Push]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = [kind.value for kind in MessageKind if kind not in self.push]
        if missing:
            raise ValueError(
                f'push: {", ".join(missing)} neither pushed nor exempt; give `steps` or `exempt: "<why>"`'
            )
        check_scopes(self)
        return self
