"""Out: one message as the steps its profile names, one step at a time.

Nothing here remembers anything: what has been done is in `Progress`, which the caller stores after every
step. Being cancelled anywhere is therefore safe; the caller's stored intent tells the next one that the
outcome is unknown.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

from shared.domain.identity import key_of
from shared.domain.message import Progress
from shared.domain.verdict import Decision, Reply, ReplyKind, Verdict, decide
from shared.erp.port import Advance, Exchange, Exempt, Missing, PlannedPush, Preview
from shared.erp.reply import ReplyFacts, fitting, reply_of
from shared.errors import MappingError
from shared.mapping.body_out import message_facts, plain_json, told_facts, values
from shared.mapping.conversions import NO_TABLES, Tables, UnknownCode, decimal
from shared.mapping.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.domain.message import Message, MessageKind
    from shared.erp.caller import Caller
    from shared.erp.client import HttpReply, Request
    from shared.erp.port import PushContext
    from shared.mapping.conversions import Raw
    from shared.profiles.flow import Captures, Flow, Level, Placed, Repetition
    from shared.profiles.model import Call, Comparison, Find, Profile, Push, ReadBack, Rule, Step

    type Facts = dict[str, Any]

EVIDENCE = 2000  # characters of a request or reply kept as evidence
REFUSED = "refused"  # among the facts of a push: why it is parked before any call
DONE = Decision(Verdict.DONE, "done")
NOTHING_TO_TELL = Decision(Verdict.DONE, "nothing to tell: no step of the profile applies")
OTHER_STEPS = (
    "half told with other steps than {} has now: look in the ERP what is there of it; `retry` tells it from the first"
    " step on and looks before every write, `dismiss` leaves it as it is"
)


class PlannedStep(NamedTuple):
    """One call of a push: a step, or the look at its effect after it; `item` is the element of its `for_each`.

    `back_to`: number of the planned step to go on with once this one is done.
    """

    placed: Placed
    part: Literal["send", "find", "read_back"]
    item: Any = None
    back_to: int | None = None

    @property
    def step(self) -> Step:
        """The step as the profile has it."""
        return self.placed.step

    @property
    def label(self) -> str:
        """The step's name in evidence and reasons."""
        return self.placed.name if self.part == "send" else f"{self.placed.name}.{self.part}"


class Judged(NamedTuple):
    """A reply with the decision about it."""

    seen: ReplyFacts
    decision: Decision
    look: bool
    stated: (
        bool  # by a rule of the step itself: one for all calls cannot know what this step's "done" looks like
    )


class Pusher:
    """Tells one ERP what happened."""

    def __init__(self, profile: Profile, caller: Caller) -> None:
        self._pushes = profile.push
        self._title = profile.title
        self._flows = profile.flows
        self._names = {kind: name_of(flow) for kind, flow in profile.flows.items()}
        self._always = {
            kind: planned(flow, {}, NO_TABLES) for kind, flow in profile.flows.items() if not flow.repetitions
        }
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
            "told": told_facts(message),
            "order": dict(context.order),
            "operation": dict(context.operation),
            "settings": self._caller.settings,
        }
        tables = Tables(self._codes, context.links)
        try:
            facts["values"] = values(self._flows[message.kind].values, facts, tables)
        except UnknownCode as unknown:
            return Missing(unknown.kind, unknown.value)
        refused = self._refused(push, facts, tables)
        if refused is not None:
            return PlannedPush(message, [], {**facts, REFUSED: refused})
        steps = self._always.get(message.kind) or planned(self._flows[message.kind], facts, tables)
        return PlannedPush(message, steps, facts, self._names[message.kind])

    def _refused(self, push: Push, facts: Facts, tables: Tables) -> str | None:
        """Return why the ERP cannot be told this, None if it can."""
        if push.takes_back is not None and facts["told"]["kind"] not in push.takes_back:
            return f"{self._title} cannot take back {facts['told']['kind']}"
        return next((r.reason(facts, tables) for r in push.refuse if r.when.holds(facts, tables)), None)

    async def advance(self, push: PlannedPush, progress: Progress, attempts: int) -> Advance:
        """Do the step `progress` stands at, looking first where its outcome is unknown."""
        run = Run(self._caller, push, progress, attempts)
        if REFUSED in push.facts:
            return run.stopped(_parked(str(push.facts[REFUSED])))
        if progress.flow not in {"", push.flow}:
            if (progress.wrote or progress.unknown) and not progress.resend:
                return run.stopped(_parked(OTHER_STEPS.format(self._title)), unknown=True)
            run = Run(self._caller, push, Progress(anew=progress.resend), attempts)
        try:
            return await run.advance()
        except MappingError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - a defect: shown to a person, or it would fail for ever unseen
            reason = f"{type(error).__name__}: {error}"
        return run.stopped(_parked(self._caller.secrets.redacted(reason)), unknown=run.has_written or None)

    def preview(self, push: PlannedPush, progress: Progress) -> Preview | None:
        """Return the call `advance` would make next, without making it; None = nothing is left to do.

        Raises:
            MappingError: a part of it cannot be worked out, or the profile parks the message.
        """
        if REFUSED in push.facts:
            raise MappingError(str(push.facts[REFUSED]))
        return Run(self._caller, push, progress, 0).preview()


