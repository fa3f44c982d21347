"""Comparisons that mean the same on both engines, although SQL Server ignores trailing spaces when it compares.

Our binary collation tells case, accents and width apart, but "A1" = "A1 " holds under every collation SQL Server
has (the SQL standard pads the shorter text; Microsoft's "How SQL Server compares strings with trailing spaces").
So where two identifiers are compared there, their lengths are too. Rows are found by digests of the exact text
(shared.domain.identity) wherever that is possible; this covers the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BinaryExpression, Integer, Unicode
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.functions import GenericFunction

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler


class Exactly(BinaryExpression[bool]):
    """`left = right` or `left <> right`, to the last space."""

    inherit_cache = True


class Ident(Unicode):
    """Text whose `==` and `!=` are exact."""

    class Comparator(Unicode.Comparator[str]):
        """Puts `Exactly` in the place of a plain comparison."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own signature
            """Do what the column's operators do."""
            found = super().operate(op, *other, **kwargs)
            if op in {operators.eq, operators.ne} and found.operator is op:
                return Exactly(found.left, found.right, found.operator, type_=found.type)
            return found

    comparator_factory = Comparator


class size_of(GenericFunction[int]):  # noqa: N801 - a function, as SQLAlchemy writes them
    """The length of a text, trailing spaces and all. What DISTINCT and GROUP BY need beside an identifier."""

    type = Integer()
    inherit_cache = True


class as_instant(GenericFunction[str]):  # noqa: N801
    """A text that is an instant, for a server that wants to be told."""

    inherit_cache = True


@compiles(Exactly)
def _plain(element: Exactly, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    return str(compiler.visit_binary(element, **kwargs))  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap


@compiles(Exactly, "mssql")
def _padded(element: Exactly, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    same = compiler.visit_binary(element, **kwargs)  # type: ignore[no-untyped-call]
    left, right = (compiler.process(side, **kwargs) for side in (element.left, element.right))
    if element.operator is operators.ne:
        return f"({same} OR DATALENGTH({left}) <> DATALENGTH({right}))"
    return f"({same} AND DATALENGTH({left}) = DATALENGTH({right}))"


@compiles(size_of)
def _length(element: size_of, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    return f"length({compiler.process(element.clauses, **kwargs)})"


@compiles(size_of, "mssql")
def _bytes(element: size_of, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    return f"DATALENGTH({compiler.process(element.clauses, **kwargs)})"


@compiles(as_instant)
def _as_it_is(element: as_instant, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    return compiler.process(element.clauses, **kwargs)


@compiles(as_instant, "mssql")
def _cast(element: as_instant, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    return f"CAST({compiler.process(element.clauses, **kwargs)} AS DATETIMEOFFSET(3))"
