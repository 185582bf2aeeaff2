"""Pages of bits, and the bitfields made of them, against hypercore 9.12 lib/bitfield."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.encoding import runs
from hypermultifeed.feed.feed_bits import FeedBits
from hypermultifeed.feed.merkle import mark_known

VECTORS = Path(__file__).parents[1] / "vectors"
PAGES = json.loads((VECTORS / "bitfield-pages.json").read_text())
RUNS = json.loads((VECTORS / "bitfield-rle.json").read_text())


def apply(bits: FeedBits, operation: list[Any]) -> bool | None:
    name, *arguments = operation
    match name:
        case "set":
            return bits.set_block(*arguments)
        case "clear":
            return bits.clear_block(*arguments)
        case "setRange":
            bits.set_blocks(*arguments)
        case "clearRange":
            bits.clear_blocks(*arguments)
        case "treeSet":
            return mark_known(bits.tree, *arguments)
    return None


def expected_page(case: dict[str, Any], number: int) -> bytes:
    page = bytearray(case["pageSize"])
    for offset, text in case["pages"][number] or []:
        part = bytes.fromhex(text)
        page[offset : offset + len(part)] = part
    return bytes(page)


@pytest.mark.parametrize("case", PAGES["cases"], ids=lambda case: case["name"])
def test_pages_are_those_of_js(case: dict[str, Any]) -> None:
    bits = FeedBits(case["pageSize"])
    assert [apply(bits, operation) for operation in case["ops"]] == case["returned"]
    assert bits.pages.count == len(case["pages"])
    for number in range(len(case["pages"])):
        assert bits.pages.page(number) == expected_page(case, number), number
    assert 8 * bits.data.byte_length == case["lengthBits"]


@pytest.mark.parametrize("case", PAGES["cases"], ids=lambda case: case["name"])
def test_changes_make_the_file_of_js(case: dict[str, Any]) -> None:
    bits = FeedBits(case["pageSize"])
    file = bytearray()
    for operation in case["ops"]:
        apply(bits, operation)
        for offset, data in bits.pages.take_changes():
            file.extend(bytes(max(0, offset + len(data) - len(file))))
            file[offset : offset + len(data)] = data
    written = sorted(case["flushOrderOffsets"])
    assert len(file) == written[-1] + case["pageSize"]
    assert file == b"".join(expected_page(case, at) for at in range(len(case["pages"])))
    assert not bits.pages.changed


@pytest.mark.parametrize("case", PAGES["cases"], ids=lambda case: case["name"])
def test_counts_and_gaps(case: dict[str, Any]) -> None:
    bits = FeedBits(case["pageSize"])
    for operation in case["ops"]:
        apply(bits, operation)
    for total in case["totals"]:
        end = total["end"] or 8 * bits.data.byte_length
        assert bits.data.count(total["start"], end) == total["total"], total
    for walk in case["unsetIterator"]:
        at = walk["start"] + walk["seek"]
        found: list[int] = []
        while len(found) < len(walk["next"]):
            at = bits.data.next_clear(at, walk["end"]) if at >= 0 else -1
            found.append(at)
            at = at + 1 if at >= 0 else -1
        assert found == walk["next"], walk


@pytest.mark.parametrize("case", RUNS["compress"], ids=lambda case: case["name"])
def test_bitfield_of_a_have(case: dict[str, Any]) -> None:
    bits = FeedBits()
    for start, stop in case["setRanges"]:
        bits.set_blocks(start, stop)
    assert 8 * bits.data.byte_length == case["lengthBits"]
    for want in case["compress"]:
        start = want["start"] // 8
        stop = start + want["length"] // 8 if want["length"] else bits.data.byte_length
        assert runs.encode(bits.data.read(start, stop)).hex() == want["encoded"], want
