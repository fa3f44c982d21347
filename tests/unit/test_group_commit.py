"""Callers that wait at the same time share a commit, and nobody's trouble is his neighbour's."""

from __future__ import annotations

import asyncio

import pytest

from shared.errors import StoreUnavailable
from shared.store.group_commit import GroupCommit


class Committer:
    """Commits numbers to their doubles; notes the groups; `gate` closed holds a commit on its way."""

    def __init__(self, refuse=None):
        self.groups = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuse = refuse or (lambda _group: None)

    async def __call__(self, items):
        self.groups.append(list(items))
        await self.gate.wait()
        error = self.refuse(items)
        if error is not None:
            raise error
        return [item * 2 for item in items]


async def test_a_caller_gets_its_own_result():
    group = GroupCommit(Committer())
    assert await asyncio.gather(*(group.submit(number) for number in range(5))) == [0, 2, 4, 6, 8]


async def test_those_who_wait_at_the_same_time_share_a_commit():
    committer = Committer()
    group = GroupCommit(committer)
    committer.gate.clear()
    first = asyncio.create_task(group.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(group.submit(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in [first, *others])
    committer.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert committer.groups == [[1], [2, 3, 4]]


async def test_a_group_is_not_larger_than_allowed():
    committer = Committer()
    group = GroupCommit(committer, largest=2)
    await asyncio.gather(*(group.submit(number) for number in range(5)))
    assert committer.groups == [[0, 1], [2, 3], [4]]


async def test_one_bad_item_fails_alone():
    committer = Committer(lambda items: ValueError("three") if 3 in items else None)
    group = GroupCommit(committer)
    results = await asyncio.gather(*(group.submit(number) for number in (1, 3, 5)), return_exceptions=True)
    assert [results[0], str(results[1]), results[2]] == [2, "three", 10]
    assert committer.groups == [[1, 3, 5], [1], [3, 5], [3], [5]]


async def test_trouble_that_concerns_all_is_not_tried_one_by_one():
    committer = Committer(lambda _items: StoreUnavailable("away"))
    group = GroupCommit(committer)
    results = await asyncio.gather(*(group.submit(number) for number in (1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable]
    assert committer.groups == [[1, 2]]


async def test_a_caller_who_goes_away_disturbs_nobody():
    committer = Committer()
    group = GroupCommit(committer)
    committer.gate.clear()
    gone = asyncio.create_task(group.submit(1))
    stays = asyncio.create_task(group.submit(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    committer.gate.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await group.submit(3) == 6


async def test_too_few_results_are_an_error_and_not_a_wait_without_end():
    async def forgetful(items):
        return [] if len(items) > 1 else ["one"]

    group = GroupCommit(forgetful)
    assert await asyncio.gather(group.submit(1), group.submit(2)) == ["one", "one"]
