"""The project's own doors, as any client of it sees them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from demo.facts import Operation, Order

PAGE = 200
OPEN_CLASSES = ("pending", "held", "parked")


@dataclass(frozen=True)
class Standing:
    """Events of one connection by what became of them."""

    events: int
    delivered: int
    pending: int
    held: int
    parked: int


@dataclass(frozen=True)
class Api:
    """Reads the doors for one connection. `client` has the host's address as its base."""

    client: httpx.AsyncClient
    connection: str

    async def ready(self) -> bool:
        """Whether the host takes events."""
        reply = await self.client.get("/api/v1/health/ready")
        return reply.status_code == httpx.codes.OK

    async def pull(self) -> None:
        """Have the ERP's changes read now; where the timer is at it already, that will do."""
        reply = await self.client.post(f"/api/v1/connections/{self.connection}/pull")
        if reply.status_code != httpx.codes.CONFLICT:
            reply.raise_for_status()

    async def orders(self) -> list[Order]:
        """Every works order that was pulled, with its routing, by number."""
        return [_order(await self.order(number)) for number in await self.numbers()]

    async def numbers(self) -> list[str]:
        """The numbers of the works orders that were pulled."""
        return sorted([line["number"] async for line in self._all("orders") if line["part"] is not None])

    async def order(self, number: str) -> dict[str, Any]:
        """One works order in full."""
        return await self._get(f"orders/{number}", connection=self.connection)

    async def standing(self) -> Standing:
        """What became of the events so far."""
        account = await self._get("completeness")
        for mine in account["connections"]:
            if mine["connection"] == self.connection:
                classes = mine["classes"]
                waiting = {name: classes[name] for name in OPEN_CLASSES}
                return Standing(mine["events"], mine["events"] - sum(waiting.values()), **waiting)
        return Standing(0, 0, 0, 0, 0)

    async def messages(self) -> list[dict[str, Any]]:
        """Every message of the connection."""
        return [line async for line in self._all("messages")]

    async def warnings(self) -> list[dict[str, Any]]:
        """Every warning of the connection, open or resolved."""
        return [line for state in ("open", "resolved") async for line in self._all("warnings", state=state)]

    async def _all(self, what: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        asked = {"connection": self.connection, "limit": PAGE, **query}
        while True:
            page = await self._get(what, **asked)
            for item in page["items"]:
                yield item
            if page["next"] is None:
                return
            asked["cursor"] = page["next"]

    async def _get(self, what: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401  # what a query may hold
        reply = await self.client.get(f"/api/v1/{what}", params=query)
        found: dict[str, Any] = reply.raise_for_status().json()
        return found


def _order(detail: dict[str, Any]) -> Order:
    line = detail["order"]
    operations = tuple(
        Operation(each["operation_id"], each["name"], each["work_centre"]) for each in detail["operations"]
    )
    return Order(line["number"], line["part"], Decimal(line["quantity"]), line["unit"], operations)
