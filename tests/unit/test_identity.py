"""Keys: the same for the same identifiers, never the same for others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.identity import (
    KEY_LENGTH,
    event_key,
    key_of,
    message_id,
    operation_key,
    order_key,
    place_of,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(st.lists(TEXT, max_size=3), st.lists(TEXT, max_size=3))
def test_different_identifiers_never_share_a_key(one, other):
    assert (key_of(*one) == key_of(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("A1",), ("a1",)),
        (("A1",), ("A1 ",)),
        (("A", "1"), ("A1",)),
        (("A", "1\x1fB"), ("A\x1f1", "B")),
        (("A\x1f1",), ("A", "1")),
        (("1:a",), ("1", "a")),
        (("é",), ("e\u0301",)),
        ((), ("",)),
    ],
)
def test_identifiers_are_exact(one, other):
    assert key_of(*one) != key_of(*other)


def test_keys_fit_their_column():
    keys = {order_key("acme", "WO"), event_key("line", "1"), operation_key("k", "")}
    assert {len(key) for key in keys} == {KEY_LENGTH}
    assert len(keys) == 3


@given(TEXT, st.integers(1, 10**9))
def test_a_message_id_names_its_place(number, sequence):
    stream = order_key("acme", number)
    assert place_of(message_id(stream, sequence)) == (stream, sequence)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "0" * KEY_LENGTH, f"{'0' * KEY_LENGTH}-", f"{'0' * KEY_LENGTH}-x"]
)
def test_what_is_no_message_id_is_refused(text):
    with pytest.raises(ValueError, match="is not a message id"):
        place_of(text)
