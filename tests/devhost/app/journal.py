"""What the functions were given: JSON lines in the file JOURNAL names, which survives a killed host."""

import json
import os
import time
from pathlib import Path


def note(kind: str, **facts: object) -> None:
    """Append one line."""
    line = json.dumps({"kind": kind, "at": time.monotonic(), "pid": os.getpid(), **facts})
    with Path(os.environ["JOURNAL"]).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
