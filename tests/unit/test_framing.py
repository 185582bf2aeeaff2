from __future__ import annotations

import tracemalloc

import pytest

from hypermultifeed.errors import LocalProtocolError, RemoteProtocolError
from hypermultifeed.wire.framing import (
    CHANNEL_MAX,
    FRAME_BODY_BYTES_MAX,
    FrameParser,
    encode_frame,
    frame_head,
)

Frame = tuple[int, int, bytes]

FRAMES: list[Frame] = [
    (0, 0, b""),
    (1, 3, b"x"),
    (7, 10, b""),
    (8, 10, b"abc"),
    (1, 9, bytes(125)),
    (1, 9, bytes(126)),
    (1, 9, bytes(127)),
    (CHANNEL_MAX, 15, b"y" * 300),
    (300, 9, bytes(range(256)) * 70),
]
STREAM = b"\x00" + b"\x00\x80\x00".join(encode_frame(*frame) for frame in FRAMES) + b"\x00"


class Collected:
    """A parser and what came out of it."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.parser = FrameParser(lambda *frame: self.frames.append(frame))

    def feed(self, stream: bytes, size: int) -> None:
        for at in range(0, len(stream), size):
            self.parser.feed(stream[at : at + size])


def test_whole() -> None:
    out = Collected()
    out.parser.feed(STREAM)
    assert out.frames == FRAMES
    assert out.parser.pending == 0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 127, 4095, 4096, 5000])
def test_in_chunks(size: int) -> None:
    out = Collected()
    out.feed(STREAM, size)
    assert out.frames == FRAMES


def test_in_any_two_chunks() -> None:
    for at in range(len(STREAM) + 1):
        out = Collected()
        out.parser.feed(STREAM[:at])
        out.parser.feed(STREAM[at:])
        assert out.frames == FRAMES


def test_bodies_are_bytes_of_their_own() -> None:
    out = Collected()
    out.feed(STREAM, 100)
    assert {type(body) for _, _, body in out.frames} == {bytes}


def test_pending_counts_an_unfinished_frame() -> None:
    out = Collected()
    frame = encode_frame(1, 9, bytes(1000))
    seen = []
    for at in range(len(frame)):
        out.parser.feed(frame[at : at + 1])
        seen.append(out.parser.pending)
    assert seen[0] == 1
    assert all(0 < pending <= at + 1 for at, pending in enumerate(seen[:-1]))
    assert seen[-2] >= 990
    assert seen[-1] == 0


@pytest.mark.parametrize(
    "stream",
    [
        "01801a",  # shorter than its own header
        "8280800410",  # one byte above the limit
        "83808004",  # said by the length alone
        "ffffffffffffff7f",
        "ffffffffffffffff",
        "8080808080808080",
        "05ffffffffffffffff",
        "05ffffffff1f",  # a channel above the limit
        "0680808080808000",  # a header that fills the frame and more
    ],
)
def test_malformed_at_the_same_byte_in_any_chunks(stream: str) -> None:
    good = encode_frame(1, 3, b"before")
    wire = good + bytes.fromhex(stream)
    for size in (1, 2, 3, len(wire)):
        out = Collected()
        with pytest.raises(RemoteProtocolError, match=r"frame|channel"):
            out.feed(wire + bytes(20), size)
        assert out.frames == [(1, 3, b"before")]


def test_long_forms_of_varints_are_taken() -> None:
    out = Collected()
    out.parser.feed(bytes.fromhex("8280808080808000" + "9380808000"[:2] + "00"))
    assert out.frames == [(1, 3, b"")]


def test_the_largest_frame() -> None:
    out = Collected()
    body = bytes(FRAME_BODY_BYTES_MAX)
    wire = encode_frame(1, 9, body)
    out.parser.feed(wire[:100])
    out.parser.feed(wire[100:])
    assert out.frames == [(1, 9, body)]


def test_memory_grows_with_what_came_not_with_what_was_claimed() -> None:
    heads = frame_head(1, 9, FRAME_BODY_BYTES_MAX)
    tracemalloc.start()
    try:
        parsers = []
        for _ in range(100):
            out = Collected()
            out.parser.feed(heads + b"x")
            parsers.append(out)
        assert tracemalloc.get_traced_memory()[0] < 200_000
        for _ in range(100_000):  # byte by byte
            parsers[0].parser.feed(b"x")
        assert tracemalloc.get_traced_memory()[0] < 400_000
    finally:
        tracemalloc.stop()


def test_small_and_large_parts_in_turns() -> None:
    out = Collected()
    body = bytes(range(250)) * 200
    wire = encode_frame(1, 9, body)
    at = 0
    for size in (10, 5000, 1, 1, 4096, 4095, 7, 30_000, 100_000):
        out.parser.feed(wire[at : at + size])
        at += size
    assert out.frames == [(1, 9, body)]


def test_what_cannot_be_sent() -> None:
    with pytest.raises(LocalProtocolError, match="above the limit"):
        frame_head(1, 9, FRAME_BODY_BYTES_MAX + 1)
    for channel in (-1, CHANNEL_MAX + 1):
        with pytest.raises(LocalProtocolError, match="no channel"):
            encode_frame(channel, 9, b"")
