"""The OData V4 starter on the plain OData service."""

from tests.profiles.subject import Subject
from tests.simulators.odata_v4 import ODataV4
from tests.simulators.odata_v4.server import ROOT


def planned(erp, order):
    """Enter an order that is not released."""
    number = erp.release(order)
    erp.books.orders[number].state = "Planned"
    return number


SUBJECT = Subject(
    profile="odata_v4",
    simulator=ODataV4,
    settings=lambda erp: {"base_url": erp.url + ROOT, "username": erp.user, "zone": "Europe/Berlin"},
    secrets=lambda erp: {"password": erp.password},
    scrap_reason="S1",
    links={"scrap_reason": {"S1": "Machine"}},
    enter=planned,
)
