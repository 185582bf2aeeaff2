"""Laws of the wire: what is encoded is decoded, however it is cut; the general and the fast
decoders agree; JSON survives."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hypermultifeed import crypto
from hypermultifeed.codecs import JSON, JSON_WITHOUT_NEWLINE, number_text, resolve_codec
from hypermultifeed.encoding import protobuf, runs, varint
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import RemoteProtocolError
from hypermultifeed.wire import messages
from hypermultifeed.wire.framing import CHANNEL_MAX, FrameParser, encode_frame
from hypermultifeed.wire.messages import Data, Have, Request

numbers = st.one_of(st.integers(0, 300), st.integers(0, varint.NUMBER_MAX))
hashes = st.binary(min_size=32, max_size=32)
nodes = st.builds(Node, numbers, hashes, numbers)
blobs = st.one_of(st.binary(max_size=300), st.binary(min_size=16_380, max_size=16_390))
frames = st.tuples(
    st.one_of(st.integers(0, 10), st.integers(0, CHANNEL_MAX)), st.integers(0, 15), blobs
)
cuts = st.lists(st.integers(0, 70_000), max_size=6)

datas = st.builds(
    Data,
    numbers,
    st.none() | blobs,
    st.lists(nodes, max_size=5),
    st.none() | st.binary(min_size=64, max_size=64),
)
requests = st.builds(Request, numbers, numbers, st.booleans(), numbers)
haves = st.builds(Have, numbers, numbers, st.none() | st.binary(max_size=50), st.booleans())

sparse = st.lists(
    st.tuples(st.sampled_from([b"\x00", b"\xff", b"\x0f"]), st.integers(0, 40)), max_size=12
).map(lambda parts: b"".join(byte * count for byte, count in parts))

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None, exclude_categories=[])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.just("1.5"), inner, max_size=4)
    ),
    max_leaves=12,
)


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


@given(numbers)
def test_varints(number: int) -> None:
    form = varint.encode(number)
    assert varint.decode(form) == (number, len(form))
    assert len(form) == max(1, -(-number.bit_length() // 7))


@given(datas)
def test_data(message: Data) -> None:
    body = messages.encode_data(*message)
    assert messages.decode_data(body) == message
    # An unknown field behind it leads to the general decoder.
    assert messages.decode_data(body + b"\x38\x05") == message
    assert len(body) == sum(map(len, messages.data_parts(*message)))


@given(requests)
def test_requests(message: Request) -> None:
    body = messages.encode_request(*message)
    assert messages.decode_request(body) == message
    assert messages.decode_request(body + b"\x7a\x01x") == message


@given(haves)
def test_haves(message: Have) -> None:
    body = messages.encode_have(*message)
    assert messages.decode_have(body) == message
    short = messages.encode_have(message.start)
    assert messages.decode_have(short) == Have(message.start)
    assert messages.decode_have(short + b"\x38\x05") == Have(message.start)


@given(st.binary(max_size=120))
@example(bytes.fromhex("08018001"))
@example(bytes.fromhex("0801188001"))
@example(bytes.fromhex("08011a0208011a00"))
def test_fast_and_general_decoders_agree(body: bytes) -> None:
    for fast, general in (
        (messages.decode_data, messages._decode_any_data),
        (messages.decode_request, messages._decode_any_request),
        (messages.decode_have, messages._decode_any_have),
    ):
        assert outcome(fast, body) == outcome(general, body)


@given(datas, st.integers(0, 10_000), st.integers(0, 255))
def test_decoders_agree_on_damaged_messages(message: Data, place: int, byte: int) -> None:
    body = bytearray(messages.encode_data(*message))
    body[place % len(body)] = byte
    fast = outcome(messages.decode_data, bytes(body))
    assert fast == outcome(messages._decode_any_data, bytes(body))


def outcome(decoder: Any, body: bytes) -> object:
    try:
        return decoder(body)
    except RemoteProtocolError:
        return RemoteProtocolError


@given(st.lists(frames, max_size=5), cuts, st.integers(0, 3))
def test_frames_in_any_chunks(sent: list[Any], places: list[int], idle: int) -> None:
    wire = (b"\x00" * idle).join([b"", *(encode_frame(*frame) for frame in sent), b""])
    received: list[Any] = []
    parser = FrameParser(lambda *frame: received.append(frame))
    for piece in pieces(wire, places):
        parser.feed(piece)
    assert received == sent
    assert parser.pending == 0


@given(st.binary(max_size=200), cuts)
def test_any_stream_gives_the_same_in_any_chunks(wire: bytes, places: list[int]) -> None:
    assert parse([wire]) == parse(pieces(wire, places)) == parse([bytes([b]) for b in wire])


def parse(chunks: list[bytes]) -> tuple[list[Any], bool]:
    received: list[Any] = []
    parser = FrameParser(lambda *frame: received.append(frame))
    try:
        for chunk in chunks:
            parser.feed(chunk)
    except RemoteProtocolError:
        return received, True
    return received, False


@given(sparse | st.binary(max_size=100))
def test_runs(bitfield: bytes) -> None:
    encoded = runs.encode(bitfield)
    bare = bitfield.rstrip(b"\x00")
    assert runs.decode(encoded, bytes_max=len(bare)) == bare
    assert len(encoded) <= len(bare) + 3
    if bare:
        assert outcome(lambda data: runs.decode(data, bytes_max=len(bare) - 1), encoded) is (
            RemoteProtocolError
        )


@given(st.binary(max_size=300), cuts)
def test_ciphers(data: bytes, places: list[int]) -> None:
    key, nonce = bytes(32), bytes(24)
    fast, sure = crypto.SodiumXSalsa20(key, nonce), crypto.PortableXSalsa20(key, nonce)
    whole = crypto.PortableXSalsa20(key, nonce).process(data)
    assert b"".join(fast.process(piece) for piece in pieces(data, places)) == whole
    assert b"".join(bytes(sure.join([piece])) for piece in pieces(data, places)) == whole


@given(values)
def test_json(value: Any) -> None:
    data = JSON.encode(value)
    assert data.endswith(b"\n")
    assert data[:-1] == JSON_WITHOUT_NEWLINE.encode(value)
    assert JSON.decode(data) == JSON.decode(data[:-1]) == joined(value)


def joined(value: Any) -> Any:
    """The value as its text says it: halves of a surrogate pair are one character, and a float
    whose text has neither point nor exponent is a whole number."""
    if isinstance(value, float) and number_text(value).lstrip("-").isdigit():
        return int(number_text(value))
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if isinstance(value, list):
        return [joined(item) for item in value]
    if isinstance(value, dict):
        return {joined(key): joined(item) for key, item in value.items()}
    return value


@given(st.floats())
def test_numbers(number: float) -> None:
    text = number_text(number)
    if math.isfinite(number):
        assert float(text) == number
        assert number == float(json.loads(text))
        assert "." not in text.partition("e")[0] or not text.partition("e")[0].endswith("0")
    else:
        assert text == "null"


@given(st.binary(max_size=50))
def test_codecs_of_bytes(data: bytes) -> None:
    for name in ("binary", "hex", "base64"):
        codec = resolve_codec(name)
        assert codec.encode(codec.decode(data)) == data


@given(st.text(max_size=30))
def test_codecs_of_text(text: str) -> None:
    for name in ("utf-8", "utf16le"):
        codec = resolve_codec(name)
        assert codec.decode(codec.encode(text)) == text


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 40), st.booleans() | numbers | st.binary(max_size=20))))
def test_unknown_fields_are_skipped(fields: list[tuple[int, Any]]) -> None:
    read = protobuf.Fields(protobuf.encode(fields), {41: protobuf.Kind.UINT})
    assert read.uint(41, 7) == 7
