"""What a planner does in the ERP while the floor works: change, cancel, delete and release orders.

Each action runs `planner_desk.py` in Tryton's own virtual environment, signed in as the planner, through
Tryton's own client library: the rules of the desktop client apply, and nothing of ours is involved.
"""

import json
import subprocess
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from demo.tryton.environment import DATABASE
from demo.tryton.server import TrytonServer

DESK = Path(__file__).with_name("planner_desk.py")


class PlannerRefusedError(RuntimeError):
    """Tryton refused what the planner wanted; the message ends with Tryton's own words."""


@dataclass(frozen=True)
class Planner:
    """The planner of one running Tryton."""

    server: TrytonServer

    def change_quantity(self, number: str, quantity: Decimal) -> None:
        """Plan `quantity` for the order instead, started or not.

        Tryton locks the quantity of a released order, so the planner takes it back to draft, changes it
        and releases it again. The order is then waiting, with new works beside those already started.
        For a started order the quantity comes in as a data import writes it: the form would refuse.
        """
        self._do("change_quantity", number, str(quantity))

    def cancel(self, number: str) -> None:
        """Cancel an order that is not yet started."""
        self._do("cancel", number)

    def delete(self, number: str) -> None:
        """Cancel and delete an order that is not yet started: nothing of it is left to read."""
        self._do("delete", number)

    def release(self, code: str, quantity: Decimal) -> str:
        """Plan and release one more order of the part `code`; returns its number."""
        return self._do("release", code, str(quantity))

    def _do(self, action: str, *values: str) -> str:
        seeded = self.server.seeded
        login, password = seeded.facts["planner_login"], seeded.facts["planner_password"]
        sign_in = [f"{self.server.url}/{DATABASE}/rpc/", login, password]
        done = subprocess.run(
            [seeded.python, DESK, action, *values],
            input=json.dumps(sign_in),  # not arguments: those are open to every user of the machine
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PlannerRefusedError(f"{action} {' '.join(values)}: {done.stderr[-600:]}")
        return str(json.loads(done.stdout))
