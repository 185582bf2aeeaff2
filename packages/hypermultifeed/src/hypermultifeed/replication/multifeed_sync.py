"""The exchange of feed lists between two multifeeds on one connection, without I/O.

Both sides do the same, each at its own pace (hypermultifeed 1.1.0 ``mux.js``)::

    HANDSHAKE  ->                     once the root key's channel is open at both ends
               <- HANDSHAKE           checked; then
    MANIFEST   ->                     all feeds we know; later ones in further manifests
               <- REQUEST_FEEDS       exactly one for each manifest
    REPLICATE_FEEDS ->                exactly one for each request: what was offered of it

The owner feeds payloads to :meth:`MultifeedSync.receive`, does what the returned events say and
sends what :meth:`MultifeedSync.messages_to_send` returns. Nothing is kept of feeds that were
offered and not asked for, so a flood of offers costs no memory.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hypermultifeed.errors import LocalProtocolError
from hypermultifeed.replication.manifest import (
    HANDSHAKE,
    MANIFEST,
    REPLICATE_FEEDS,
    REQUEST_FEEDS,
    decode_handshake,
    decode_keys,
    decode_manifest,
    encode_handshake,
    encode_keys,
    encode_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYS_PER_MANIFEST: Final = 16_384  # of ours, about 1 MiB; larger sets go in several
KEYS_PER_PEER_MAX: Final = 131_072  # feeds asked of one peer on one connection
KEYS_PENDING_MAX: Final = 131_072  # offered keys waiting for the owner's decision
MANIFESTS_PENDING_MAX: Final = 4096


class HandshakeReceived(NamedTuple):
    """The peer is a compatible multifeed; happens once."""

    version: str
    user_data: Any


class ManifestReceived(NamedTuple):
    """The peer offers feeds; answer with :meth:`MultifeedSync.request`, once and in order."""

    keys: list[bytes]
    hints: Mapping[str, Any]


class FeedsRequested(NamedTuple):
    """The peer asked for these of our feeds and was told yes: replicate them now."""

    keys: list[bytes]


class FeedsGranted(NamedTuple):
    """The peer replicates these feeds that we asked for: replicate them now (may be empty)."""

    keys: list[bytes]


Event = HandshakeReceived | ManifestReceived | FeedsRequested | FeedsGranted


class MultifeedSync:
    """One multifeed's exchange with one peer over one opening of the root key's channel.

    Args:
        root_key: 32 bytes; cannot itself be a feed.
        user_data: any JSON value for the peer, not interpreted.

    Attributes:
        skipped: keys left out because they were malformed or above a quota.
        ignored: messages left without effect because they came out of order.
        remote_user_data: the peer's, once its handshake is here.
    """

    __slots__ = (
        "_handshake",
        "_manifests_pending",
        "_manifests_received",
        "_manifests_sent",
        "_messages",
        "_offered",
        "_pending_keys",
        "_pending_total",
        "_replies_received",
        "_requested",
        "_requests_received",
        "_requests_sent",
        "_root_key",
        "_started",
        "_waiting_offers",
        "handshake_received",
        "ignored",
        "remote_user_data",
        "skipped",
    )

    def __init__(self, root_key: bytes, *, user_data: object = None) -> None:
        self._root_key = root_key
        self._handshake = encode_handshake(user_data)
        self._messages: list[tuple[str, bytes]] = []
        self._started = False
        self._waiting_offers: dict[bytes, None] = {}  # before the peer's handshake
        self._offered: set[bytes] = set()
        self._requested: set[bytes] = set()
        self._pending_keys: deque[int] = deque()  # of each manifest the owner has to answer
        self._pending_total = 0
        self._manifests_sent = 0
        self._requests_received = 0
        self._manifests_received = 0
        self._requests_sent = 0
        self._replies_received = 0
        self.handshake_received = False
        self.remote_user_data: Any = None
        self.skipped = 0
        self.ignored = 0

    @property
    def settled(self) -> bool:
        """Whether every list sent so far, either way, has been answered.

        Then each side has been told all feeds the other knows, and both have agreed on which
        to replicate; a replication that is not live needs this channel no more.
        """
        return (
            self.handshake_received
            and self._manifests_received > 0
            and not self._pending_keys
            and self._requests_received >= self._manifests_sent
            and self._replies_received >= self._requests_sent
        )

    def start(self) -> None:
        """Both ends of the channel are open, whoever came first: greet the peer."""
        if not self._started:
            self._started = True
            self._messages.append((HANDSHAKE, self._handshake))

    def offer(self, keys: Iterable[bytes]) -> None:
        """Tell the peer about feeds, unless it was told or has told us.

        Before the peer's handshake they are kept for the first manifest.
        """
        if not self.handshake_received:
            self._waiting_offers.update(dict.fromkeys(keys))
            return
        fresh = [key for key in keys if key not in self._offered and key not in self._requested]
        if fresh:
            self._send_manifests(fresh)

    def request(self, keys: Iterable[bytes]) -> None:
        """Answer the oldest :class:`ManifestReceived` with the feeds that we want of it.

        Raises:
            LocalProtocolError: no manifest is waiting for an answer.
        """
        if not self._pending_keys:
            raise LocalProtocolError("request without a manifest to answer")
        self._pending_total -= self._pending_keys.popleft()
        wanted = list(keys)
        room = KEYS_PER_PEER_MAX - len(self._requested)
        new = [key for key in wanted if key not in self._requested]
        if len(new) > room:
            refused = set(new[room:])
            self.skipped += len(refused)
            wanted = [key for key in wanted if key not in refused]
        self._requested.update(wanted)
        self._requests_sent += 1
        self._messages.append((REQUEST_FEEDS, encode_keys(wanted)))

    def reconsider(self, keys: list[bytes]) -> list[ManifestReceived]:
        """Take keys that were offered and refused as if they had just been offered again.

        As with a manifest of the peer's, each of the events wants its :meth:`request`. The hints
        that once stood beside the keys are gone.
        """
        if len(self._pending_keys) >= MANIFESTS_PENDING_MAX:
            return []
        keys = keys[: KEYS_PENDING_MAX - self._pending_total]
        if not keys:
            return []
        self._pending_keys.append(len(keys))
        self._pending_total += len(keys)
        return [ManifestReceived(keys, {})]

    def messages_to_send(self) -> list[tuple[str, bytes]]:
        """Return and forget the queued (extension name, payload) pairs."""
        messages, self._messages = self._messages, []
        return messages

    def receive(self, name: str, payload: bytes) -> list[Event]:
        """Take one extension message; unknown names are ignored.

        Raises:
            RemoteProtocolError: malformed or above a limit; this exchange is over.
            VersionMismatchError, ClientMismatchError: the peer is not one of us.
        """
        if name == HANDSHAKE:
            return self._on_handshake(payload)
        if name == MANIFEST:
            return self._on_manifest(payload)
        if name == REQUEST_FEEDS:
            return self._on_request(payload)
        if name == REPLICATE_FEEDS:
            return self._on_replicate(payload)
        self.ignored += 1
        return []

    def _on_handshake(self, payload: bytes) -> list[Event]:
        handshake = decode_handshake(payload)
        if self.handshake_received:  # JS sends its whole manifest again: an amplifier
            self.ignored += 1
            return []
        self.handshake_received = True
        self.remote_user_data = handshake.user_data
        offers, self._waiting_offers = list(self._waiting_offers), {}
        self._send_manifests(offers)
        return [HandshakeReceived(handshake.version, handshake.user_data)]

    def _send_manifests(self, keys: list[bytes]) -> None:
        """Queue at least one manifest: an empty first one tells the peer that we have nothing."""
        remaining = iter(keys)
        chunk = list(islice(remaining, KEYS_PER_MANIFEST))
        while True:
            self._offered.update(chunk)
            self._manifests_sent += 1
            self._messages.append((MANIFEST, encode_manifest(chunk)))
            chunk = list(islice(remaining, KEYS_PER_MANIFEST))
            if not chunk:
                return

    def _on_manifest(self, payload: bytes) -> list[Event]:
        keys, skipped, hints = decode_manifest(payload, reserved=self._root_key)
        self._manifests_received += 1
        if len(self._pending_keys) >= MANIFESTS_PENDING_MAX:
            self.skipped += skipped + len(keys)
            self._requests_sent += 1
            self._messages.append((REQUEST_FEEDS, encode_keys(())))
            return []
        room = KEYS_PENDING_MAX - self._pending_total
        if len(keys) > room:
            skipped += len(keys) - room
            del keys[room:]
        self.skipped += skipped
        self._pending_keys.append(len(keys))
        self._pending_total += len(keys)
        return [ManifestReceived(keys, hints)]

    def _on_request(self, payload: bytes) -> list[Event]:
        asked = decode_keys(payload, REQUEST_FEEDS, reserved=self._root_key)
        # What was never offered is left out in silence: a peer cannot probe for private feeds.
        keys = sorted(key for key in asked.keys if key in self._offered)
        self.skipped += asked.skipped + len(asked.keys) - len(keys)
        self._requests_received += 1
        self._messages.append((REPLICATE_FEEDS, encode_keys(keys)))
        return [FeedsRequested(keys)]

    def _on_replicate(self, payload: bytes) -> list[Event]:
        granted = decode_keys(payload, REPLICATE_FEEDS, reserved=self._root_key)
        if not self.handshake_received:
            self.ignored += 1
            return []
        keys = sorted(key for key in granted.keys if key in self._requested)
        self.skipped += granted.skipped + len(granted.keys) - len(keys)
        self._replies_received += 1
        return [FeedsGranted(keys)]
