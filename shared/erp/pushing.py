"""Out: one message as the steps its profile names, one step at a time.

Nothing here remembers anything: what has been done is in `Progress`, which the caller stores after every
step. Being cancelled anywhere is therefore safe; the caller's stored intent tells the next one that the
outcome is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from shared.domain.message import Progress
from shared.domain.verdict import Decision, Reply, ReplyKind, Verdict, decide
from shared.erp.port import Advance, Exchange, Exempt, Missing, PlannedPush
from shared.erp.reply import ReplyFacts, fitting, reply_of
from shared.errors import MappingError
from shared.mapping.body_out import message_facts, plain_json, values
from shared.mapping.conversions import Tables, UnknownCode
from shared.profiles.model import ForEach, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.domain.message import Message, MessageKind
    from shared.erp.caller import Caller
    from shared.erp.client import HttpReply, Request
    from shared.erp.port import PushContext
    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Expression
    from shared.profiles.model import Call, Find, Profile, Push, ReadBack, Rule

    type Facts = dict[str, Any]

EVIDENCE = 2000  # characters of a request or reply kept as evidence
DONE = Decision(Verdict.DONE, "done")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One call of a push: a step, or the reading back after it; `item` is the element of its `for_each`."""

    step: Step
    part: Literal["send", "read_back"]
    item: Any = None

    @property
    def label(self) -> str:
        """The step's name in evidence and reasons."""
        return self.step.name if self.part == "send" else f"{self.step.name}.read_back"


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply with the decision about it."""

    seen: ReplyFacts
    decision: Decision
    look: bool


class Pusher:
    """Tells one ERP what happened."""

    def __init__(self, profile: Profile, caller: Caller) -> None:
        self._pushes = profile.push
        self._codes = profile.codes
        self._caller = caller

    def pushes(self, kind: MessageKind) -> bool:
        """Tell whether the profile has a push for `kind`."""
        return not self._pushes[kind].exempt

    def plan(self, message: Message, context: PushContext) -> PlannedPush | Missing | Exempt:
        """Translate `message` into the steps that tell it, or say what is missing. Pure."""
        push = self._pushes[message.kind]
        if push.exempt:
            return Exempt(push.exempt)
        if not context.order:
            return Missing("order", message.stream)
        if message.operation_id and not context.operation:
            return Missing("operation", message.operation_id)
        facts: Facts = {
            "message": message_facts(message),
            "order": dict(context.order),
            "operation": dict(context.operation),
            "settings": self._caller.settings,
        }
        tables = Tables(self._codes, context.links)
        try:
            facts["values"] = values(push.values, facts, tables)
        except UnknownCode as unknown:
            return Missing(unknown.kind, unknown.value)
        return PlannedPush(message, list(_planned(push, facts, tables)), facts)

    async def advance(self, push: PlannedPush, progress: Progress, attempts: int) -> Advance:
        """Do the step `progress` stands at, looking first where its outcome is unknown."""
        run = Run(self._caller, push, progress, attempts)
        try:
            return await run.advance()
        except MappingError as error:
            return run.stopped(_parked(self._caller.secrets.redacted(str(error))))


class Run:
    """One advance of one push."""

    def __init__(self, caller: Caller, push: PlannedPush, progress: Progress, attempts: int) -> None:
        self._caller = caller
        self._push = push
        self._steps: Sequence[PlannedStep] = push.steps  # type: ignore[assignment]
        self._progress = progress
        self._attempts = attempts
        self._exchanges: list[Exchange] = []

    async def advance(self) -> Advance:
        """Do one step, skipping those whose `when` does not hold."""
        at = self._applicable(self._progress.step, self._progress.captured)
        if at >= len(self._steps):
            return Advance(DONE, Progress(len(self._steps), captured=self._progress.captured), finished=True)
        planned = self._steps[at]
        self._progress = replace(self._progress, step=at)
        if planned.part == "read_back" and planned.step.read_back:
            return await self._read_back(planned, planned.step.read_back)
        return await self._look_then_send(planned) if self._progress.unknown else await self._send(planned)

    def stopped(self, decision: Decision, unknown: bool | None = None) -> Advance:
        """Return "no further": progress stays at its step; `unknown` None keeps what was known about it."""
        known = self._progress.unknown if unknown is None else unknown
        progress = Progress(self._progress.step, known, self._progress.captured)
        return Advance(decision, progress, finished=False, exchanges=self._exchanges)

    async def _look_then_send(self, planned: PlannedStep) -> Advance:
        step = planned.step
        if step.unknown_policy == "park" and not self._progress.resend:
            return self.stopped(
                _parked(f"{step.name}: sent, but no reply was read, and the profile has no way to look")
            )
        if step.unknown_policy == "find" and step.find:
            found = await self._look(planned, step.find)
            if found is not None:
                return found
        return await self._send(planned)

    async def _look(self, planned: PlannedStep, find: Find) -> Advance | None:
        """Return how it goes on if the effect is there or nobody can tell; None = not there, send."""
        facts = self._facts(planned)
        judged = await self._call(f"{planned.label}.find", find.call, facts, ())
        if judged.decision.verdict is not Verdict.DONE:
            return self.stopped(judged.decision, unknown=True)
        scope = judged.seen.over(facts)
        if not find.found.holds(scope, self._tables):
            return None
        return self._stepped(Decision(Verdict.DONE, "found in the ERP"), find.capture, scope)

    async def _send(self, planned: PlannedStep) -> Advance:
        step, facts = planned.step, self._facts(planned)
        headers = {step.idempotency_header: self._idempotency_key()} if step.idempotency_header else None
        judged = await self._call(planned.label, step.call, facts, step.rules, headers)
        decision = judged.decision
        if decision.verdict is Verdict.DONE:
            return self._stepped(decision, step.capture, judged.seen.over(facts) if step.capture else facts)
        if judged.look and step.find:
            found = await self._look(planned, step.find)
            if found is not None:
                return found
        if decision.look_first and step.unknown_policy == "park":
            reason = (
                f"{step.name}: {decision.reason}; it may have taken effect and the profile has no way to look"
            )
            return self.stopped(_parked(reason), unknown=True)
        return self.stopped(decision, unknown=decision.look_first)

    async def _read_back(self, planned: PlannedStep, read_back: ReadBack) -> Advance:
        facts = self._facts(planned)
        judged = await self._call(planned.label, read_back.call, facts, ())
        if judged.decision.verdict is not Verdict.DONE:
            return self.stopped(judged.decision, unknown=False)
        scope = judged.seen.over(facts)
        warnings = []
        for expectation in read_back.expect:
            if expectation.that.holds(scope, self._tables):
                continue
            reason = self._caller.secrets.redacted(expectation.reason(scope, self._tables))
            if expectation.otherwise != "warn":
                return self._not_so(planned, Verdict(expectation.otherwise), reason)
            warnings.append(reason)
        return self._stepped(DONE, {}, scope, warnings)

    def _not_so(self, planned: PlannedStep, verdict: Verdict, reason: str) -> Advance:
        """The ERP said yes and did nothing: the step is to be sent again, now or when a person says so."""
        reply = Reply(ReplyKind.ANSWERED, stated=verdict, reason=f"{planned.step.name}: {reason}")
        self._progress = Progress(self._progress.step - 1, captured=self._progress.captured)
        return self.stopped(decide(reply, self._attempts))

    def _stepped(
        self,
        decision: Decision,
        capture: Mapping[str, Expression],
        scope: Facts,
        warnings: Sequence[str] = (),
    ) -> Advance:
        taken = {name: plain_json(value(scope, self._tables)) for name, value in capture.items()}
        captured = {**self._progress.captured, **taken} if taken else self._progress.captured
        following = self._applicable(self._following(), captured)
        progress = Progress(following, captured=captured)
        return Advance(decision, progress, following >= len(self._steps), self._exchanges, warnings)

    def _following(self) -> int:
        """Return the number of the step that comes next by its place, or that `back_to` names."""
        at = self._progress.step
        back_to = self._steps[at].step.back_to
        if back_to and (at + 1 == len(self._steps) or self._steps[at + 1].part == "send"):
            return next(number for number, planned in enumerate(self._steps) if planned.step.name == back_to)
        return at + 1

    def _applicable(self, at: int, captured: Mapping[str, Any]) -> int:
        """Return the first step from `at` on whose `when` holds, or the number of steps."""
        while at < len(self._steps):
            planned = self._steps[at]
            when = planned.step.when
            # A read-back follows its step, whatever that has changed about the condition.
            if (
                when is None
                or planned.part == "read_back"
                or when.holds(self._facts(planned, captured), self._tables)
            ):
                return at
            at += 2 if planned.step.read_back else 1
        return at

    async def _call(
        self,
        label: str,
        call: Call,
        facts: Facts,
        rules: Sequence[Rule],
        headers: dict[str, str] | None = None,
    ) -> Judged:
        caller = self._caller
        request = caller.request(call, facts, headers)
        started, ticks = caller.now(), perf_counter()
        http = await caller.send(request)
        exchange = self._evidence(label, request, http, started, round((perf_counter() - ticks) * 1000))
        self._exchanges.append(exchange)
        seen = ReplyFacts(http, caller.secrets.redacted)
        rule = fitting(seen, (*rules, *caller.connection.rules), facts, self._tables)
        decision = decide(reply_of(seen, rule, facts, self._tables, caller.now()), self._attempts)
        return Judged(seen, _redacted(decision, caller.secrets.redacted), rule is not None and rule.look)

    def _evidence(
        self, label: str, request: Request, http: HttpReply, started: Raw, duration_ms: int
    ) -> Exchange:
        clean = self._caller.secrets.redacted
        return Exchange(
            step=label,
            started_at=started,
            duration_ms=duration_ms,
            method=request.method,
            url=clean(request.url),
            status=http.status,
            request=_cut(clean(request.content.decode())),
            reply=_cut(clean(http.problem or http.content.decode("utf-8", errors="replace"))),
        )

    def _facts(self, planned: PlannedStep, captured: Mapping[str, Any] | None = None) -> Facts:
        known = self._progress.captured if captured is None else captured
        return {**self._push.facts, "captured": dict(known), "item": planned.item}

    def _idempotency_key(self) -> str:
        return f"{self._push.message.message_id}-{self._progress.step}"

    @property
    def _tables(self) -> Tables:
        return self._caller.tables


def _planned(push: Push, facts: Facts, tables: Tables) -> Iterator[PlannedStep]:
    for part in push.steps:
        if isinstance(part, Step):
            yield from _with_read_back(part)
            continue
        for item in _items(part, facts, tables):
            for step in part.steps:
                yield from _with_read_back(step, item)


def _with_read_back(step: Step, item: Raw = None) -> Iterator[PlannedStep]:
    yield PlannedStep(step, "send", item)
    if step.read_back:
        yield PlannedStep(step, "read_back", item)


def _items(part: ForEach, facts: Facts, tables: Tables) -> list[Any]:
    items = part.for_each(facts, tables)
    if items is None:
        return []
    if not isinstance(items, list):
        raise MappingError(f"for_each: ={part.for_each.source} is not a list")
    return items


def _parked(reason: str) -> Decision:
    return decide(Reply(ReplyKind.ANSWERED, stated=Verdict.PARK, reason=reason))


def _redacted(decision: Decision, clean: Raw) -> Decision:
    reason = clean(decision.reason)
    if reason == decision.reason:
        return decision
    return Decision(decision.verdict, reason, decision.after, decision.look_first, decision.spends_attempt)


def _cut(text: str) -> str:
    return text if len(text) <= EVIDENCE else f"{text[:EVIDENCE]}…"
