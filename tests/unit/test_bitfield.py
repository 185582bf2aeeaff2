from __future__ import annotations

import random

import pytest

from hypermultifeed.feed.bitfield import MERGE_GAP_BYTES, Bits, Pages

PAGE = 16
PART = 8
PER_PAGE = 8 * PART


def bits(pages: Pages | None = None) -> Bits:
    return Bits(pages or Pages(PAGE), 4, PART)


def test_set_and_clear_say_what_changed() -> None:
    array = bits()
    assert array.set(100)
    assert not array.set(100)
    assert array.get(100)
    assert not array.get(99)
    assert not array.clear(99)
    assert array.clear(100)
    assert not array.get(100)


def test_bits_begin_with_the_most_significant() -> None:
    array = bits()
    for index in (0, 9, 15):
        array.set(index)
    assert [array.byte(0), array.byte(1)] == [0x80, 0x41]
    assert array.read(0, 3) == b"\x80\x41\x00"


def test_arrays_share_pages_without_touching_each_other() -> None:
    pages = Pages(PAGE)
    first, second = Bits(pages, 0, 4), Bits(pages, 4, PART)
    first.fill(0, 32, value=True)
    assert second.count(0, PER_PAGE) == 0
    second.fill(0, PER_PAGE, value=True)
    assert pages.page(0) == b"\xff" * 12 + bytes(4)


@pytest.mark.parametrize("seed", range(5))
def test_queries_agree_with_a_list(seed: int) -> None:
    rng = random.Random(seed)
    size = 5 * PER_PAGE
    array, model = bits(), [False] * size
    for _ in range(60):
        start = rng.randrange(size)
        stop = rng.randint(start, min(size, (start // PER_PAGE + 1) * PER_PAGE))
        value = rng.random() < 0.6
        array.fill(start, stop, value=value)
        model[start:stop] = [value] * (stop - start)
    assert [array.get(index) for index in range(size)] == model
    for _ in range(200):
        start, stop = sorted((rng.randrange(size), rng.randrange(size)))
        part = model[start:stop]
        assert array.count(start, stop) == sum(part)
        assert array.next_set(start, stop) == (start + part.index(True) if True in part else -1)
        assert array.next_clear(start, stop) == (start + part.index(False) if False in part else -1)


def test_beyond_all_pages_nothing_is_set() -> None:
    array = bits()
    array.set(3)
    far = 2**50
    assert not array.get(far)
    assert array.next_set(4, far) == -1
    assert array.next_clear(far, far + 5) == far
    assert array.next_clear(far, far) == -1
    assert array.count(0, far) == 1


def test_a_far_bit_costs_one_page() -> None:
    pages = Pages(PAGE)
    array = bits(pages)
    array.set(2**40)
    assert len(pages.loaded) == 1
    assert array.get(2**40)
    assert pages.take_changes()[-1][1][-1:] == b"\0"  # up to the end of its page


def test_changes_make_the_same_file() -> None:
    rng = random.Random(1)
    pages = Pages(64)
    array = Bits(pages, 0, 32)
    file = bytearray()
    for _ in range(30):
        for _ in range(rng.randrange(8)):
            array.set(rng.randrange(3000))
        start = rng.randrange(2000)
        array.fill(start, min(start + 40, (start // 256 + 1) * 256), value=rng.random() < 0.5)
        array.set_byte(rng.randrange(300), rng.randrange(256))
        for offset, data in pages.take_changes():
            file.extend(bytes(max(0, offset + len(data) - len(file))))
            file[offset : offset + len(data)] = data
    assert len(file) == 64 * pages.count
    assert bytes(file) == b"".join(pages.page(number) for number in range(pages.count))
    assert pages.take_changes() == []


def test_near_changes_are_written_together_and_far_ones_apart() -> None:
    pages = Pages(1024, 1, lambda _number, count: bytes(1024 * count))
    array = Bits(pages, 0, 1024)
    for byte in (0, MERGE_GAP_BYTES, 200):
        array.set(8 * byte)
    assert [(offset, len(data)) for offset, data in pages.take_changes()] == [
        (0, MERGE_GAP_BYTES + 1),
        (200, 1),
    ]


def test_pages_are_loaded_when_asked_for_and_filled_up() -> None:
    asked = []

    def read(number: int, count: int) -> bytes:
        asked.append(number)
        assert count == 1
        return b"\xff\x01" if number == 1 else b""

    pages = Pages(PAGE, 3, read)
    array = Bits(pages, 0, PART)
    assert asked == []
    assert array.get(PER_PAGE)
    assert array.get(PER_PAGE + 15)
    assert not array.get(PER_PAGE + 20)
    assert not array.get(0)
    assert asked == [1, 0]
    assert array.byte_length == 3 * PART
    assert array.set(PER_PAGE + 20)
    assert pages.take_changes() == [(PAGE + 2, b"\x08")]


def test_blank_pages_are_skipped_many_at_a_time() -> None:
    stored, reads = 10**5, 0
    used = {7: b"\x01", 70_000: b"\x80"}

    def read(number: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        return b"".join(
            used.get(page, b"").ljust(PAGE, b"\0") for page in range(number, number + count)
        )

    pages = Pages(PAGE, stored, read)
    array = Bits(pages, 0, PART)
    assert array.count(0, stored * PER_PAGE) == 2
    assert array.next_set(8 * PER_PAGE, stored * PER_PAGE) == 70_000 * PER_PAGE
    assert array.next_set(70_001 * PER_PAGE, stored * PER_PAGE) == -1
    array.set(50 * PER_PAGE)
    array.set((stored + 5) * PER_PAGE)
    assert array.count(0, 10**9) == 4
    assert array.next_set(8 * PER_PAGE, 10**9) == 50 * PER_PAGE
    assert array.next_set(70_001 * PER_PAGE, 10**9) == (stored + 5) * PER_PAGE
    assert reads < stored // 10
    assert len(pages.loaded) == 4


def test_untracked_pages_remember_no_changes() -> None:
    pages = Pages(PAGE, tracked=False)
    array = bits(pages)
    array.set(1)
    array.fill(8, 16, value=True)
    assert not pages.changed
