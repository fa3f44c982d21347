"""The planner's hands. Runs inside Tryton's own virtual environment, see planner.py.

`python planner_desk.py <action> <values…>` with the server's address, the planner's name and password on
standard input as a JSON list. Prints the order's number as JSON.
"""

# proteus builds its record classes while it runs: there is no type to name in an annotation.
# ruff: noqa: ANN001, ANN201

import datetime as dt
import json
import sys

from proteus import Model, config

LEAD_TIME = dt.timedelta(days=3)


def order_by_number(number):
    """The production with this number."""
    (order,) = Model.get("production").find([("number", "=", number)])
    return order


def back_to_draft(order):
    """Take a released order, started or not, to where its quantity may be changed."""
    if order.state in {"assigned", "running"}:
        order.click("wait")
    order.click("draft")


def write_quantity(order, quantity):
    """Set the quantity as a data import does: the moves stay, because those of a started order are done.

    Typing it into the form would plan the materials anew, which Tryton refuses once they are consumed.
    """
    order._proxy.write([order.id], {"quantity": quantity}, order._config.context)  # noqa: SLF001  # as above


def change_quantity(number, quantity):
    """Plan another quantity and release the order again."""
    order = order_by_number(number)
    started = order.state == "running"
    back_to_draft(order)
    if started:
        write_quantity(order, float(quantity))
    else:
        order.quantity = float(quantity)
        order.save()
    order.reload()
    order.click("wait")
    return number


def cancel(number):
    """Cancel the order."""
    order_by_number(number).click("cancel")
    return number


def delete(number):
    """Cancel the order, then delete it: Tryton deletes nothing else."""
    cancel(number)
    order_by_number(number).delete()
    return number


def release(code, quantity):
    """Plan one more order like the last one of this part, and release it."""
    like = Model.get("production").find([("product.code", "=", code)], limit=1, order=[("id", "DESC")])[0]
    order = Model.get("production")(
        product=like.product,
        bom=like.bom,
        routing=like.routing,
        work_center=like.work_center,
        quantity=float(quantity),
        planned_start_date=like.planned_start_date,
        planned_date=like.planned_start_date + LEAD_TIME,
    )
    order.click("wait")
    return order.number


ACTIONS = {action.__name__: action for action in (change_quantity, cancel, delete, release)}

if __name__ == "__main__":
    # A session, because each call with a password costs the server an eighth of a second of hashing.
    url, login, password = json.load(sys.stdin)
    with config.set_xmlrpc_session(url, login, password):
        print(json.dumps(ACTIONS[sys.argv[1]](*sys.argv[2:])))