class Run:
    """One advance of one push."""

    def __init__(self, caller: Caller, push: PlannedPush, progress: Progress, attempts: int) -> None:
        self._caller = caller
        self._push = push
        self._steps: Sequence[PlannedStep] = push.steps  # type: ignore[assignment]
        self._progress = replace(progress, flow=progress.flow or push.flow)
        self._attempts = attempts
        self._exchanges: list[Exchange] = []
        self.has_written = False  # a writing call was made, whatever came of it

    async def advance(self) -> Advance:
        """Do one step, skipping those whose `when` does not hold."""
        at = self._applicable(self._progress.step, self._progress.captured)
        if at >= len(self._steps):
            decision = NOTHING_TO_TELL if self._progress == Progress() else DONE
            return Advance(decision, self._at(len(self._steps)), finished=True)
        planned = self._steps[at]
        if at != self._progress.step:
            self._progress = replace(self._progress, step=at)
        if planned.part == "read_back" and planned.step.read_back:
            return await self._read_back(planned, planned.step.read_back)
        if planned.part == "find":
            if self._progress.resend:
                self._progress = replace(self._progress, step=at - 1, unknown=True)
                return await self._look_then_send(self._steps[at - 1])
            return await self._confirm(planned)
        looks = self._progress.unknown or self._progress.anew
        return await self._look_then_send(planned) if looks else await self._send(planned)

    def preview(self) -> Preview | None:
        """Return the call that comes next, None at the end."""
        at = self._applicable(self._progress.step, self._progress.captured)
        if at >= len(self._steps):
            return None
        planned = self._steps[at]
        call = _call_of(planned)
        key = planned.step.idempotency_header if planned.part == "send" else None
        headers = {key: self._idempotency_key()} if key else None
        request = self._caller.request(call, self._facts(planned), headers)
        return Preview(planned.label, call.writes, *request)

    def stopped(self, decision: Decision, unknown: bool | None = None) -> Advance:
        """Return "no further": progress stays at its step; `unknown` None keeps what was known about it."""
        known = self._progress.unknown if unknown is None else unknown
        progress = replace(self._progress, unknown=known, resend=False)
        return Advance(decision, progress, finished=False, exchanges=self._exchanges)

    def _at(self, step: int, captured: Mapping[str, Any] | None = None, *, wrote: bool = False) -> Progress:
        """Return what has been done when `step` is next, its outcome not yet in question."""
        known = self._progress
        captured = known.captured if captured is None else captured
        return replace(
            known, step=step, unknown=False, captured=captured, resend=False, wrote=known.wrote or wrote
        )

    async def _look_then_send(self, planned: PlannedStep) -> Advance:
        step, find = planned.step, planned.placed.find
        by_word = self._progress.resend or self._progress.anew
        if step.unknown_policy == "park" and not by_word:
            return self.stopped(
                _parked(f"{planned.label}: sent, but no reply was read, and the profile has no way to look")
            )
        if step.unknown_policy == "await" and not by_word:
            self._progress = self._at(self._progress.step + 1)
            return await self._confirm(self._steps[self._progress.step])
        if step.unknown_policy == "find" and find:
            found = await self._look(planned, find, f"{planned.label}.find")
            if found is not None:
                return found
        return await self._send(planned)

    async def _look(self, planned: PlannedStep, find: Find, label: str) -> Advance | None:
        """Return how it goes on if the effect is there or nobody can tell; None = not there, send."""
        facts = self._facts(planned)
        judged = await self._call(label, find.call, facts, ())
        if judged.decision.verdict is not Verdict.DONE:
            return self.stopped(judged.decision, unknown=None if planned.part == "find" else True)
        scope = judged.seen.over(facts)
        if not find.found.holds(scope, self._tables):
            return None
        decision = Decision(Verdict.DONE, "found in the ERP")
        shown = planned.step.compare if planned.step.verified == "find" else {}
        differences = self._differences(find.compare or shown, scope)
        return self._stepped(decision, planned.placed.captures_of_find(), scope, differences)

    async def _confirm(self, planned: PlannedStep) -> Advance:
        """Look whether what the ERP accepted is there. It may come late, so the look is repeated, not the step."""
        find = planned.placed.find
        assert find  # noqa: S101 - the loader refuses `verified: find` without one
        found = await self._look(planned, find, planned.label)
        if found is not None:
            return found
        after = timedelta(seconds=find.every) if find.every else None
        reason = f"{planned.placed.name}: accepted, but not to be found in the ERP"
        reply = Reply(ReplyKind.ANSWERED, retry_after=after, stated=Verdict.RETRY, reason=reason)
        return self.stopped(decide(reply, self._attempts))

    async def _send(self, planned: PlannedStep) -> Advance:
        step, facts = planned.step, self._facts(planned)
        headers = {step.idempotency_header: self._idempotency_key()} if step.idempotency_header else None
        judged = await self._call(planned.label, step.call, facts, planned.placed.rules, headers)
        decision, look = judged.decision, judged.look
        if decision.verdict is Verdict.DONE:
            if judged.stated or self._verified(planned, judged.seen, facts):
                return self._done(planned, decision, judged.seen, facts)
            decision, look = self._unbelieved(planned, judged.seen), True
        if look and planned.placed.find:
            found = await self._look(planned, planned.placed.find, f"{planned.label}.find")
            if found is not None:
                return found
        if judged.decision.look_first and step.unknown_policy == "park":
            reason = f"{planned.label}: {decision.reason}; it may have taken effect and the profile has no way to look"
            return self.stopped(_parked(reason), unknown=True)
        return self.stopped(decision, unknown=decision.look_first)

    def _done(self, planned: PlannedStep, decision: Decision, seen: ReplyFacts, facts: Facts) -> Advance:
        captures, compared = planned.placed.captures, planned.step.compare
        if planned.step.verified == "find":
            compared = {}  # what was accepted for later shows no quantities yet: the look does
        scope = seen.over(facts) if any(captures) or compared else facts
        return self._stepped(decision, captures, scope, self._differences(compared, scope))

    def _verified(self, planned: PlannedStep, seen: ReplyFacts, facts: Facts) -> bool:
        """Tell whether the reply shows the effect, where the profile says that it must."""
        by, find = planned.step.verified, planned.placed.find
        shown = find.found if by == "reply" and find else by
        return not isinstance(shown, Expression) or shown.holds(seen.over(facts), self._tables)

    def _unbelieved(self, planned: PlannedStep, seen: ReplyFacts) -> Decision:
        """The ERP said yes, but its reply does not show the effect: look, then ask a person."""
        reason = f"{planned.label}: the ERP said yes, but its reply does not show it ({seen.excerpt()})"
        return Decision(Verdict.PARK, self._caller.secrets.redacted(reason), look_first=True)

    def _differences(self, compared: Mapping[str, Comparison], scope: Facts) -> list[str]:
        """Return a warning for every quantity the ERP stores otherwise than we do."""
        both = (
            (name, pair.theirs(scope, self._tables), pair.ours(scope, self._tables))
            for name, pair in compared.items()
        )
        told = (
            f"{name}: the ERP has {shown(theirs)}, the floor has {shown(ours)}"
            for name, theirs, ours in both
            if not same_quantity(theirs, ours)
        )
        return [self._caller.secrets.redacted(warning) for warning in told]

    async def _read_back(self, planned: PlannedStep, read_back: ReadBack) -> Advance:
        facts = self._facts(planned)
        judged = await self._call(planned.label, read_back.call, facts, ())
        if judged.decision.verdict is not Verdict.DONE:
            return self.stopped(judged.decision, unknown=False)
        scope = judged.seen.over(facts)
        warnings = self._differences(read_back.compare, scope)
        for expectation in read_back.expect:
            if expectation.that.holds(scope, self._tables):
                continue
            reason = self._caller.secrets.redacted(expectation.reason(scope, self._tables))
            if expectation.otherwise != "warn":
                return self._not_so(planned, Verdict(expectation.otherwise), reason)
            warnings.append(reason)
        return self._stepped(DONE, (), scope, warnings)

    def _not_so(self, planned: PlannedStep, verdict: Verdict, reason: str) -> Advance:
        """The ERP said yes and did nothing: the step is to be sent again, now or when a person says so."""
        reply = Reply(ReplyKind.ANSWERED, stated=verdict, reason=f"{planned.step.name}: {reason}")
        at = self._progress.step
        while self._steps[at].part != "send":
            at -= 1
        self._progress = self._at(at)
        return self.stopped(decide(reply, self._attempts))

    def _stepped(
        self,
        decision: Decision,
        captures: Captures,
        scope: Facts,
        warnings: Sequence[str] = (),
    ) -> Advance:
        captured = self._progress.captured
        for capture in captures:
            seen = {**scope, "captured": captured}
            taken = {name: self._plain(value(seen, self._tables)) for name, value in capture.items()}
            captured = {**captured, **taken}
        following = self._applicable(self._following(), captured)
        wrote = self._steps[self._progress.step].step.call.writes
        progress = self._at(following, captured, wrote=wrote)
        return Advance(decision, progress, following >= len(self._steps), self._exchanges, warnings)

    def _plain(self, value: Raw) -> Raw:
        """Return a captured value as it is stored: an ERP may say our credentials back to us."""
        plain = plain_json(value)
        if plain is None or isinstance(plain, bool):
            return plain
        try:
            stored = orjson.dumps(plain).decode()
        except TypeError as error:
            raise MappingError(f"a captured value cannot be kept: {error}") from error
        clean = self._caller.secrets.redacted(stored)
        return plain if clean == stored else orjson.loads(clean)

    def _following(self) -> int:
        """Return the number of the step that comes next by its place, or that `back_to` names."""
        at = self._progress.step
        back_to = self._steps[at].back_to
        return at + 1 if back_to is None else back_to

    def _applicable(self, at: int, captured: Mapping[str, Any]) -> int:
        """Return the first step from `at` on whose `when` holds, or the number of steps."""
        while at < len(self._steps):
            planned = self._steps[at]
            # What looks at a step's effect follows it, whatever that has changed about the condition.
            if planned.part != "send" or self._applies(planned, captured):
                return at
            at += 1
            while at < len(self._steps) and self._steps[at].part != "send":
                at += 1
        return at

    def _applies(self, planned: PlannedStep, captured: Mapping[str, Any]) -> bool:
        when, within = planned.step.when, planned.placed.within
        if when is None and not within:
            return True
        facts = {**self._push.facts, "captured": captured, "item": planned.item}
        for level in within:
            if level.when is not None and not level.when.holds(facts, self._tables):
                return False
            facts = {**facts, "given": given(level, facts, self._tables)}
        return when is None or when.holds(facts, self._tables)

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
        self.has_written = self.has_written or call.writes
        started, ticks = caller.now(), perf_counter()
        http = await caller.send(request)
        exchange = self._evidence(label, request, http, started, round((perf_counter() - ticks) * 1000))
        self._exchanges.append(exchange)
        seen = caller.seen(http)
        shared = caller.connection.rules
        rule = fitting(seen, (*rules, *shared) if rules else shared, facts, self._tables)
        reply = reply_of(seen, rule, facts, self._tables, caller.now())
        if rule is None and not call.writes and (problem := seen.silent()):
            reply = Reply(ReplyKind.AMBIGUOUS, http.status, reason=f"{label}: {problem}")
        decision = decide(reply, self._attempts)
        if rule is not None and rule.not_taken:
            decision = decision._replace(look_first=False)
        clean = _redacted(decision, caller.secrets.redacted)
        stated = any(rule is own for own in rules)
        return Judged(seen, clean, look=rule is not None and rule.look, stated=stated)

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

    def _facts(self, planned: PlannedStep) -> Facts:
        facts = {**self._push.facts, "captured": dict(self._progress.captured), "item": planned.item}
        for level in planned.placed.within:
            facts["given"] = given(level, facts, self._tables)
        return facts

    def _idempotency_key(self) -> str:
        return f"{self._push.message.message_id}-{self._progress.step}"

    @property
    def _tables(self) -> Tables:
        return self._caller.tables


