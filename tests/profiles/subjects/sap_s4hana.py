"""SAP S/4HANA on a system that pads its order numbers with zeros."""

from dataclasses import replace
from decimal import Decimal

from tests.profiles.subject import FIRST, PLAIN, SECOND, Subject
from tests.simulators.sap import Sap

OPERATIONS = (replace(FIRST, ident="0010"), replace(SECOND, ident="0020"))
ORDER = replace(PLAIN, unit="PC", operations=OPERATIONS)


def settings(erp):
    return {
        "base_url": f"{erp.url}/sap/opu/odata/sap",
        "client": "100",
        "username": erp.user,
        "plant": erp.plant,
        "zone": "Europe/Berlin",
        "stamp_zone": "Europe/Berlin",
    }


SUBJECT = Subject(
    profile="sap_s4hana",
    simulator=Sap,
    settings=settings,
    secrets=lambda erp: {"password": erp.password},
    order=ORDER,
    serial_order=replace(ORDER, part="PUMP", quantity=Decimal(3), serials=True),
    batch_order=replace(ORDER, part="PAINT", batch=True),
    scrap_reason="S1",
    links={"scrap_reason": {"S1": "0003"}},
    enter=lambda erp, order: erp.create(order),
)
