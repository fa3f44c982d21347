"""What has happened to a stream since the last commit: outcomes, evidence and warnings, in the store's words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.domain.identity import message_id
from shared.domain.message import MessageState, Progress
from shared.domain.warning import Warning_, WarningKind
from shared.store.outcomes import Attempt, Outcome

if TYPE_CHECKING:
    from shared.domain.combine import Told
    from shared.domain.message import QueuedMessage
    from shared.erp.port import Advance, Missing
    from shared.store.lanes import Lease

log = logging.getLogger(__name__)

UNTOUCHED = Progress()
PARKED = "parked"  # what a message is said to miss while one that a person has set aside bars it
HELD_AS = {
    "order": WarningKind.UNKNOWN_ORDER,
    "operation": WarningKind.UNKNOWN_OPERATION,
    "unit": WarningKind.UNKNOWN_UNIT,
    "work_centre": WarningKind.UNKNOWN_WORK_CENTRE,
    "connection": WarningKind.UNKNOWN_CONNECTION,
}


class Unrecorded:
    """Gathers what goes out with the next intent, or with the release."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.clear()

    def clear(self) -> None:
        """It is on disk."""
        self.outcomes: list[Outcome] = []
        self.attempts: list[Attempt] = []
        self.warnings: list[Warning_] = []

    def tried(self, queued: QueuedMessage, advance: Advance, attempt: int) -> None:
        """Keep the evidence of an attempt and log it in one line."""
        verdict, reason = str(advance.decision.verdict), advance.decision.reason
        self.attempts += [
            Attempt(
                queued.sequence,
                attempt,
                exchange.step,
                exchange.started_at,
                exchange.duration_ms,
                exchange.method,
                exchange.url,
                exchange.status,
                verdict,
                reason,
                exchange.request,
                exchange.reply,
            )
            for exchange in advance.exchanges
        ]
        for text in advance.warnings:
            self._warn(WarningKind.ERP_DIFFERS, queued, text)
        self._log(queued, attempt, verdict, reason)

    def stepped(self, queued: QueuedMessage, attempts: int, progress: Progress) -> None:
        """Note how far a message has come that goes on; the last word on it counts."""
        told_by = queued.told_by
        self.outcomes = [Outcome(queued.sequence, MessageState.PENDING, attempts, progress, told_by=told_by)]

    def stays(self, queued: QueuedMessage, attempts: int, advance: Advance) -> None:
        """Note that a message is to be tried again."""
        self._conclude(queued, MessageState.PENDING, attempts, advance.progress, advance.decision.reason)

    def done(self, told: Told, attempts: int, advance: Advance) -> None:
        """Note that a message is in the ERP, and with it all that it carries."""
        self._conclude(told.message, MessageState.DONE, attempts, advance.progress, advance.decision.reason)
        self._carried(told, MessageState.DONE)

    def exempt(self, told: Told, reason: str) -> None:
        """Note that this ERP has no place for a message. What it would have superseded is still to be told."""
        queued = told.message._replace(told_by=None)
        state = MessageState.VOIDED if queued.voided_unheard else MessageState.EXEMPT
        self._conclude(queued, state, queued.attempts, queued.progress, reason)
        for sequence in told.members[1:]:
            self.outcomes.append(Outcome(sequence, MessageState.EXEMPT, 0, UNTOUCHED, reason))
        for sequence in told.superseded:
            self.outcomes.append(Outcome(sequence, MessageState.PENDING, 0, UNTOUCHED))

    def parked(self, told: Told, attempts: int, progress: Progress, reason: str) -> None:
        """Note that a message, with all that it carries, waits for a person, and tell that person once."""
        self._conclude(told.message, MessageState.PARKED, attempts, progress, reason)
        self._carried(told, MessageState.PARKED, ", which is parked")
        shown = f"{reason} (sent as one with {len(told.sequences) - 1} others)" if told.carries else reason
        self._warn(WarningKind.MESSAGE_PARKED, told.message, shown)

    def apart(self, told: Told, attempts: int, reason: str) -> None:
        """Note that nothing of what was sent as one is in the ERP: all is free, and goes alone after an attempt."""
        for sequence in told.sequences:
            self.outcomes.append(Outcome(sequence, MessageState.PENDING, attempts, UNTOUCHED, reason))

    def held(self, queued: QueuedMessage, missing: Missing) -> None:
        """Note that a message waits for something to arrive, and say so once."""
        reason = f"waits for {missing.kind} {missing.value}"
        known = queued.attempts, queued.progress, reason, missing.kind, missing.value, queued.told_by
        self.outcomes.append(Outcome(queued.sequence, MessageState.HELD, *known))
        if missing.kind != PARKED and queued.state is not MessageState.HELD:  # said already
            kind = HELD_AS.get(missing.kind, WarningKind.UNKNOWN_CODE)
            self._warn(kind, queued, reason, self._subject(missing))

    def _conclude(
        self, queued: QueuedMessage, state: MessageState, attempts: int, progress: Progress, reason: str
    ) -> None:
        told_by = queued.told_by
        self.outcomes.append(Outcome(queued.sequence, state, attempts, progress, reason, told_by=told_by))

    def _carried(self, told: Told, state: MessageState, more: str = "") -> None:
        if not told.carries:
            return
        carrier = told.message.sequence
        name = message_id(told.message.stream_key, carrier)
        reasons = dict.fromkeys(told.members[1:], f"told with message {name}{more}")
        reasons |= dict.fromkeys(told.superseded, f"superseded by message {name}{more}")
        self.outcomes += [
            Outcome(sequence, state, 0, UNTOUCHED, reason, told_by=carrier)
            for sequence, reason in reasons.items()
        ]

    def _subject(self, missing: Missing) -> str:
        """Name what is missing as the intake does, so that one cause is one warning."""
        if missing.kind == "operation":
            return f"{self._lease.order_number}/{missing.value}"
        return missing.value if missing.kind in HELD_AS else f"{missing.kind}:{missing.value}"

    def _warn(self, kind: WarningKind, queued: QueuedMessage, detail: str, subject: str = "") -> None:
        lease = self._lease
        evidence = {
            "message": message_id(queued.stream_key, queued.sequence),
            "event_id": queued.event.event_id,
        }
        about = subject or f"{lease.order_number}/{queued.sequence}"
        self.warnings.append(
            Warning_(lease.connection, kind, about, detail, lease.stream_key, lease.order_number, evidence)
        )

    def _log(self, queued: QueuedMessage, attempt: int, verdict: str, reason: str) -> None:
        log.info(
            "attempt connection=%s order=%s message=%s-%d kind=%s event=%s/%s attempt=%d verdict=%s reason=%s",
            self._lease.connection,
            self._lease.order_number,
            queued.stream_key,
            queued.sequence,
            queued.kind,
            queued.event.source,
            queued.event.event_id,
            attempt,
            verdict,
            reason,
        )
