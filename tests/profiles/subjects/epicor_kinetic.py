"""Epicor Kinetic: a job's unit is upper case, operations have descriptions, reasons are of a type."""

from dataclasses import replace

from tests.profiles.subject import PLAIN, Subject
from tests.simulators.epicor import Epicor


def settings(erp):
    return {
        "base_url": erp.url,
        "company": erp.company,
        "plant": erp.plant,
        "username": erp.user,
        "employee": "101",
        "scrap_reason": "SCR2",
        "rework_reason": "NC1",
        "zone": "America/Chicago",
    }


SUBJECT = Subject(
    profile="epicor_kinetic",
    simulator=Epicor,
    settings=settings,
    secrets=lambda erp: {"password": erp.password, "api_key": erp.api_key},
    order=replace(PLAIN, unit="EA"),
    scrap_reason="S1",
    links={"scrap_reason": {"S1": "SCR1"}},
    enter=lambda erp, order: erp.create(order),
)
