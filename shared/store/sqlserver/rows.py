"""Rows as SQL Server reads them from JSON.

`OPENJSON … WITH (…)` gives every column its type. Its texts take the database's collation, so identifiers are given
ours again: two columns of different collations cannot be compared.

Babelfish hands a text out of JSON as it stands there, escapes and all, and cuts it off after 4,000 characters. For
it, columns with such a text travel `beside` the rows: all their texts in one parameter, of which each row names its
piece.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy.dialects import mssql

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.types import TypeEngine

DIALECT = mssql.dialect()  # type: ignore[no-untyped-call]
ESCAPED = re.compile(r'["\\\x00-\x1f]')
LONGEST = 4000


def opening(shape: Mapping[str, TypeEngine[Any]], parameter: str, beside: Collection[str] = ()) -> str:
    """Return the SELECT that opens `parameter`; texts of the columns `beside` come from a parameter of their own."""
    types = {name: kind.dialect_impl(DIALECT).compile(dialect=DIALECT) for name, kind in shape.items()}
    typed = [f"{name} {plain(kind)} '$[{place}]'" for place, (name, kind) in enumerate(types.items())]
    for place, name in enumerate(beside):
        first = len(types) + 2 * place
        typed += [f"{name}_from INT '$[{first}]'", f"{name}_size INT '$[{first + 1}]'"]
    picked = ", ".join(
        f"SUBSTRING(:{texts_of(parameter)}, {name}_from, {name}_size) AS {name}"
        if name in beside
        else picks(name, kind)
        for name, kind in types.items()
    )
    return f"SELECT {picked} FROM OPENJSON(:{parameter}) WITH ({', '.join(typed)}) opened"  # noqa: S608 - our names


def picks(name: str, kind: str) -> str:
    """Return what stands for one column in the SELECT list."""
    _, _, collation = kind.partition(" COLLATE ")
    return f"opened.{name} COLLATE {collation} AS {name}" if collation else f"opened.{name} AS {name}"


def plain(kind: str) -> str:
    """Return the type without its collation, which has no place in WITH."""
    return kind.partition(" COLLATE ")[0]


def texts_of(parameter: str) -> str:
    """Return the name of the parameter with the texts that travel beside the rows of `parameter`."""
    return f"{parameter}_texts"


def awkward(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Name the columns with a text that Babelfish would not hand out as it is."""
    return tuple(
        name
        for place, name in enumerate(names)
        if any(isinstance(row[place], str) and unsafe(row[place]) for row in rows)
    )


def unsafe(value: str) -> bool:
    """Tell whether JSON has to escape something in `value`, or it is longer than Babelfish bears."""
    return len(value) > LONGEST or ESCAPED.search(value) is not None


def parameters(
    parameter: str, names: Sequence[str], rows: Sequence[Sequence[Any]], beside: Collection[str] = ()
) -> dict[str, str]:
    """Return the parameters of `opening`, values as the engine stores them."""
    if not beside:
        return {parameter: as_text(rows)}
    places = [list(names).index(name) for name in beside]
    texts: list[str] = []
    begun = 1
    packed = []
    for row in rows:
        kept: list[Any] = list(row)
        pieces: list[int | None] = []
        for place in places:
            value, kept[place] = kept[place], None
            if value is None:
                pieces += [None, None]
                continue
            text = str(value)
            pieces += [begun, len(text)]
            begun += len(text)
            texts.append(text)
        packed.append(kept + pieces)
    return {parameter: as_text(packed), texts_of(parameter): "".join(texts)}


def as_text(rows: Any) -> str:  # noqa: ANN401 - whatever the columns hold
    """Return JSON; decimals as texts, which the server reads exactly."""
    return orjson.dumps(rows, default=str).decode()
