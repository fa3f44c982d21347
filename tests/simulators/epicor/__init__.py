"""Epicor Kinetic as its REST v2 shows it: jobs by OData, labour by business-object methods. Rules: RULES.md."""

from tests.simulators.epicor.simulator import Epicor

__all__ = ["Epicor"]
