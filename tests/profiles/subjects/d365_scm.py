"""Dynamics 365 SCM: the batch job works off the queue whenever the suite lets time pass."""

from tests.profiles.subject import Subject
from tests.simulators.d365_scm import D365Scm


def settings(erp):
    return {
        "base_url": erp.url,
        "login_url": erp.url,
        "tenant": erp.entra.tenant,
        "client_id": erp.entra.client_id,
        "company": erp.company,
        "zone": "Europe/Berlin",
    }


def scheduled(erp, order):
    """Enter an order that is scheduled and not released."""
    number = erp.release(order)
    erp.books.order(erp.company, number).status = "Scheduled"
    return number


SUBJECT = Subject(
    profile="d365_scm",
    simulator=D365Scm,
    settings=settings,
    secrets=lambda erp: {"client_secret": erp.entra.client_secret},
    scrap_reason="S1",
    links={"scrap_reason": {"S1": "Machine"}},
    enter=scheduled,
    time_passes=lambda erp: erp.settle(),
    lost_parks=True,
)
