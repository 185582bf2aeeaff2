"""hypercore 9.12.0, suite bitfield.js."""

from __future__ import annotations

import random

from hypermultifeed.feed.feed_bits import FeedBits

FAR = 1_424_244


def test_set_and_get() -> None:
    """hypercore/bitfield "set and get"."""
    bits = FeedBits()
    for index in (0, FAR):
        assert not bits.data.get(index)
        assert bits.set_block(index)
        assert not bits.set_block(index)
        assert bits.data.get(index)


def test_set_and_get_tree() -> None:
    """hypercore/bitfield "set and get (tree)"."""
    bits = FeedBits()
    for index in (0, FAR):
        assert not bits.tree.get(index)
        assert bits.tree.set(index)
        assert not bits.tree.set(index)
        assert bits.tree.get(index)
        assert not bits.data.get(index)


def test_set_and_index() -> None:
    """hypercore/bitfield "set and index"."""
    bits = FeedBits()

    def next_unset(start: int) -> int:
        return bits.data.next_clear(start, 100_000_000)

    assert next_unset(0) == 0
    bits.set_block(0)
    assert next_unset(0) == 1
    bits.set_block(479)
    assert next_unset(478) == 478
    assert next_unset(479) == 480
    for index in (1, 2, 3):
        bits.set_block(index)
        assert next_unset(0) == index + 1
    bits.set_blocks(0, 8192)
    assert next_unset(0) == 8192
    bits.clear_blocks(0, 8192)
    assert next_unset(0) == 0


def test_set_and_index_random() -> None:
    """hypercore/bitfield "set and index (random)"."""
    rng = random.Random(1)
    bits = FeedBits()
    model: set[int] = set()
    for _ in range(100):
        start, length = rng.randrange(2000), rng.randrange(9)
        for index in range(start, start + length):
            assert bits.set_block(index) == (index not in model)
            model.add(index)
        found = []
        at = bits.data.next_clear(0, 2048)
        while at >= 0:
            found.append(at)
            at = bits.data.next_clear(at + 1, 2048)
        assert found == [index for index in range(2048) if index not in model]


def test_get_total_positive_bits() -> None:
    """hypercore/bitfield "get total positive bits"."""
    bits = FeedBits()
    for index in (1, 2, 4, 5, 39):
        assert bits.set_block(index)
    ranges = [(0, 4), (3, 4), (3, 5), (3, 40), (0, 1 << 40), (7, 1 << 40)]
    assert [bits.data.count(*range_) for range_ in ranges] == [2, 0, 1, 3, 5, 1]


def test_bitfield_dedup() -> None:
    """hypercore/bitfield "bitfield dedup"."""
    bits = FeedBits()
    bits.set_blocks(0, 32 * 1024)
    for index in range(64 * 1024):
        bits.tree.set(index)
    assert bits.data.get(8 * 1024)
    assert bits.data.get(16 * 1024)
    bits.clear_block(8 * 1024)  # equal pages are not the same page
    assert not bits.data.get(8 * 1024)
    assert bits.data.get(16 * 1024)
    assert bits.data.count(0, 64 * 1024) == 32 * 1024 - 1
