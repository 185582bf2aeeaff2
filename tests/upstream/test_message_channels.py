"""simple-message-channels 1.2.1: its whole suite."""

from __future__ import annotations

from hypermultifeed.wire.framing import FrameParser, encode_frame

Frame = tuple[int, int, bytes]


def parsed(data: bytes, chunk_bytes: int) -> list[Frame]:
    """What comes out when the bytes come in chunks of that size."""
    frames: list[Frame] = []
    parser = FrameParser(lambda *frame: frames.append(frame))
    for offset in range(0, len(data), chunk_bytes):
        parser.feed(data[offset : offset + chunk_bytes])
    assert parser.pending == 0
    return frames


def test_basic() -> None:
    """simple-message-channels "basic"."""
    data = encode_frame(0, 1, b"hi")
    assert parsed(data, len(data)) == [(0, 1, b"hi")]


def test_basic_chunked() -> None:
    """simple-message-channels "basic chunked"."""
    assert parsed(encode_frame(0, 1, b"hi"), 1) == [(0, 1, b"hi")]


def test_two_messages_chunked() -> None:
    """simple-message-channels "two messages chunked"."""
    frames = [(0, 1, b"hi"), (42, 3, b"hey")]
    data = b"".join(encode_frame(*frame) for frame in frames)
    for chunk_bytes in range(1, len(data) + 1):
        assert parsed(data, chunk_bytes) == frames


def test_two_big_messages_chunked() -> None:
    """simple-message-channels "two big messages chunked"."""
    frames = [(0, 1, bytes(100_000)), (42, 3, bytes(200_000))]
    data = b"".join(encode_frame(*frame) for frame in frames)
    assert parsed(data, 500) == frames


def test_empty_message() -> None:
    """simple-message-channels "empty message"."""
    data = encode_frame(0, 0, b"")
    assert parsed(data, len(data)) == [(0, 0, b"")]
    assert parsed(data, 1) == [(0, 0, b"")]


def test_chunk_message_is_correct() -> None:
    """simple-message-channels "chunk message is correct"."""
    data = encode_frame(0, 1, b"aaaaaaaaaa")
    frames: list[Frame] = []
    parser = FrameParser(lambda *frame: frames.append(frame))
    parser.feed(data[:4])
    assert parser.pending > 0
    assert frames == []
    parser.feed(data[4:])
    assert frames == [(0, 1, b"aaaaaaaaaa")]
    assert parser.pending == 0
