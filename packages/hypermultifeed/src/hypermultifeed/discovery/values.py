"""What the commands of the DHT carry in a message's ``value`` (@hyperswarm/dht and dht-rpc)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed import crypto
from hypermultifeed.discovery.addresses import (
    Address,
    decode_address,
    decode_addresses,
    decode_local_addresses,
    encode_address,
)
from hypermultifeed.encoding import protobuf
from hypermultifeed.encoding.protobuf import Fields, Kind
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypermultifeed.keys import KeyPair

VALUE_BYTES_MAX: Final = 1000
"""Largest stored value: with all that goes around it, it still fits into most packets."""

SALT_BYTES_MAX: Final = 64
"""Largest salt: it only has to tell the values of one key apart."""


class PeersInput(NamedTuple):
    """A request of ``peers``: who asks, announces or unannounces itself.

    Attributes:
        port: where it takes connections; 0 and None mean the port that the datagram came from.
        local_address: its address in its own network, to be told to neighbours.
        unannounce: an update takes the record back.
    """

    port: int | None = None
    local_address: Address | None = None
    unannounce: bool | None = None

    def encode(self) -> bytes:
        """Its bytes; DiscoveryError if the local address is not IPv4 with a port."""
        return protobuf.encode(
            ((1, self.port), (2, _encode(self.local_address)), (3, self.unannounce))
        )

    @classmethod
    def decode(cls, data: bytes) -> PeersInput:
        """Read its bytes; DiscoveryError if they are malformed."""
        fields = _fields(data, _PEERS_INPUT)
        port = fields.uint(1, -1)
        unannounce = None if fields.uint(3, -1) < 0 else fields.flag(3)
        return cls(None if port < 0 else port, _decode(fields.raw(2)), unannounce)


class PeersOutput(NamedTuple):
    """A response of ``peers``, with its lists still in bytes.

    Attributes:
        peers: 6 bytes for each peer.
        local_peers: 4 bytes for each neighbour: the last two octets and the port.
    """

    peers: bytes | None = None
    local_peers: bytes | None = None

    def encode(self) -> bytes:
        """Its bytes."""
        return protobuf.encode(((1, self.peers), (2, self.local_peers)))

    @classmethod
    def decode(cls, data: bytes) -> PeersOutput:
        """Read its bytes; DiscoveryError if they are malformed."""
        fields = _fields(data, _PEERS_OUTPUT)
        return cls(fields.raw(1), fields.raw(2))

    def addresses(self) -> list[Address]:
        """The peers; none if one of them is malformed."""
        return decode_addresses(self.peers or b"")

    def local_addresses(self, own: Address | None) -> list[Address]:
        """The neighbours, who share two octets with the ``own`` local address that was sent."""
        return [] if own is None else decode_local_addresses(self.local_peers or b"", own)


class Mutable(NamedTuple):
    """A value that the owner of a key may change; in a request to get it, only seq and salt.

    Attributes:
        value: at most 1,000 bytes.
        signature: Ed25519, by the key under which it is stored.
        seq: counts the changes.
        salt: at most 64 bytes; tells several values of one key apart.
    """

    value: bytes | None = None
    signature: bytes | None = None
    seq: int = 0
    salt: bytes | None = None

    def encode(self) -> bytes:
        """Its bytes."""
        return protobuf.encode(
            ((1, self.value), (2, self.signature), (3, self.seq), (4, self.salt))
        )

    @classmethod
    def decode(cls, data: bytes) -> Mutable:
        """Read its bytes; DiscoveryError if they are malformed."""
        fields = _fields(data, _MUTABLE)
        return cls(fields.raw(1), fields.raw(2), fields.uint(3, 0), fields.raw(4))

    @classmethod
    def signed(
        cls, key_pair: KeyPair, value: bytes, seq: int, salt: bytes | None = None
    ) -> Mutable:
        """A value signed by its owner; ValueError beyond the limits of :func:`signable`."""
        signature = crypto.sign(signable(value, seq, salt), key_pair.secret_key)
        return cls(value, signature, seq, salt)

    def verify(self, public_key: bytes, salt: bytes | None) -> bool:
        """Whether this is what the owner of ``public_key`` signed under ``salt``.

        The salt is the one that was asked for: the one in here may be anything.
        """
        if self.value is None or self.signature is None:
            return False
        try:
            message = signable(self.value, self.seq, salt)
        except ValueError:
            return False
        return crypto.verify(message, self.signature, public_key)


class Holepunch(NamedTuple):
    """The value of ``_holepunch``: whom the relay shall wake, or who wants to be answered."""

    from_: Address | None = None
    to: Address | None = None

    def encode(self) -> bytes:
        """Its bytes; DiscoveryError if an address is not IPv4 with a port."""
        return protobuf.encode(((2, _encode(self.from_)), (3, _encode(self.to))))

    @classmethod
    def decode(cls, data: bytes) -> Holepunch:
        """Read its bytes; DiscoveryError if they or an address in them are malformed."""
        fields = _fields(data, _HOLEPUNCH)
        return cls(_decode(fields.raw(2)), _decode(fields.raw(3)))


def signable(value: bytes, seq: int, salt: bytes | None = None) -> bytes:
    """What the owner of a mutable value signs (@hyperswarm/hypersign).

    Raises:
        ValueError: the value, the salt or ``seq`` is beyond its limits.
    """
    if len(value) > VALUE_BYTES_MAX:
        raise ValueError(f"a value has at most {VALUE_BYTES_MAX} bytes")
    if salt is not None and len(salt) > SALT_BYTES_MAX:
        raise ValueError(f"a salt has at most {SALT_BYTES_MAX} bytes")
    if seq < 0:
        raise ValueError("seq cannot be negative")
    prefix = b"" if salt is None else b"4:salt%d:%s" % (len(salt), salt)
    return prefix + b"3:seqi%de1:v%d:%s" % (seq, len(value), value)


_PEERS_INPUT: Final = {1: Kind.UINT, 2: Kind.BYTES, 3: Kind.BOOL}
_PEERS_OUTPUT: Final = {1: Kind.BYTES, 2: Kind.BYTES}
_MUTABLE: Final = {1: Kind.BYTES, 2: Kind.BYTES, 3: Kind.UINT, 4: Kind.BYTES}
_HOLEPUNCH: Final = {2: Kind.BYTES, 3: Kind.BYTES}


def _fields(data: bytes, kinds: Mapping[int, Kind]) -> Fields:
    try:
        return Fields(data, kinds)
    except ValueError as error:
        raise DiscoveryError(f"malformed value: {error}") from None


def _encode(address: Address | None) -> bytes | None:
    return None if address is None else encode_address(address)


def _decode(data: bytes | None) -> Address | None:
    return None if data is None else decode_address(data)
