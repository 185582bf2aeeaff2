"""@hyperswarm/dht's tests of what nodes store and what askers believe, without a network."""

from __future__ import annotations

import random

import pytest

from hypermultifeed import crypto
from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.messages import Message, MessageType
from hypermultifeed.discovery.responder import Responder
from hypermultifeed.discovery.values import Mutable, PeersInput, PeersOutput, signable
from hypermultifeed.keys import KeyPair

PEER = Address("10.0.0.1", 4001)
PEER2 = Address("10.0.0.2", 4002)
HOME = Address("192.168.100.100", 20000)
HOME2 = Address("192.168.100.101", 20000)
TOPIC = b"t" * 32
PAIR = KeyPair.from_seed(b"p" * 32)
SALT = b"s" * 32


class Node:
    """A node of the DHT, asked by peers that know it."""

    def __init__(self) -> None:
        self.responder = Responder(bytes(32), lambda _: [], randomness=random.Random(1), now=0.0)

    def update(self, command: str, target: bytes, value: bytes | None) -> Message:
        token = self.responder.tokens.create(PEER.host, 0.0)
        return self.ask(
            Message(
                MessageType.UPDATE,
                1,
                target=target,
                roundtrip_token=token,
                command=command,
                value=value,
            ),
            PEER,
        )

    def query(self, command: str, target: bytes, value: bytes | None) -> Message:
        message = Message(MessageType.QUERY, 1, target=target, command=command, value=value)
        return self.ask(message, PEER2)

    def ask(self, message: Message, sender: Address) -> Message:
        answer = self.responder.answer(message, sender, 0.0)
        assert answer is not None
        return answer

    def put(self, mutable: Mutable) -> str | None:
        return self.update("mutable-store", PAIR.public_key, mutable.encode()).error

    def get(self, seq: int = 0, salt: bytes | None = None) -> Mutable:
        value = Mutable(seq=seq, salt=salt).encode()
        answer = self.query("mutable-store", PAIR.public_key, value)
        assert answer.value is not None
        return Mutable.decode(answer.value)


@pytest.fixture
def node() -> Node:
    return Node()


def looked_up(node: Node) -> PeersOutput:
    """What peer2 is told of the topic after peer has announced itself there."""
    node.update("peers", TOPIC, PeersInput(local_address=HOME).encode())
    answer = node.query("peers", TOPIC, PeersInput(local_address=HOME2).encode())
    assert answer.value is not None
    output = PeersOutput.decode(answer.value)
    assert output.addresses() == [PEER]
    assert output.local_addresses(HOME2) == [HOME]
    return output


# -- peers -------------------------------------------------------------------------------------


def test_announce_bad_port(node: Node) -> None:
    """dht/index: "announce bad port"."""
    assert node.update("peers", TOPIC, PeersInput(65536).encode()).error == "Invalid port"


def test_corrupt_local_address_data_wrong_buffer_length(node: Node) -> None:
    """dht/index: "corrupt localAddress data (wrong buffer length)"."""
    output = looked_up(node)
    assert output.local_peers is not None
    corrupt = output._replace(local_peers=output.local_peers[1:])
    assert corrupt.local_addresses(HOME2) == []
    assert corrupt.addresses() == [PEER]


def test_corrupt_local_address_data_nil_port(node: Node) -> None:
    """dht/index: "corrupt localAddress data (nil port)"."""
    corrupt = looked_up(node)._replace(local_peers=bytes(4))
    assert corrupt.local_addresses(HOME2) == []
    assert corrupt.addresses() == [PEER]


def test_corrupt_peer_data_wrong_buffer_length(node: Node) -> None:
    """dht/index: "corrupt peer data (wrong buffer length)"."""
    output = looked_up(node)
    assert output.peers is not None
    corrupt = output._replace(peers=output.peers[1:])
    assert corrupt.addresses() == []
    assert corrupt.local_addresses(HOME2) == [HOME]


def test_corrupt_peer_data_nill_buffer(node: Node) -> None:
    """dht/index: "corrupt peer data (nill buffer)"."""
    corrupt = looked_up(node)._replace(peers=bytes(6))
    assert corrupt.addresses() == []
    assert corrupt.local_addresses(HOME2) == [HOME]


# -- immutable values --------------------------------------------------------------------------


def test_immutable_corrupt_hash_update(node: Node) -> None:
    """dht/put-get: "immutable corrupt hash update"."""
    answer = node.update("immutable-store", b"c" * 32, b"test")
    assert answer.error == "ERR_INVALID_INPUT"
    assert node.query("immutable-store", b"c" * 32, None).value is None


# -- signatures --------------------------------------------------------------------------------


def test_mutable_signable() -> None:
    """dht/put-get: "mutable.signable"."""
    assert signable(b"test", 0) == b"3:seqi0e1:v4:test"
    assert signable(b"test", 1) == b"3:seqi1e1:v4:test"
    assert signable(b"test", 0, SALT) == b"4:salt32:" + SALT + b"3:seqi0e1:v4:test"


