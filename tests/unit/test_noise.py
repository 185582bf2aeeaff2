from __future__ import annotations

import pytest

from hypermultifeed.errors import HandshakeError
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.wire.noise import Handshake

STATIC = [NoiseKeyPair.from_seed(bytes([number]) * 32) for number in (1, 2)]
EPHEMERAL = [NoiseKeyPair.from_seed(bytes([number]) * 32) for number in (3, 4)]
LOW_ORDER = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"]


def make(payloads: tuple[bytes, bytes] = (b"ours", b"theirs")) -> tuple[Handshake, Handshake]:
    a, b = (
        Handshake(
            initiator=number == 0,
            key_pair=STATIC[number],
            ephemeral=EPHEMERAL[number],
            payload=payloads[number],
        )
        for number in (0, 1)
    )
    return a, b


def messages() -> list[bytes]:
    """The three messages of a good handshake."""
    a, b = make()
    first = a.write_message()
    b.read_message(first)
    second = b.write_message()
    a.read_message(second)
    return [first, second, a.write_message()]


def receiver_of(number: int) -> Handshake:
    """The side that reads message ``number``, brought to that point."""
    a, b = make()
    first = a.write_message()
    if number == 0:
        return b
    b.read_message(first)
    b.write_message()
    return a if number == 1 else b


def test_both_sides_agree() -> None:
    a, b = make()
    assert (a.writes_next, b.writes_next) == (True, False)
    b.read_message(a.write_message())
    assert (b.remote_public_key or b"") == b""
    assert (a.writes_next, b.writes_next) == (False, True)
    a.read_message(b.write_message())
    assert a.remote_public_key == STATIC[1].public_key
    assert (a.writes_next, b.writes_next, a.finished) == (True, False, False)
    b.read_message(a.write_message())
    assert b.remote_public_key == STATIC[0].public_key
    assert (a.finished, b.finished) == (True, True)
    assert (a.writes_next, b.writes_next) == (False, False)
    assert (a.tx, a.rx) == (b.rx, b.tx)
    assert a.tx != a.rx
    assert a.hash == b.hash
    assert len(a.hash) == 64
    assert (a.remote_payload, b.remote_payload) == (b"theirs", b"ours")


def test_an_empty_payload_leaves_the_one_before() -> None:
    a, b = make()
    b.read_message(a.write_message())
    a._payload = b""
    a.read_message(b.write_message())
    b.read_message(a.write_message())
    assert b.remote_payload == b"ours"


@pytest.mark.parametrize("number", [1, 2])
def test_every_flipped_bit_is_found(number: int) -> None:
    good = messages()[number]
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1 << (place % 8)
        with pytest.raises(HandshakeError, match="Noise handshake failed"):
            receiver_of(number).read_message(bytes(bad))


def test_a_changed_first_message_fails_later() -> None:
    a, b = make()
    first = bytearray(a.write_message())
    first[-1] ^= 1  # the payload in clear
    b.read_message(bytes(first))
    with pytest.raises(HandshakeError):
        a.read_message(b.write_message())


@pytest.mark.parametrize("number", [0, 1, 2])
def test_cut_off(number: int) -> None:
    good = messages()[number]
    shortest = 32 if number == 0 else len(good)  # the first one's payload may have any length
    for size in range(shortest):
        with pytest.raises(HandshakeError, match="Noise handshake failed"):
            receiver_of(number).read_message(good[:size])


@pytest.mark.parametrize("number", [1, 2])
def test_longer(number: int) -> None:
    with pytest.raises(HandshakeError):
        receiver_of(number).read_message(messages()[number] + b"\x00")


@pytest.mark.parametrize("number", [1, 2])
def test_messages_of_another_place_or_session(number: int) -> None:
    for other in range(3):
        if other != number:
            with pytest.raises(HandshakeError):
                receiver_of(number).read_message(messages()[other])
    fresh = receiver_of(number)
    fresh._ephemeral = NoiseKeyPair.generate()
    with pytest.raises(HandshakeError):
        fresh.read_message(messages()[number])


@pytest.mark.parametrize("key", LOW_ORDER)
def test_keys_of_low_order(key: bytes) -> None:
    _, b = make()
    b.read_message(key + b"payload")
    with pytest.raises(HandshakeError, match="Noise handshake failed"):
        b.write_message()
    a, _ = make()
    a.write_message()
    with pytest.raises(HandshakeError, match="Noise handshake failed"):
        a.read_message(key + bytes(90))


def test_ourselves() -> None:
    """Nothing in Noise forbids it; the caller compares the keys."""
    a, b = make()
    b._static = STATIC[0]
    b.read_message(a.write_message())
    a.read_message(b.write_message())
    assert a.remote_public_key == STATIC[0].public_key
