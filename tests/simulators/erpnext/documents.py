"""The life of a Frappe document: insert, save, submit, cancel, delete, and what each refuses.

Source: frappe/model/document.py (insert, _save, check_if_latest, check_docstatus_transition),
frappe/model/base_document.py (mandatory, links, unique, update after submit), frappe/model/delete_doc.py.
"""

import secrets

from tests.simulators.erpnext.doctypes import Field, shipped
from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.values import cast, cint, printed

DRAFT, SUBMITTED, CANCELLED = 0, 1, 2
ACTIONS = {
    (DRAFT, DRAFT): "save",
    (DRAFT, SUBMITTED): "submit",
    (SUBMITTED, SUBMITTED): "update_after_submit",
    (SUBMITTED, CANCELLED): "cancel",
}
STATES = ("Draft", "Submitted", "Cancelled")


class Documents:
    """Documents of one site; `controllers` holds the rules of each doctype, by hook name."""

    def __init__(self, tables, user):
        self.tables = tables
        self.user = user
        self.doctypes = shipped()
        self.controllers = {}

    def doctype(self, name):
        """Return a doctype or refuse its name."""
        if name not in self.doctypes:
            raise FrappeError(f"DocType {name} not found", "DoesNotExistError")
        return self.doctypes[name]

    # -- what a caller does ---------------------------------------------------------------------------------

    def new(self, doctype, data):
        """Return an unsaved document with defaults; unknown keys fall away in silence."""
        kind = self.doctype(doctype)
        doc = {"name": data.get("name"), "docstatus": cint(data.get("docstatus")), "idx": 0}
        doc |= {field.name: self._initial(field) for field in kind.fields.values()}
        self._fill(kind, doc, data)
        return doc

    def insert(self, doctype, data, *, trusted=False):
        """Insert, and submit at once where `docstatus` is 1; returns the stored document."""
        kind = self.doctype(doctype)
        doc = self.new(doctype, data)
        doc["creation"] = doc["modified"] = self.tables.now()
        doc["owner"] = doc["modified_by"] = self.user
        doc["name"] = self._name(kind, doc, data)
        action = _action(DRAFT, doc["docstatus"])
        self._settle(kind, doc, action, trusted)
        if self.tables.has(doctype, doc["name"]):
            raise FrappeError(f"{doctype} {doc['name']} already exists", "DuplicateEntryError")
        self._store(kind, doc)
        self._after(kind, doc, action)
        return self.tables.get(doctype, doc["name"])

    def update(self, doctype, name, data):
        """Save changes to a document, submit or cancel it, by the `docstatus` given."""
        doc = self.tables.get(doctype, name)
        kind = self.doctype(doctype)
        stored = self.tables.get(doctype, name)
        if "modified" in data and str(data["modified"]) != printed(stored["modified"]):
            raise FrappeError(
                f"Error: {name} ({doctype}) has been modified after you have opened it"
                f" ({printed(stored['modified'])}, {data['modified']}). Please refresh to get the latest document.",
                "TimestampMismatchError",
            )
        self._fill(kind, doc, data)
        doc["docstatus"] = cint(data.get("docstatus", doc["docstatus"]))
        return self.save(doctype, doc, stored)

    def save(self, doctype, doc, stored=None, *, rules=True):
        """Save a changed document; `rules` off is Frappe's ignore_validate_update_after_submit."""
        kind = self.doctype(doctype)
        stored = stored or self.tables.get(doctype, doc["name"])
        action = _action(stored["docstatus"], doc["docstatus"])
        doc["modified"], doc["modified_by"] = self.tables.now(), self.user
        if action == "update_after_submit" and rules:
            self._only_what_may_change(kind, doc, stored)
        self._settle(kind, doc, action)
        self._store(kind, doc)
        self._after(kind, doc, action)
        return self.tables.get(doctype, doc["name"])

    def delete(self, doctype, name):
        """Delete a draft or cancelled document nothing links to."""
        doc = self.tables.get(doctype, name)
        if doc["docstatus"] == SUBMITTED:
            raise FrappeError(
                f"{doctype} {name}: Submitted Record cannot be deleted. You must Cancel it first."
            )
        self._refuse_if_linked(doctype, name, "delete")
        self.tables.remove(doctype, name)

    def set_value(self, doctype, name, **values):
        """Write columns past all rules and move `modified`: Frappe's db_set."""
        doc = self.tables.get(doctype, name)
        self.tables.put(doctype, doc | values | {"modified": self.tables.now()})

    def public(self, doctype, doc, *, nulls=False):
        """Return a document as the API shows it: without nulls, where a document is what is returned."""
        kind = self.doctype(doctype)
        shown = {"doctype": doctype} | {name: printed(value) for name, value in doc.items()}
        for field in kind.tables:
            shown[field.name] = [self.public(field.target, row, nulls=nulls) for row in doc[field.name]]
        return {name: value for name, value in shown.items() if nulls or value is not None}

    def add_field(self, custom):
        """Add a custom field to its doctype."""
        kind = self.doctype(custom["dt"])
        name = custom["fieldname"]
        if name in kind.fields:
            raise FrappeError(f"A field with the name {name} already exists in {custom['dt']}")
        kind.fields[name] = Field(
            name,
            custom["fieldtype"],
            custom.get("options") or "",
            bool(custom.get("reqd")),
            bool(custom.get("allow_on_submit")),
            unique=bool(custom.get("unique")),
        )

    # -- the steps ------------------------------------------------------------------------------------------

    def _initial(self, field):
        if field.kind == "Table":
            return []
        return cast(field, field.default) if field.default else None

    def _fill(self, kind, doc, data):
        for field in kind.fields.values():
            if field.name not in data:
                continue
            given = data[field.name]
            doc[field.name] = self._rows(field, given) if field.kind == "Table" else cast(field, given)

    def _rows(self, field, given):
        kind = self.doctype(field.target)
        rows = []
        for number, row in enumerate(given or [], start=1):
            child = self.new(field.target, row) | {"idx": number, "parentfield": field.name}
            rows.append(child | {"name": row.get("name") or secrets.token_hex(5)})
            self._fill(kind, rows[-1], row)
        return rows

    def _name(self, kind, doc, data):
        if kind.named_by:
            return data.get(kind.named_by) or data.get("name") or secrets.token_hex(5)
        return data.get("__newname") or self.tables.next_name(kind.series)

    def _settle(self, kind, doc, action, trusted=False):
        doc.setdefault("owner", self.user)
        for field in kind.tables:
            for row in doc[field.name]:
                row |= {"parent": doc["name"], "parenttype": kind.name, "docstatus": doc["docstatus"]}
        if action != "cancel":
            self._links(kind, doc)
        if action in ("save", "submit"):
            self._run(kind, "validate", doc)
            self._mandatory(kind, doc, trusted)

    def _store(self, kind, doc):
        for field in kind.fields.values():
            if field.unique and doc.get(field.name):
                self._unique(kind, field, doc)
        self.tables.put(kind.name, doc)

    def _after(self, kind, doc, action):
        self._run(kind, "on_update", doc)
        self._run(kind, {"submit": "on_submit", "cancel": "on_cancel"}.get(action, action), doc)
        if action == "cancel":
            self._refuse_if_linked(kind.name, doc["name"], "cancel")

    def _run(self, kind, hook, doc):
        rule = self.controllers.get((kind.name, hook))
        if rule:
            rule(doc)

    # -- the refusals ---------------------------------------------------------------------------------------

    def _unique(self, kind, field, doc):
        twins = self.tables.select(kind.name, **{field.name: doc[field.name]})
        if any(twin["name"] != doc["name"] for twin in twins):
            raise FrappeError(f"{field.name} must be unique", "UniqueValidationError")

    def _mandatory(self, kind, doc, trusted):
        missing = [] if trusted else self._missing(kind, doc)
        for field in kind.tables:
            for row in doc[field.name]:
                missing += self._missing(self.doctype(field.target), row)
        if missing:
            raise FrappeError(f"[{kind.name}, {doc['name']}]: {', '.join(missing)}", "MandatoryError")

    def _missing(self, kind, doc):
        return [
            field.name
            for field in kind.fields.values()
            if field.required and doc.get(field.name) in (None, [])
        ]

    def _links(self, kind, doc):
        lost, cancelled = [], []
        for where, field, value in self._linked(kind, doc):
            if not self.tables.has(field.target, value):
                lost.append(f"{where}{field.name}: {value}")
            elif kind.submittable and self.tables.get(field.target, value)["docstatus"] == CANCELLED:
                cancelled.append(f"{where}{field.name}: {value}")
        if lost:
            raise FrappeError(f"Could not find {', '.join(lost)}", "LinkValidationError")
        if [text for text in cancelled if not text.startswith("amended_from")]:
            raise FrappeError(f"Cannot link cancelled document: {', '.join(cancelled)}", "CancelledLinkError")

    def _linked(self, kind, doc, where=""):
        for field in kind.fields.values():
            if field.kind == "Link" and doc.get(field.name) and field.target in self.doctypes:
                yield where, field, doc[field.name]
            elif field.kind == "Table":
                for row in doc[field.name]:
                    yield from self._linked(self.doctype(field.target), row, f"Row #{row['idx']}: ")

    def _only_what_may_change(self, kind, doc, stored):
        for field in kind.fields.values():
            before, after = stored.get(field.name), doc.get(field.name)
            if field.kind == "Table":
                self._only_rows_that_may_change(field, before, after)
            elif not field.after_submit and before != after and (before or after):
                raise FrappeError(
                    f"Not allowed to change {field.name} after submission from {before} to {after}",
                    "UpdateAfterSubmitError",
                )

    def _only_rows_that_may_change(self, field, before, after):
        if len(before) != len(after):
            raise FrappeError(
                f"Not allowed to change {field.name} after submission from {len(before)} to {len(after)}",
                "UpdateAfterSubmitError",
            )
        for old, new in zip(before, after, strict=True):
            self._only_what_may_change(self.doctype(field.target), new, old)

    def _refuse_if_linked(self, doctype, name, verb):
        for kind in self.doctypes.values():
            for field in kind.fields.values():
                if field.kind != "Link" or field.target != doctype or field.name == "amended_from":
                    continue
                for row in self._linking(kind, field, name, verb):
                    raise FrappeError(
                        f"Cannot {verb} because {doctype} {name} is linked with {kind.name} {row['name']}",
                        "LinkExistsError",
                    )

    def _linking(self, kind, field, name, verb):
        rows = self.tables.select(kind.name, **{field.name: name})
        return rows if verb == "delete" else [row for row in rows if row["docstatus"] == SUBMITTED]


def _action(before, after):
    if before == CANCELLED:
        raise FrappeError("Cannot edit cancelled document")
    if (before, after) not in ACTIONS:
        raise FrappeError(
            f"Cannot change docstatus from {before} ({STATES[before]}) to {after} ({STATES[after]})",
            "DocstatusTransitionError",
        )
    return ACTIONS[before, after]
