"""What has happened to a stream since the last commit: outcomes, evidence and warnings, in the store's words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.domain.identity import message_id
from shared.domain.message import MessageState
from shared.domain.warning import Warning_, WarningKind
from shared.store.outcomes import Attempt, Outcome

if TYPE_CHECKING:
    from shared.domain.message import Progress, QueuedMessage
    from shared.erp.port import Advance, Missing
    from shared.store.lanes import Lease

log = logging.getLogger(__name__)

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
        self.outcomes = [Outcome(queued.sequence, MessageState.PENDING, attempts, progress)]

    def stays(self, queued: QueuedMessage, attempts: int, advance: Advance) -> None:
        """Note that a message is to be tried again."""
        self._conclude(queued, MessageState.PENDING, attempts, advance.progress, advance.decision.reason)

    def done(self, queued: QueuedMessage, attempts: int, advance: Advance) -> None:
        """Note that a message is in the ERP."""
        self._conclude(queued, MessageState.DONE, attempts, advance.progress, advance.decision.reason)

    def exempt(self, queued: QueuedMessage, reason: str) -> None:
        """Note that this ERP has no place for a message."""
        self._conclude(queued, MessageState.EXEMPT, queued.attempts, queued.progress, reason)

    def parked(self, queued: QueuedMessage, attempts: int, progress: Progress, reason: str) -> None:
        """Note that a message waits for a person, and tell that person."""
        self._conclude(queued, MessageState.PARKED, attempts, progress, reason)
        self._warn(WarningKind.MESSAGE_PARKED, queued, reason)

    def held(self, queued: QueuedMessage, missing: Missing) -> None:
        """Note that a message waits for something to arrive, and say so once."""
        reason = f"waits for {missing.kind} {missing.value}"
        known = queued.attempts, queued.progress, reason, missing.kind, missing.value
        self.outcomes.append(Outcome(queued.sequence, MessageState.HELD, *known))
        if missing.kind != PARKED and queued.state is not MessageState.HELD:  # said already
            kind = HELD_AS.get(missing.kind, WarningKind.UNKNOWN_CODE)
            self._warn(kind, queued, reason, self._subject(missing))

    def _conclude(
        self, queued: QueuedMessage, state: MessageState, attempts: int, progress: Progress, reason: str
    ) -> None:
        self.outcomes.append(Outcome(queued.sequence, state, attempts, progress, reason))

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
