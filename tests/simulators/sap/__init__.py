"""SAP S/4HANA as its OData V2 APIs show it: production orders and their confirmations. Rules and sources: RULES.md."""

from tests.simulators.sap.simulator import Sap

__all__ = ["Sap"]
