"""Work orders, their operation tasks, and the transactions that report on them: the rules, on the account's tables."""

import datetime as dt
import weakref
from decimal import Decimal

from tests.simulators.netsuite.errors import invalid_content, no_record, user_error
from tests.simulators.netsuite.tables import TASK, every, insert, new_database, one, update

COMPLETION, BUILD, CLOSE = "workOrderCompletion", "assemblyBuild", "workOrderClose"
TYPES = {"workOrder": "WorkOrd", COMPLETION: "WOCompl", BUILD: "Build", CLOSE: "WOClose"}
TIMES = ("machineSetupTime", "laborSetupTime", "machineRunTime", "laborRunTime")
OPEN = ("WorkOrd:B", "WorkOrd:D")


class Books:
    """The account. A transaction's own fields that SuiteQL does not show are kept in `details`, by its id."""

    def __init__(self):
        self.database = new_database()
        weakref.finalize(self, self.database.close)
        self.details = {}
        self._clock = dt.datetime(2026, 11, 2, 6, 0)  # noqa: DTZ001 - the account's own time, which bears no zone
        self._number = 1000

    # -- the planner ----------------------------------------------------------------------------------------

    def add_order(self, planned, *, wip, released):
        """Write a work order with its tasks; returns its document number."""
        self._number += 1
        item, now = self._item(planned), self.now()
        order = insert(
            self.database,
            "transaction",
            tranid=f"WO{self._number}",
            type="WorkOrd",
            recordtype="workorder",
            abbrevtype="WORKORD",
            status="WorkOrd:B" if released else "WorkOrd:A",
            trandate=now,
            createddate=now,
            lastmodifieddate=now,
            iswip="T" if wip else "F",
            enddate=f"D|{planned.due} 00:00:00",
            firmed="T",
            location=1,
        )
        self._line(order, item, planned)
        for step in planned.operations:
            self._task(order, step, planned.quantity)
        return f"WO{self._number}"

    def _item(self, planned):
        found = one(self.database, "select id from item where itemid = ?", planned.part)
        if found:
            return found["id"]
        return insert(
            self.database,
            "item",
            itemid=planned.part,
            displayname=planned.part,
            itemtype="Assembly",
            isserialitem=_flag(planned.serials),
            islotitem=_flag(planned.batch),
            isinactive="F",
            stockunit=planned.unit,
        )

    def _line(self, order, item, planned):
        insert(
            self.database,
            "transactionline",
            id=0,
            transaction=order,
            mainline="T",
            item=item,
            quantity=float(planned.quantity),
            quantityshiprecv=0,
            units=planned.unit,
            location=1,
            isclosed="F",
            taxline="F",
        )

    def _task(self, order, step, quantity):
        setup, run = (float(seconds or 0) / 60 for seconds in (step.setup_seconds, step.run_seconds))
        insert(
            self.database,
            "manufacturingoperationtask",
            workorder=order,
            operationsequence=int(step.ident),
            title=step.name,
            manufacturingworkcenter=self._work_centre(step.work_centre),
            status="NOTSTART",
            inputquantity=float(quantity),
            completedquantity=0,
            setuptime=setup,
            runrate=run,
            actualsetuptime=0,
            actualruntime=0,
            machineresources=1,
            laborresources=1,
        )

    def _work_centre(self, name):
        found = one(self.database, "select id from entitygroup where groupname = ?", name)
        if found:
            return found["id"]
        row = {"groupname": name, "ismanufacturingworkcenter": "T", "isinactive": "F"}
        return insert(self.database, "entitygroup", **row)

    def now(self):
        """Return the account's clock as a date value; it moves a minute with every use."""
        self._clock += dt.timedelta(minutes=1)
        return f"D|{self._clock:%Y-%m-%d %H:%M:%S}"

    # -- reading --------------------------------------------------------------------------------------------

    def record(self, kind, key):
        """Return a transaction of a REST record type by id or "eid:" and external id."""
        column, value = ("externalid", key[4:]) if key.startswith("eid:") else ("id", key)
        query = f'select * from "transaction" where {column} = ? and type = ?'  # noqa: S608 - one of two columns
        found = one(self.database, query, value, TYPES[kind])
        if found is None:
            raise no_record()
        return found

    def line(self, order):
        """Return the main line of a transaction."""
        return one(
            self.database,
            'select * from transactionline where "transaction" = ? and mainline = ?',
            order,
            "T",
        )

    def tasks(self, order):
        """Return the operation tasks of a work order in sequence."""
        query = "select * from manufacturingoperationtask where workorder = ? order by operationsequence"
        return every(self.database, query, order)

    def task(self, key):
        """Return one task."""
        found = one(self.database, "select * from manufacturingoperationtask where id = ?", key)
        if found is None:
            raise no_record()
        return found

    def reports(self, order):
        """Return the completions and builds of a work order as (transaction id, details)."""
        query = """select t.id from "transaction" t join transactionline l on l."transaction" = t.id
                   where l.createdfrom = ? and t.type in ('WOCompl', 'Build') order by t.id"""
        return [(row["id"], self.details[row["id"]]) for row in every(self.database, query, order)]

    # -- transforms -----------------------------------------------------------------------------------------

    def complete(self, order, body):
        """Make a work order completion; returns its id."""
        self._reportable(order, "T")
        tasks = self.tasks(order["id"])
        first, last = self._range(order, tasks, body)
        good, scrap = _quantity(body, "completedQuantity"), _quantity(body, "scrapQuantity")
        built = good if not tasks or last == tasks[-1] else Decimal(0)
        self._check_quantity(order, tasks, first, good, scrap)
        numbers = self._numbers(order, body, built)
        covered = tasks[tasks.index(first) : tasks.index(last) + 1] if tasks else []
        lines = self._operation_lines(covered, body, good)
        details = {"good": good, "scrap": scrap, "built": built, "numbers": numbers, "operations": lines}
        key = self._write(COMPLETION, order, body, details)
        self._after(order)
        return key

    def build(self, order, body):
        """Make an assembly build of a work order without work in process; returns its id."""
        self._reportable(order, "F")
        quantity = _quantity(body, "quantity")
        if quantity <= 0:
            raise user_error("Please enter a value greater than 0 for Quantity to Build.")
        if quantity > self.remaining(order):
            raise user_error("The quantity to build exceeds the remaining quantity of the work order.")
        numbers = self._numbers(order, body, quantity)
        details = {
            "good": quantity,
            "scrap": Decimal(0),
            "built": quantity,
            "numbers": numbers,
            "operations": [],
        }
        key = self._write(BUILD, order, body, details)
        self._after(order)
        return key

    def close(self, order, body):
        """Make a work order close; returns its id."""
        if order["status"] == "WorkOrd:H":
            raise user_error("The work order is already closed.")
        details = {
            "good": Decimal(0),
            "scrap": Decimal(0),
            "built": Decimal(0),
            "numbers": {},
            "operations": [],
        }
        key = self._write(CLOSE, order, body, details)
        self._set_status(order["id"], "WorkOrd:H")
        return key

    def delete(self, kind, key):
        """Delete a completion or a build: its quantities and times go back."""
        row = self.record(kind, key)
        order = self.record("workOrder", str(self.line(row["id"])["createdfrom"]))
        if order["status"] == "WorkOrd:H":
            raise user_error("You may not delete this transaction: the work order is closed.")
        self.database.execute('delete from "transaction" where id = ?', [row["id"]])
        self.database.execute('delete from transactionline where "transaction" = ?', [row["id"]])
        details = self.details.pop(row["id"])
        for number in details["numbers"]:
            self.database.execute("delete from inventorynumber where inventorynumber = ?", [number])
        self._after(order)

    def _reportable(self, order, wip):
        if order["status"] not in OPEN:
            raise user_error(f"You cannot report on work order {order['tranid']} in its present status.")
        if order["iswip"] != wip:
            other = "an assembly build" if wip == "T" else "a work order completion"
            raise user_error(f"Work order {order['tranid']} must be reported by {other}.")

    def _range(self, order, tasks, body):
        if not tasks:
            return None, None
        ends = []
        for name in ("startOperation", "endOperation"):
            if name not in body:
                raise user_error(f"Please enter value(s) for: {name}.")
            ends.append(next((task for task in tasks if _names(body[name], task)), None))
            if ends[-1] is None:
                raise invalid_content(f"Invalid value for the resource or sub-resource field '{name}'.", name)
        if ends[0]["operationsequence"] > ends[1]["operationsequence"]:
            raise user_error("The end operation cannot come before the start operation.")
        return ends

    def _check_quantity(self, order, tasks, first, good, scrap):
        """No operation may complete more than the one before it has, the first no more than was ordered."""
        if good <= 0 and scrap <= 0:
            raise user_error("Please enter a completed quantity or a scrap quantity.")
        before = [task for task in tasks if first and task["operationsequence"] < first["operationsequence"]]
        limit = Decimal(str(before[-1]["completedquantity"])) if before else self.ordered(order)
        done = (
            Decimal(str(first["completedquantity"])) if first else self.ordered(order) - self.remaining(order)
        )
        if good + scrap > limit - done:
            raise user_error(
                f"The completed quantity exceeds the quantity available, which is {limit - done}."
            )

    def _operation_lines(self, covered, body, good):
        given = {str(line.get("operationSequence")): line for line in _items(body.get("operation"))}
        lines = []
        for task in covered:
            line = given.get(str(task["operationsequence"]), {})
            times = {name: _quantity(line, name) for name in TIMES}
            lines.append(
                {"task": task["id"], "sequence": task["operationsequence"], "completed": good, **times}
            )
        return lines

    def _numbers(self, order, body, quantity):
        """Return the serial or lot numbers of an inventory detail, with their quantities."""
        item = one(self.database, "select * from item where id = ?", self.line(order["id"])["item"])
        tracked = "T" in (item["isserialitem"], item["islotitem"])
        rows = _items((body.get("inventoryDetail") or {}).get("inventoryAssignment"))
        numbers = {
            row.get("receiptInventoryNumber"): _quantity(row, "quantity") or Decimal(1) for row in rows
        }
        if not tracked or not quantity:
            return {}
        if sum(numbers.values()) != quantity or None in numbers:
            raise user_error("Please configure the inventory detail for this line.")
        if item["isserialitem"] == "T":
            self._check_serials(numbers, len(rows))
        for number in numbers:
            insert(self.database, "inventorynumber", inventorynumber=number, item=item["id"])
        return numbers

    def _check_serials(self, numbers, count):
        known = {
            row["inventorynumber"]
            for row in every(self.database, "select inventorynumber from inventorynumber")
        }
        if len(numbers) != count or any(size != 1 for size in numbers.values()) or known & set(numbers):
            raise user_error("A serial number may be received once, with a quantity of 1.")

    # -- tasks ----------------------------------------------------------------------------------------------

    def change_task(self, key, body):
        """Change a task's status and actual times (minutes)."""
        task, changes = self.task(key), {}
        if "status" in body:
            changes["status"] = _reference(body["status"])
            if changes["status"] not in TASK:
                raise invalid_content(
                    f"Invalid value for the field 'status'. Valid: {', '.join(TASK)}.", "status"
                )
        for name in ("actualSetupTime", "actualRunTime", "machineResources", "laborResources"):
            if name in body:
                changes[name.lower()] = float(_quantity(body, name))
        if "message" in body:
            changes["message"] = str(body["message"])
        order = self.record("workOrder", str(task["workorder"]))
        if order["status"] == "WorkOrd:H":
            raise user_error("The work order of this task is closed.")
        if changes:
            update(self.database, "manufacturingoperationtask", task["id"], **changes)

    def change_line(self, kind, key, sequence, body):
        """Change the times of one operation of a completion."""
        row = self.record(kind, key)
        lines = self.details[row["id"]]["operations"]
        line = next((one for one in lines if str(one["sequence"]) == sequence), None)
        if line is None:
            raise no_record()
        line.update({name: _quantity(body, name) for name in TIMES if name in body})
        self._after(self.record("workOrder", str(self.line(row["id"])["createdfrom"])))

    # -- what follows ---------------------------------------------------------------------------------------

    def _write(self, kind, order, body, details):
        self._check_external(kind, body.get("externalId"))
        now, note = self.now(), body.get("memo")
        self._number += 1
        key = insert(
            self.database,
            "transaction",
            tranid=f"{self._number}",
            type=TYPES[kind],
            recordtype=kind.lower(),
            status=f"{TYPES[kind]}:Y",
            trandate=_date(body.get("tranDate")) or now,
            createddate=now,
            lastmodifieddate=now,
            externalid=body.get("externalId"),
            memo=note,
        )
        line = {"id": 0, "transaction": key, "mainline": "T", "createdfrom": order["id"], "memo": note}
        item = self.line(order["id"])["item"]
        insert(self.database, "transactionline", **line, item=item, quantity=float(details["built"]))
        self.details[key] = details
        return key

    def _check_external(self, kind, external):
        query = 'select id from "transaction" where externalid = ? and type = ?'
        if external is not None and one(self.database, query, external, TYPES[kind]):
            raise user_error("This record already exists.")

    def _after(self, order):
        """Bring tasks and order up to what the standing reports say."""
        reports = [details for _, details in self.reports(order["id"])]
        for task in self.tasks(order["id"]):
            lines = [
                line for details in reports for line in details["operations"] if line["task"] == task["id"]
            ]
            self._bring_up(order, task, lines)
        built = sum((details["built"] for details in reports), Decimal(0))
        self.database.execute(
            'update transactionline set quantityshiprecv = ? where "transaction" = ?',
            [float(built), order["id"]],
        )
        status = "WorkOrd:G" if built >= self.ordered(order) else "WorkOrd:D" if reports else "WorkOrd:B"
        self._set_status(order["id"], status)

    def _bring_up(self, order, task, lines):
        done = sum((line["completed"] for line in lines), Decimal(0))
        status = "COMPLETE" if done >= self.ordered(order) else "PROGRESS" if lines else task["status"]
        changes = {"completedquantity": float(done), "status": status}
        for name, column in (("laborSetupTime", "actualsetuptime"), ("laborRunTime", "actualruntime")):
            given = sum((line[name] for line in lines), Decimal(0))
            if given:
                changes[column] = float(given)
        update(self.database, "manufacturingoperationtask", task["id"], **changes)

    def _set_status(self, order, status):
        update(self.database, "transaction", order, status=status, lastmodifieddate=self.now())

    def ordered(self, order):
        """Return the quantity ordered."""
        return Decimal(str(self.line(order["id"])["quantity"]))

    def remaining(self, order):
        """Return the quantity not yet built."""
        return self.ordered(order) - Decimal(str(self.line(order["id"])["quantityshiprecv"]))


def _flag(value):
    return "T" if value else "F"


def _quantity(body, name):
    value = body.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_content(f"Invalid value for the field '{name}'. A number is required.", name)
    if value < 0:
        raise user_error(f"Please enter a value greater than 0 for {name}.")
    return Decimal(str(value))


def _reference(value):
    """A reference is an object with `id`, or the id alone."""
    return str(value.get("id")) if isinstance(value, dict) else str(value)


def _names(reference, task):
    """An operation is named by its task's id or, as `refName`, by its sequence."""
    if isinstance(reference, dict) and "id" not in reference:
        return str(reference.get("refName")) == str(task["operationsequence"])
    return _reference(reference) == str(task["id"])


def _items(collection):
    return (collection or {}).get("items", [])


def _date(text):
    if text is None:
        return None
    try:
        return f"D|{dt.date.fromisoformat(text)} 00:00:00"
    except (TypeError, ValueError):
        raise invalid_content("Invalid value for the field 'tranDate'. Use YYYY-MM-DD.", "tranDate") from None
