"""Many writers, one shared set of signed append-only logs, peer to peer.

Everything an application needs is here; submodules are not part of the public API.
"""

from __future__ import annotations

from hypermultifeed.codecs import Codec
from hypermultifeed.corestore import Corestore
from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.operations import PeersFound
from hypermultifeed.discovery.values import Mutable
from hypermultifeed.encoding.node import Node
from hypermultifeed.entries import Entry, EntryBatch
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
from hypermultifeed.events import Subscription, Watch
from hypermultifeed.feed.audit import AuditReport
from hypermultifeed.feed.verification import SignedRoot
from hypermultifeed.hypercore import (
    Appended,
    CoreEvent,
    CoreStats,
    Downloaded,
    Forked,
    Hypercore,
    PeerAdded,
    PeerOpened,
    PeerRemoved,
    Uploaded,
)
from hypermultifeed.keys import DEFAULT_KEY, KeyPair, NoiseKeyPair, discovery_key, parse_key
from hypermultifeed.multifeed import FeedAdded, Multifeed, MultifeedStats
from hypermultifeed.mux import Peer
from hypermultifeed.network.dht import DEFAULT_BOOTSTRAP, DhtNode, DhtNodeStats
from hypermultifeed.network.dht_lookup import Lookup
from hypermultifeed.network.extensions import NetworkExtension
from hypermultifeed.network.networker import Networker, PeerJoined, PeerLeft
from hypermultifeed.network.peer import NetworkPeer
from hypermultifeed.network.report import (
    DhtStatus,
    FailedConnection,
    LanStatus,
    NetworkReport,
    PeerStatus,
    TopicStatus,
)
from hypermultifeed.replication.extensions import Extension
from hypermultifeed.replication.feed_peer import FeedPeer
from hypermultifeed.replication.feed_sync import MissingReport
from hypermultifeed.replication.transfer_stats import TransferStats
from hypermultifeed.storage import (
    Durability,
    Storage,
    StorageFactory,
    StorageFile,
    Write,
    files,
    memory,
)
from hypermultifeed.stream import ReplicationStream, StreamStats, link

__all__ = [
    "DEFAULT_BOOTSTRAP",
    "DEFAULT_KEY",
    "Address",
    "Appended",
    "AuditReport",
    "BlockMissingError",
    "BlockTooLargeError",
    "BootstrapError",
    "CapabilityError",
    "ClientMismatchError",
    "ClosedError",
    "Codec",
    "Contact",
    "CoreEvent",
    "CoreStats",
    "Corestore",
    "CorruptStorageError",
    "DhtNode",
    "DhtNodeStats",
    "DhtStatus",
    "DiscoveryError",
    "Downloaded",
    "Durability",
    "Entry",
    "EntryBatch",
    "Extension",
    "FailedConnection",
    "FeedAdded",
    "FeedError",
    "FeedPeer",
    "ForkError",
    "Forked",
    "HandshakeError",
    "Hypercore",
    "HypermultifeedError",
    "KeyPair",
    "LanStatus",
    "LocalProtocolError",
    "Lookup",
    "MissingReport",
    "Multifeed",
    "MultifeedStats",
    "Mutable",
    "NetworkExtension",
    "NetworkPeer",
    "NetworkReport",
    "Networker",
    "Node",
    "NoiseKeyPair",
    "NotReadyError",
    "NotWritableError",
    "Peer",
    "PeerAdded",
    "PeerJoined",
    "PeerLeft",
    "PeerOpened",
    "PeerRemoved",
    "PeerStatus",
    "PeersFound",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplicationError",
    "ReplicationStream",
    "ReplicationTimeoutError",
    "SignedRoot",
    "Storage",
    "StorageError",
    "StorageFactory",
    "StorageFile",
    "StorageLockedError",
    "StreamClosedError",
    "StreamStats",
    "Subscription",
    "TopicStatus",
    "TransferStats",
    "Uploaded",
    "VerificationError",
    "VersionMismatchError",
    "Watch",
    "Write",
    "discovery_key",
    "files",
    "link",
    "memory",
    "parse_key",
]
