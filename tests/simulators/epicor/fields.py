"""The columns of the tables the simulator keeps, with their OData types and what a new row starts with."""

TEXT, FLAG, WHOLE, NUMBER, STAMP = (
    "Edm.String",
    "Edm.Boolean",
    "Edm.Int64",
    "Edm.Decimal",
    "Edm.DateTimeOffset",
)
EMPTY = {TEXT: "", FLAG: False, WHOLE: 0, NUMBER: 0, STAMP: None}


def _columns(**kinds):
    return {name: kind for kind, names in kinds.items() for name in names.split()}


JOB_HEAD = {
    name: {"text": TEXT, "flag": FLAG, "whole": WHOLE, "number": NUMBER, "stamp": STAMP}[kind]
    for name, kind in _columns(
        text="Company JobNum PartNum RevisionNum PartDescription IUM Plant CommentText JobType SysRowID",
        flag="JobClosed JobComplete JobEngineered JobReleased JobHeld JobFirm "
        "PartNumTrackSerialNum PartNumTrackLots",
        number="ProdQty QtyCompleted OrigProdQty",
        stamp="StartDate DueDate ReqDueDate CreateDate ClosedDate JobCompletionDate LastChangedOn",
        whole="SysRevID",
    ).items()
}
JOB_ASMBL = {
    "Company": TEXT,
    "JobNum": TEXT,
    "AssemblySeq": WHOLE,
    "PartNum": TEXT,
    "Description": TEXT,
    "RequiredQty": NUMBER,
    "FinalOpr": WHOLE,
    "SysRevID": WHOLE,
    "SysRowID": TEXT,
}
JOB_OPER = {
    name: {"text": TEXT, "flag": FLAG, "whole": WHOLE, "number": NUMBER}[kind]
    for name, kind in _columns(
        text="Company JobNum OpCode OpDesc StdFormat StdBasis IUM LaborEntryMethod PrimaryResourceGrpID "
        "PrimaryResourceGrpDesc SysRowID",
        flag="OpComplete SetupComplete ProdComplete JobComplete SubContract ReWork",
        number="EstSetHours EstProdHours ProdStandard RunQty QtyCompleted ActScrapQty ActProdHours ActSetupHours",
        whole="AssemblySeq OprSeq SysRevID",
    ).items()
}
LABOR_HED = {
    "Company": TEXT,
    "EmployeeNum": TEXT,
    "LaborHedSeq": WHOLE,
    "PayrollDate": STAMP,
    "Shift": WHOLE,
    "ActiveTrans": FLAG,
    "LaborCollection": FLAG,
    "ClockInDate": STAMP,
    "SysRevID": WHOLE,
    "SysRowID": TEXT,
    "RowMod": TEXT,
}
LABOR_DTL = {
    name: {"text": TEXT, "flag": FLAG, "whole": WHOLE, "number": NUMBER, "stamp": STAMP}[kind]
    for name, kind in _columns(
        text="Company EmployeeNum LaborType LaborTypePseudo ReworkReasonCode JobNum JCDept ResourceGrpID ResourceID "
        "OpCode ScrapReasonCode DiscrpRsnCode LaborNote ExpenseCode TimeStatus SubmittedBy LotNum IntExternalKey "
        "SysRowID RowMod",
        flag="ReWork Complete OpComplete ActiveTrans LaborCollection ApprovalRequired TimeAutoSubmit EndActivity "
        "WipPosted TimeDisableUpdate TimeDisableDelete",
        number="LaborHrs BurdenHrs LaborQty ScrapQty DiscrepQty ClockinTime ClockOutTime",
        stamp="ClockInDate PayrollDate CreateDate",
        whole="LaborHedSeq LaborDtlSeq AssemblySeq OprSeq SysRevID",
    ).items()
}
REASON = {
    "Company": TEXT,
    "ReasonType": TEXT,
    "ReasonCode": TEXT,
    "Description": TEXT,
    "Scrap": FLAG,
    "SysRevID": WHOLE,
    "SysRowID": TEXT,
}


def new_row(kind, **given):
    """Return a row of `kind` with nothing but what is given."""
    return {name: EMPTY[edm] for name, edm in kind.items()} | given
