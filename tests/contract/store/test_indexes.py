"""What readers ask for is found through an index, however many rows there are. SQLite tells its plan."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from shared.domain.message import MessageState
from shared.domain.message_view import MessageFilter
from shared.domain.order_view import OrderFilter
from shared.domain.warning import WarningState
from shared.domain.warning_view import WarningFilter
from shared.store.engine import make_engine
from shared.store.reading import list_orders, order_keys
from shared.store.reading_messages import list_messages, read_message
from shared.store.reading_warnings import list_warnings, read_warning
from shared.store.schema import upgrade

NOW = datetime(2026, 11, 23, tzinfo=UTC)
READS = {
    "an order by number": lambda tx: order_keys(tx, "A"),
    "orders that begin so": lambda tx: list_orders(tx, OrderFilter(prefix="A"), 50, None),
    "the next orders": lambda tx: list_orders(tx, OrderFilter(), 50, ("A", "key")),
    "messages of an order": lambda tx: list_messages(tx, MessageFilter(), ["key"], 50, None),
    "the next messages": lambda tx: list_messages(tx, MessageFilter(), None, 50, ("key", 1)),
    "parked messages": lambda tx: list_messages(tx, MessageFilter(MessageState.PARKED), None, 50, None),
    "held messages": lambda tx: list_messages(tx, MessageFilter(MessageState.HELD), None, 50, None),
    "a message": lambda tx: read_message(tx, "key", 1),
    "open warnings": lambda tx: list_warnings(tx, WarningFilter(WarningState.OPEN), None, 50, None),
    "the next warnings": lambda tx: list_warnings(
        tx, WarningFilter(WarningState.OPEN), None, 50, (NOW, "id")
    ),
    "warnings of an order": lambda tx: list_warnings(tx, WarningFilter(), ["key"], 50, None),
    "a warning": lambda tx: read_warning(tx, "id"),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'empty.sqlite'}")
    upgrade(engine)
    yield engine
    engine.dispose()


def plan(engine, read):
    """Every line of the plans of the statements that `read` runs."""
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    with engine.connect() as tx:
        event.listen(engine, "before_cursor_execute", note)
        try:
            read(tx)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        selects = [each for each in asked if each[0].lstrip().startswith("SELECT")]
        assert selects
        return [
            row.detail
            for each in selects
            for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {each[0]}", each[1])
        ]


def scanned(lines):
    return [line for line in lines if line.startswith("SCAN") and "json_each" not in line]


@pytest.mark.parametrize("name", READS)
def test_no_reader_makes_sql_look_at_every_row(empty, name):
    assert scanned(plan(empty, READS[name])) == []


def test_a_scan_is_noticed(empty):
    assert scanned(plan(empty, lambda tx: list_messages(tx, MessageFilter(), None, 50, None)))
