"""`profile explain`: what a profile calls, in order, per kind of message, and how it knows that it worked. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.mapping.expressions import MARK, TEMPLATE_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.domain.message import MessageKind
    from shared.profiles.flow import Placed
    from shared.profiles.model import Call, OrdersPull, Paging, Profile, Step

WHEN_UNKNOWN = {
    "find": "looked up before it is sent again",
    "resend": "sent again",
    "park": "parked for a person",
    "await": "taken as accepted, and looked for until it shows",
}


def explain(profile: Profile, only: MessageKind | None = None) -> Iterator[str]:
    """Yield the lines that explain `profile`, or what it does for `only` one kind of message."""
    if only is not None:
        yield from _push(profile, only)
        return
    yield f"{profile.title} ({profile.profile}, version {profile.version})"
    yield from _connection(profile)
    yield from _pull(profile)
    for kind in profile.push:
        yield ""
        yield from _push(profile, kind)


def _connection(profile: Profile) -> Iterator[str]:
    connection, limits = profile.connection, profile.connection.limits
    rate = f", {limits.requests_per_second:g} a second" if limits.requests_per_second else ""
    yield f"  talks to {connection.base_url.source} by {connection.auth.kind}; {limits.concurrency} calls at once{rate}"
    for name, setting in profile.settings.items():
        optional = "" if setting.required and setting.default is None else ", optional"
        secret = ", in the vault" if setting.secret else ""
        yield f"  setting {name} ({setting.type}{secret}{optional}): {setting.help}"


def _pull(profile: Profile) -> Iterator[str]:
    pull = profile.pull
    yield ""
    yield "pull"
    yield f"  orders        {_call(pull.orders.call)}  {_paging(pull.orders.paging)}; {_since(pull.orders)}"
    if pull.operations:
        yield f"  operations    {_call(pull.operations.call)}  {_paging(pull.operations.paging)}"
    yield f"  open orders   {_call(pull.open_orders.call)}  {_paging(pull.open_orders.paging)}"
    for kind, reference in pull.reference.items():
        yield f"  {kind:<13} {_call(reference.call)}  {_paging(reference.paging)}"


def _paging(paging: Paging) -> str:
    return "one reply" if paging.kind == "none" else f"{paging.kind} pages"


def _since(orders: OrdersPull) -> str:
    mark = orders.watermark
    if mark is None:
        return "everything each time"
    return f"changed since ={mark.value.source}"


def _push(profile: Profile, kind: MessageKind) -> Iterator[str]:
    push = profile.push[kind]
    yield f"{kind}"
    if push.exempt:
        yield f"  exempt: {push.exempt}"
        return
    if push.takes_back is not None:
        yield f"  takes back {', '.join(push.takes_back)}; parked: everything else"
    for refusal in push.refuse:
        yield f"  parked when ={refusal.when.source}: {refusal.reason.source}"
    for number, placed in enumerate(profile.flows[kind].steps, 1):
        yield from _step(number, placed)


def _step(number: int, placed: Placed) -> Iterator[str]:
    step = placed.step
    conditions = [level.when for level in placed.within if level.when] + ([step.when] if step.when else [])
    when = "".join(f"  when ={condition.source}" for condition in conditions)
    again = "  for each item" if placed.repeats is not None else ""
    back = f"  then back to {placed.back_to + 1}" if placed.back_to is not None else ""
    yield f"  {number:>2} {placed.name:<16} {_call(step.call, placed)}{again}{when}{back}"
    if not step.call.writes:
        return
    yield f"{'':22}believed: {_believed(step)}"
    look = f" ({_call(placed.find.call, placed)})" if placed.find and step.unknown_policy == "find" else ""
    yield f"{'':22}if no reply is read: {WHEN_UNKNOWN[step.unknown_policy]}{look}"


def _believed(step: Step) -> str:
    verified = step.verified or "read_back"
    if isinstance(verified, str):
        return {
            "reply": "the reply shows the record as it should be",
            "find": "looked up in the ERP afterwards",
            "read_back": "read back and compared",
        }[verified]
    return getattr(verified, "status", None) or f"={getattr(verified, 'source', verified)}"


def _call(call: Call, placed: Placed | None = None) -> str:
    """Name a call; what its group is given in plain words stands in its path, its query does not."""
    path = call.path.source.partition("?")[0]
    given = placed.within[-1].given if placed and placed.within else {}
    for name, value in given.items():
        if isinstance(value.source, str) and not value.source.startswith((MARK, TEMPLATE_MARK)):
            path = path.replace(f"{{given.{name}}}", value.source)
    return f"{call.method} {path}"
