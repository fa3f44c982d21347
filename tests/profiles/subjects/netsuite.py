"""NetSuite with work in process, by OAuth 2.0 with a certificate."""

from dataclasses import replace
from decimal import Decimal

from tests.profiles.subject import PLAIN, Subject
from tests.simulators.netsuite import Netsuite


def settings(erp):
    return {
        "base_url": erp.url,
        "client_id": erp.grants.client_id,
        "certificate_id": erp.grants.certificate_id,
        "zone": "America/New_York",
        "stamp_zone": "America/Los_Angeles",
    }


SUBJECT = Subject(
    profile="netsuite",
    simulator=Netsuite,
    settings=settings,
    secrets=lambda erp: {"private_key": erp.grants.private_key},
    order=PLAIN,
    serial_order=replace(PLAIN, part="PUMP", quantity=Decimal(3), serials=True),
    batch_order=replace(PLAIN, part="PAINT", batch=True),
    enter=lambda erp, order: erp.create(order),
)
