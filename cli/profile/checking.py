"""`profile check`: what is wrong with a profile or an overlay, found without any ERP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ConfigurationError
from shared.profiles.loader import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.profiles.model import Profile


def check(names: list[str], show: Callable[[str], None]) -> int:
    """Load every one of `names` (a shipped profile, a YAML file); print what is wrong. 0 = nothing is."""
    faults = 0
    for name in names:
        try:
            show(f"✓ {_summary(load_profile(name))}")
        except ConfigurationError as error:
            show(f"✗ {error}")
            faults += 1
    return 1 if faults else 0


def _summary(profile: Profile) -> str:
    exempt = [str(kind) for kind, push in profile.push.items() if push.exempt]
    pushed = len(profile.push) - len(exempt)
    told = f"; has no place for: {', '.join(exempt)}" if exempt else ""
    return f"{profile.profile}: {profile.title}; tells {pushed} of {len(profile.push)} kinds of message{told}"
