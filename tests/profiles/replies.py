"""One file of recorded replies: what it holds, how it is written and read."""

import json
import re
from decimal import Decimal

from shared.profiles.loader import SHIPPED, shipped_profiles
from tests.profiles.conftest import SUBJECTS

FOLDER = SHIPPED / "replies"
ADDRESS = "https://erp.example.com"
LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost)(:\d+)?")
NAMES = [name for name in SUBJECTS if name in shipped_profiles()]


class NotExactError(Exception):
    """A fraction would not be written as it came."""


def path_of(name):
    """Return where the replies of the profile `name` are kept."""
    return FOLDER / f"{name}.json"


def written(document):
    """Return a recording as the text of its file."""
    text = json.dumps(document, indent=1, ensure_ascii=False, default=_number)
    return LOOPBACK.sub(ADDRESS, text) + "\n"


def read(name):
    """Return the recording of the profile `name`, its fractions as Decimals."""
    return json.loads(path_of(name).read_text(encoding="utf-8"), parse_float=Decimal)


def body(text):
    """Return a body as it is kept: JSON where it is JSON and comes back with the same digits, else its text."""
    return _kept(text, _exact)


def digits_aside(text):
    """Return a body as it is kept where 6.0 and 6.000 are the same."""
    return _kept(text, float)


def _kept(text, fraction):
    try:
        return {"json": json.loads(text, parse_float=fraction)} if text else {}
    except (ValueError, NotExactError):
        return {"text": text}


def content(kept):
    """Return the bytes of a body that `body` keeps."""
    if "json" in kept:
        return json.dumps(kept["json"], default=_number).encode()
    return kept.get("text", "").encode()


def in_order(value):
    """Return `value` with the fields of every object sorted."""
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(one) for one in value] if isinstance(value, list) else value


def _exact(text):
    if repr(float(text)) != text:
        raise NotExactError(text)
    return float(text)


def _number(value):
    """Return a Decimal as the number it is."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and "." not in str(value) else float(value)
    raise TypeError(type(value).__name__)
