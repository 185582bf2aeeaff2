from __future__ import annotations

from hypermultifeed.crypto import PortableXSalsa20
from hypermultifeed.wire.cipher import Cipher

KEYS = bytes(range(32)), bytes(range(32, 64))
NONCES = bytes(24), bytes(range(24))


def make() -> tuple[Cipher, Cipher]:
    a = Cipher(tx=KEYS[0], nonce=NONCES[0], rx=KEYS[1], remote_nonce=NONCES[1])
    b = Cipher(tx=KEYS[1], nonce=NONCES[1], rx=KEYS[0], remote_nonce=NONCES[0])
    return a, b


def test_each_direction_has_its_own_key_stream() -> None:
    a, b = make()
    assert a.encrypt([bytes(40)]) == PortableXSalsa20(KEYS[0], NONCES[0]).process(bytes(40))
    assert b.encrypt([bytes(40)]) == PortableXSalsa20(KEYS[1], NONCES[1]).process(bytes(40))


def test_key_streams_go_on_over_messages_however_they_are_cut() -> None:
    a, b = make()
    sent = [b"", b"x", b"hello" * 30, bytes(100_000), b"end"]
    wire = b"".join(bytes(a.encrypt((text, text))) for text in sent)
    received = b"".join(b.decrypt(wire[at : at + 997]) for at in range(0, len(wire), 997))
    assert received == b"".join(text * 2 for text in sent)


def test_parts_are_left_alone() -> None:
    a, _ = make()
    part = bytearray(b"text")
    assert a.encrypt([part]) != part
    assert part == b"text"
