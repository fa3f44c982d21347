"""ERPNext 15 on Frappe 15, simulated from its source code; RULES.md names the source of every rule."""

from tests.simulators.erpnext.simulator import Erpnext

__all__ = ["Erpnext"]
