"""The message processor: what SendMessage queues, and how a batch job works it off, in order, three tries each."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from tests.simulators.d365_scm.books import ERROR_CAUSES, NO_YES, TASK_TYPES, Card, RefusedError, Report
from tests.simulators.harness import ZERO

QUEUE = "JmgMES3P"
TRIES = 3


@dataclass
class Message:
    """One message of the queue; `log` holds a line for every try that failed."""

    number: int
    company: str
    type: str
    content: str
    state: str = "Queued"  # Queued | Processed | Canceled | Failed
    tries: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def order(self):
        """Return the order number the content names, "" where it cannot be read."""
        try:
            return str(json.loads(self.content).get("ProductionOrderNumber", ""))
        except (ValueError, AttributeError):
            return ""


class Processor:
    """The queue and the batch job."""

    def __init__(self, books):
        self.books = books
        self.messages = []
        self.handlers = {
            "ProdProductionOrderStart": self._start,
            "ProdProductionOrderReportFinished": self._report_finished,
            "ProdProductionOrderPickingList": self._picking_list,
            "ProdProductionOrderRouteCard": self._route_card,
            "ProdProductionOrderEnd": self._end,
        }

    def queue(self, company, kind, content):
        """Accept a message; nothing of its content is looked at yet."""
        self.messages.append(Message(len(self.messages) + 1, company, kind, content))

    def run(self):
        """Run the batch job once: one try for each order's oldest message, and on while they succeed."""
        held = set()
        for message in self.messages:
            key = (message.company, message.order)
            if message.state == "Queued" and key not in held and not self._try(message):
                held.add(key)

    def waiting(self):
        """Return the messages still queued."""
        return [message for message in self.messages if message.state == "Queued"]

    def _try(self, message):
        """Process one message; True where those behind it on the same order may go on."""
        message.tries += 1
        try:
            self._handle(message)
        except RefusedError as error:
            message.log.append(str(error))
            message.state = "Failed" if message.tries >= TRIES else "Queued"
        else:
            message.state = "Processed"
        return message.state != "Queued"

    def _handle(self, message):
        if message.type not in self.handlers:
            raise RefusedError(f"Message type {message.type} has no processor.")
        try:
            content = json.loads(message.content, parse_float=Decimal)
        except ValueError as error:
            raise RefusedError(f"The message content is not JSON: {error}") from None
        if not isinstance(content, dict):
            raise RefusedError("The message content is not an object.")
        order = self.books.order(message.company, text(content, "ProductionOrderNumber", needed=True))
        self.handlers[message.type](order, content)

    # -- one handler a message type -----------------------------------------------------------------------------

    def _start(self, order, content):
        member(content, "AutomaticBOMConsumptionRule", ("FlushingPrincip", "Always", "Never"))
        day(content, "StartedDate")
        quantity = number(content, "StartedQuantity") if "StartedQuantity" in content else None
        self.books.start(order, quantity)

    def _report_finished(self, order, content):
        self.books.report_finished(
            order, [_report(order, line) for line in lines(content, "ReportFinishedLines")]
        )

    def _picking_list(self, order, content):
        for line in lines(content, "PickingListLines"):
            text(line, "ItemNumber", needed=True)
            number(line, "ConsumptionBOMQuantity")
        if order.status not in ("StartedUp", "ReportedFinished"):
            raise RefusedError(f"Production order {order.number} is not started.")

    def _route_card(self, order, content):
        self.books.post_cards(order, [_card(line) for line in lines(content, "RouteCardLines")])

    def _end(self, order, content):
        day(content, "EndedDate")
        day(content, "ExecutedDateTime")
        self.books.end(order, member(content, "AutoReportAsFinished", NO_YES, "No") == "Yes")


def _report(order, line):
    item = text(line, "ItemNumber") or order.item
    if item != order.item:
        raise RefusedError(f"Item {item} is not produced by production order {order.number}.")
    member(line, "AcceptError", NO_YES)
    return Report(
        "",
        0,
        number(line, "ReportedGoodQuantity"),
        number(line, "ReportedErrorQuantity"),
        member(line, "ErrorCause", ERROR_CAUSES, "None"),
        text(line, "ProductSerialNumber"),
        text(line, "ItemBatchNumber"),
        day(line, "ReportAsFinishedDate") or day(line, "ExecutedDateTime") or datetime.now(UTC),
        member(line, "EndJob", NO_YES, "No") == "Yes",
    )


def _card(line):
    if "OperationNumber" not in line:
        raise RefusedError("OperationNumber is mandatory.")
    return Card(
        "",
        0,
        int(number(line, "OperationNumber")),
        member(line, "TaskType", TASK_TYPES, "Process"),
        number(line, "Hours"),
        number(line, "GoodQuantity"),
        number(line, "ErrorQuantity"),
        member(line, "ErrorCause", ERROR_CAUSES, "None"),
        member(line, "OperationCompleted", NO_YES, "No") == "Yes",
        day(line, "ConsumptionDate") or datetime.now(UTC),
    )


# -- reading a field of the content -----------------------------------------------------------------------------


def text(content, name, *, needed=False):
    """Return a text field, "" where it is left out."""
    value = content.get(name) or ""
    if not isinstance(value, str):
        raise RefusedError(f"{name} must be a string.")
    if needed and not value:
        raise RefusedError(f"{name} is mandatory.")
    return value


def number(content, name):
    """Return a number field, 0 where it is left out."""
    value = content.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise RefusedError(f"{name} must be a number.")
    try:
        return Decimal(value) if not isinstance(value, str) else _decimal(value)
    except InvalidOperation:
        raise RefusedError(f"{name} must be a number.") from None


def _decimal(value):
    return Decimal(value.strip()) if value.strip() else ZERO


def member(content, name, members, default=""):
    """Return an enumeration's member; anything else is refused with the valid ones."""
    value = content.get(name, default)
    if value != default and value not in members:
        raise RefusedError(f"{value!r} is not a value of {name}; valid: {', '.join(members)}.")
    return value


def day(content, name):
    """Return a date or a date and time as UTC, None where it is left out."""
    value = content.get(name)
    if not value:
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise RefusedError(f"{name} is not a date: {value}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def lines(content, name):
    """Return a mandatory list of at least one line."""
    found = content.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(line, dict) for line in found):
        raise RefusedError(f"{name} must be a list of at least one line.")
    return found
