from __future__ import annotations

import random

import pytest

from hypermultifeed.feed.bitfield import Bits, Pages
from hypermultifeed.feed.remote_bitfield import (
    INDEX_MAX,
    PAGES_FREE,
    PAGES_MAX,
    RUNS_MAX,
    PageBudget,
    RemoteBitfield,
)

PAGE = 8192


def ours() -> Bits:
    return Bits(Pages(1024), 0, 1024)


def test_single_blocks() -> None:
    remote = RemoteBitfield()
    remote.set_range(5, 1)
    remote.set_range(70_000, 2)
    assert [remote.get(index) for index in (4, 5, 6, 70_000, 70_001, 70_002)] == [
        False, True, False, True, True, False,
    ]  # fmt: skip
    assert remote.length == 70_002
    assert remote.next(0, 100_000) == 5
    assert remote.next(6, 100_000) == 70_000
    assert remote.next(70_002, 100_000) == -1
    remote.clear_range(5, 1)
    assert not remote.get(5)
    assert remote.length == 70_002


@pytest.mark.parametrize("length", [10**7, 10**12, 2**53, 10**30])
def test_a_claim_costs_the_same_whatever_it_covers(length: int) -> None:
    remote = RemoteBitfield()
    remote.set_range(3, length)
    assert remote.length == min(3 + length, INDEX_MAX)
    assert remote.get(3)
    assert remote.get(5 * 10**6)
    assert not remote.get(2)
    assert remote.next_unless(ours(), 0, 2**53) == 3
    assert len(remote._pages) <= 2
    assert len(remote._starts) == 1
    remote.clear_range(0, length)
    assert remote.next(0, 3 + length) in (-1, length, length + 1, length + 2)


@pytest.mark.parametrize(
    ("start", "length"), [(-1, 5), (2**53, 1), (2**53 + 7, 2), (4, 0), (4, -3)]
)
def test_impossible_ranges_are_nothing(start: int, length: int) -> None:
    remote = RemoteBitfield()
    remote.set_range(start, length)
    remote.clear_range(start, length)
    remote.set_bits(start, b"\xff" if start != 4 else b"")
    assert remote.length == 0
    assert remote.next(0, 2**53) == -1


def test_a_bitfield_says_also_what_is_not_there() -> None:
    remote = RemoteBitfield()
    remote.set_range(0, 100)
    remote.set_bits(8, b"\x00\x81")
    assert [index for index in range(30) if remote.get(index)] == [*range(8), 16, *range(23, 30)]
    remote.set_bits(20_000, b"\x00\x40\x00")
    assert remote.length == 20_010
    assert remote.next(100, 30_000) == 20_009


def test_whole_pages_become_a_run() -> None:
    remote = RemoteBitfield()
    for start in range(0, 10 * PAGE, 1000):
        remote.set_range(start, 1000)
    assert not remote._pages.keys() - {10}
    assert (remote._starts, remote._stops) == ([0], [10])
    remote.set_bits(3 * PAGE, bytes(1024))
    assert (remote._starts, remote._stops) == ([0, 4], [3, 10])
    assert remote.next(3 * PAGE, 10 * PAGE) == 4 * PAGE


