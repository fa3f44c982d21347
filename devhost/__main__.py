"""`python -m devhost`: the command line."""

import argparse
import sys
from pathlib import Path

from devhost.errors import DevhostError
from devhost.host import Options, run


def main() -> int:
    """Run until stopped. Exit code 0 after a signal, 2 when devhost cannot start as asked."""
    try:
        return run(_options(sys.argv[1:]))
    except DevhostError as error:
        print(f"devhost: {error}", file=sys.stderr)
        return 2


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="devhost", description="Run a Python function app without Azure Functions Core Tools."
    )
    parser.add_argument("--app", type=Path, default=Path(), help="folder of function_app.py (default: here)")
    parser.add_argument("--settings", type=Path, help="default: local.settings.json of the app")
    parser.add_argument("--host", default="127.0.0.1", help="loopback only")
    parser.add_argument("--port", type=int, help="0 picks a free one (default: local.settings.json or 7071)")
    parser.add_argument(
        "--timers", choices=("on", "off"), default="on", help="whether timers fire by themselves"
    )
    parser.add_argument("--ready-file", type=Path, help="JSON with url, port and pid, there while ready")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds running functions get at a stop")
    parser.add_argument(
        "--lease", type=float, default=600.0, help="seconds until a crashed host's messages reappear"
    )
    given = parser.parse_args(arguments)
    return Options(
        app=given.app,
        settings=given.settings,
        host=given.host,
        port=given.port,
        timers=given.timers == "on",
        ready_file=given.ready_file,
        grace=given.grace,
        lease=given.lease,
    )


if __name__ == "__main__":
    sys.exit(main())
