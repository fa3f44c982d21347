"""Every overlay that a profile's page shows is one that loads."""

import re

import pytest

from shared.profiles.loader import SHIPPED, parse_profile

SHOWN = [
    (page.name, block)
    for page in sorted(SHIPPED.glob("*.md"))
    for block in re.findall(r"```yaml\n(extends: .*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize(("page", "overlay"), SHOWN, ids=[page for page, _ in SHOWN])
def test_an_overlay_that_a_page_shows_loads(page, overlay):
    assert parse_profile(overlay, page).profile
