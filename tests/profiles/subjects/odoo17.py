"""Odoo 17 over JSON-RPC."""

from dataclasses import replace

from tests.profiles.subject import Subject
from tests.simulators.odoo import Odoo


def released(simulator, order):
    """Release `order`; Odoo knows operations by their ids, which come with the release."""
    number = simulator.release(order)
    idents = simulator.operation_ids(number)
    operations = (replace(one, ident=ident) for one, ident in zip(order.operations, idents, strict=True))
    return number, replace(order, operations=tuple(operations))


SUBJECT = Subject(
    profile="odoo17",
    simulator=Odoo,
    settings=lambda erp: {"base_url": erp.url, "database": erp.users.database, "login": erp.users.login},
    secrets=lambda erp: {"api_key": erp.users.key},
    serial_order=None,
    release=released,
    enter=lambda erp, order: erp.enter(order),
)
