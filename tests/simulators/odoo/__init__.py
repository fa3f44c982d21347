"""Odoo 17 (JSON-RPC) and 19 (JSON-RPC and /json/2), simulated from their source code; RULES.md names the sources."""

from tests.simulators.odoo.simulator import Odoo

__all__ = ["Odoo"]
