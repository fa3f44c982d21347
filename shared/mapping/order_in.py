"""ERP record -> works order. Pure; a record that cannot be translated raises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from shared.domain.storable import AMOUNT, IDENT, NAME, POSITION, UNIT, kept, units
from shared.domain.works_order import ErpState, Operation, WorksOrder
from shared.errors import MappingError
from shared.mapping.conversions import Tables, decimal, integer, text
from shared.mapping.expressions import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Value
    from shared.profiles.model import OperationMap, OrderMap, OrdersPull, State

    type Record = dict[str, Any]


LEAST_AMOUNT = -AMOUNT
FIRST_POSITION = -POSITION


class OrderReader:
    """Reads the records of one pull, with the connection's settings and the profile's code tables."""

    def __init__(
        self, pull: OrdersPull, settings: Mapping[str, Any], codes: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._map = pull.map
        self._header = Fields(HEADER, pull.map)
        self._routings: dict[int, Fields] = {}
        self._states = StateReader(pull.state)
        self._settings = settings
        self._tables = Tables(codes, {})

    def facts(self, record: Raw) -> Record:
        """Return what expressions over `record` see: its fields, and `settings`."""
        if not isinstance(record, dict):
            raise MappingError(f"a record must be an object, not {type(record).__name__}")
        return {**record, "settings": self._settings}

    def state(self, facts: Record) -> ErpState | None:
        """Return the order's state, None where the profile ignores such records."""
        return self._states.read(facts, self._tables)

    def order(
        self, facts: Record, state: ErpState, operations: Sequence[Operation] | None = None
    ) -> WorksOrder:
        """Return the works order in `facts`; `operations` where they came in a call of their own.

        Raises:
            MappingError: naming the field that is missing or cannot be read.
        """
        number, part, quantity, unit, part_name, due_at, erp_ref = self._header.read(facts, self._tables)
        routing = tuple(self._nested(facts) if operations is None else in_sequence(operations))
        return WorksOrder(
            number, part, quantity, unit, state, routing, part_name or "", due_at, erp_ref or {}
        )

    def operation(self, fields: OperationMap, record: Raw) -> Operation:
        """Return the operation in `record`.

        Raises:
            MappingError: naming the field that is missing or cannot be read.
        """
        reader = self._routings.get(id(fields)) or self._routings.setdefault(id(fields), Fields(STEP, fields))
        ident, position, name, work_centre, setup, run, ref = reader.read(self.facts(record), self._tables)
        return Operation(ident, position, name, work_centre or "", setup, run, ref or {})

    def name(self, record: Raw) -> str:
        """Return the best name a record that could not be read has."""
        try:
            found = text(self._map.number(self.facts(record), self._tables))
        except (MappingError, *FAULTS):
            found = None
        return kept(found, IDENT) if found else "(no number)"

    def _nested(self, facts: Record) -> Sequence[Operation]:
        nested = self._map.operations
        if nested is None:
            return ()
        records = nested.records(facts, self._tables) or []
        if not isinstance(records, list):
            raise MappingError(f"operations: ={nested.records.source} finds no list")
        return in_sequence(
            [self._placed(nested.map, index, record) for index, record in enumerate(records, 1)]
        )

    def _placed(self, fields: OperationMap, index: int, record: Raw) -> Operation:
        try:
            return self.operation(fields, record)
        except MappingError as error:
            raise MappingError(f"operation {index}: {error}") from error


class Fields:
    """The fields of one kind of record, read in one go: a pull of 10,000 orders reads half a million."""

    def __init__(self, wanted: Sequence[Wanted], source: OrderMap | OperationMap) -> None:
        self._wanted = [(field, getattr(source, field.name)) for field in wanted]
        self._readers = [
            (value.evaluate if value else _nothing, field.convert) for field, value in self._wanted
        ]
        self._required = [place for place, field in enumerate(wanted) if field.required]

    def read(self, facts: Record, tables: Tables) -> list[Any]:
        """Return the values in the order in which they are wanted, None where there is none.

        Raises:
            MappingError: naming the field that is missing or cannot be read.
        """
        try:
            found = [convert(evaluate(facts, tables)) for evaluate, convert in self._readers]
        except (MappingError, *FAULTS):
            return self._carefully(facts, tables)
        for place in self._required:
            if found[place] is None or found[place] == "":
                return self._carefully(facts, tables)
        return found

    def _carefully(self, facts: Record, tables: Tables) -> list[Any]:
        """Read field by field, so that what is wrong has a name."""
        return [self._one(field, value, facts, tables) for field, value in self._wanted]

    def _one(self, field: Wanted, value: Value | None, facts: Record, tables: Tables) -> Any:  # noqa: ANN401
        if value is None:
            return None
        try:
            found = field.convert(value(facts, tables))
        except (MappingError, *FAULTS) as error:
            raise MappingError(f"{field.name}: {error}") from error
        if field.required and (found is None or found == ""):
            raise MappingError(f"{field.name}: missing ({value.source!r} finds nothing)")
        return found


