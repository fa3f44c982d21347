"""Nobody gets at a database that is still being prepared."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

from sqlalchemy import text

from shared.store.engine import Store


def test_a_second_caller_waits_until_the_first_has_prepared(tmp_path):
    begun, go_on = threading.Event(), threading.Event()

    def prepare(store):
        begun.set()
        go_on.wait(30)
        store.write_now(lambda tx: tx.execute(text("CREATE TABLE ready (x)")))

    store = Store(f"sqlite:///{tmp_path / 'x.sqlite'}", prepare=prepare)
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(store.read_now, lambda tx: tx.execute(text("SELECT * FROM ready")).all())
        assert begun.wait(30)
        second = callers.submit(store.read_now, lambda tx: tx.execute(text("SELECT * FROM ready")).all())
        assert not wait([second], 0.3).done
        go_on.set()
        assert (first.result(30), second.result(30)) == ([], [])
    store.close()
