"""The database: records by model and id, reading and writing by field, search, one transaction at a time.

Datetimes are naive UTC; columns keep microseconds, replies show whole seconds (odoo/fields.py Datetime).
"""

from datetime import UTC, datetime

from tests.simulators.odoo.domain import matcher
from tests.simulators.odoo.errors import OdooError, validation_error, value_error
from tests.simulators.odoo.fields import ORDER, READ_ONLY, models

USER, COMPANY = 2, 1
SHOWN = "%Y-%m-%d %H:%M:%S"
EMPTY = {"float": 0.0, "integer": 0, "boolean": False, "many2many": (), "one2many": ()}


class Records:
    """All tables of one database; `computed` maps (model, field) to a function of a record's id."""

    def __init__(self, version):
        self.version = version
        self.models = models(version)
        self.tables = {}
        self.computed = {}
        self.defaults = {}
        self.writers = {}
        self._ids = {}
        self._before = None
        self.now = utc_now()

    # -- transactions ---------------------------------------------------------------------------------------

    def begin(self, at=None):
        """Start a transaction: the time it began is the time of everything it writes."""
        self.now = at or utc_now()
        self._before = {}

    def rollback(self):
        """Undo the transaction."""
        for (model, ident), row in self._before.items():
            if row is None:
                self.tables[model].pop(ident, None)
            else:
                self.tables[model][ident] = row
        self._before = None

    # -- records for the rules ------------------------------------------------------------------------------

    def get(self, model, ident):
        """Return one record's stored values, for reading."""
        found = self.tables.get(model, {}).get(ident)
        if found is None:
            raise OdooError(
                f"Record does not exist or has been deleted.\n(Record: {model}({ident},), User: {USER})",
                "odoo.exceptions.MissingError",
            )
        return found

    def where(self, model, **wanted):
        """Return the records whose stored values equal `wanted`, by id."""
        rows = self.tables.get(model, {}).values()
        return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]

    def set(self, model, ident, **values):
        """Store values past all rules, recomputed columns too: every change is stamped."""
        row = self.get(model, ident)
        self._remember(model, ident)
        self.tables[model][ident] = row | values | {"write_date": self.now, "write_uid": USER}

    def add(self, model, **values):
        """Insert a record past all rules; returns its id."""
        ident = self._ids[model] = self._ids.get(model, 0) + 1
        self._remember(model, ident)
        log = {
            "id": ident,
            "create_date": self.now,
            "create_uid": USER,
            "write_date": self.now,
            "write_uid": USER,
        }
        self.tables.setdefault(model, {})[ident] = log | values
        return ident

    def remove(self, model, ident):
        """Delete a record."""
        self.get(model, ident)
        self._remember(model, ident)
        del self.tables[model][ident]

    def value(self, model, ident, name):
        """Return a field's value, computed where it is computed; a many2one as its id."""
        field = self.models[model][name]
        if name == "display_name":
            return self.display_name(model, ident)
        if (model, name) in self.computed:
            return self.computed[model, name](ident)
        if field.kind == "one2many":
            return [row["id"] for row in self.where(field.model, **{field.inverse: ident})]
        found = self.get(model, ident).get(name)
        return EMPTY.get(field.kind, False) if found is None else found

    def display_name(self, model, ident):
        """Return what a many2one shows beside the id."""
        row = self.get(model, ident)
        if model == "mrp.workorder":
            return f"{self.display_name('mrp.production', row['production_id'])} - {row['name']}"
        if model == "product.product" and row.get("default_code"):
            return f"[{row['default_code']}] {row['name']}"
        return str(row.get("name") or f"{model},{ident}")

    # -- the ORM's public methods ---------------------------------------------------------------------------

    def search(self, model, domain, offset=0, limit=None, order=None):
        """Return the ids a domain finds, in order."""
        holds = matcher(self, model, domain or [])
        found = [ident for ident in sorted(self.tables.get(model, {})) if holds(ident)]
        for name, descending in reversed(self._order(model, order or ORDER.get(model, "id"))):
            found.sort(key=lambda ident: _sortable(self.value(model, ident, name)), reverse=descending)
        return found[offset : None if limit is None else offset + limit]

    def _order(self, model, text):
        for part in text.split(","):
            name, *way = part.split()
            if [one.lower() for one in way] not in ([], ["asc"], ["desc"]):
                raise OdooError(f'Invalid "order" specified ({text}).')
            if name not in self.models[model]:
                raise value_error(f"Invalid field {name!r} on model {model!r}")
        return [(part.split()[0], part.lower().split()[-1] == "desc") for part in text.split(",")]

    def read(self, model, idents, names=None):
        """Return records as the API shows them; a record that is gone is a MissingError."""
        names = list(names or self.models[model])
        for name in names:
            if name not in self.models[model]:
                raise value_error(f"Invalid field {name!r} on model {model!r}")
        return [{"id": ident} | {name: self._shown(model, ident, name) for name in names} for ident in idents]

    def _shown(self, model, ident, name):
        self.get(model, ident)
        field, value = self.models[model][name], self.value(model, ident, name)
        if field.kind == "datetime":
            return value.strftime(SHOWN) if value else False
        if field.kind == "many2one":
            return [value, self.display_name(field.model, value)] if value else False
        if field.kind in ("one2many", "many2many"):
            return list(value)
        return False if value is None else value

    def web_read(self, model, idents, specification):
        """Return records with what they point to nested in them; a many2one without `fields` as its bare id."""
        rows = self.read(model, idents, list(specification) or ["id"])
        for row in rows:
            for name, about in specification.items():
                row[name] = self._nested(self.models[model][name], row[name], about)
        return rows

    def _nested(self, field, shown, about):
        if field.kind == "many2one" and shown:
            return (
                self.web_read(field.model, [shown[0]], about["fields"])[0] if "fields" in about else shown[0]
            )
        if field.kind in ("one2many", "many2many") and "fields" in about:
            return self.web_read(field.model, shown, about["fields"])
        return shown

    def create(self, model, values, context=None):
        """Create one record as an API user."""
        self.may_change(model)
        fields = self.models[model]
        given = {name[8:]: value for name, value in (context or {}).items() if name.startswith("default_")}
        given = {name: value for name, value in given.items() if name in fields} | values
        own = self.cast(model, self.defaults.get(model, dict)() | given)
        lacking = [
            name for name, field in fields.items() if field.required and own.get(name) in (None, False)
        ]
        if lacking:
            raise validation_error(
                f"The operation cannot be completed: Missing required value for the field '{lacking[0]}'"
                f" ({lacking[0]}). Model: '{model}'"
            )
        lines = {name: own.pop(name) for name in list(own) if fields[name].kind == "one2many"}
        ident = self.add(model, **own)
        for name, commands in lines.items():
            self._lines(fields[name], ident, commands)
        return ident

    def _lines(self, field, ident, commands):
        for command in commands:
            if command[0] != 0:
                raise value_error(
                    f"Command {command!r} is beyond this simulator: create lines with (0, 0, values)"
                )
            self.create(field.model, command[2] | {field.inverse: ident})

    def write(self, model, idents, values):
        """Write as an API user; fields with an inverse go to their writers."""
        self.may_change(model)
        commands = {name: value for name, value in values.items() if self._kind(model, name) == "many2many"}
        values = self.cast(model, {name: value for name, value in values.items() if name not in commands})
        for name in values:
            if self.models[model][name].kind == "one2many":
                raise value_error(f"writing lines through {name!r} is beyond this simulator: write the lines")
        for ident in idents:
            had = self.get(model, ident)
            values |= {name: _linked(value, had.get(name) or ()) for name, value in commands.items()}
            inverse = {name: value for name, value in values.items() if (model, name) in self.writers}
            self.set(model, ident, **{name: value for name, value in values.items() if name not in inverse})
            for name, value in inverse.items():
                self.writers[model, name](ident, value)

    def _kind(self, model, name):
        return self.models[model][name].kind if name in self.models[model] else ""

    def cast(self, model, values):
        """Return values as columns hold them; an unknown field is a ValueError."""
        for name in values:
            if name not in self.models[model]:
                where = f"on model {model!r}" if self.version == 17 else f"in {model!r}"
                raise value_error(f"Invalid field {name!r} {where}")
        return {name: self._cast(self.models[model][name], value) for name, value in values.items()}

    def _cast(self, field, value):
        if field.kind == "datetime" and value:
            return self._moment(value)
        if field.kind == "float":
            return float(value or 0)
        if field.kind == "many2one" and value:
            self.get(field.model, value)
        if field.kind == "many2many":
            return _linked(value)
        return value

    def _moment(self, value):
        try:
            moment = datetime.strptime(str(value)[:19], SHOWN)  # noqa: DTZ007 -- Odoo's datetimes are naive UTC
        except ValueError as wrong:
            raise value_error(str(wrong)) from wrong
        return moment

    def may_change(self, model):
        """Refuse what group mrp_user may only read."""
        if model in READ_ONLY:
            raise OdooError(
                f"You are not allowed to modify '{READ_ONLY[model]}' ({model}) records.\n\n"
                "Contact your administrator to request access if necessary.",
                "odoo.exceptions.AccessError",
            )

    def _remember(self, model, ident):
        if self._before is not None:
            self._before.setdefault((model, ident), self.tables.get(model, {}).get(ident))


def utc_now():
    """Return the naive UTC time of a PostgreSQL column."""
    return datetime.now(UTC).replace(tzinfo=None)


def _linked(value, had=()):
    """Return the ids many2many commands leave of those it `had`: (6, 0, ids), (5,), (4, id), (3, id), or plain ids."""
    found = [] if all(isinstance(one, int) for one in value or []) else list(had)
    for one in value or []:
        if isinstance(one, int):
            found.append(one)
        elif one[0] == 6:
            found = list(one[2])
        elif one[0] in (3, 4):
            found = [ident for ident in found if ident != one[1]] + ([one[1]] if one[0] == 4 else [])
        elif one[0] == 5:
            found = []
        else:
            raise value_error(f"Command {one!r} is beyond this simulator: use 3, 4, 5 or 6")
    return found


def _sortable(value):
    if isinstance(value, datetime):
        return (1, value.isoformat())
    return (0 if value in (None, False) else 1, value if isinstance(value, int | float) else str(value or ""))
