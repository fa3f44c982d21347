"""Business Central: production orders and the output journal, over custom API pages and published web services."""

from tests.simulators.business_central.server import BusinessCentral

__all__ = ["BusinessCentral"]
