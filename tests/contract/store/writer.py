"""A process that records forty events, two at a time, and prints how many of them it was the first to bring."""

from __future__ import annotations

import sys

from shared.flows.receive import Disposition
from shared.store.engine import Store
from tests.contract.store.streams import record
from tests.unit.floor_words import made


def main(url):
    """Record and count."""
    store = Store(url, busy_seconds=30)
    first = 0
    for number in range(20):
        outcome = record(store, *[made(f"{order}{number}", number, order=order) for order in ("X", "Y")])
        first += sum(receipt.disposition is Disposition.RECORDED for receipt in outcome.receipts)
    store.close()
    sys.stdout.write(str(first))


main(sys.argv[1])
