"""IPv4 addresses and DHT contacts: their bytes, and which of them may be dialled.

An address has six bytes: four of IPv4, two of port, big endian (npm's ipv4-peers). A contact is
a 32 byte id and an address. In lists they follow each other without anything between, and a list
with one thing wrong in it is void as a whole, as JS has it (@hyperswarm/dht, peers.js).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Iterable

ID_BYTES: Final = 32
"""Size of a node's id and of every target."""

ADDRESS_BYTES: Final = 6
CONTACT_BYTES: Final = ID_BYTES + ADDRESS_BYTES
LOCAL_BYTES: Final = 4
"""Size of an address in a local list: it lacks the first two octets."""

PORT_MAX: Final = 65535

CONTACTS_MAX: Final = 20
"""Most contacts in one list: Kademlia's k, which no honest node exceeds."""

ADDRESSES_MAX: Final = 128
"""Most addresses in one list: JS never gives more, and each is an object and perhaps a dial."""


class Address(NamedTuple):
    """Where a peer or a node is: a dotted IPv4 ``host`` and a ``port``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Contact(NamedTuple):
    """A node of the DHT: its ``id`` (32 bytes) and where it is."""

    id: bytes
    address: Address


# -- bytes -------------------------------------------------------------------------------------

_ADDRESS: Final = Struct(">4BH")
_CONTACT: Final = Struct(">32s4BH")
_LOCAL: Final = Struct(">2BH")

_CACHED: Final = 2048
"""How many results are remembered: answers name the same nodes again and again."""


def encode_address(address: tuple[str, int]) -> bytes:
    """Six bytes.

    Raises:
        DiscoveryError: the host is no dotted IPv4 address, or the port is not 1 to 65535.
    """
    return _encode_address(address)


@lru_cache(_CACHED)
def _encode_address(address: tuple[str, int]) -> bytes:
    octets = _octets(address[0])
    port = address[1]
    if octets is None or not 0 < port <= PORT_MAX:
        raise DiscoveryError(f"{address[0]}:{port} is not an IPv4 address with a port")
    return bytes((*octets, port >> 8, port & 255))


def decode_address(data: bytes) -> Address:
    """Read six bytes.

    Raises:
        DiscoveryError: another length, or port 0.
    """
    return _decode_address(data)


@lru_cache(_CACHED)
def _decode_address(data: bytes) -> Address:
    if len(data) != ADDRESS_BYTES:
        raise DiscoveryError(f"an address has {ADDRESS_BYTES} bytes, not {len(data)}")
    a, b, c, d, port = _ADDRESS.unpack(data)
    if port == 0:
        raise DiscoveryError("an address has port 0")
    return Address(f"{a}.{b}.{c}.{d}", port)


def encode_contacts(contacts: Iterable[Contact]) -> bytes:
    """38 bytes for each; DiscoveryError as for :func:`encode_address`."""
    return b"".join(map(_encode_contact, contacts))


@lru_cache(_CACHED)
def _encode_contact(contact: Contact) -> bytes:
    return contact.id + _encode_address(contact.address)


def decode_contacts(data: bytes) -> list[Contact]:
    """Read a list of contacts; one that is cut off, too long or has a port 0 is void: empty."""
    size = len(data)
    if size % CONTACT_BYTES or size > CONTACTS_MAX * CONTACT_BYTES:
        return []
    starts = range(0, size, CONTACT_BYTES)
    try:
        return [_decode_contact(data[start : start + CONTACT_BYTES]) for start in starts]
    except DiscoveryError:
        return []


@lru_cache(_CACHED)
def _decode_contact(data: bytes) -> Contact:
    id_, a, b, c, d, port = _CONTACT.unpack(data)
    if port == 0:
        raise DiscoveryError("a contact has port 0")
    return Contact(id_, Address(f"{a}.{b}.{c}.{d}", port))


def encode_addresses(addresses: Iterable[Address]) -> bytes:
    """Six bytes for each."""
    return b"".join(map(encode_address, addresses))


def decode_addresses(data: bytes) -> list[Address]:
    """Read a list of addresses.

    One that is cut off, longer than :data:`ADDRESSES_MAX`, or has a port 0 or the host 0.0.0.0
    in it is void: empty.
    """
    if len(data) % ADDRESS_BYTES or len(data) > ADDRESSES_MAX * ADDRESS_BYTES:
        return []
    addresses = []
    for a, b, c, d, port in _ADDRESS.iter_unpack(data):
        if port == 0 or not (a or b or c or d):
            return []
        addresses.append(Address(f"{a}.{b}.{c}.{d}", port))
    return addresses


def decode_local_addresses(data: bytes, like: Address) -> list[Address]:
    """Read a list of addresses that share their first two octets with ``like``.

    One that is cut off, longer than :data:`ADDRESSES_MAX`, or has a port 0 in it is void: empty.
    """
    if len(data) % LOCAL_BYTES or len(data) > ADDRESSES_MAX * LOCAL_BYTES:
        return []
    a, b, *_ = like.host.split(".")
    addresses = []
    for c, d, port in _LOCAL.iter_unpack(data):
        if port == 0:
            return []
        addresses.append(Address(f"{a}.{b}.{c}.{d}", port))
    return addresses


# -- policy ------------------------------------------------------------------------------------


def may_dial(host: str, *, local: bool, allow_loopback: bool) -> bool:
    """Whether a peer that others named at ``host`` may be dialled.

    Whoever announces an address chooses who gets our connections, so what cannot be a peer there
    is left alone. Ports are checked where addresses are decoded.

    Args:
        host: dotted IPv4; anything else may not be dialled.
        local: it was announced as a neighbour (mDNS, the DHT's local lists): then it has to be
            in a private or link-local network. Else the DHT named it, and it may also be public.
        allow_loopback: whether this machine's own addresses, 127.0.0.0/8, count as peers.
    """
    octets = _octets(host)
    if octets is None:
        return False
    first, second = octets[:2]
    if first == 127:
        return allow_loopback
    if local:
        return _is_private(first, second)
    return 0 < first < 224  # beyond lie multicast, reserved addresses and broadcast


def _is_private(first: int, second: int) -> bool:
    """RFC 1918 and RFC 3927."""
    return (
        first == 10
        or (first == 172 and 16 <= second < 32)
        or (first == 192 and second == 168)
        or (first == 169 and second == 254)
    )


def network_block(host: str) -> str:
    """The /24 network of an IPv4 ``host``, for limits on neighbours together; others unchanged."""
    return host if _octets(host) is None else f"{host.rpartition('.')[0]}.0/24"


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port``; the host may be a name, or IPv6 in brackets.

    Raises:
        ValueError: there is no host or no port from 1 to 65535.
    """
    host, _, digits = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address needs brackets, as in [::1]:49737")
    port = int(digits) if digits.isascii() and digits.isdigit() else 0
    if not host or not 0 < port <= PORT_MAX:
        raise ValueError(f"{text!r} is not host:port")
    return host, port


def _octets(host: str) -> tuple[int, ...] | None:
    """The four numbers of a dotted IPv4 address in its usual form, else None."""
    octets = _KNOWN_OCTETS
    try:
        a, b, c, d = host.split(".")
        return octets[a], octets[b], octets[c], octets[d]
    except (KeyError, ValueError):
        return None


_KNOWN_OCTETS: Final = {str(octet): octet for octet in range(256)}
"""By their text: this rejects signs, spaces, other digits and leading zeros (octal, to some)."""
