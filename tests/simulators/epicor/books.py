"""The tables of one company: jobs with their operations, labour headers and details, reasons. State, no HTTP."""

import datetime as dt
import uuid
from decimal import Decimal

from tests.simulators.epicor import fields

REASONS = (
    ("S", "SCR1", "Tool broken"),
    ("S", "SCR2", "Bad material"),
    ("D", "NC1", "Out of size"),
    ("R", "RW1", "Burr"),
)
HOUR = 3600
MINUTE = Decimal(1) / 60


class Books:
    """Everything the simulated company knows."""

    def __init__(self, company, plant):
        self.company, self.plant = company, plant
        self.jobs, self.operations, self.headers, self.details = {}, [], {}, {}
        self.employees = {"101": "Ann", "102": "Bob"}
        self.idents = {}  # (job, sequence) -> the operation as the planner wrote it
        self.reasons = [self._reason(*reason) for reason in REASONS]
        self.clock = dt.datetime(2026, 11, 2, 6, 0, tzinfo=dt.UTC)
        self._revision = 100_000
        self._number = 1000
        self._detail = 0

    def _reason(self, kind, code, text):
        row = {"Company": self.company, "ReasonType": kind, "ReasonCode": code, "Description": text}
        return fields.new_row(fields.REASON, **row)

    def revision(self):
        """Return the next SysRevID of the database: it grows with every write of any row."""
        self._revision += 1
        return self._revision

    def now(self):
        """Return the company's clock; it moves six minutes, a tenth of an hour, with every use."""
        self.clock += dt.timedelta(minutes=6)
        return self.clock

    def written(self, row):
        """Stamp a row that has just been written."""
        row["SysRevID"] = self.revision()
        return row

    # -- jobs -----------------------------------------------------------------------------------------------

    def add_job(self, planned, *, released):
        """Write a job with one assembly and its operations; returns its number."""
        self._number += 1
        number, unit = f"J{self._number:06d}", "EA" if planned.unit == "pcs" else planned.unit.upper()
        self.jobs[number] = self.written(
            fields.new_row(
                fields.JOB_HEAD,
                Company=self.company,
                JobNum=number,
                PartNum=planned.part,
                PartDescription=planned.part,
                IUM=unit,
                Plant=self.plant,
                SysRowID=str(uuid.uuid4()),
                JobType="MFG",
                JobEngineered=True,
                JobFirm=True,
                JobReleased=released,
                PartNumTrackLots=planned.batch,
                PartNumTrackSerialNum=planned.serials,
                ProdQty=planned.quantity,
                OrigProdQty=planned.quantity,
                CreateDate=self.now(),
                StartDate=self.clock,
                DueDate=dt.datetime.fromisoformat(planned.due).replace(tzinfo=dt.UTC),
                ReqDueDate=dt.datetime.fromisoformat(planned.due).replace(tzinfo=dt.UTC),
            )
        )
        for step in planned.operations:
            self._add_operation(number, step, planned.quantity, unit)
        return number

    def _add_operation(self, number, step, quantity, unit):
        minutes = (step.run_seconds or Decimal(0)) / 60
        self.idents[number, int(step.ident)] = step.ident
        row = fields.new_row(
            fields.JOB_OPER,
            Company=self.company,
            JobNum=number,
            OprSeq=int(step.ident),
            OpCode=step.name.upper()[:8],
            OpDesc=step.name,
            IUM=unit,
            StdFormat="MP",
            StdBasis="E",
            ProdStandard=minutes,
            EstSetHours=(step.setup_seconds or Decimal(0)) / HOUR,
            EstProdHours=minutes * quantity / 60,
            RunQty=quantity,
            LaborEntryMethod="T",
            PrimaryResourceGrpID=step.work_centre,
            PrimaryResourceGrpDesc=step.work_centre,
            SysRowID=str(uuid.uuid4()),
        )
        self.operations.append(self.written(row))

    def assemblies(self):
        """Return the one assembly of every job."""
        return [
            fields.new_row(
                fields.JOB_ASMBL,
                Company=self.company,
                JobNum=job["JobNum"],
                PartNum=job["PartNum"],
                Description=job["PartDescription"],
                RequiredQty=job["ProdQty"],
                FinalOpr=self.final_operation(job["JobNum"]),
                SysRevID=job["SysRevID"],
            )
            for job in list(self.jobs.values())
        ]

    def of_job(self, number):
        """Return the operations of a job in sequence."""
        return sorted(
            (row for row in self.operations if row["JobNum"] == number), key=lambda row: row["OprSeq"]
        )

    def operation(self, number, sequence):
        """Return one operation, None where the job has no such one."""
        return next((row for row in self.of_job(number) if row["OprSeq"] == sequence), None)

    def final_operation(self, number):
        """Return the sequence of the job's last operation, 0 where it has none."""
        steps = self.of_job(number)
        return steps[-1]["OprSeq"] if steps else 0

    def posted(self, number, sequence=None):
        """Return the labour of a job (or of one operation) that counts: ended and approved."""
        return [
            row
            for row in self.details.values()
            if row["JobNum"] == number
            and (sequence is None or row["OprSeq"] == sequence)
            and row["TimeStatus"] == "A"
            and not row["ActiveTrans"]
        ]

    def count(self, number, sequence):
        """Bring an operation, and the job by its last one, up to the labour that counts."""
        step, rows = self.operation(number, sequence), self.posted(number, sequence)
        step["QtyCompleted"] = _sum(rows, "LaborQty")
        step["ActScrapQty"] = _sum(rows, "ScrapQty")
        step["ActSetupHours"] = _sum([row for row in rows if row["LaborType"] == "S"], "BurdenHrs")
        step["ActProdHours"] = _sum([row for row in rows if row["LaborType"] != "S"], "BurdenHrs")
        step["OpComplete"] = any(row["OpComplete"] for row in rows)
        self.written(step)
        if sequence == self.final_operation(number):
            self.jobs[number]["QtyCompleted"] = step["QtyCompleted"]
            self.written(self.jobs[number])

    # -- labour ---------------------------------------------------------------------------------------------

    def add_header(self, employee, date, *, active):
        """Write a labour header; returns it."""
        row = fields.new_row(
            fields.LABOR_HED,
            Company=self.company,
            EmployeeNum=employee,
            LaborHedSeq=len(self.headers) + 1,
            PayrollDate=date,
            ClockInDate=date,
            Shift=1,
            ActiveTrans=active,
            SysRowID=str(uuid.uuid4()),
        )
        self.headers[row["LaborHedSeq"]] = self.written(row)
        return row

    def next_detail(self):
        """Return a new LaborDtlSeq."""
        self._detail += 1
        return self._detail

    def active_header(self, employee):
        """Return the header of an employee who is clocked in, None else."""
        return next(
            (row for row in self.headers.values() if row["EmployeeNum"] == employee and row["ActiveTrans"]),
            None,
        )

    def dataset(self, sequence):
        """Return a copy of a header with its details: the tables of a LaborTableset."""
        details = [dict(row) for row in self.details.values() if row["LaborHedSeq"] == sequence]
        return {"LaborHed": [dict(self.headers[sequence])], "LaborDtl": details}

    def has_reason(self, kind, code):
        """Tell whether a reason of this type exists."""
        return any(row["ReasonType"] == kind and row["ReasonCode"] == code for row in self.reasons)


def _sum(rows, name):
    return sum((Decimal(str(row[name])) for row in rows), Decimal(0))
