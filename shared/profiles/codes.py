"""The tables and links that expressions name: a table that is not there would be missed at the first message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.profiles.walk import listed, reads_in, refuse

if TYPE_CHECKING:
    from shared.profiles.model import Profile

LINK_KIND = re.compile(
    r"[a-z][a-z_]{0,39}"
)  # what the API takes as a kind of link; profiles may have their own


def check_codes(profile: Profile) -> None:
    """Refuse `lookup()` in a table that `codes` does not have, and `link()` of a kind that nobody can link.

    Raises:
        PydanticCustomError: naming the key path and the tables there are.
    """
    for path, reads in reads_in(profile):
        for function, name in sorted(reads.named):
            if function == "lookup" and name not in profile.codes:
                refuse(path, f"`codes` has no table {name!r}; valid: {listed(set(profile.codes))}")
            if function == "link" and not LINK_KIND.fullmatch(name):
                refuse(path, f"{name!r} cannot be a kind of link; valid: small letters and '_', at most 40")