def test_memory_is_bounded() -> None:
    remote = RemoteBitfield()
    for number in range(PAGES_MAX + 100):
        remote.set_range(number * PAGE, 1)
    assert len(remote._pages) == len(remote._numbers) == PAGES_MAX
    assert not remote.get((PAGES_MAX + 1) * PAGE)
    remote = RemoteBitfield()
    for number in range(RUNS_MAX + 100):
        remote.set_range(2 * number * PAGE, PAGE)
    assert len(remote._starts) == RUNS_MAX
    remote.set_range(PAGE, PAGE)  # joins two
    assert len(remote._starts) == RUNS_MAX - 1
    remote = RemoteBitfield()
    remote.set_range(0, 2**53)
    for number in range(RUNS_MAX + 100):
        remote.clear_range((2 * number + 1) * PAGE, PAGE)
        assert not remote.get((2 * number + 1) * PAGE)
    assert len(remote._starts) <= RUNS_MAX
    for number in range(PAGES_MAX + 100):
        remote.clear_range(2 * number * PAGE, 1)
        assert not remote.get(2 * number * PAGE)
    assert len(remote._pages) <= PAGES_MAX


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_a_list(seed: int) -> None:
    rng = random.Random(seed)
    size = 6 * PAGE
    remote, local = RemoteBitfield(), ours()
    model, mine = [False] * size, [False] * size
    longest = 0
    for _ in range(60):
        start = rng.choice([rng.randrange(size), rng.randrange(7) * PAGE])
        length = rng.choice([1, 2, 500, PAGE, rng.randrange(1, size)])
        stop = min(size, start + length)
        if start >= stop:
            continue
        match rng.randrange(4):
            case 0 | 1:
                remote.set_range(start, stop - start)
                model[start:stop] = [True] * (stop - start)
                longest = max(longest, stop)
            case 2:
                remote.clear_range(start, stop - start)
                model[start:stop] = [False] * (stop - start)
            case _:
                raw = rng.choice([rng.randbytes(40), b"\xff" * 1100, bytes(1100)])[
                    : (size - start) // 8
                ]
                remote.set_bits(start, raw)
                said = [bool(byte & 0x80 >> bit) for byte in raw for bit in range(8)]
                model[start : start + len(said)] = said
                if True in said:
                    longest = max(longest, start + len(said) - said[::-1].index(True))
        index = rng.randrange(size)
        local.set(index)
        mine[index] = True
    assert [remote.get(index) for index in range(size)] == model
    assert remote.length == longest
    wanted = [theirs and not here for theirs, here in zip(model, mine, strict=True)]
    for _ in range(200):
        start, stop = sorted((rng.randrange(size), rng.randrange(size)))
        part = model[start:stop]
        assert remote.next(start, stop) == (start + part.index(True) if True in part else -1)
        part = wanted[start:stop]
        expected = start + part.index(True) if True in part else -1
        assert remote.next_unless(local, start, stop) == expected


@pytest.mark.parametrize("seed", range(5))
def test_counts_and_unions_agree_with_sets(seed: int) -> None:
    choice = random.Random(seed)
    size = 6 * 8192
    here = ours()
    mine: set[int] = set()
    peers = []
    everywhere: set[int] = set()
    union = RemoteBitfield()
    for _ in range(20):
        start = choice.randrange(size)
        stop = min(start // PAGE * PAGE + PAGE, start + choice.randrange(1, 300))
        here.fill(start, stop, value=True)
        mine.update(range(start, stop))
    for _ in range(3):
        remote, theirs = RemoteBitfield(), set[int]()
        for _ in range(30):
            start, length = choice.randrange(size), choice.choice([1, 50, 9000, 20_000])
            length = min(length, size - start)
            change = choice.random() < 0.7
            (remote.set_range if change else remote.clear_range)(start, length)
            (theirs.update if change else theirs.difference_update)(range(start, start + length))
        peers.append((remote, theirs))
        union.add_all(remote)
        everywhere |= theirs
    for remote, theirs in [*peers, (union, everywhere)]:
        for start, stop in ((0, size), (100, 8192), (8192, 8193), (20_000, 45_000)):
            expected = sum(start <= index < stop for index in theirs - mine)
            assert remote.count_unless(here, start, stop) == expected


def test_a_budget_is_shared_and_given_back() -> None:
    budget = PageBudget()
    budget.left = 3
    first, second = RemoteBitfield(), RemoteBitfield()
    for remote in (first, second):
        remote.share(budget)
        for page in range(PAGES_FREE + 2):
            remote.set_range(page * 8192 + 5, 1)
    assert budget.left == 0
    assert first.get((PAGES_FREE + 1) * 8192 + 5)
    assert not second.get((PAGES_FREE + 1) * 8192 + 5)
    first.clear_range(0, 8192)
    assert budget.left == 1
    first.release()
    second.release()
    assert budget.left == 3
