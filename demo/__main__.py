"""`python -m demo`: play a shift, show what came of it, and stay up until Ctrl-C."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import httpx

from demo.show import Show
from demo.stage import LOGS, ROOT, PortBusyError, running
from demo.story import Ending, StoryError, play
from demo.tryton.environment import TrytonPreparationError
from demo.tryton.planner import PlannerRefusedError
from demo.tryton.server import TrytonDidNotStartError
from devhost.errors import DevhostError

BROKEN = (
    DevhostError,
    StoryError,
    PlannerRefusedError,
    TrytonDidNotStartError,
    TrytonPreparationError,
    httpx.HTTPError,
)
AGREED, DIFFERED, CANNOT_START, STOPPED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: every figure agrees; 1: some do not, or the story broke off; 2: the port is busy."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        return _demo(options)
    except PortBusyError as error:
        print(f"demo: {error}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:
        print("\ndemo: stopped, with everything it had started", file=sys.stderr)
        return STOPPED
    except BROKEN as error:
        return _broken([error])
    except ExceptionGroup as group:
        if group.split(BROKEN)[1] is not None:
            raise
        return _broken(group.exceptions)


def _broken(errors: Sequence[Exception]) -> int:
    for error in errors:
        print(f"demo: {error or type(error).__name__}", file=sys.stderr)
    print(f"demo: the logs are in {LOGS.relative_to(ROOT)}", file=sys.stderr)
    return DIFFERED


def _demo(options: argparse.Namespace) -> int:
    show = Show()
    with running(options.port, options.sql, show.say) as stage:
        with show:
            ending = asyncio.run(play(stage, show))
        _curtain(show, ending)
        if not options.once:
            _stay(show, stage.url)
    return DIFFERED if ending.differences else AGREED


def _curtain(show: Show, ending: Ending) -> None:
    show.rows(ending.rows, ending.parts)
    show.warnings(ending.warnings)
    for line in (ending.floor, *(f"  {refusal}" for refusal in ending.refusals)):
        show.line(line)
    show.line(ending.outage.told())
    show.line(ending.latency)
    show.verdict(ending.differences)


def _stay(show: Show, url: str) -> None:
    show.line(f"Up at {url}: try {url}/api/v1/orders, /api/v1/warnings, /api/v1/completeness. Ctrl-C stops.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        show.line()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="Play a shift on a real ERP.")
    parser.add_argument("--once", action="store_true", help="end after the comparison")
    parser.add_argument("--port", type=int, default=7071, help="of the function app; 0 picks a free one")
    parser.add_argument("--sql", default=os.environ.get("SQL", ""), help="SQLAlchemy URL (default: SQLite)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