def _call_of(planned: PlannedStep) -> Call:
    if planned.part == "find" and planned.placed.find:
        return planned.placed.find.call
    if planned.part == "read_back" and planned.step.read_back:
        return planned.step.read_back.call
    return planned.step.call


def planned(flow: Flow, facts: Facts, tables: Tables) -> list[PlannedStep]:
    """Return the calls of a push in order: repeated steps for each item, and after a step the look at its effect."""
    items = [_items(repetition, facts, tables) for repetition in flow.repetitions]
    calls: list[PlannedStep] = []
    begins: dict[int, int] = {}  # number of a step in the flow -> number of its latest call
    for number, item in _in_order(flow.steps, items):
        begins[number] = len(calls)
        calls += _calls(flow.steps[number], item)
        back_to = flow.steps[number].back_to
        if back_to is not None:
            calls[-1] = calls[-1]._replace(back_to=begins[back_to])
    return calls


def name_of(flow: Flow) -> str:
    """Return a short name of the steps, the same as long as a step's number means the same."""
    parts = [
        f"{placed.name}:{placed.step.verified == 'find'}:{placed.step.read_back is not None}"
        f":{placed.repeats}:{placed.back_to}"
        for placed in flow.steps
    ]
    return key_of(*parts)[:8]


def _in_order(steps: Sequence[Placed], items: Sequence[Sequence[Any]]) -> Iterator[tuple[int, Any]]:
    """Yield the number of each step with its item; the steps of a repetition together for each item."""
    for repeats, group in groupby(range(len(steps)), key=lambda number: steps[number].repeats):
        numbers = list(group)
        for item in [None] if repeats is None else items[repeats]:
            yield from ((number, item) for number in numbers)


