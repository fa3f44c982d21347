"""Manufacturing Settings and Stock Settings that change what is refused. Defaults as shipped, save where said."""

from dataclasses import dataclass


@dataclass
class Settings:
    """`overproduction_percent`: overproduction_percentage_for_work_order, empty as shipped.

    `production_capacity`: jobs a new workstation takes at once (1 as shipped). Capacity planning is off
    (disable_capacity_planning), so that no scheduled times block a workstation.
    """

    overproduction_percent: float = 0
    production_capacity: int = 1
    component_stock: float = 1_000_000

    def allowed(self, quantity):
        """Return the most that may be made of `quantity` ordered."""
        return quantity + quantity * self.overproduction_percent / 100
