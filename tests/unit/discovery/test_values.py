from __future__ import annotations

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.values import (
    SALT_BYTES_MAX,
    VALUE_BYTES_MAX,
    Holepunch,
    Mutable,
    PeersInput,
    PeersOutput,
    signable,
)
from hypermultifeed.errors import DiscoveryError
from hypermultifeed.keys import KeyPair

PAIR = KeyPair.from_seed(bytes(32))
OTHER = KeyPair.from_seed(b"o" * 32)
HOME = Address("192.168.7.9", 12345)


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (PeersInput(), ""),
        (PeersInput(0), "0800"),
        (PeersInput(0, unannounce=True), "08001801"),
        (PeersInput(1, unannounce=False), "08011800"),
        (PeersInput(12345, HOME), "08b9601206c0a807093039"),
    ],
)
def test_peers_input(given: PeersInput, data: str) -> None:
    assert given.encode().hex() == data
    assert PeersInput.decode(bytes.fromhex(data)) == given


def test_peers_input_keeps_a_port_that_is_none_for_the_responder_to_refuse() -> None:
    assert PeersInput.decode(PeersInput(65536).encode()).port == 65536


@pytest.mark.parametrize(
    "data", ["08", "1206c0a80709", "1200", "1205c0a8070930", "1206c0a807090000"]
)
def test_peers_input_refuses(data: str) -> None:
    with pytest.raises(DiscoveryError):
        PeersInput.decode(bytes.fromhex(data))


def test_peers_output() -> None:
    output = PeersOutput(bytes.fromhex("7f0000023039"), bytes.fromhex("07093039"))
    assert output.encode().hex() == "0a067f0000023039120407093039"
    assert PeersOutput.decode(output.encode()) == output
    assert output.addresses() == [Address("127.0.0.2", 12345)]
    assert output.local_addresses(Address("10.9.0.1", 1)) == [Address("10.9.7.9", 12345)]
    assert output.local_addresses(None) == []


def test_no_peers_are_written_with_no_bytes() -> None:
    assert PeersOutput().encode() == b""
    assert PeersOutput.decode(b"") == PeersOutput()
    assert PeersOutput().addresses() == PeersOutput().local_addresses(HOME) == []


def test_peers_output_refuses() -> None:
    with pytest.raises(DiscoveryError):
        PeersOutput.decode(b"\x0a\x06\x7f")


def test_mutable() -> None:
    assert Mutable(seq=0).encode().hex() == "1800"
    assert Mutable(seq=5, salt=b"s").encode().hex() == "1805220173"
    for mutable in (Mutable(), Mutable(b"", b"", 1, b""), Mutable.signed(PAIR, b"v", 2, b"s")):
        assert Mutable.decode(mutable.encode()) == mutable
    with pytest.raises(DiscoveryError):
        Mutable.decode(b"\x0a\x02v")


def test_signable_has_its_limits() -> None:
    assert signable(bytes(VALUE_BYTES_MAX), 0, bytes(SALT_BYTES_MAX))
    for value, seq, salt in (
        (bytes(VALUE_BYTES_MAX + 1), 0, None),
        (b"", 0, bytes(SALT_BYTES_MAX + 1)),
        (b"", -1, None),
    ):
        with pytest.raises(ValueError, match=r"at most|negative"):
            signable(value, seq, salt)
        with pytest.raises(ValueError, match=r"at most|negative"):
            Mutable.signed(PAIR, value, seq, salt)


def test_an_empty_salt_is_not_no_salt() -> None:
    assert signable(b"v", 1, b"") == b"4:salt0:3:seqi1e1:v1:v"
    assert signable(b"v", 1) == b"3:seqi1e1:v1:v"


def test_verify() -> None:
    mutable = Mutable.signed(PAIR, b"v", 1, b"salt")
    assert mutable.verify(PAIR.public_key, b"salt")
    wrong = [
        mutable._replace(value=b"w"),
        mutable._replace(seq=2),
        mutable._replace(value=None),
        mutable._replace(signature=None),
        mutable._replace(signature=bytes(64)),
        mutable._replace(signature=b""),
        mutable._replace(value=bytes(VALUE_BYTES_MAX + 1)),
    ]
    for other in wrong:
        assert not other.verify(PAIR.public_key, b"salt")
    assert not mutable.verify(OTHER.public_key, b"salt")
    assert not mutable.verify(b"no key", b"salt")


def test_the_salt_that_was_asked_for_decides() -> None:
    mutable = Mutable.signed(PAIR, b"v", 1, b"salt")._replace(salt=b"other")
    assert mutable.verify(PAIR.public_key, b"salt")
    assert not mutable.verify(PAIR.public_key, b"other")
    assert not mutable.verify(PAIR.public_key, None)
    assert not mutable.verify(PAIR.public_key, bytes(SALT_BYTES_MAX + 1))


def test_holepunch() -> None:
    here, there = Address("10.1.2.3", 49737), Address("10.1.2.4", 1)
    assert Holepunch(to=here).encode().hex() == "1a060a010203c249"
    assert Holepunch(from_=here).encode().hex() == "12060a010203c249"
    for value in (Holepunch(), Holepunch(here, there)):
        assert Holepunch.decode(value.encode()) == value
    for data in ("1a00", "1a060a0102030000", "12050a010203c2", "12"):
        with pytest.raises(DiscoveryError):
            Holepunch.decode(bytes.fromhex(data))