def test_mutable_signable_salt_size() -> None:
    """dht/put-get: "mutable signable - salt size must be no greater than 64 bytes"."""
    with pytest.raises(ValueError, match="at most 64"):
        signable(b"test", 0, bytes(65))


def test_mutable_signable_value_size() -> None:
    """dht/put-get: "mutable signable - value size must be <= 1000 bytes"."""
    with pytest.raises(ValueError, match="at most 1000"):
        signable(bytes(1001), 0)


def test_mutable_sign() -> None:
    """dht/put-get: "mutable.sign"."""
    for seq, salt in ((0, None), (0, SALT), (2, None), (2, SALT)):
        mutable = Mutable.signed(PAIR, b"test", seq, salt)
        assert mutable.signature is not None
        assert crypto.verify(signable(b"test", seq, salt), mutable.signature, PAIR.public_key)


def test_mutable_sign_value_size() -> None:
    """dht/put-get: "mutable sign - value size must be <= 1000 bytes"."""
    with pytest.raises(ValueError, match="at most 1000"):
        Mutable.signed(PAIR, bytes(1001), 0)


# -- mutable values ----------------------------------------------------------------------------


def test_new_value_with_the_same_seq(node: Node) -> None:
    """dht/put-get: "mutable put/get update new value with same seq"."""
    first = Mutable.signed(PAIR, b"test", 0)
    assert node.put(first) is None
    assert node.get() == first
    assert node.put(Mutable.signed(PAIR, b"test2", 0)) == "ERR_INVALID_SEQ"
    assert node.get() == first


def test_new_value_with_a_lower_seq(node: Node) -> None:
    """dht/put-get: "mutable put/get update new value with lower seq"."""
    first = Mutable.signed(PAIR, b"test", 2)
    assert node.put(first) is None
    assert node.get(2) == first
    assert node.put(Mutable.signed(PAIR, b"test2", 1)) == "ERR_SEQ_MUST_EXCEED_CURRENT"
    assert node.get() == first


def test_same_value_with_the_same_seq(node: Node) -> None:
    """dht/put-get: "mutable put/get update with same value with same seq"."""
    first = Mutable.signed(PAIR, b"test", 0)
    assert node.put(first) is None
    assert node.put(first) == "ERR_SEQ_MUST_EXCEED_CURRENT"


def test_update_with_null_value(node: Node) -> None:
    """dht/put-get: "mutable update with null value is handled"."""
    assert node.put(Mutable(None, bytes(64))) == "ERR_INVALID_INPUT"


def test_update_with_null_signature(node: Node) -> None:
    """dht/put-get: "mutable update with null signature is handled"."""
    assert node.put(Mutable(b"test", None)) == "ERR_INVALID_INPUT"


def test_corrupt_value_update(node: Node) -> None:
    """dht/put-get: "mutable corrupt value update"."""
    assert node.put(Mutable.signed(PAIR, b"test", 0)._replace(value=b"fake")) == "ERR_INVALID_INPUT"


def test_corrupt_signature_update(node: Node) -> None:
    """dht/put-get: "mutable corrupt signature update"."""
    corrupt = Mutable.signed(PAIR, b"test", 0)._replace(signature=bytes(64))
    assert node.put(corrupt) == "ERR_INVALID_INPUT"


def test_corrupt_salt_update(node: Node) -> None:
    """dht/put-get: "mutable corrupt salt update"."""
    corrupt = Mutable.signed(PAIR, b"test", 0, SALT)._replace(salt=bytes(32))
    assert node.put(corrupt) == "ERR_INVALID_INPUT"


def test_corrupt_values_are_filtered_out(node: Node) -> None:
    """dht/put-get: "mutable get corrupt values are filtered out"."""
    node.put(Mutable.signed(PAIR, b"test", 0))
    assert node.get().verify(PAIR.public_key, None)
    assert not node.get()._replace(value=b"fake").verify(PAIR.public_key, None)


def test_corrupt_signatures_are_filtered_out(node: Node) -> None:
    """dht/put-get: "mutable get corrupt signatures are filtered out"."""
    node.put(Mutable.signed(PAIR, b"test", 0))
    assert not node.get()._replace(signature=b"fake").verify(PAIR.public_key, None)


def test_corrupt_salts_are_filtered_out(node: Node) -> None:
    """dht/put-get: "mutable get corrupt salts are filtered out"."""
    node.put(Mutable.signed(PAIR, b"test", 0, SALT))
    stored = node.get(salt=SALT)
    assert stored._replace(salt=bytes(32)).verify(PAIR.public_key, SALT)  # it was asked for
    assert not stored.verify(PAIR.public_key, bytes(32))
