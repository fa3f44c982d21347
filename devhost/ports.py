"""A loopback port that stays free until the server it is meant for has started, or started again."""

import random
import socket
from typing import Final

from devhost.errors import DevhostError

# Port 0 asks the system, which answers with one it may give to the next outgoing connection as well. It hands
# those out from 32768 up (Linux) or 49152 up (RFC 6335): below, a port is taken only by whoever asks for it.
_OURS: Final = range(20_000, 32_768)
_TRIES: Final = 100


def free_port() -> int:
    """Choose a port of 127.0.0.1 that nobody holds and no outgoing connection will be given.

    Raises:
        DevhostError: a hundred of them, chosen at random, were all taken.
    """
    for port in random.sample(_OURS, _TRIES):
        if _is_free(port):
            return port
    raise DevhostError(f"no free port of 127.0.0.1 from {_OURS.start} to {_OURS.stop - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
