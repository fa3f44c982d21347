"""A plain OData V4 service of a small shop: what a generic profile meets when it follows the standard and no vendor."""

from tests.simulators.odata_v4.server import ODataV4

__all__ = ["ODataV4"]
