"""What a pull has done."""

from dataclasses import dataclass


@dataclass(slots=True)
class PullReport:
    """What one pull has done: counts of orders. `ran` False = another instance is at it."""

    connection: str
    ran: bool = True
    read: int = 0
    inserted: int = 0
    updated: int = 0
    proposed: int = 0
    rejected: int = 0
    vanished: int = 0
    error: str = ""
