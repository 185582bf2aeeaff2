from __future__ import annotations

import pytest

from hypermultifeed.discovery.addresses import (
    ADDRESSES_MAX,
    CONTACTS_MAX,
    Address,
    Contact,
    decode_address,
    decode_addresses,
    decode_contacts,
    decode_local_addresses,
    encode_address,
    encode_addresses,
    encode_contacts,
    may_dial,
    network_block,
    parse_address,
)
from hypermultifeed.errors import DiscoveryError

ADDRESS = Address("10.1.2.3", 49737)
OTHER = Address("255.0.9.254", 1)
raw = bytes.fromhex


def test_an_address_has_six_bytes() -> None:
    assert encode_address(ADDRESS).hex() == "0a010203c249"
    assert decode_address(raw("0a010203c249")) == ADDRESS
    assert str(ADDRESS) == f"{ADDRESS}" == "10.1.2.3:49737"


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("10.1.2.3", 0),
        ("10.1.2.3", -1),
        ("10.1.2.3", 65536),
        ("10.1.2", 1),
        ("10.1.2.3.4", 1),
        ("10.1.2.256", 1),
        ("10.1.2.03", 1),
        ("10.1.2.+3", 1),
        ("10.1.2. 3", 1),
        ("10.1.2.²", 1),
        ("::ffff:10.1.2.3", 1),
        ("localhost", 1),
        ("", 1),
    ],
)
def test_what_is_no_address_is_not_encoded(host: str, port: int) -> None:
    with pytest.raises(DiscoveryError, match="is not an IPv4 address"):
        encode_address((host, port))


@pytest.mark.parametrize("data", ["", "0a010203", "0a010203c24900", "0a0102030000"])
def test_what_is_no_address_is_not_decoded(data: str) -> None:
    with pytest.raises(DiscoveryError):
        decode_address(raw(data))


def test_contacts() -> None:
    contacts = [Contact(b"a" * 32, ADDRESS), Contact(b"b" * 32, OTHER)]
    data = encode_contacts(contacts)
    assert data == b"a" * 32 + raw("0a010203c249") + b"b" * 32 + raw("ff0009fe0001")
    assert decode_contacts(data) == contacts
    assert decode_contacts(b"") == []


def test_one_wrong_thing_voids_all_contacts() -> None:
    good = encode_contacts([Contact(b"a" * 32, ADDRESS)])
    assert decode_contacts(good + good[:-1]) == []
    assert decode_contacts(good + good[:-2] + bytes(2)) == []
    assert len(decode_contacts(good * CONTACTS_MAX)) == CONTACTS_MAX
    assert decode_contacts(good * (CONTACTS_MAX + 1)) == []


def test_addresses() -> None:
    data = encode_addresses([ADDRESS, OTHER])
    assert data.hex() == "0a010203c249" + "ff0009fe0001"
    assert decode_addresses(data) == [ADDRESS, OTHER]
    assert decode_addresses(b"") == []


def test_one_wrong_thing_voids_all_addresses() -> None:
    good = encode_address(ADDRESS)
    for wrong in ("0a010203c2", "0a0102030000", "00000000c249"):
        assert decode_addresses(good + raw(wrong)) == []
    assert decode_addresses(raw("00000001c249")) == [Address("0.0.0.1", 49737)]
    assert len(decode_addresses(good * ADDRESSES_MAX)) == ADDRESSES_MAX
    assert decode_addresses(good * (ADDRESSES_MAX + 1)) == []


def test_local_addresses_borrow_two_octets() -> None:
    like = Address("192.168.1.4", 4000)
    expected = [Address("192.168.7.9", 12345), Address("192.168.0.0", 1)]
    assert decode_local_addresses(raw("07093039" + "00000001"), like) == expected
    assert decode_local_addresses(b"", like) == []
    for wrong in ("070930", "07090000", "0709303907090000"):
        assert decode_local_addresses(raw(wrong), like) == []
    assert decode_local_addresses(raw("07093039") * (ADDRESSES_MAX + 1), like) == []


PUBLIC = ["1.2.3.4", "8.8.8.8", "100.64.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.0.1", "169.254.1.1"]
NOBODY = ["0.0.0.1", "0.1.2.3", "224.0.0.251", "239.1.2.3", "240.0.0.1", "255.255.255.255"]
LOOPBACK = ["127.0.0.1", "127.9.9.9"]
NO_ADDRESS = ["", "peer.local", "::1", "fe80::1", "1.2.3", "01.2.3.4", "1.2.3.4.5", "1.2.3.256"]


@pytest.mark.parametrize("allow_loopback", [False, True])
def test_who_may_be_dialled(allow_loopback: bool) -> None:
    def dialled(hosts: list[str], *, local: bool) -> set[bool]:
        return {may_dial(host, local=local, allow_loopback=allow_loopback) for host in hosts}

    assert dialled(PUBLIC, local=False) == {True}
    assert dialled(PUBLIC, local=True) == {False}
    assert dialled(PRIVATE, local=False) == dialled(PRIVATE, local=True) == {True}
    for local in (False, True):
        assert dialled(LOOPBACK, local=local) == {allow_loopback}
        assert dialled(NOBODY + NO_ADDRESS, local=local) == {False}


def test_network_block() -> None:
    assert network_block("192.168.1.4") == network_block("192.168.1.200") == "192.168.1.0/24"
    assert network_block("fe80::1") == "fe80::1"


def test_parse_address() -> None:
    assert parse_address("node.example:49737") == ("node.example", 49737)
    assert parse_address("10.1.2.3:1") == ("10.1.2.3", 1)
    assert parse_address("[::1]:65535") == ("::1", 65535)


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:0", "host:65536", "host:-1", "host:²", "::1", "[]:1"]
)
def test_parse_address_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|brackets"):
        parse_address(text)
