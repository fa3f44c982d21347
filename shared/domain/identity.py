"""Keys that mean the same on every SQL engine.

Identifiers are text and stay as they are: "A1", "a1" and "A1 " are three works orders. SQL Server ignores
trailing spaces and, by default, case when it compares; so rows are keyed by a digest of the exact text and
the text itself is only carried along.
"""

from functools import lru_cache
from hashlib import blake2b

KEY_LENGTH = 24  # hexadecimal characters of a 96-bit digest: short enough for indexes, far from colliding


def key_of(*parts: str) -> str:
    """Return the 24-character key of the given identifiers, exact to the last space, whatever characters they hold."""
    exact = "".join([f"{len(part)}:{part}" for part in parts])
    return blake2b(exact.encode(), digest_size=KEY_LENGTH // 2).hexdigest()


@lru_cache(50_000)
def order_key(connection: str, number: str) -> str:
    """Key of a works order on one connection; also the key of its stream of messages."""
    return key_of(connection, number)


def event_key(source: str, event_id: str) -> str:
    """Key of an execution event: the same (source, id) is the same fact, however often it arrives."""
    return key_of(source, event_id)


@lru_cache(200_000)
def operation_key(order: str, operation: str) -> str:
    """Key of an operation of the works order with key `order`; "" names the order as a whole."""
    return key_of(order, operation)


def message_id(stream_key: str, sequence: int) -> str:
    """Name of a message everywhere, and the external reference an ERP may store: its stream and its place there."""
    return f"{stream_key}-{sequence}"


def place_of(message: str) -> tuple[str, int]:
    """Read a message id back into stream key and sequence. Raises ValueError."""
    stream_key, _, sequence = message.partition("-")
    if len(stream_key) != KEY_LENGTH or not sequence.isdecimal():
        raise ValueError(
            f"{message!r} is not a message id: expected <{KEY_LENGTH} hexadecimal characters>-<number>"
        )
    return stream_key, int(sequence)
