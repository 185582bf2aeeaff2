"""Laws of the DHT's messages: what is encoded is decoded, in any order of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hypermultifeed.discovery.addresses import (
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
    parse_address,
)
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.values import (
    SALT_BYTES_MAX,
    VALUE_BYTES_MAX,
    Holepunch,
    Mutable,
    PeersInput,
    PeersOutput,
)
from hypermultifeed.encoding import protobuf
from hypermultifeed.encoding.varint import NUMBER_MAX
from hypermultifeed.keys import KeyPair

if TYPE_CHECKING:
    import random

PAIR = KeyPair.from_seed(bytes(32))

octets = st.integers(0, 255)
ports = st.integers(1, 65535)
addresses = st.builds(
    lambda a, b, c, d, port: Address(f"{a}.{b}.{c}.{d}", port),
    *(st.integers(1, 255), octets, octets, octets, ports),
)
ids = st.binary(min_size=32, max_size=32)
contacts = st.builds(Contact, ids, addresses)
numbers = st.one_of(st.integers(0, 300), st.integers(0, NUMBER_MAX))
blobs = st.binary(max_size=400)
texts = st.text(max_size=40)

messages = st.builds(
    Message,
    st.sampled_from(MessageType),
    numbers,
    to=st.none() | addresses,
    id=st.none() | ids,
    target=st.none() | blobs,
    closer_nodes=st.none() | st.lists(contacts, max_size=20),
    roundtrip_token=st.none() | blobs,
    command=st.none() | texts,
    error=st.none() | texts,
    value=st.none() | blobs,
    version=st.none() | st.integers(1, NUMBER_MAX),
)


@given(messages)
def test_messages(message: Message) -> None:
    assert decode(encode(message)) == message


@given(messages, st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_matter(message: Message, order: random.Random) -> None:
    closer, to = message.closer_nodes, message.to
    fields: list[tuple[int, int | bytes | str | None]] = [
        (1, message.type),
        (2, message.rid),
        (3, message.id),
        (4, message.target),
        (5, None if closer is None else encode_contacts(closer)),
        (6, message.roundtrip_token),
        (7, message.command),
        (8, message.error),
        (9, message.value),
        (10, None if to is None else encode_address(to)),
        (11, message.version),
        (12, b"of a later version"),
        (99, 7),
    ]
    order.shuffle(fields)
    assert decode(protobuf.encode(fields)) == message


@given(addresses)
def test_addresses(address: Address) -> None:
    assert decode_address(encode_address(address)) == address
    assert parse_address(str(address)) == address
    if may_dial(address.host, local=True, allow_loopback=True):
        assert may_dial(address.host, local=False, allow_loopback=True)


@given(st.lists(addresses, max_size=128), st.lists(contacts, max_size=20))
def test_lists(many: list[Address], nodes: list[Contact]) -> None:
    assert decode_addresses(encode_addresses(many)) == many
    assert decode_contacts(encode_contacts(nodes)) == nodes


@given(addresses, st.lists(addresses, max_size=32))
def test_local_lists(own: Address, many: list[Address]) -> None:
    data = b"".join(encode_address(one)[2:] for one in many)
    prefix = ".".join(own.host.split(".")[:2])
    found = decode_local_addresses(data, own)
    assert found == [Address(f"{prefix}.{one.host.split('.', 2)[2]}", one.port) for one in many]


@given(st.builds(PeersInput, st.none() | numbers, st.none() | addresses, st.none() | st.booleans()))
def test_peers_input(value: PeersInput) -> None:
    assert PeersInput.decode(value.encode()) == value


@given(st.builds(PeersOutput, st.none() | blobs, st.none() | blobs))
def test_peers_output(value: PeersOutput) -> None:
    assert PeersOutput.decode(value.encode()) == value


@given(st.builds(Mutable, st.none() | blobs, st.none() | blobs, numbers, st.none() | blobs))
def test_mutable(value: Mutable) -> None:
    assert Mutable.decode(value.encode()) == value


@given(st.builds(Holepunch, st.none() | addresses, st.none() | addresses))
def test_holepunch(value: Holepunch) -> None:
    assert Holepunch.decode(value.encode()) == value


@given(st.binary(max_size=VALUE_BYTES_MAX), numbers, st.none() | st.binary(max_size=SALT_BYTES_MAX))
def test_what_is_signed_verifies_after_its_travel(
    value: bytes, seq: int, salt: bytes | None
) -> None:
    travelled = Mutable.decode(Mutable.signed(PAIR, value, seq, salt).encode())
    assert travelled == Mutable.signed(PAIR, value, seq, salt)
    assert travelled.verify(PAIR.public_key, salt)
    assert not travelled._replace(seq=seq + 1).verify(PAIR.public_key, salt)
    assert not travelled.verify(PAIR.public_key, b"another salt")
