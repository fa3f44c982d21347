"""Import time of function_app against an empty function app: what a cold start pays before its first request.

Run: python -m bench.import_time
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
EMPTY = "import azure.functions as func; app = func.FunctionApp()"
OURS = "import function_app"
AIM = 2.0


def timed(code: str) -> float:
    """Seconds of a fresh interpreter that runs `code`."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Print both, in turn, and the ratio pair by pair: the machine's speed drifts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    timed(OURS)
    pairs = [(timed(OURS), timed(EMPTY)) for _ in range(runs)]
    ours, empty = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(our / none for our, none in pairs)
    shown = f"function_app {ours * 1000:.0f} ms, empty function app {empty * 1000:.0f} ms"
    print(f"{shown}: {ratio:.2f} times (aim {AIM:.1f})")


if __name__ == "__main__":
    main()
