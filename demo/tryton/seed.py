"""Fill an empty Tryton database with a small factory, always the same one.

Runs inside Tryton's own virtual environment: `python seed.py <database> <trytond.conf>`. The database
exists and has its modules; this adds what a company would have typed in. Nothing is drawn from the clock
and the random numbers are seeded, so every number, code and quantity is a fixture the tests may name.
Prints one JSON object: the identifiers a connection to this ERP needs in its settings.
"""

# proteus builds its record classes while it runs: there is no type to name in an annotation.
# ruff: noqa: ANN001, ANN002, ANN003, ANN201

import datetime as dt
import json
import random
import sys
from decimal import Decimal

from proteus import Model, config

COMPANY = "Hollin Precision Ltd"
LOGIN = "tascus"
# Of a database that is thrown away and served on loopback only.
PASSWORD = "tascus-demo-only"  # noqa: S105  # see above
API_KEY = "tascus-demo-rest-key"
PLANNER_LOGIN = "planner"
PLANNER_PASSWORD = "planner-demo-only"  # noqa: S105  # see above
FIRST_DAY = dt.date(2026, 12, 1)

WORK_CENTRES = ("Saw", "Lathe", "Mill", "Wash", "Assembly", "Inspection")
OPERATIONS = {
    "Cut to length": "Saw",
    "Turn": "Lathe",
    "Mill": "Mill",
    "Drill": "Mill",
    "Wash": "Wash",
    "Assemble": "Assembly",
    "Function test": "Inspection",
    "Final inspection": "Inspection",
}
ROUTINGS = {
    "Turned part": ("Cut to length", "Turn", "Wash"),
    "Milled part": ("Cut to length", "Mill", "Drill", "Wash"),
    "Precision part": ("Cut to length", "Turn", "Mill", "Wash", "Final inspection"),
    "Assembly": ("Cut to length", "Turn", "Wash", "Assemble", "Function test", "Final inspection"),
}
# code: name, unit, routing, tracked by serial number
PARTS = {
    "P-00010": ("Spacer", "u", "Turned part", False),
    "P-00011": ("Bracket", "u", "Milled part", False),
    "P-00012": ("Valve body", "u", "Precision part", False),
    "P-00013": ("Guide rail", "m", "Milled part", False),
    "P-00020": ("Pump unit", "u", "Assembly", True),
}
MATERIALS = {"M-00001": ("Bar stock", "m"), "M-00002": ("Seal kit", "u")}
QUANTITIES = {
    "P-00010": (50, 100, 250),
    "P-00011": (10, 20, 40),
    "P-00012": (5, 8, 12),
    "P-00013": (2.5, 7.5, 12.25),
    "P-00020": (1, 2, 3),
}
RELEASED = 40
ASSIGNED_EVERY = 4
NOT_RELEASED = ("draft", "draft", "draft", "draft", "cancelled")


def save(model, **values):
    """One saved record of `model`."""
    record = Model.get(model)(**values)
    record.save()
    return record


def find(model, *domain):
    """The only record of `model` that `domain` selects."""
    (record,) = Model.get(model).find(list(domain))
    return record


def add_company():
    """The company, its first employee, and the administrator working for both."""
    currency = save("currency.currency", name="Pound sterling", symbol="£", code="GBP")
    company = save("company.company", party=save("party.party", name=COMPANY), currency=currency)
    administrator = find("res.user", ("login", "=", "admin"))
    administrator.companies.append(company)
    administrator.company = company
    administrator.save()
    config.get_config()._context = Model.get("res.user").get_preferences(True, {})  # noqa: FBT003, SLF001  # as proteus documents it
    return company


def add_user(company, name, login, password, groups):
    """A user of `groups`, nothing above them, and the employee who works as this user."""
    employee = save("company.employee", party=save("party.party", name=name), company=company)
    user = Model.get("res.user")(name=name, login=login, password=password)
    for group in groups:
        user.groups.append(find("res.group", ("name", "=", group)))
    user.companies.append(Model.get("company.company")(company.id))
    user.company = company
    user.employees.append(employee)
    user.employee = employee
    user.save()
    return user


def add_users(company):
    """The user the project signs in as, and the planner. Returns the first one's employee.

    Production covers orders, works, cycles and their moves; lots (serial numbers) belong to stock and
    inspections to quality; taking a reported quantity back cancels its move. Neither user may touch master data.
    """
    groups = ("Production", "Stock", "Stock Cancellation", "Quality")
    tascus = add_user(company, "Shop floor", LOGIN, PASSWORD, groups)
    save("res.user.application", user=tascus, application="rest", key=API_KEY)
    add_user(company, "Planner", PLANNER_LOGIN, PLANNER_PASSWORD, ("Production", "Stock"))
    return tascus.employee


def add_final_check(company):
    """A quality control with one yes-or-no point, used only when somebody reports a result."""
    control = Model.get("quality.control")(name="Final check", company=company, frequency=1.0)
    control.points.new(name="passed", string="Passed", type_="boolean")
    control.save()
    return control


def number_orders_as_text():
    """Order numbers look like WO-00001: text, as real ones are."""
    sequence = find("ir.sequence", ("name", "=", "Production"))
    sequence.prefix = "WO-"
    sequence.padding = 5
    sequence.save()


