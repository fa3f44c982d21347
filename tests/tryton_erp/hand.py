"""Calls Tryton's REST API by hand, one plain request each, so that these tests lean on nothing of ours."""

import base64
import json

import httpx


def b64(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def seconds(value) -> dict:
    return {"__class__": "timedelta", "seconds": value}


class Hand:
    """A pair of hands on one running server, with the seeded integration user's key."""

    def __init__(self, server, timeout=30):
        facts = server.seeded.facts
        self.facts = facts
        context = {"company": facts["company"], "employee": facts["employee"], "_skip_warnings": True}
        headers = {"Authorization": f"Bearer {facts['api_key']}", "X-Tryton-Context": b64(context)}
        self._client = httpx.Client(base_url=server.rest_url, headers=headers, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def find(self, model, domain, *fields):
        reply = self._client.get(f"/{model}", params={"d": b64(domain), "f": fields})
        reply.raise_for_status()
        return reply.json()

    def order(self, number):
        fields = ("number", "state", "quantity", "product", "unit", "location", "company.currency")
        works = ("works.sequence", "works.state", "works.active_cycles", "works.timesheet_work")
        (found,) = self.find("production", [["number", "=", number]], *fields, *works, "outputs.state")
        return found

    def post(self, path, body=None):
        return self._client.post(f"/{path}?f=state", json=body or {})

    def act(self, path, body=None):
        reply = self.post(path, body)
        reply.raise_for_status()
        return reply.json()

    def put(self, path, body):
        self._client.put(f"/{path}", json=body).raise_for_status()

    def delete(self, path):
        self._client.delete(f"/{path}").raise_for_status()

    def start(self, order):
        self.act(f"production/{order['id']}/assign_try")
        assert self.act(f"production/{order['id']}/run")["state"] == "running"

    def work(self, work, took):
        """Start and stop one work, with its time on the cycle."""
        self.act(f"production.work/{work['id']}/start")
        (cycle,) = self.find("production.work", [["id", "=", work["id"]]], "active_cycles")[0][
            "active_cycles"
        ]
        self.put(f"production.work.cycle/{cycle}", {"duration": seconds(took)})
        assert self.act(f"production.work/{work['id']}/stop")["state"] == "finished"

    def book(self, work, took, description):
        """One time sheet line on a work."""
        line = {
            "work": work["timesheet_work"],
            "company": self.facts["company"],
            "employee": self.facts["employee"],
            "date": {"__class__": "date", "year": 2026, "month": 1, "day": 15},
            "duration": seconds(took),
            "description": description,
        }
        self._client.post("/timesheet.line", json=line).raise_for_status()

    def receive(self, order, quantity, serial=None):
        """Good parts into stock, with a lot when they have a serial number."""
        move = self._move(order, quantity, self.facts["storage_location"])
        move |= {
            "unit_price": {"__class__": "Decimal", "decimal": "0"},
            "currency": order["company"]["currency"],
        }
        if serial:
            lot = self._client.post("/stock.lot", json={"product": order["product"], "number": serial})
            move["lot"] = lot.raise_for_status().json()["id"]
        self._book_move(move)

    def scrap(self, order, quantity):
        """Bad parts to the scrap location."""
        self._book_move(self._move(order, quantity, self.facts["scrap_location"]))

    def drop_planned_outputs(self, order):
        for output in order["outputs"]:
            if output["state"] == "draft":
                self.delete(f"stock.move/{output['id']}")

    def _move(self, order, quantity, to_location):
        return {
            "product": order["product"],
            "unit": order["unit"],
            "quantity": quantity,
            "from_location": order["location"],
            "to_location": to_location,
            "company": self.facts["company"],
            "production_output": order["id"],
        }

    def _book_move(self, move):
        made = self.act("stock.move", move)
        assert self.act(f"stock.move/{made['id']}/do")["state"] == "done"
