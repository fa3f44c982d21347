"""The methods on offer: their service, name and required parameters, and what each does with the labour rules.

A method answers (returnObj or None, its out parameters). Names of parameters and their case are the service's own.
"""

from tests.simulators.epicor.errors import no_record

LABOR, EMPLOYEE = "Erp.BO.LaborSvc", "Erp.BO.EmpBasicSvc"


def _spans(given):
    start = (given["ClockInDate"], given["ClockInTime"])
    return start, (given["ClockOutDate"], given["ClockOutTime"])


def _on(change, *names, message=False):
    """Make a method that changes the dataset by `change(labor, ds, *parameters)` and hands it back."""

    def call(labor, given):
        warning = change(labor, given["ds"], *(given[name] for name in names))
        out = {"ds": given["ds"]}
        return None, {**out, "vMessage": warning or ""} if message else out

    return call


def _get_by_id(labor, given):
    sequence = given["laborHedSeq"]
    if sequence not in labor.books.headers:
        raise no_record(f"LaborHed {sequence}")
    return labor.books.dataset(sequence), {}


def _get_active(labor, given):
    header = labor.books.active_header(given["employeeNum"])
    if header is None:
        return {"LaborHed": [], "LaborDtl": []}, {}
    found = labor.books.dataset(header["LaborHedSeq"])
    found["LaborDtl"] = [row for row in found["LaborDtl"] if row["ActiveTrans"]]
    return found, {}


def _clock_in(labor, given):
    labor.clock_in(given["employeeID"])
    return given["employeeID"], {}


def _clock_out(labor, given):
    labor.clock_out(given["employeeID"])
    return None, {"employeeID": given["employeeID"]}


def _submit(labor, given):
    labor.submit(given["ds"])
    return None, {"ds": given["ds"], "cMessageText": ""}


def _recall(labor, given):
    labor.recall(given["ds"])
    return None, {"ds": given["ds"], "cMessageText": ""}


def _no_header(labor, given):
    labor.new_detail_without_header(given["ds"], given["EmployeeNum"], *_spans(given))
    return None, {"ds": given["ds"]}


def _with_header(labor, given):
    labor.new_detail(given["ds"], given["LaborHedSeq"], *_spans(given))
    return None, {"ds": given["ds"]}


def _scrap_reason(labor, ds, code):
    labor.default_reason(ds, "ScrapReasonCode", "S", code)


def _discrepancy_reason(labor, ds, code):
    labor.default_reason(ds, "DiscrpRsnCode", "D", code)


CLOCK = ("ClockInDate", "ClockInTime", "ClockOutDate", "ClockOutTime")
METHODS = {
    (EMPLOYEE, "ClockIn"): (("employeeID", "shift"), _clock_in),
    (EMPLOYEE, "ClockOut"): (("employeeID",), _clock_out),
    (LABOR, "GetByID"): (("laborHedSeq",), _get_by_id),
    (LABOR, "GetActiveLaborDtl"): (("employeeNum",), _get_active),
    (LABOR, "GetNewLaborHed1"): (
        ("ds", "EmployeeNum", "ShopFloor", "payrollDate"),
        _on(
            lambda labor, ds, employee, date: labor.new_header(ds, employee, date),
            "EmployeeNum",
            "payrollDate",
        ),
    ),
    (LABOR, "GetNewLaborDtlNoHdr"): (("ds", "EmployeeNum", "ShopFloor", *CLOCK), _no_header),
    (LABOR, "GetNewLaborDtlWithHdr"): (("ds", *CLOCK, "LaborHedSeq"), _with_header),
    (LABOR, "StartActivity"): (
        ("LaborHedSeq", "StartType", "ds"),
        _on(
            lambda labor, ds, header, kind: labor.start_activity(ds, header, kind), "LaborHedSeq", "StartType"
        ),
    ),
    (LABOR, "EndActivity"): (("ds",), _on(lambda labor, ds: labor.end_activity(ds))),
    (LABOR, "DefaultJobNum"): (
        ("ds", "jobNum"),
        _on(lambda labor, ds, job: labor.default_job(ds, job), "jobNum"),
    ),
    (LABOR, "DefaultAssemblySeq"): (
        ("ds", "assemblySeq"),
        _on(lambda labor, ds, sequence: labor.default_assembly(ds, sequence), "assemblySeq"),
    ),
    (LABOR, "DefaultOprSeq"): (
        ("ds", "oprSeq"),
        _on(lambda labor, ds, sequence: labor.default_operation(ds, sequence), "oprSeq", message=True),
    ),
    (LABOR, "DefaultLaborType"): (
        ("ds", "ipLaborType"),
        _on(lambda labor, ds, kind: labor.default_type(ds, kind), "ipLaborType"),
    ),
    (LABOR, "DefaultLaborQty"): (
        ("ds", "laborQty"),
        _on(lambda labor, ds, quantity: labor.default_quantity(ds, quantity), "laborQty", message=True),
    ),
    (LABOR, "DefaultScrapReasonCode"): (
        ("ds", "ProposedScrapReasonCode"),
        _on(_scrap_reason, "ProposedScrapReasonCode"),
    ),
    (LABOR, "DefaultDiscrpRsnCode"): (
        ("ds", "ProposedDiscrpRsnCode"),
        _on(_discrepancy_reason, "ProposedDiscrpRsnCode"),
    ),
    (LABOR, "DefaultComplete"): (
        ("ds", "cmplete"),
        _on(lambda labor, ds, complete: labor.default_complete(ds, complete), "cmplete", message=True),
    ),
    (LABOR, "EndActivityComplete"): (
        ("ds", "cmplete"),
        _on(lambda labor, ds, complete: labor.default_complete(ds, complete), "cmplete"),
    ),
    (LABOR, "DefaultLaborHrs"): (
        ("ds", "laborHrs"),
        _on(lambda labor, ds, hours: labor.default_hours(ds, hours), "laborHrs"),
    ),
    (LABOR, "ChangeLaborDtlTimeField"): (
        ("fieldName", "timeValue", "ds"),
        _on(lambda labor, ds, name, value: labor.change_time(ds, name, value), "fieldName", "timeValue"),
    ),
    (LABOR, "CheckWarnings"): (("ds",), _on(lambda labor, ds: "", message=True)),
    (LABOR, "Update"): (("ds",), _on(lambda labor, ds: labor.update(ds))),
    (LABOR, "SubmitForApproval"): (("ds", "lWeeklyView"), _submit),
    (LABOR, "RecallFromApproval"): (("ds", "lWeeklyView"), _recall),
}
