from __future__ import annotations

import pytest

from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import CorruptStorageError
from hypermultifeed.feed import layout
from hypermultifeed.wire.framing import FRAME_BODY_BYTES_MAX
from hypermultifeed.wire.messages import encode_data


@pytest.mark.parametrize(
    ("file", "size", "raw"),
    [
        ("bitfield", 3584, "05025700000e0000"),
        ("bitfield", 3328, "05025700000d0000"),
        ("signatures", 64, "050257010000400745643235353139"),
        ("tree", 40, "0502570200002807424c414b453262"),
    ],
)
def test_headers(file: str, size: int, raw: str) -> None:
    header = layout.header(file, size)
    assert header == bytes.fromhex(raw).ljust(32, b"\0")
    assert layout.entry_bytes(file, header, f"a/{file}") == size


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
def test_another_header_is_named_by_file_and_place(at: int) -> None:
    header = bytearray(layout.header("tree", 40))
    header[at] ^= 1
    with pytest.raises(CorruptStorageError) as caught:
        layout.entry_bytes("tree", bytes(header), "a/tree")
    assert (caught.value.file, caught.value.offset) == ("a/tree", 0)


def test_offsets() -> None:
    assert [layout.node_offset(node) for node in (0, 1, 5)] == [32, 72, 232]
    assert [layout.signature_offset(length) for length in (1, 2)] == [32, 96]


def test_the_largest_block_fits_in_a_frame_with_the_longest_proof() -> None:
    nodes = [Node(2**53 - 1, bytes(32), 2**53 - 1)] * 72  # two for each of 36 levels
    message = encode_data(2**53 - 1, bytes(layout.BLOCK_BYTES_MAX), nodes, bytes(64))
    assert len(message) <= FRAME_BODY_BYTES_MAX
