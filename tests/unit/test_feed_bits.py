from __future__ import annotations

import random

import pytest

from hypermultifeed.feed.feed_bits import BLOCKS_PER_PAGE, FeedBits


@pytest.mark.parametrize("page_bytes", [3072, 3328, 3584])
@pytest.mark.parametrize("seed", range(3))
def test_ranges_give_the_bytes_that_single_blocks_give(seed: int, page_bytes: int) -> None:
    rng = random.Random(seed)
    single, ranges = FeedBits(page_bytes), FeedBits(page_bytes)
    for _ in range(12):
        start = rng.randrange(2 * BLOCKS_PER_PAGE)
        stop = start + rng.choice([1, 5, 8, 33, 2000, BLOCKS_PER_PAGE])
        if rng.random() < 0.7:
            ranges.set_blocks(start, stop)
            for index in range(start, stop):
                single.set_block(index)
        else:
            ranges.clear_blocks(start, stop)
            for index in range(start, min(stop, single.pages.count * BLOCKS_PER_PAGE)):
                single.clear_block(index)
    assert ranges.pages.count == single.pages.count
    for number in range(single.pages.count):
        assert ranges.pages.page(number) == single.pages.page(number)


def test_answers_tell_whether_anything_changed() -> None:
    bits = FeedBits()
    assert bits.set_block(7)
    assert not bits.set_block(7)
    assert bits.clear_block(7)
    assert not bits.clear_block(7)
    assert not bits.clear_block(2**40)
    assert bits.pages.count == 1
