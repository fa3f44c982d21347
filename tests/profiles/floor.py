"""The floor: states what happened, lets the domain derive the messages, and tells them to an ERP to the end.

Before each call something may go wrong. On the way the floor checks what must hold of every verdict, whatever the
ERP: after a lost reply the outcome is unknown and no attempt is spent, a wish for patience is kept, no secret is
written down. It keeps what it has told, as figures, for the comparison with the ERP's books.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from shared.domain.derive import Draft, OrderState, add_events
from shared.domain.events import EventType, ExecutionEvent, TimeKind
from shared.domain.identity import event_key, order_key
from shared.domain.message import MessageKind, MessageState, Progress, QueuedMessage
from shared.domain.state import fold
from shared.domain.verdict import Verdict
from shared.erp.port import Exempt, Missing
from shared.mapping.message_body import context_of, message_of

CONNECTION = "acme"
SHIFT_BEGINS = (datetime.now(UTC) - timedelta(days=1)).replace(hour=6, minute=0, second=0, microsecond=0)
TRIES = 60  # of one step, before the suite gives up on it
RETRY_AFTER = 7
HUNG_TRIES, NEVER = 3, -1  # a reply that never comes costs time: a step is spared after three
REPEATED = ("GET", "PUT", "DELETE")
DROPPED = ("drop_before_effect", "drop_after_effect", "hang_before_effect", "hang_after_effect")
NO_FAULT, LOSSY, EXPIRED, GATEWAY = "none", "lossy", "expired", "gateway"
LOOKING = ("find", "await")  # what a step of unknown outcome does when it looks before anything is sent again
THROTTLED, AWAY = f"status:429:{RETRY_AFTER}", "status:503"
KIND_KEYS = {
    MessageKind.ORDER_STARTED: ("push.order.started",),
    MessageKind.ORDER_COMPLETED: ("push.order.completed",),
    MessageKind.OPERATION_STARTED: ("push.operation.started",),
    MessageKind.OPERATION_PAUSED: ("push.operation.paused",),
    MessageKind.OPERATION_RESUMED: ("push.operation.resumed",),
    MessageKind.OPERATION_COMPLETED: ("push.operation.completed",),
    MessageKind.PRODUCTION_REPORTED: ("push.production.good",),
    MessageKind.TIME_RECORDED: ("push.time.setup", "push.time.run"),
    MessageKind.CORRECTION: ("push.correction.quantity", "push.correction.time", "push.correction.status"),
}


@dataclass
class Trouble:
    """Hits the request number `at` of one try with `do`; takes the place of a simulator's own choice of faults.

    `of`: only requests of this method count. A read whose connection breaks is repeated at once by the HTTP library:
    the repetition is hit too.
    """

    do: str
    at: int
    of: str = ""
    seen: int = 0
    line: str = ""

    def __call__(self, line):
        if self.of not in ("", line.split(" ")[0]):
            return ""
        if self.line and self.line == line and line.split(" ")[0] in REPEATED:
            return self.do
        self.seen += 1
        if self.seen - 1 != self.at:
            return ""
        self.line = line
        return self.do


def shown(end):
    """Return the end of a message as a failing test shows it: the decision and the last call."""
    if isinstance(end, Exempt | Missing):
        return str(end)
    call = end.exchanges[-1] if end.exchanges else None
    said = call and f"\n  {call.method} {call.url}\n  {call.request}\n  {call.status} {call.reply}"
    return f"{end.decision.verdict}: {end.decision.reason} (step {end.progress.step}){said or ''}"


@dataclass
class Told:
    """The outcome of one event: each message it caused, how it ended, and the warnings on the way."""

    messages: list = field(default_factory=list)
    ends: list = field(default_factory=list)  # an Advance, Exempt or Missing each
    warnings: list = field(default_factory=list)

    @property
    def decisions(self):
        """What was decided about each message the ERP has a place for."""
        return [end.decision for end in self.ends if not isinstance(end, Exempt | Missing)]

    @property
    def parked(self):
        """The reasons why messages were parked."""
        return [decision.reason for decision in self.decisions if decision.verdict is Verdict.PARK]


class Floor:
    """Works on one order. `fault`: none, lossy, expired, or what a simulator can do to a request.

    `gateway`: the reply to each write is lost, and the look for it is answered by a gateway.
    """

    def __init__(self, plant, erp, order, fault=NO_FAULT):
        self.plant, self.erp, self.order, self.fault = plant, erp, order, fault
        self.stream = order_key(CONNECTION, order.number)
        self.state = OrderState(planned=tuple(operation.operation_id for operation in order.operations))
        self.now = SHIFT_BEGINS
        self.events, self.sent, self.void = [], [], set()
        self.hits = 0

    # -- what happens -------------------------------------------------------------------------------------------

    async def states(self, kind, operation, **fields):
        """State one fact and tell the ERP; returns what became of it."""
        event = self._event(EventType(kind), operation, fields)
        self.events.append(event)
        told = Told()
        for draft in add_events(self.state, [event]):
            await self._tell(draft, event, told)
        return told

    async def once(self, kind, operation, **fields):
        """State one fact, and make one call for its first message; returns how far that came."""
        event = self._event(EventType(kind), operation, fields)
        plans = (self._planned(draft, event)[1] for draft in add_events(self.state, [event]))
        plan = next(plan for plan in plans if not isinstance(plan, Exempt))
        return await self.erp.advance(plan, Progress(), 0)

    async def takes_back(self, message):
        """Correct the fact behind `message`, which the ERP has heard."""
        voided = message.event
        event = self._event(
            EventType.CORRECTION, voided.operation_id, {"voids": voided.key, "reason": "typing"}
        )
        self.void.add(voided.key)
        told = Told()
        draft = Draft(MessageKind.CORRECTION, message.operation_id, event.key, message.sequence)
        await self._tell(draft, event, told)
        return told

    def _event(self, kind, operation, fields):
        self.now += timedelta(minutes=1, seconds=float(fields.get("seconds", 0)))
        number = len(self.events) + len(self.void)
        name = f"{self.order.number}-{number}"
        centre = next((op.work_centre for op in self.order.operations if op.operation_id == operation), "")
        return ExecutionEvent(
            key=event_key("line", name),
            source="line",
            event_id=name,
            type=kind,
            connection=CONNECTION,
            order_number=self.order.number,
            order_key=self.stream,
            operation_id=operation,
            occurred_at=self.now,
            work_centre=centre,
        )._replace(**fields)

    # -- what it adds up to -------------------------------------------------------------------------------------

    def figures(self):
        """Return the floor's own totals by operation id, what was taken back left out."""
        return fold([event for event in self.events if event.key not in self.void])

    def standing(self):
        """Return the events that still hold."""
        return [event for event in self.events if event.key not in self.void]

    # -- telling it ---------------------------------------------------------------------------------------------

    async def _tell(self, draft, event, told):
        queued, plan = self._planned(draft, event)
        told.messages.append(queued)
        if not isinstance(plan, Missing):
            self._check_exempt(queued, plan)
        told.ends.append(plan if isinstance(plan, Exempt | Missing) else await self._to_the_end(plan, told))

    def _planned(self, draft, event):
        """Return the message as it waits in its stream, and what the profile makes of it."""
        queued = self._queued(draft, event)
        self.sent.append(queued)
        message = message_of(queued, self.order, {})
        return queued, self.erp.plan(message, context_of(queued, self.order, self.plant.subject.links))

    def _queued(self, draft, event):
        voided = next((sent for sent in self.sent if sent.sequence == draft.voids), None)
        return QueuedMessage(
            self.stream,
            len(self.sent) + 1,
            draft.kind,
            draft.operation_id,
            MessageState.PENDING,
            0,
            Progress(),
            event,
            voided and voided.sequence,
            voided and voided.kind,
            voided and voided.event,
        )

    def _check_exempt(self, queued, plan):
        """A kind of message is exempt in the profile where all it would tell is exempt in the checklist."""
        states = {self.plant.checklist.state(key) for key in KIND_KEYS[queued.kind]}
        if isinstance(plan, Exempt):
            assert "done" not in states, f"{queued.kind} is done in the checklist and exempt in the profile"
            assert plan.reason
        elif queued.kind is not MessageKind.CORRECTION:
            assert states != {"exempt"}, f"{queued.kind} is exempt in the checklist and pushed by the profile"

    async def _to_the_end(self, plan, told):
        """Advance until it is finished, or a person or the connection has to do something."""
        progress, tries, careful, hits = Progress(), 0, False, self.hits
        while True:
            advance = await self._try(plan, progress, tries, careful=careful)
            told.warnings += advance.warnings
            self._check_secrets(advance)
            if not careful and self.hits > hits and self._is_lost(advance):
                progress, tries, careful = replace(advance.progress, resend=True), 0, True
                continue
            if advance.finished or advance.decision.verdict in (Verdict.PARK, Verdict.HALT):
                return advance
            tries = 0 if advance.decision.verdict is Verdict.DONE else tries + 1
            assert tries < TRIES, f"{plan.message.kind} does not come to an end: {advance.decision.reason}"
            progress = advance.progress
            if advance.decision.verdict is Verdict.RETRY and self.plant.subject.time_passes:
                self.plant.subject.time_passes(self.plant.simulator)

    def _is_lost(self, advance):
        """Tell whether a person has to say "send again", because this ERP cannot be asked whether it heard us."""
        return self.plant.subject.lost_parks and advance.decision.verdict is Verdict.PARK

    async def _try(self, plan, progress, tries, *, careful):
        simulator = self.plant.simulator
        if careful or self.fault == NO_FAULT:
            return await self.erp.advance(plan, progress, tries)
        if self.fault == LOSSY:
            return await self._forgetful(plan, progress, tries)
        if self.fault == EXPIRED:
            simulator.expire_credentials()
            advance = await self.erp.advance(plan, progress, tries)
            assert advance.decision.verdict is not Verdict.HALT, advance.decision.reason
            return advance
        choose = self._lost_then_looked_for if self.fault == GATEWAY else self._at_each_request
        return await self._troubled(plan, progress, tries, choose(plan, progress, tries))

    async def _forgetful(self, plan, progress, tries):
        """Make every call, lose its outcome as a crash does, and go on as the stored intent says."""
        lost = await self.erp.advance(plan, progress, tries)
        self._check_secrets(lost)
        self.hits += 1
        return await self.erp.advance(plan, replace(progress, unknown=True), tries)

    def _at_each_request(self, _plan, _progress, tries):
        """Let one request of this try go wrong: the first one twice, so that looking fails too, then the ones after."""
        spared = self.fault.startswith("hang") and tries >= HUNG_TRIES
        return Trouble(self.fault, NEVER if spared else max(tries - 1, 0))

    def _lost_then_looked_for(self, plan, progress, tries):
        """Lose the reply to every write; then let a gateway answer the look for it in the ERP's place, once."""
        call = self.erp.preview(plan, progress)
        if tries == 0 and call and call.writes:
            return Trouble("drop_after_effect", 0, of=call.method)
        looks = progress.unknown and plan.steps[progress.step].step.unknown_policy in LOOKING
        return Trouble(GATEWAY, 0 if looks and tries == 1 else NEVER)

    async def _troubled(self, plan, progress, tries, trouble):
        simulator = self.plant.simulator
        simulator.fault_by(trouble)
        try:
            advance = await self.erp.advance(plan, progress, tries)
        finally:
            simulator.fault_by(None)
        if trouble.line:
            self.hits += 1
            self._check_verdict(advance, trouble, progress)
        return advance

    def _check_verdict(self, advance, trouble, before):
        decision = advance.decision
        what = f"{trouble.do} at {trouble.line}: {decision}"
        assert decision.verdict is Verdict.RETRY, what
        assert not advance.finished, what
        assert not decision.spends_attempt, what
        if trouble.do == THROTTLED:
            assert decision.after >= timedelta(seconds=RETRY_AFTER), what
        if trouble.do in DROPPED and _was_write(trouble.line, advance):
            assert advance.progress.unknown or before.unknown, what

    def _check_secrets(self, advance):
        """No secret is in what is kept as evidence, nor in a reason or a warning."""
        written = repr([advance.exchanges, advance.decision, advance.warnings, advance.progress])
        for setting, secret in self.plant.secrets.items():
            assert secret not in written, f"{setting} is in the evidence"
            assert json.dumps(secret)[1:-1] not in written, f"{setting} is in the evidence"
        for token in tuple(self.plant.simulator.credentials):
            assert token not in written, "a token or session is in the evidence"


def _was_write(line, advance):
    """Tell whether the request of `line` was the message's own write: no log-in before it, no look after it."""
    method, address = line.split(" ", 1)
    last = advance.exchanges[-1] if advance.exchanges else None
    if last is None or method == "GET" or last.step.endswith((".find", ".read_back")):
        return False
    _, _, path, query, _ = urlsplit(last.url)
    return unquote(f"{path}?{query}".rstrip("?")) == unquote(address)


SETUP, RUN = TimeKind.SETUP, TimeKind.RUN
