"""Column types that hold the same values on SQLite and on SQL Server, exactly."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import CHAR, BigInteger, Integer, Numeric, String, Text, TypeDecorator, UnicodeText
from sqlalchemy.dialects import mssql

from shared.domain.identity import KEY_LENGTH
from shared.store.exact import Ident, as_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

EXACT = "Latin1_General_100_BIN2"  # compares code points: "A1" is not "a1"
MICRO = Decimal(1_000_000)
ZERO = Decimal(0)
SIX_PLACES = Decimal("0.000001")


def ident(length: int = 200) -> TypeEngine[str]:
    """Text that identifies something; kept and compared exactly."""
    return Ident(length).with_variant(mssql.NVARCHAR(length, collation=EXACT), "mssql")


def key() -> TypeEngine[str]:
    """A digest of exact identifiers (shared.domain.identity)."""
    return CHAR(KEY_LENGTH).with_variant(mssql.CHAR(KEY_LENGTH, collation=EXACT), "mssql")


def word(length: int = 40) -> TypeEngine[str]:
    """One of our own words: a state, a kind, a verdict."""
    return String(length)


def long_text() -> TypeEngine[str]:
    """Text without a length: a reply, a reason."""
    return UnicodeText().with_variant(mssql.NVARCHAR(None), "mssql")


def counter() -> TypeEngine[int]:
    """A 64-bit counter that may number rows by itself on both engines."""
    return BigInteger().with_variant(Integer(), "sqlite")


class Quantity(TypeDecorator[Decimal]):
    """Decimal with six places: DECIMAL(19,6), and on SQLite, which has none, whole millionths: SUM stays exact."""

    impl = Numeric(19, 6)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite stores an integer."""
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else Numeric(19, 6))

    def binder(self, dialect: Dialect) -> Callable[[Decimal | None], Any]:
        """Return `process_bind_param` for one dialect, without its detours."""
        if dialect.name == "sqlite":
            return lambda value: int(value * MICRO) if value else (None if value is None else 0)
        return lambda value: None if value is None else value.quantize(SIX_PLACES)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401 - the driver's type
        """Decimal to what the engine stores."""
        if not value:
            return value if value is None or dialect.name != "sqlite" else 0
        return int(value * MICRO) if dialect.name == "sqlite" else value.quantize(SIX_PLACES)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401
        """Back to Decimal, without the trailing zeros that only the storage added."""
        if not value:
            return value if value is None else ZERO
        return of_millionths(value) if dialect.name == "sqlite" else plain(value)


def of_millionths(value: int) -> Decimal:
    """Turn whole millionths back into a quantity; most are whole numbers."""
    whole, rest = divmod(value, 1_000_000)
    return Decimal(whole) if rest == 0 else plain(Decimal(value) / MICRO)


def plain(value: Decimal) -> Decimal:
    """Strip trailing zeros but never into exponent form: 5.000000 -> 5, 1E+1 -> 10."""
    stripped = value.normalize()
    return stripped.quantize(Decimal(1)) if stripped == stripped.to_integral_value() else stripped


OFFSET_TIME: TypeEngine[Any] = mssql.DATETIMEOFFSET(3)  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap


class Instant(TypeDecorator[datetime]):
    """UTC instant to the millisecond: DATETIMEOFFSET(3), and on SQLite RFC 3339 text of fixed width, which sorts."""

    impl = String(24)
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own signature
        """Say what the text is; not every server guesses it."""
        return as_instant(bindparam)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQL Server has the type; the value still travels as text (pyodbc drops a bound tzinfo)."""
        return dialect.type_descriptor(OFFSET_TIME if dialect.name == "mssql" else String(24))

    def binder(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        """Return `process_bind_param` without its detours."""
        return lambda value: None if value is None else instant_text(value)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Aware datetime to text."""
        return None if value is None else instant_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401
        """Text or driver value to an aware datetime in UTC."""
        if value is None:
            return None
        parsed = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return parsed if parsed.tzinfo is UTC else parsed.astimezone(UTC)


@lru_cache(4096)  # one batch says the same instant over and over
def instant_text(value: datetime) -> str:
    """RFC 3339, UTC, milliseconds: 2026-11-23T06:00:00.000Z."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="milliseconds")[:23] + "Z"


class Json(TypeDecorator[Any]):
    """A small JSON document as text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """NVARCHAR(MAX) on SQL Server."""
        return dialect.type_descriptor(mssql.NVARCHAR(None) if dialect.name == "mssql" else Text())

    def binder(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Return `process_bind_param` without its detours."""
        return document_text

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401
        """Document to text; None stays NULL."""
        return document_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401
        """Text to document."""
        return None if value is None else orjson.loads(value)


def document_text(value: Any) -> str | None:  # noqa: ANN401
    """Lay a document out as JSON."""
    return None if value is None else orjson.dumps(value).decode()


class Texts(Json):
    """A tuple of texts as a JSON list; an empty one is NULL."""

    cache_ok = True

    def binder(self, dialect: Dialect) -> Callable[[Sequence[str] | None], str | None]:
        """Return `process_bind_param` without its detours."""
        return lambda value: document_text(value or None)

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | None:
        """Tuple to text."""
        return document_text(value or None)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        """Text to tuple."""
        return tuple(orjson.loads(value)) if value else ()


class OptionalKey(TypeDecorator[str]):
    """A digest, or "" where there is none: NULL, so that a filtered index can leave it out."""

    impl = key()  # an instance, for its variant
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """No digest is NULL."""
        return value or None

    def process_result_value(self, value: str | None, dialect: Dialect) -> str:
        """NULL is no digest."""
        return value or ""