def _calls(placed: Placed, item: Raw) -> list[PlannedStep]:
    calls = [PlannedStep(placed, "send", item)]
    if placed.step.verified == "find":
        calls.append(PlannedStep(placed, "find", item))
    if placed.step.read_back:
        calls.append(PlannedStep(placed, "read_back", item))
    return calls


def _items(repetition: Repetition, facts: Facts, tables: Tables) -> list[Any]:
    for level in repetition.within:
        facts = {**facts, "given": given(level, facts, tables)}
    items = repetition.for_each(facts, tables)
    if items is None:
        return []
    if not isinstance(items, list):
        raise MappingError(f"for_each: ={repetition.for_each.source} is not a list")
    return items


def given(level: Level, facts: Facts, tables: Tables) -> Facts:
    """Return what a use of a group gives to its steps."""
    return {name: value(facts, tables) for name, value in level.given.items()}


def same_quantity(theirs: Raw, ours: Raw) -> bool:
    """Tell whether two quantities are the same number, or the same text where one is no number."""
    try:
        return decimal(theirs) == decimal(ours)
    except MappingError:
        return bool(theirs == ours)


def shown(value: Raw) -> str:
    """Return a value as a warning shows it."""
    return "nothing" if value is None else str(plain_json(value))


def _parked(reason: str) -> Decision:
    return decide(Reply(ReplyKind.ANSWERED, stated=Verdict.PARK, reason=reason))


def _redacted(decision: Decision, clean: Raw) -> Decision:
    reason = clean(decision.reason)
    if reason == decision.reason:
        return decision
    return Decision(decision.verdict, reason, decision.after, decision.look_first, decision.spends_attempt)


def _cut(text: str) -> str:
    return text if len(text) <= EVIDENCE else f"{text[:EVIDENCE]}…"
