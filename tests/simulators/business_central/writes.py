"""What a caller may change through a page: journal lines, an operation's status, and the actions."""

from datetime import date

from tests.simulators.business_central import journal, posting, reversal
from tests.simulators.business_central.books import BATCH, TEMPLATE
from tests.simulators.business_central.protocol import fields_of, read_only
from tests.simulators.business_central.tables import AlError

STATUSES = (" ", "Planned", "In Progress", "Finished")
PARAMETERS = ("journalTemplateName", "journalBatchName", "documentNo")


def insert(books, page, body):
    """Insert a journal line through its page; returns the row."""
    given = fields_of(page, body)
    template = given.pop("Journal Template Name", TEMPLATE)
    batch = given.pop("Journal Batch Name", BATCH)
    books.batches.get(template=template, name=batch)
    given.pop("Line No.", None)
    read_only(given, journal.WRITABLE)
    if page.entity.name.endswith("OutputJournal"):  # the standard page sets the type of a new line itself
        given = {"Entry Type": "Output"} | given
    return journal.insert(books, template, batch, given)


def modify(books, page, row, body):
    """Change a journal line, or an operation's status; returns the row."""
    given = fields_of(page, body)
    if page.table is books.journal:
        read_only(given, journal.WRITABLE)
        journal.modify(books, row, given)
    else:
        read_only(given, ("Routing Status",))
        _set_routing_status(books, row, given.get("Routing Status", row["Routing Status"]))
    return row


def _set_routing_status(books, row, status, *, asks=True):
    """Change an operation's status as its page would; to finish one asks the user, and nobody is there."""
    before = row["Routing Status"]
    if status not in STATUSES:
        raise AlError(
            "BadRequest", f"The value '{status}' is not one of Routing Status: {', '.join(STATUSES)}."
        )
    if row["Status"] == "Finished":
        raise _refused("A Finished Prod. Order Routing Line can not be inserted, modified, or deleted.")
    if before == "Finished" != status:
        raise _refused(f"You cannot change the Routing Status from Finished to {status}.")
    if asks and status == "Finished" != before:
        raise _refused("")
    row["Routing Status"] = status
    books.routing.modify(row)


def _refused(text):
    return AlError("Application_DialogException", text)


# -- actions ------------------------------------------------------------------------------------------------------


def act(books, page, row, name, body):
    """Invoke a bound action on a row."""
    actions = {
        ("Item Journal Batch", "post"): _post_batch,
        ("Production Order", "finish"): _finish,
        ("Prod. Order Routing Line", "finish"): _finish_operation,
        ("Item Ledger Entry", "reverse"): _reverse_item,
        ("Capacity Ledger Entry", "reverse"): _reverse_capacity,
    }
    action = actions.get((page.table.name, name))
    if action is None:
        raise AlError("BadRequest_MethodNotImplemented", "Entity does not support bound actions.", 501)
    action(books, row, body)


def post_document(books, body):
    """Invoke the unbound action of a published codeunit."""
    missing = [name for name in PARAMETERS if name not in body]
    if missing:
        raise AlError("BadRequest_RequiredParamNotProvided", f"Parameter '{missing[0]}' is not provided.")
    _post(books, *(body[name] for name in PARAMETERS))


def _post_batch(books, row, body):
    _post(books, row["Journal Template Name"], row["Name"], body.get("documentNo", ""))


def _finish(books, row, body):
    day = body.get("postingDate")
    books.finish(row["No."], date.fromisoformat(day) if day else None)


def _finish_operation(books, row, _):
    """The action hides the page's question; what else the field's trigger checks stays."""
    if row["Routing Status"] != "Finished":
        _set_routing_status(books, row, "Finished", asks=False)


def _reverse_item(books, row, _):
    reversal.reverse_item_entry(books, row)


def _reverse_capacity(books, row, _):
    reversal.reverse_capacity_entry(books, row)


def _post(books, template, batch, document):
    """Post a batch, or the lines of one document of it; where there is nothing, nothing happens."""
    books.batches.get(template=template, name=batch)
    lines = books.journal.where(template=template, batch=batch)
    posting.post(books, [line for line in lines if document.upper() in ("", line["Document No."])])
