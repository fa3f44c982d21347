"""Counts journeys to the server: every statement sent, and every commit, as SQLAlchemy tells of them.

On SQLite nothing travels. There `batch` marks what would wait on SQL Server and what would go along with the
statement before; so the same number comes out.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import event

from shared.store.batch import ALONG, JOURNEY, WAITS


@dataclass
class Journeys:
    """What was sent, in order; `commit` for a commit."""

    sent: list[str] = field(default_factory=list)
    waiting: bool = False

    @property
    def count(self):
        return len(self.sent)

    def note(self, _connection, _cursor, statement, _parameters, context, _many):
        """A statement is about to be executed."""
        how = context.execution_options.get(JOURNEY)
        if statement.startswith(("BEGIN", "PRAGMA")) or how == ALONG[JOURNEY]:
            return
        self.waiting = how == WAITS[JOURNEY]
        if not self.waiting:
            self.sent.append(statement)

    def commit(self, _connection):
        """A transaction is about to be committed."""
        if self.waiting:
            self.sent.append("what waited")
        self.sent.append("commit")
        self.waiting = False


@contextmanager
def counted(store):
    """Count the journeys of all transactions on `store` within the block."""
    journeys = Journeys()
    engines = {store.engine, store._reading}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", journeys.note)
        event.listen(engine, "commit", journeys.commit)
    try:
        yield journeys
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", journeys.note)
            event.remove(engine, "commit", journeys.commit)
