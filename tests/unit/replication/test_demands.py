"""What is waited for."""

from __future__ import annotations

import pytest

from hypermultifeed.replication.demands import ENDLESS, Range, Seek

from .exchange import Side, blocks, fetch


def nothing(error: Exception | None) -> None:
    raise AssertionError(error)


def test_a_range_moves_past_what_is_here_and_ends_when_nothing_is_missing() -> None:
    writer, reader = Side(blocks(10)), Side()
    demand = Range(2, 6, nothing)
    assert not demand.advance(reader.log)
    fetch(reader, writer, [2, 3, 5])
    assert not demand.advance(reader.log)
    assert demand.start == 4
    fetch(reader, writer, [4])
    assert demand.advance(reader.log)


def test_an_endless_range_never_ends_but_moves() -> None:
    writer = Side(blocks(10))
    demand = Range(0, ENDLESS, nothing)
    assert not demand.advance(writer.log)
    assert demand.start == 10


@pytest.mark.parametrize(("byte_offset", "found"), [(0, True), (1, False), (80, True), (81, True)])
def test_a_seek_is_over_when_the_block_is_known_or_cannot_be(byte_offset: int, found: bool) -> None:
    writer, reader = Side(blocks(10)), Side()
    fetch(reader, writer, [9])
    assert Seek(byte_offset, nothing).found(reader.log) is found