def add_scrap_location():
    """The place scrapped parts go to: lost and found, named as waste by the warehouse."""
    scrap = save("stock.location", name="Scrap", code="SCRAP", type="lost_found")
    warehouse = find("stock.location", ("type", "=", "warehouse"))
    warehouse.waste_locations.append(scrap)
    warehouse.save()
    return scrap


def add_centres():
    """Work centre categories with one centre each, under the factory they belong to."""
    factory = save("production.work.center", name="Factory")
    categories = {}
    for name in WORK_CENTRES:
        category = save("production.work.center.category", name=name)
        save("production.work.center", name=f"{name} 1", category=category, parent=factory)
        categories[name] = category
    return factory, categories


def add_operations(categories):
    """The operations, each open to time bookings."""
    return {
        name: save(
            "production.routing.operation",
            name=name,
            work_center_category=categories[centre],
            timesheet_available=True,
        )
        for name, centre in OPERATIONS.items()
    }


def add_product(code, name, unit, **template_values):
    """A product with its code, priced so that no cost warning stands in the way."""
    template = Model.get("product.template")(
        name=name, code=code, type="goods", default_uom=unit, list_price=Decimal(10), **template_values
    )
    (product,) = template.products
    product.cost_price = Decimal(4)
    template.save()
    return template.products[0]


def add_materials(units):
    """What the parts are made of, with stock for years."""
    materials = [add_product(code, name, units[unit]) for code, (name, unit) in MATERIALS.items()]
    storage = find("stock.location", ("code", "=", "STO"))
    inventory = Model.get("stock.inventory")(location=storage, date=FIRST_DAY - dt.timedelta(days=365))
    for material in materials:
        inventory.lines.new(product=material, quantity=1_000_000)
    inventory.click("confirm")
    return materials


def add_bom(code, product, materials, routing_name, operations):
    """A part's bill of material and its routing, joined to the part."""
    bom = Model.get("production.bom")(name=f"BOM {code}")
    for material in materials:
        bom.inputs.new(product=material, quantity=0.5 if material.code == "M-00001" else 1)
    bom.outputs.new(product=product, quantity=1)
    bom.save()
    routing = Model.get("production.routing")(name=f"{routing_name} {code}")
    routing.boms.append(Model.get("production.bom")(bom.id))
    for number, name in enumerate(ROUTINGS[routing_name], start=1):
        routing.steps.new(operation=operations[name], sequence=number * 10)
    routing.save()
    return bom, routing


def add_parts(units, materials, operations):
    """Every part with its bill of material and routing, by code."""
    parts = {}
    for code, (name, unit, routing_name, serial) in PARTS.items():
        lot_required = ["storage"] if serial else []
        product = add_product(code, name, units[unit], producible=True, lot_required=lot_required)
        parts[code] = product, *add_bom(code, product, materials, routing_name, operations)
    return parts


def add_order(parts, factory, code, quantity, day, state):
    """One production of `code`, taken to `state` (draft, waiting, assigned or cancelled)."""
    product, bom, routing = parts[code]
    order = Model.get("production")(
        product=product,
        bom=bom,
        routing=routing,
        work_center=factory,
        quantity=quantity,
        planned_start_date=day,
        planned_date=day + dt.timedelta(days=3),
    )
    order.save()
    if state in {"waiting", "assigned"}:
        order.click("wait")
    if state == "assigned":
        order.click("assign_try")
    if state == "cancelled":
        order.click("cancel")
    return order


def add_orders(parts, factory):
    """The released orders, then those a pull must leave alone."""
    draw = random.Random(20)
    codes = list(PARTS)
    released = []
    for number in range(RELEASED):
        code = codes[number % len(codes)]
        state = "assigned" if number % ASSIGNED_EVERY == 0 else "waiting"
        day = FIRST_DAY + dt.timedelta(days=draw.randrange(30))
        order = add_order(parts, factory, code, draw.choice(QUANTITIES[code]), day, state)
        released.append(order.number)
    for number, state in enumerate(NOT_RELEASED):
        add_order(parts, factory, codes[number], QUANTITIES[codes[number]][0], FIRST_DAY, state)
    return released


def seed():
    """Everything, in the order in which each thing needs the one before."""
    company = add_company()
    employee = add_users(company)
    number_orders_as_text()
    control = add_final_check(company)
    scrap = add_scrap_location()
    factory, categories = add_centres()
    operations = add_operations(categories)
    units = {unit.symbol: unit for unit in Model.get("product.uom").find([])}
    parts = add_parts(units, add_materials(units), operations)
    released = add_orders(parts, factory)
    return {
        "company": company.id,
        "employee": employee.id,
        "scrap_location": scrap.id,
        "storage_location": find("stock.location", ("code", "=", "STO")).id,
        "quality_control": control.id,
        "production_location": find("stock.location", ("type", "=", "production")).id,
        "login": LOGIN,
        "password": PASSWORD,
        "api_key": API_KEY,
        "planner_login": PLANNER_LOGIN,
        "planner_password": PLANNER_PASSWORD,
        "released": released,
        "not_released": len(NOT_RELEASED),
        "serial_part": "P-00020",
    }


if __name__ == "__main__":
    config.set_trytond(sys.argv[1], user="admin", config_file=sys.argv[2])
    print(json.dumps(seed()))
