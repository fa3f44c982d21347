"""NetSuite as its REST web services show it: SuiteQL, work orders and their completions. Rules: RULES.md."""

from tests.simulators.netsuite.simulator import Netsuite

__all__ = ["Netsuite"]
