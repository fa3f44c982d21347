"""`profile try`: read a few real orders, raw beside mapped; show what a push would send, without sending it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shared import settings as settings_module
from shared.domain.events import EventType, ExecutionEvent
from shared.domain.identity import event_key, order_key
from shared.domain.message import MessageKind, MessageState, Progress, QueuedMessage
from shared.domain.verdict import Verdict
from shared.erp.engine import ProfileErp, build
from shared.erp.port import Exempt, Missing, PlannedPush, Preview, Sample
from shared.errors import ConfigurationError, MappingError
from shared.mapping.message_body import context_of, message_of
from shared.profiles.loader import load_profile
from shared.secrets import vault

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.domain.works_order import WorksOrder
    from shared.settings import ConnectionSettings

LONGEST = 3000  # characters of a record or body that help to understand it


async def try_out(connection: str, orders: int, kind: MessageKind | None, show: Callable[[str], None]) -> int:
    """Try the configured `connection`: read up to `orders`, render a push of `kind`. 0 = all of it could be mapped.

    Only reads are sent. Raises ConfigurationError and ErpUnavailable.
    """
    entry, key_vault_url = _configured(connection)
    erp = build(load_profile(entry.profile), entry.settings, vault(key_vault_url), lambda: datetime.now(UTC))
    try:
        samples = await erp.samples(orders)
        for sample in samples:
            _show_sample(sample, show)
        if not samples:
            show("the ERP lists no released order")
        if kind is not None:
            await _show_push(erp, kind, samples, show)
        return 1 if not samples or any(sample.problem for sample in samples) else 0
    finally:
        await erp.close()


def _configured(name: str) -> tuple[ConnectionSettings, str]:
    settings = settings_module.load()
    for entry in settings.connections:
        if entry.name == name:
            return entry, settings.key_vault_url
    valid = ", ".join(entry.name for entry in settings.connections) or "(none is configured)"
    raise ConfigurationError(f"no connection is called {name!r}; valid: {valid}")


def _show_sample(sample: Sample, show: Callable[[str], None]) -> None:
    show(f"--- as the ERP has it\n{_text(sample.record)}")
    if sample.problem:
        show(f"--- cannot be mapped: {sample.problem}")
    elif sample.order is None:
        show("--- ignored: the profile says that orders in this state are not ours")
    else:
        show(f"--- as we read it\n{_text(asdict(sample.order))}")


def _text(value: Any) -> str:  # noqa: ANN401 - a record of any shape
    whole = json.dumps(value, indent=1, ensure_ascii=False, default=str)
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}\n… {len(whole) - LONGEST} characters more"


async def _show_push(
    erp: ProfileErp, kind: MessageKind, samples: list[Sample], show: Callable[[str], None]
) -> None:
    order = next((sample.order for sample in samples if sample.order), None)
    if order is None:
        show(f"--- {kind}: needs an order to speak of")
        return
    queued = _example(kind, order)
    push = erp.plan(message_of(queued, order, {}), context_of(queued, order, {}))
    if isinstance(push, Exempt):
        show(f"--- {kind}: exempt, {push.reason}")
    elif isinstance(push, Missing):
        show(f"--- {kind}: would wait for {push.kind} {push.value}")
    else:
        show(f"--- {kind}: {await _until_it_writes(erp, push, show)}")


async def _until_it_writes(erp: ProfileErp, push: PlannedPush, show: Callable[[str], None]) -> str:
    """Do the reads a push begins with, for real; return what became of it at its first write, or before."""
    progress = Progress()
    while True:
        try:
            coming = erp.preview(push, progress)
        except MappingError as error:
            return f"would be parked: {error}"
        if coming is None:
            return "nothing would be sent, the ERP has it already"
        show(_rendered(coming))
        if coming.writes:
            return "not sent; what comes after it depends on the reply (`profile explain` shows the steps)"
        advance = await erp.advance(push, progress, 0)
        if advance.decision.verdict is not Verdict.DONE:
            return f"{advance.decision.verdict}: {advance.decision.reason}"
        progress = advance.progress


def _rendered(coming: Preview) -> str:
    said = "would send" if coming.writes else "reads"
    body = f"\n{coming.content.decode(errors='replace')[:LONGEST]}" if coming.content else ""
    return f"--- {coming.step}: {said} {coming.method} {coming.url}{body}"


def _example(kind: MessageKind, order: WorksOrder) -> QueuedMessage:
    """Return a message of `kind` about the order's first operation, as a floor would cause it."""
    stream = order_key("try", order.number)
    event = _event(kind, order)
    if kind is not MessageKind.CORRECTION:
        return QueuedMessage(stream, 1, kind, event.operation_id, MessageState.PENDING, 0, Progress(), event)
    made = _event(MessageKind.PRODUCTION_REPORTED, order)
    return QueuedMessage(
        stream,
        2,
        kind,
        event.operation_id,
        MessageState.PENDING,
        0,
        Progress(),
        event,
        1,
        MessageKind.PRODUCTION_REPORTED,
        made,
    )


def _event(kind: MessageKind, order: WorksOrder) -> ExecutionEvent:
    whole = kind in (MessageKind.ORDER_STARTED, MessageKind.ORDER_COMPLETED)
    operation = "" if whole or not order.operations else order.operations[-1].operation_id
    same = {
        MessageKind.ORDER_STARTED: EventType.OPERATION_STARTED,
        MessageKind.ORDER_COMPLETED: EventType.OPERATION_COMPLETED,
    }
    type_ = same.get(kind) or EventType(kind.value)
    event = ExecutionEvent(
        event_key("profile try", kind),
        "profile try",
        str(kind),
        type_,
        "try",
        order.number,
        order_key("try", order.number),
        operation,
        datetime.now(UTC).replace(microsecond=0),
    )
    if kind is MessageKind.PRODUCTION_REPORTED:
        return event._replace(good=Decimal(1))
    return event._replace(seconds=Decimal(60)) if kind is MessageKind.TIME_RECORDED else event
