"""Dynamics 365 Supply Chain Management: orders over OData, reports as messages that are processed later."""

from tests.simulators.d365_scm.server import D365Scm

__all__ = ["D365Scm"]
