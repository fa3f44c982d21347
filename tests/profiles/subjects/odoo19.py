"""Odoo 19 over /json/2."""

from dataclasses import replace
from decimal import Decimal

from tests.profiles.subjects import odoo17
from tests.simulators.odoo import Odoo

SUBJECT = replace(
    odoo17.SUBJECT,
    profile="odoo19",
    simulator=lambda: Odoo(version=19),
    serial_order=replace(odoo17.SUBJECT.order, part="PUMP", quantity=Decimal(3), serials=True),
    links={"scrap_reason": {"S1": "Material defect"}},
)
