"""What the operations of the DHT ask, and what they read in the answers (@hyperswarm/dht 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed import crypto
from hypermultifeed.discovery.addresses import Address, decode_address
from hypermultifeed.discovery.query import QUERY, Question, Reply
from hypermultifeed.discovery.values import (
    VALUE_BYTES_MAX,
    Mutable,
    PeersInput,
    PeersOutput,
)
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable

PEERS: Final = "peers"
IMMUTABLE: Final = "immutable-store"
MUTABLE: Final = "mutable-store"


class PeersFound(NamedTuple):
    """What one node knows about a topic.

    Attributes:
        node: who told it; it can help to reach these peers.
        peers: where peers were when they announced themselves; not checked by anybody.
        local_peers: peers that announced a local address that begins as ours does.
        to: our own address as that node sees it.
    """

    node: Address
    peers: list[Address]
    local_peers: list[Address]
    to: Address | None


def peers_question(topic: bytes, sent: PeersInput) -> Question:
    """The value is written even when it is empty: JavaScript's responder needs it."""
    return Question(PEERS, topic, sent.encode())


def read_peers(local_address: Address | None) -> Callable[[Reply], PeersFound | None]:
    """Reads an answer to a lookup or an announce; one without peers is no result."""

    def read(reply: Reply) -> PeersFound | None:
        if reply.type is not QUERY or reply.error is not None or not reply.value:
            return None
        try:
            output = PeersOutput.decode(reply.value)
        except DiscoveryError:
            return None
        peers, local_peers = output.addresses(), output.local_addresses(local_address)
        found = PeersFound(reply.node, peers, local_peers, reply.to)
        return found if peers or local_peers else None

    return read


def read_any(reply: Reply) -> Reply | None:
    """Every answer that is no error."""
    return reply if reply.error is None else None


def no_refusal(_reply: Reply) -> None:
    """Whatever a node says, others may take it."""


def read_pong(reply: Reply) -> Address | None:
    """Our own address, as the node that we pinged sees it."""
    if reply.to is not None or reply.value is None:
        return reply.to
    try:
        return decode_address(reply.value)
    except DiscoveryError:
        return None


def read_immutable(key: bytes) -> Callable[[Reply], bytes | None]:
    """Reads a value, if it is the one that hashes to the key."""

    def read(reply: Reply) -> bytes | None:
        value = None if reply.error is not None else reply.value
        if value is None or len(value) > VALUE_BYTES_MAX or immutable_key(value) != key:
            return None
        return value

    return read


def immutable_key(value: bytes) -> bytes:
    """The key under which a value is found."""
    return crypto.blake2b_256(value)


def read_mutable(
    public_key: bytes, seq: int, salt: bytes | None
) -> Callable[[Reply], Mutable | None]:
    """Reads a value, if it is signed by the owner and not older than asked for."""

    def read(reply: Reply) -> Mutable | None:
        stored = None if reply.error is not None else _verified(reply, public_key, salt)
        return None if stored is None or stored.seq < seq else stored

    return read


def refuse_stale(public_key: bytes, sent: Mutable) -> Callable[[Reply], DiscoveryError | None]:
    """Finds out from a refusal that the value sent is not the newest.

    Anybody can claim that; a record signed by the owner proves it.
    """

    def refusal(reply: Reply) -> DiscoveryError | None:
        stored = None if reply.error is None else _verified(reply, public_key, sent.salt)
        if stored is None or stored.seq < sent.seq:
            return None
        return DiscoveryError(f"seq {sent.seq} is not newer than the stored {stored.seq}")

    return refusal


def _verified(reply: Reply, public_key: bytes, salt: bytes | None) -> Mutable | None:
    try:
        stored = None if reply.value is None else Mutable.decode(reply.value)
    except DiscoveryError:
        return None
    return stored if stored is not None and stored.verify(public_key, salt) else None
