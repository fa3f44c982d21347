"""The methods of Erp.BO.LaborSvc and EmpBasicSvc: each takes a dataset, changes rows in it, and hands it back.

Nothing is kept until `Update`; and `Update` looks at rows whose RowMod is A, U or D only.
"""

import datetime as dt
import uuid
from decimal import Decimal, InvalidOperation

from tests.simulators.epicor import fields
from tests.simulators.epicor.errors import BUSINESS, RefusedError, business, no_record

START_TYPES = {"P": "P", "S": "S", "R": "P"}  # production, setup, rework (which is production too)
COMPUTED = ("Company", "SysRowID", "SysRevID", "TimeStatus", "WipPosted", "RowMod")
TIMES = ("ClockinTime", "ClockOutTime")


class Labor:
    """Labour entry by the company's rules. `approval_required`: submitted time waits for a supervisor."""

    def __init__(self, books, *, approval_required):
        self.books, self.approval_required = books, approval_required

    # -- employees ------------------------------------------------------------------------------------------

    def clock_in(self, employee_id):
        """Clock an employee in: an active labour header."""
        self._employee(employee_id)
        if self.books.active_header(employee_id):
            raise business("Employee is already clocked in.", "EmployeeNum")
        return self.books.add_header(employee_id, self.books.now(), active=True)["LaborHedSeq"]

    def clock_out(self, employee_id):
        """Clock an employee out; every activity must have ended."""
        header = self.books.active_header(employee_id)
        if header is None:
            raise business("Employee is not clocked in.", "EmployeeNum")
        rows = self.books.details.values()
        if any(row["ActiveTrans"] for row in rows if row["LaborHedSeq"] == header["LaborHedSeq"]):
            raise business("Employee has active labor transactions. End them first.", "ActiveTrans")
        header["ActiveTrans"] = False
        self.books.written(header)

    def _employee(self, number):
        if number not in self.books.employees:
            raise business("Employee is not valid.", "EmployeeNum")

    # -- new rows -------------------------------------------------------------------------------------------

    def new_header(self, ds, employee, payroll_date):
        """Add a new labour header to the dataset."""
        self._employee(employee)
        moment = _stamp(payroll_date)
        row = fields.new_row(fields.LABOR_HED, Company=self.books.company, EmployeeNum=employee)
        row.update(PayrollDate=moment, ClockInDate=moment, Shift=1, RowMod="A", SysRowID=str(uuid.uuid4()))
        ds.setdefault("LaborHed", []).append(row)

    def new_detail_without_header(self, ds, employee, start, end):
        """Add a new header and a detail that lasts from start to end, each (date, hours of the day)."""
        self.new_header(ds, employee, start[0])
        self._add_detail(ds, employee, 0, "P", start, end)

    def new_detail(self, ds, header_seq, start, end):
        """Add a detail to a header that exists."""
        header = self._header(header_seq)
        self._add_detail(ds, header["EmployeeNum"], header_seq, "P", start, end)

    def start_activity(self, ds, header_seq, start_type):
        """Add an active detail: it begins now and has no end."""
        header = self._header(header_seq)
        if not header["ActiveTrans"]:
            raise business("Employee is not clocked in.", "EmployeeNum")
        if start_type not in START_TYPES:
            raise business(
                f"Start type {start_type} is not valid. Valid: {', '.join(START_TYPES)}.", "LaborType"
            )
        moment = self.books.now()
        start = (moment.isoformat(), moment.hour + moment.minute / 60)
        row = self._add_detail(ds, header["EmployeeNum"], header_seq, START_TYPES[start_type], start, start)
        row.update(ActiveTrans=True, LaborCollection=True, ReWork=start_type == "R", TimeAutoSubmit=True)

    def _add_detail(self, ds, employee, header_seq, kind, start, end):
        hours = max(_number(end[1]) - _number(start[1]), Decimal(0))
        row = fields.new_row(fields.LABOR_DTL, Company=self.books.company, EmployeeNum=employee)
        row.update(
            LaborHedSeq=header_seq,
            LaborType=kind,
            LaborTypePseudo=kind,
            ClockInDate=_stamp(start[0]),
            PayrollDate=_stamp(start[0]),
            ClockinTime=_number(start[1]),
            ClockOutTime=_number(end[1]),
            LaborHrs=hours,
            BurdenHrs=hours,
            ApprovalRequired=self.approval_required,
            TimeStatus="E",
            RowMod="A",
            SysRowID=str(uuid.uuid4()),
        )
        ds.setdefault("LaborDtl", []).append(row)
        return row

    def _header(self, sequence):
        if sequence not in self.books.headers:
            raise no_record(f"LaborHed {sequence}")
        return self.books.headers[sequence]

    # -- changing rows in the dataset -----------------------------------------------------------------------

    def default_job(self, ds, job):
        """Put a job on the changed rows."""
        self._job(job)
        for row in _changed(ds):
            row.update(JobNum=job, AssemblySeq=0, OprSeq=0)

    def default_assembly(self, ds, sequence):
        """Put an assembly on the changed rows."""
        if sequence != 0:
            raise business("Assembly is not valid for this job.", "AssemblySeq")
        for row in _changed(ds):
            row["AssemblySeq"] = sequence

    def default_operation(self, ds, sequence):
        """Put an operation on the changed rows, with what follows from it; returns a warning or ""."""
        warning = ""
        for row in _changed(ds):
            step = self._operation(row["JobNum"], sequence)
            row.update(
                OprSeq=sequence,
                OpCode=step["OpCode"],
                ResourceGrpID=step["PrimaryResourceGrpID"],
                JCDept="PROD",
            )
            warning = "Operation is already complete." if step["OpComplete"] else warning
        return warning

    def default_type(self, ds, kind):
        """Make the changed rows setup or production."""
        if kind not in ("P", "S"):
            raise business(f"Labor type {kind} is not valid here. Valid: P, S.", "LaborType")
        for row in _changed(ds):
            row.update(LaborType=kind, LaborTypePseudo=kind)

    def default_quantity(self, ds, quantity):
        """Put a quantity on the changed rows; returns a warning or ""."""
        warning = ""
        for row in _changed(ds):
            row["LaborQty"] = quantity
            step = self.books.operation(row["JobNum"], row["OprSeq"])
            over = step and _number(step["QtyCompleted"]) + _number(quantity) > _number(step["RunQty"])
            warning = "Quantity is more than the run quantity of the operation." if over else warning
        return warning

    def default_reason(self, ds, name, kind, code):
        """Put a reason code on the changed rows."""
        if code and not self.books.has_reason(kind, code):
            raise business("Reason Code is not valid.", name)
        for row in _changed(ds):
            row[name] = code

    def default_complete(self, ds, complete):
        """Mark the changed rows complete."""
        for row in _changed(ds):
            row.update(Complete=complete, OpComplete=complete)

    def default_hours(self, ds, hours):
        """Put hours on the changed rows."""
        for row in _changed(ds):
            row.update(LaborHrs=hours, BurdenHrs=hours)

    def change_time(self, ds, name, value):
        """Change a clock time of the changed rows and work out the hours anew."""
        if name not in TIMES:
            raise business(f"Field {name} is not valid. Valid: {', '.join(TIMES)}.", name)
        for row in _changed(ds):
            row[name] = value
            hours = max(_number(row["ClockOutTime"]) - _number(row["ClockinTime"]), Decimal(0))
            row.update(LaborHrs=hours, BurdenHrs=hours)

    def end_activity(self, ds):
        """Mark the changed rows to end with the next Update, and give them their end."""
        rows = [row for row in _changed(ds) if row["RowMod"] == "U"]
        if not rows:
            raise business("Labor Detail has not changed.", "RowMod")
        for row in rows:
            moment = self.books.now()
            row["EndActivity"] = True
            self.change_time(
                {"LaborDtl": [row]}, "ClockOutTime", Decimal(moment.hour) + Decimal(moment.minute) / 60
            )

    # -- keeping --------------------------------------------------------------------------------------------

    def update(self, ds):
        """Keep what has changed; hands back the rows as they now are. RefusedError keeps nothing at all."""
        headers = [row for row in ds.get("LaborHed", []) if row.get("RowMod") == "A"]
        rows = _changed(ds)
        for row in rows:
            self._check(row)
        made = [self._keep_header(row) for row in headers]
        for row in rows:
            {"A": self._add, "U": self._change, "D": self._delete}[row["RowMod"]](row, made)
        ds["LaborDtl"] = [
            dict(self.books.details.get(row["LaborDtlSeq"], row)) for row in ds.get("LaborDtl", [])
        ]
        ds["LaborDtl"] = [row for row in ds["LaborDtl"] if row.get("RowMod") != "D"]

    def _check(self, row):
        if row["RowMod"] != "A":
            self._check_kept(row)
        if row["RowMod"] == "D":
            return
        self._job(row.get("JobNum"))
        self._operation(row["JobNum"], row.get("OprSeq"))
        for name, reason, kind in (
            ("ScrapQty", "ScrapReasonCode", "S"),
            ("DiscrepQty", "DiscrpRsnCode", "D"),
        ):
            self._check_reason(row, name, reason, kind)
        if _number(row.get("LaborQty", 0)) < 0:
            raise business("Labor Quantity cannot be negative.", "LaborQty")
        if row.get("LaborType") == "S" and _number(row.get("LaborQty", 0)):
            raise business("Labor Quantity is not allowed for setup.", "LaborQty")

    def _check_kept(self, row):
        kept = self.books.details.get(row.get("LaborDtlSeq"))
        if kept is None:
            raise no_record(f"LaborDtl {row.get('LaborDtlSeq')}")
        if row.get("SysRevID") != kept["SysRevID"]:
            text = "Row has been modified by another user and couldn't be updated."
            raise RefusedError(409, BUSINESS, text, "LaborDtl", "SysRevID")
        if kept["TimeStatus"] in ("S", "A") and not kept["ActiveTrans"]:
            raise business("Labor has been submitted or approved. Recall it first.", "TimeStatus")

    def _check_reason(self, row, name, reason, kind):
        if _number(row.get(name, 0)) < 0:
            raise business(f"{name} cannot be negative.", name)
        if not _number(row.get(name, 0)):
            return
        if not row.get(reason):
            raise business("Reason Code is required.", reason)
        if not self.books.has_reason(kind, row[reason]):
            raise business("Reason Code is not valid.", reason)

    def _keep_header(self, row):
        date = _stamp(row["PayrollDate"])
        kept = self.books.add_header(row["EmployeeNum"], date, active=False)
        row.update(kept, RowMod="")
        return kept

    def _add(self, row, made):
        known = {name: _typed(name, row[name]) for name in fields.LABOR_DTL if name in row}
        kept = fields.new_row(fields.LABOR_DTL) | known
        header = made[-1]["LaborHedSeq"] if made and not kept["LaborHedSeq"] else kept["LaborHedSeq"]
        self._header(header)
        kept.update(
            Company=self.books.company,
            LaborHedSeq=header,
            LaborDtlSeq=self.books.next_detail(),
            TimeStatus="E",
            RowMod="",
            CreateDate=self.books.now(),
        )
        self.books.details[kept["LaborDtlSeq"]] = self.books.written(kept)
        row["LaborDtlSeq"] = kept["LaborDtlSeq"]
        self._settle(kept)

    def _change(self, row, _):
        kept = self.books.details[row["LaborDtlSeq"]]
        ended = row.get("EndActivity")
        given = {
            name: _typed(name, value) for name, value in row.items() if name in kept and name not in COMPUTED
        }
        kept.update(given, EndActivity=False)
        if ended:
            kept["ActiveTrans"] = False
        self._settle(self.books.written(kept))

    def _delete(self, row, _):
        kept = self.books.details.pop(row["LaborDtlSeq"])
        self.books.count(kept["JobNum"], kept["OprSeq"])

    def _settle(self, kept):
        """Ended time that submits itself is submitted; then the job is brought up to date."""
        if kept["TimeAutoSubmit"] and not kept["ActiveTrans"] and kept["TimeStatus"] == "E":
            self._submit_one(kept)
        self.books.count(kept["JobNum"], kept["OprSeq"])

    def _submit_one(self, kept):
        kept["TimeStatus"] = "S" if kept["ApprovalRequired"] else "A"
        kept["TimeDisableUpdate"] = kept["TimeDisableDelete"] = True

    def submit(self, ds):
        """Submit the changed rows; without approval they are approved at once."""
        self._turn(ds, "E", self._submit_one)

    def recall(self, ds):
        """Take submitted or approved rows back into entry."""

        def take_back(kept):
            kept.update(
                TimeStatus="E", TimeDisableUpdate=False, TimeDisableDelete=False, TimeAutoSubmit=False
            )

        self._turn(ds, "SA", take_back)

    def approve(self, sequence):
        """Approve submitted time, as a supervisor does."""
        kept = self.books.details[sequence]
        kept["TimeStatus"] = "A"
        self.books.count(kept["JobNum"], kept["OprSeq"])

    def _turn(self, ds, states, turn):
        for row in _changed(ds):
            kept = self.books.details.get(row.get("LaborDtlSeq"))
            if kept is None:
                raise no_record(f"LaborDtl {row.get('LaborDtlSeq')}")
            if kept["ActiveTrans"] or kept["TimeStatus"] not in states:
                raise business(
                    f"Labor with time status {kept['TimeStatus']} cannot be processed so.", "TimeStatus"
                )
            turn(kept)
            self.books.written(kept)
            self.books.count(kept["JobNum"], kept["OprSeq"])
            row.update(kept)

    # -- checks ---------------------------------------------------------------------------------------------

    def _job(self, number):
        job = self.books.jobs.get(number)
        if job is None:
            raise business("Job Number is not valid.", "JobNum")
        if job["JobClosed"]:
            raise business("Job is closed. Labor cannot be entered.", "JobNum")
        if not job["JobReleased"]:
            raise business("Job has not been released. Labor cannot be entered.", "JobNum")
        return job

    def _operation(self, job, sequence):
        step = self.books.operation(job, sequence)
        if step is None:
            raise business("Operation is not valid for this job.", "OprSeq")
        return step


def _changed(ds):
    """Return the details that say they are changed; the others are passed over in silence."""
    return [row for row in ds.get("LaborDtl", []) if row.get("RowMod") in ("A", "U", "D")]


def _number(value):
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        raise business(f"Value {value} is not a number.") from None


def _stamp(value):
    if isinstance(value, dt.datetime):
        return value
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise business(f"Value {value} is not a date.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _typed(name, value):
    kind = fields.LABOR_DTL[name]
    if kind == fields.STAMP:
        return _stamp(value) if value else None
    return _number(value) if kind == fields.NUMBER else value
