"""What travels on the queues, there and back."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import MappingError
from shared.queues.envelope import LARGEST, floor_batches, floor_events_of, streams_of, wake_ups

RECEIVED = "2026-11-23T06:00:00+00:00"
EVENTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(0, 9)), max_size=8)


@pytest.mark.parametrize("count", [0, 1, 2, 32, 33, 500])
def test_wake_ups_name_every_stream_once(count):
    keys = [f"key-{number}" for number in range(count)]
    texts = wake_ups(keys)
    assert [key for text in texts for key in streams_of(text)] == keys
    assert len(texts) == (count if count <= 32 else -(-count // 8))
    assert all(streams_of(text) == streams_of(text.encode()) for text in texts)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '"x"', '{"other":1}', '{"streams":"a"}', '{"streams":[1]}', b"\xff\xfe"],
)
def test_what_is_no_wake_up_is_refused(text):
    with pytest.raises(MappingError, match="not a wake-up"):
        streams_of(text)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"events":3}', '{"events":{}}', b"\xff"])
def test_what_is_no_batch_of_events_is_refused(text):
    with pytest.raises(MappingError, match="not a batch of floor events"):
        floor_events_of(text)


@given(EVENTS)
def test_events_come_back_as_they_went(events):
    batches = floor_batches(map(orjson.dumps, events), RECEIVED)
    assert [event for text in batches for event in floor_events_of(text)] == events


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, LARGEST - 100), min_size=1, max_size=12))
def test_batches_are_few_and_fit_a_queue_message(sizes):
    events = [{"padding": "é" * (size // 2)} for size in sizes]
    batches = floor_batches(map(orjson.dumps, events), RECEIVED)
    assert [event for text in batches for event in floor_events_of(text)] == events
    assert all(len(text.encode()) * 4 / 3 < 65_536 for text in batches)
    total = sum(len(orjson.dumps(event)) + 1 for event in events)
    assert len(batches) <= 2 * total // LARGEST + 1


def test_nothing_makes_no_message():
    assert floor_batches([], RECEIVED) == []
