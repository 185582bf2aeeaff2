"""What is read in answers, which may say anything."""

from __future__ import annotations

import pytest

from hypermultifeed.discovery import operations
from hypermultifeed.discovery.addresses import Address, encode_address
from hypermultifeed.discovery.messages import MessageType
from hypermultifeed.discovery.query import Reply
from hypermultifeed.discovery.values import Mutable, PeersInput, PeersOutput
from hypermultifeed.keys import KeyPair

NODE, US, PEER = Address("93.0.0.1", 1), Address("94.0.0.1", 2), Address("95.0.0.1", 3)
LOCAL = Address("192.168.1.4", 4000)
PAIR = KeyPair.from_seed(b"p" * 32)
OTHER = KeyPair.from_seed(b"o" * 32)
ERROR = "ERR_SEQ_MUST_EXCEED_CURRENT"


def reply(
    value: bytes | None, *, error: str | None = None, update: bool = False, to: Address | None = US
) -> Reply:
    type_ = MessageType.UPDATE if update else MessageType.QUERY
    return Reply(type_, NODE, b"i" * 32, to, value, error)


def test_peers_are_read_with_who_told_them() -> None:
    value = PeersOutput(encode_address(PEER), bytes([7, 9, 0x30, 0x39])).encode()
    read = operations.read_peers(LOCAL)
    neighbour = Address("192.168.7.9", 12345)
    assert read(reply(value)) == operations.PeersFound(NODE, [PEER], [neighbour], US)
    found = operations.read_peers(None)(reply(value))
    assert found is not None
    assert found.local_peers == []


@pytest.mark.parametrize(
    "answer",
    [
        reply(None),
        reply(b""),
        reply(b"\x0a\x05hello"),  # not a multiple of six
        reply(b"\x0a\x06" + bytes(6)),
        reply(b"\x0a\xff"),
        reply(PeersOutput(encode_address(PEER)).encode(), error="no"),
        reply(PeersOutput(encode_address(PEER)).encode(), update=True),
    ],
)
def test_answers_without_peers_are_no_results(answer: Reply) -> None:
    assert operations.read_peers(LOCAL)(answer) is None


def test_the_value_of_a_lookup_is_written_though_it_is_empty() -> None:
    assert operations.peers_question(b"t" * 32, PeersInput()).value == b""


def test_a_pong_tells_our_address() -> None:
    assert operations.read_pong(reply(None)) == US
    assert operations.read_pong(reply(encode_address(PEER), to=None)) == PEER
    assert operations.read_pong(reply(b"short", to=None)) is None
    assert operations.read_pong(reply(None, to=None)) is None


def test_an_immutable_value_has_to_hash_to_its_key() -> None:
    read = operations.read_immutable(operations.immutable_key(b"value"))
    assert read(reply(b"value")) == b"value"
    for answer in (reply(b"other"), reply(None), reply(b""), reply(b"value", error="no")):
        assert read(answer) is None
    large = bytes(1001)
    assert operations.read_immutable(operations.immutable_key(large))(reply(large)) is None


def test_a_mutable_value_has_to_be_signed_and_new_enough() -> None:
    value = Mutable.signed(PAIR, b"v", 3, b"salt")
    read = operations.read_mutable(PAIR.public_key, 3, b"salt")
    assert read(reply(value.encode())) == value
    assert operations.read_mutable(PAIR.public_key, 4, b"salt")(reply(value.encode())) is None
    assert operations.read_mutable(PAIR.public_key, 3, None)(reply(value.encode())) is None
    assert operations.read_mutable(OTHER.public_key, 3, b"salt")(reply(value.encode())) is None
    for answer in (reply(None), reply(b"\xff"), reply(value.encode(), error="no")):
        assert read(answer) is None


def test_only_a_signed_record_shows_that_ours_is_stale() -> None:
    sent = Mutable.signed(PAIR, b"v", 3)
    refusal = operations.refuse_stale(PAIR.public_key, sent)
    newer, older = Mutable.signed(PAIR, b"w", 4), Mutable.signed(PAIR, b"w", 2)
    forged = Mutable.signed(OTHER, b"w", 9)
    assert "seq 3 is not newer than the stored 4" in str(
        refusal(reply(newer.encode(), error=ERROR))
    )
    assert refusal(reply(Mutable.signed(PAIR, b"w", 3).encode(), error=ERROR)) is not None
    for answer in (
        reply(None, error=ERROR),
        reply(forged.encode(), error=ERROR),
        reply(older.encode(), error=ERROR),
        reply(newer.encode()),
    ):
        assert refusal(answer) is None


def test_errors_are_no_results() -> None:
    assert operations.read_any(reply(None)) == reply(None)
    assert operations.read_any(reply(None, error="no")) is None
