"""What becomes of several messages of one stream that wait together: superseded, added up, or left as they are."""

from __future__ import annotations

from enum import StrEnum


class Combine(StrEnum):
    """`latest`: a status that the next one supersedes is not told. `sum`: quantities and times are told as one."""

    LATEST = "latest"
    SUM = "sum"
