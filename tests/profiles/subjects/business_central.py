"""Business Central with the extension that business_central.md describes."""

from dataclasses import replace
from decimal import Decimal

from tests.profiles.subject import PLAIN, Subject
from tests.simulators.business_central import BusinessCentral
from tests.simulators.business_central.books import BATCH, TEMPLATE

ORDER = replace(PLAIN, unit="PCS")  # codes are upper case


def settings(erp):
    return {
        "base_url": erp.url,
        "login_url": erp.url,
        "tenant": erp.entra.tenant,
        "environment": erp.environment,
        "company_id": erp.company_id,
        "client_id": erp.entra.client_id,
        "zone": "Europe/Berlin",
        "journal_template": TEMPLATE,
        "journal_batch": BATCH,
    }


def firm_planned(erp, order):
    """Enter an order that is planned firmly and not released."""
    number = erp.release(order)
    for table, name in (
        (erp.books.orders, "No."),
        (erp.books.lines, "Prod. Order No."),
        (erp.books.routing, "Prod. Order No."),
    ):
        for row in [row for row in table.rows if row[name] == number]:
            table.modify(row | {"Status": "Firm Planned"})
            row["Status"] = "Firm Planned"
    return number


SUBJECT = Subject(
    profile="business_central",
    simulator=lambda: BusinessCentral(late_output=True),
    settings=settings,
    secrets=lambda erp: {"client_secret": erp.entra.client_secret},
    order=ORDER,
    serial_order=replace(ORDER, part="PUMP", quantity=Decimal(3), serials=True),
    batch_order=replace(ORDER, part="PAINT", batch=True),
    scrap_reason="S1",
    links={"scrap_reason": {"S1": "DEFECT"}},
    enter=firm_planned,
)
