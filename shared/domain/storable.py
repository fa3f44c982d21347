"""How long a text and how large a number of a plan may be, so that every engine can keep it.

One place for all who check: a test holds the tables' columns to it.
"""

from decimal import Decimal

IDENT = 200  # UTF-16 units, as NVARCHAR counts: order numbers, parts, operation ids, work centres
NAME = 400  # of a part, of an operation
UNIT = 50
WATERMARK = 200
POSITION = 2**31  # positions lie below it, and not below its negative
AMOUNT = Decimal(10) ** 12  # quantities and seconds lie below it: DECIMAL(19,6), or millionths in 64 bits


def units(value: str) -> int:
    """Return how long `value` is in UTF-16 units.

    Raises:
        UnicodeEncodeError: it holds half a character (a lone surrogate), which no engine keeps.
    """
    return len(value) if value.isascii() else len(value.encode("utf-16-le")) // 2


def kept(value: str, most: int) -> str:
    """Return as much of `value` as can be kept in `most` units; half a character becomes a question mark."""
    whole = value.encode("utf-8", "replace").decode()
    return (
        whole
        if len(whole) * 2 <= most
        else whole.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
    )
