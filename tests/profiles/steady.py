"""Simulators at a fixed instant, with ids in a fixed order: a recording made again is the same."""

import contextlib
import datetime as dt
import random
import secrets
import sys
import uuid
from unittest.mock import patch

NOW = dt.datetime(2026, 11, 2, 5, 0, tzinfo=dt.UTC)
SHIFT = dt.datetime(2026, 11, 1, 6, 0, tzinfo=dt.UTC)
TICK = dt.timedelta(milliseconds=10)
SIMULATORS = ("tests.simulators.", "tests.fakes.")


@contextlib.contextmanager
def steady():
    """Let every simulator loaded by now (import it first) live at `NOW`, each look at the clock a tick later."""
    drawn = random.Random(SIMULATORS[0])
    with contextlib.ExitStack() as stack:
        for target, name, made in (
            (uuid, "uuid4", lambda: uuid.UUID(int=drawn.getrandbits(128), version=4)),
            (secrets, "token_hex", lambda size=16: drawn.randbytes(size).hex()),
            (secrets, "token_urlsafe", lambda size=16: drawn.randbytes(size).hex()),
        ):
            stack.enter_context(patch.object(target, name, made))
        clock = _clock()
        for module in [module for name, module in sys.modules.items() if name.startswith(SIMULATORS)]:
            if getattr(module, "datetime", None) is dt.datetime:
                stack.enter_context(patch.object(module, "datetime", clock))
        yield


class _AnyDatetime(type):
    def __instancecheck__(cls, value):
        return isinstance(value, dt.datetime)


def _clock():
    """Return a `datetime` class whose `now` is ours."""
    looks = iter(range(sys.maxsize))

    class Clock(dt.datetime, metaclass=_AnyDatetime):
        @classmethod
        def now(cls, tz=None):
            moment = NOW + next(looks) * TICK
            return moment.astimezone(tz) if tz else moment.replace(tzinfo=None)

    return Clock
