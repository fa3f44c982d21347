"""ERP record -> works order. Pure; a record that cannot be translated raises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.domain.works_order import ErpState, Operation, WorksOrder
from shared.errors import MappingError
from shared.mapping.conversions import Tables, decimal, integer, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Value
    from shared.profiles.model import OperationMap, OrdersPull, State

    type Record = dict[str, Any]


class OrderReader:
    """Reads the records of one pull, with the connection's settings and the profile's code tables."""

    def __init__(
        self, pull: OrdersPull, settings: Mapping[str, Any], codes: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._map = pull.map
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
        fields, tables = self._map, self._tables
        return WorksOrder(
            number=_required("number", fields.number, facts, tables, text),
            part=_required("part", fields.part, facts, tables, text),
            quantity=_required("quantity", fields.quantity, facts, tables, _quantity),
            unit=_required("unit", fields.unit, facts, tables, text),
            erp_state=state,
            operations=tuple(self._nested(facts) if operations is None else in_sequence(operations)),
            part_name=_optional("part_name", fields.part_name, facts, tables, text) or "",
            due_at=_optional("due_at", fields.due_at, facts, tables, _moment),
            erp_ref=_optional("erp_ref", fields.erp_ref, facts, tables, _object) or {},
        )

    def operation(self, fields: OperationMap, record: Raw) -> Operation:
        """Return the operation in `record`.

        Raises:
            MappingError: naming the field that is missing or cannot be read.
        """
        facts, tables = self.facts(record), self._tables
        return Operation(
            operation_id=_required("operation_id", fields.operation_id, facts, tables, text),
            position=_required("position", fields.position, facts, tables, integer),
            name=_required("name", fields.name, facts, tables, text),
            work_centre=_optional("work_centre", fields.work_centre, facts, tables, text) or "",
            setup_seconds=_optional("setup_seconds", fields.setup_seconds, facts, tables, decimal),
            run_seconds=_optional("run_seconds", fields.run_seconds, facts, tables, decimal),
            erp_ref=_optional("erp_ref", fields.erp_ref, facts, tables, _object) or {},
        )

    def name(self, record: Raw) -> str:
        """Return the best name a record that could not be read has."""
        try:
            return text(self._map.number(self.facts(record), self._tables)) or "(no number)"
        except MappingError:
            return "(no number)"

    def _nested(self, facts: Record) -> Sequence[Operation]:
        nested = self._map.operations
        if nested is None:
            return ()
        records = nested.records(facts, self._tables) or []
        return in_sequence(
            [self._placed(nested.map, index, record) for index, record in enumerate(records, 1)]
        )

    def _placed(self, fields: OperationMap, index: int, record: Raw) -> Operation:
        try:
            return self.operation(fields, record)
        except MappingError as error:
            raise MappingError(f"operation {index}: {error}") from error


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


def _required[T](
    field: str, value: Value, facts: Record, tables: Tables, convert: Callable[[Any], T | None]
) -> T:
    found = _optional(field, value, facts, tables, convert)
    if found is None or found == "":
        raise MappingError(f"{field}: missing ({value.source!r} finds nothing)")
    return found


def _optional[T](
    field: str, value: Value | None, facts: Record, tables: Tables, convert: Callable[[Any], T | None]
) -> T | None:
    if value is None:
        return None
    try:
        return convert(value(facts, tables))
    except MappingError as error:
        raise MappingError(f"{field}: {error}") from error


def _quantity(value: Raw) -> Decimal | None:
    number = decimal(value)
    if number is not None and number < 0:
        raise MappingError(f"{value!r} is negative")
    return number


def _moment(value: Raw) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MappingError(f"{value!r} is not an instant; use instant(value, zone)") from None
    if moment.tzinfo is None:
        raise MappingError(f"{value!r} has no offset; use instant(value, zone)")
    return moment.astimezone(UTC)


def _object(value: Raw) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise MappingError(f"{value!r} is not an object")
    return value
