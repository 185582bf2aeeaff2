"""Many writers, one shared set of signed append-only logs, peer to peer.

Everything an application needs is here; submodules are not part of the public API.
"""

from __future__ import annotations

from hypermultifeed.codecs import Codec
from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import (
    BlockMissingError,
    BlockTooLargeError,
    BootstrapError,
    CapabilityError,
    ClientMismatchError,
    ClosedError,
    CorruptStorageError,
    DiscoveryError,
    FeedError,
    ForkError,
    HandshakeError,
    HypermultifeedError,
    LocalProtocolError,
    NotReadyError,
    NotWritableError,
    ProtocolError,
    RemoteProtocolError,
    ReplicationError,
    ReplicationTimeoutError,
    StorageError,
    StorageLockedError,
    StreamClosedError,
    VerificationError,
    VersionMismatchError,
)
from hypermultifeed.events import Subscription
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import DEFAULT_KEY, KeyPair, NoiseKeyPair, discovery_key, parse_key
from hypermultifeed.multifeed import FeedAdded, Multifeed
from hypermultifeed.storage import Durability, Storage, StorageFactory, files, memory
from hypermultifeed.stream import ReplicationStream, StreamStats, link

__all__ = [
    "DEFAULT_KEY",
    "BlockMissingError",
    "BlockTooLargeError",
    "BootstrapError",
    "CapabilityError",
    "ClientMismatchError",
    "ClosedError",
    "Codec",
    "Corestore",
    "CorruptStorageError",
    "DiscoveryError",
    "Durability",
    "FeedAdded",
    "FeedError",
    "ForkError",
    "HandshakeError",
    "Hypercore",
    "HypermultifeedError",
    "KeyPair",
    "LocalProtocolError",
    "Multifeed",
    "NoiseKeyPair",
    "NotReadyError",
    "NotWritableError",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplicationError",
    "ReplicationStream",
    "ReplicationTimeoutError",
    "Storage",
    "StorageError",
    "StorageFactory",
    "StorageLockedError",
    "StreamClosedError",
    "StreamStats",
    "Subscription",
    "VerificationError",
    "VersionMismatchError",
    "discovery_key",
    "files",
    "link",
    "memory",
    "parse_key",
]
