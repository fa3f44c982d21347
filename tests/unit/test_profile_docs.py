"""The page about the language says what the loader takes: its examples are one profile, its lists are complete."""

import re
from pathlib import Path

import pytest
import yaml

from shared.domain.message import MessageKind
from shared.mapping.conversions import CONVERSIONS
from shared.profiles.loader import load_profile, parse_profile

PAGE = (Path(__file__).parents[2] / "docs/profiles.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HEAD = BLOCKS[0][: BLOCKS[0].index("connection:")]
OVERLAY = BLOCKS[-1]


@pytest.fixture
def example():
    named = set(re.findall(r"^  ([a-z]+(?:\.[a-z]+)?):", BLOCKS[3], re.MULTILINE))
    others = "".join(f"  {kind}: {{exempt: not shown}}\n" for kind in MessageKind if kind not in named)
    settings = '  zone: {type: zone, help: "time zone"}\n'
    head = HEAD.replace("codes:", f"{settings}codes:")
    return parse_profile(head + "".join(BLOCKS[1:4]) + others, "profiles.md")


def test_the_examples_are_one_profile(example):
    assert [placed.name for placed in example.flows[MessageKind.PRODUCTION_REPORTED].steps] == [
        "read",
        "start",
        "report",
    ]
    assert example.pull.orders.paging.kind == "offset"


def test_the_example_of_an_overlay_is_one(tmp_path):
    path = tmp_path / "our-erp.yaml"
    path.write_text(OVERLAY, encoding="utf-8")
    assert "site" in load_profile(str(path)).settings
    assert yaml.safe_load(OVERLAY)["extends"] == "tryton"


def test_every_conversion_is_listed():
    listed = set(
        re.findall(r"`([a-z_0-9]+)", PAGE[PAGE.index("## Conversions") : PAGE.index("## Your own file")])
    )
    assert set(CONVERSIONS) - listed == set()
