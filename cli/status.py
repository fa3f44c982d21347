"""`status`: health and the account of every event, asked of a running app."""

from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

UNREACHABLE = 1
TROUBLED = 1


def status(url: str, key: str) -> int:
    """Print how the app at `url` is; 0 when it takes events and nothing waits for a person, else 1."""
    headers = {"x-functions-key": key} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=10) as client:
        try:
            health = client.get("/api/v1/health/ready").json()
            account = client.get("/api/v1/completeness").raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            Console(stderr=True).print(f"{url} does not answer as expected: {error}", markup=False)
            return UNREACHABLE
    _show(Console(), health, account)
    classes = account["classes"]
    well = health["status"] == "ready" and not classes["parked"] and not account["unaccounted"]
    return 0 if well else TROUBLED


def _show(console: Console, health: Mapping[str, Any], account: Mapping[str, Any]) -> None:
    console.print(f"{health['status']}", *health["reasons"], sep="\n  ", markup=False)
    table = Table(*("connection", "state", "last pull", "last delivery"))
    for each in health["connections"]:
        state = f"waits until {each['halted_until']}" if each["halted"] else "works"
        table.add_row(
            each["connection"], state, each["last_pull_at"] or "never", each["last_delivery_at"] or "never"
        )
    console.print(table)
    told = ", ".join(f"{many} {name.replace('_', ' ')}" for name, many in account["classes"].items() if many)
    console.print(f"{account['events']} events: {told or 'none'}", markup=False)