class StateReader:
    """The ERP's words for the state of an order, in ours."""

    def __init__(self, state: State) -> None:
        self._value = state.value
        self._known: dict[str, ErpState | None] = dict.fromkeys(state.ignored)
        for ours in ErpState:
            self._known.update(dict.fromkeys(getattr(state, ours.value), ours))

    def read(self, facts: Record, tables: Tables) -> ErpState | None:
        """Return our word for the state in `facts`, None for a state the profile ignores."""
        theirs = text(self._value(facts, tables))
        try:
            return self._known[theirs or ""]
        except KeyError:
            valid = ", ".join(self._known)
            raise MappingError(f"state: the profile does not know {theirs!r}; it knows: {valid}") from None


def in_sequence(operations: Sequence[Operation]) -> Sequence[Operation]:
    """Return the operations by position.

    Raises:
        MappingError: two of them have the same id, so events could not be told apart.
    """
    ids = {operation.operation_id for operation in operations}
    if len(ids) < len(operations):
        raise MappingError("operation_id: two operations of the order have the same one")
    return sorted(operations, key=lambda operation: operation.position)


def _text_of(most: int) -> Callable[[Raw], str | None]:
    """Return what reads a text that fits a column of `most` characters."""

    def read(value: Raw) -> str | None:
        if type(value) is str and len(value) <= most and value.isascii():
            return value
        return _fitting(text(value), most)

    return read


def _fitting(plain: str | None, most: int) -> str | None:
    try:
        fits = plain is None or units(plain) <= most
    except UnicodeEncodeError:
        raise MappingError(f"{kept(plain or '', most)!r} holds half a character") from None
    if not fits:
        raise MappingError(f"{plain!r} is longer than {most} characters")
    return plain


def _quantity(value: Raw) -> Decimal | None:
    number = _amount(value)
    if number is not None and number < 0:
        raise MappingError(f"{value!r} is negative")
    return number


def _amount(value: Raw) -> Decimal | None:
    number = decimal(value)
    if number is None or LEAST_AMOUNT < number < AMOUNT:
        return number
    raise MappingError(f"{value!r} is larger than can be kept")


def _position(value: Raw) -> int | None:
    if type(value) is int and FIRST_POSITION <= value < POSITION:
        return value
    number = decimal(value)
    if number is not None and not FIRST_POSITION <= number < POSITION:
        raise MappingError(f"{value!r} is no position: it has more than 32 bits")
    return integer(number)


def _moment(value: Raw) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (TypeError, ValueError):
        raise MappingError(f"{value!r} is not an instant; use instant(value, zone)") from None
    except OverflowError:
        raise MappingError(f"{value!r} is before the first year or after the last one") from None
    raise MappingError(f"{value!r} has no offset; use instant(value, zone)")


def _object(value: Raw) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise MappingError(f"{value!r} is not an object")
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise MappingError(f"it cannot be kept: {error}") from None
    return value


def _nothing(_facts: Record, _tables: Tables) -> None:
    return None


class Wanted(NamedTuple):
    """A field of ours: its name in a profile's `map`, what checks it, and whether we can do without."""

    name: str
    convert: Callable[[Any], Any]
    required: bool = False


IDENTIFIER, TITLE = _text_of(IDENT), _text_of(NAME)
HEADER = (
    Wanted("number", IDENTIFIER, required=True),
    Wanted("part", IDENTIFIER, required=True),
    Wanted("quantity", _quantity, required=True),
    Wanted("unit", _text_of(UNIT), required=True),
    Wanted("part_name", TITLE),
    Wanted("due_at", _moment),
    Wanted("erp_ref", _object),
)
STEP = (
    Wanted("operation_id", IDENTIFIER, required=True),
    Wanted("position", _position, required=True),
    Wanted("name", TITLE, required=True),
    Wanted("work_centre", IDENTIFIER),
    Wanted("setup_seconds", _amount),
    Wanted("run_seconds", _amount),
    Wanted("erp_ref", _object),
)
