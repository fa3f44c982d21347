"""ERPNext 15: operations are numbered by their row; workstations take more than one log at a time."""

from dataclasses import replace
from decimal import Decimal

from tests.profiles.subject import FIRST, SECOND, Subject
from tests.simulators.erpnext import Erpnext
from tests.simulators.harness import PlannedOrder

# Minutes are planned for the whole order, and setup is no part of its own.
OPERATIONS = (replace(FIRST, ident="1", setup_seconds=None), replace(SECOND, ident="2", setup_seconds=None))
ORDER = PlannedOrder("BOLT", Decimal(10), OPERATIONS, unit="Nos")


def draft(erp, order):
    """Enter a Work Order and leave it a draft."""
    with erp.site.transaction():
        erp._masters_of(order)
        return erp.site.documents.insert("Work Order", erp._work_order(order))["name"]


SUBJECT = Subject(
    profile="erpnext",
    simulator=lambda: Erpnext(production_capacity=100),
    settings=lambda erp: {"base_url": erp.url, "zone": erp.zone},
    secrets=lambda erp: {"api_key": erp.key, "api_secret": erp.secret},
    order=ORDER,
    serial_order=replace(ORDER, part="PUMP", quantity=Decimal(3), serials=True),
    batch_order=replace(ORDER, part="PAINT", batch=True),
    enter=draft,
)
