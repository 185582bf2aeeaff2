"""One multifeed on one replication stream.

A `Mux` opens the root key's channel, runs the exchange of feed lists over it
(`replication.multifeed_sync`) and has the agreed feeds replicated on the same stream. It starts
when both ends of the channel are open, whoever was first; while the peer does not open its end,
it costs nothing and harms nobody, and it starts at once when the peer does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from hypermultifeed.errors import (
    HypermultifeedError,
    ReplicationError,
    ReplicationTimeoutError,
)
from hypermultifeed.keys import discovery_key as discovery_key_of
from hypermultifeed.replication.channels import ChannelHandler, SessionOwner
from hypermultifeed.replication.extensions import bounded_names
from hypermultifeed.replication.manifest import EXTENSIONS
from hypermultifeed.replication.multifeed_sync import (
    Event,
    FeedsGranted,
    FeedsRequested,
    HandshakeReceived,
    ManifestReceived,
    MultifeedSync,
)
from hypermultifeed.wire.messages import MessageType, encode_options

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence

    from hypermultifeed.hypercore import Hypercore
    from hypermultifeed.replication.channels import Channel
    from hypermultifeed.stream import ReplicationStream
    from hypermultifeed.wire.messages import Options

FAILURES_MAX: Final = 3
"""Times that a peer may break the exchange on one stream before its Opens are refused."""

NEW_FEEDS_PER_STREAM_MAX: Final = 16_384
"""Feeds unknown here that one peer can bring in over one stream."""

REFUSED_KEPT_MAX: Final = 16_384
"""Feeds that one peer has offered and the policy has refused, kept for another look."""

_log = logging.getLogger("hypermultifeed.multifeed")
_muxes: WeakKeyDictionary[ReplicationStream, list[Mux]] = WeakKeyDictionary()


class Peer(NamedTuple):
    """Who is at the other end of a stream.

    Attributes:
        public_key: its static Noise key, 32 bytes; None on a stream without handshake.
        user_data: the JSON value it sent in its greeting, or None.
    """

    public_key: bytes | None
    user_data: Any


class FeedSet(Protocol):
    """What a mux needs of its multifeed."""

    @property
    def key(self) -> bytes:
        """The root key."""

    @property
    def discovery_key(self) -> bytes:
        """Of the root key."""

    def feeds(self) -> Sequence[Hypercore]:
        """All feeds, in the order they came."""

    def feed(self, key: bytes | str) -> Hypercore | None:
        """The feed with that key."""

    def feed_by_discovery_key(self, discovery_key: bytes) -> Hypercore | None:
        """The feed with that discovery key."""

    def wants_at_once(self, keys: Sequence[bytes]) -> list[bytes] | None:
        """The wanted ones of ``keys`` if no policy has to be asked, else None."""

    async def wants(
        self, keys: Sequence[bytes], peer: Peer, hints: Mapping[str, Any]
    ) -> list[bytes]:
        """The wanted ones of ``keys``, by policy and quota."""

    async def add_remote(self, keys: Sequence[bytes]) -> None:
        """Take these feeds into the set."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run background work until done, at most until the multifeed closes."""

    def is_store_on(self, stream: ReplicationStream) -> bool:
        """Whether the store replicates on that stream, too."""

    def count(self, *, skipped: int = 0, ignored: int = 0, failed: int = 0) -> None:
        """Count keys left out, messages without effect, and exchanges that failed."""

    def mux_over(self, mux: Mux) -> None:
        """The stream is over."""


class Mux(SessionOwner):
    """One multifeed on one stream; made and attached by ``Multifeed.replicate``.

    Attributes:
        stream: the stream.
        error: why the peer cannot be talked to, None otherwise.
        greeted: whether a compatible peer has greeted us on this stream.
    """

    def __init__(
        self,
        feeds: FeedSet,
        stream: ReplicationStream,
        *,
        owns_stream: bool,
        live: bool,
        upload: bool,
        download: bool,
        handshake_timeout_s: float | None,
        user_data: object,
    ) -> None:
        self._feeds = feeds
        self.stream = stream
        self.owns_stream = owns_stream
        self.live = live
        self._options: dict[str, Any] = {"live": live, "upload": upload, "download": download}
        self._timeout_s = handshake_timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._user_data = user_data
        self._exchange: _Exchange | None = None
        self._agreed: set[bytes] = set()
        self._failures = 0
        self._asked_new = 0
        self._detached = False
        self.error: Exception | None = None
        self.greeted = False

    def attach(self) -> None:
        """Open our end of the root key's channel, now or when the stream's handshake is over."""
        _muxes.setdefault(self.stream, []).append(self)
        self.stream.session.attach(self)
        self._open()

    def detach(self) -> None:
        """Leave the stream: close the root key's channel and those of the agreed feeds."""
        self._over()
        session = self.stream.session
        session.detach(self)
        if session.closed:
            return
        if self._exchange is not None:
            self._exchange.close()
        others = set().union(*(mux._agreed for mux in _muxes.get(self.stream, ())))  # noqa: SLF001
        for key in self._agreed - others:
            feed = self._feeds.feed(key)
            channel = None if feed is None else session.channel(feed.discovery_key)
            if channel is not None:
                channel.close()

    def offer(self, keys: Iterable[bytes]) -> None:
        """Tell the peer about feeds that are new here."""
        if self._exchange is not None:
            self._exchange.offer(keys)

    def reconsider(self) -> None:
        """Ask the policy again about what the peer has offered and was refused."""
        if self._exchange is not None:
            self._exchange.reconsider()

    @property
    def settled(self) -> bool:
        """Whether each side knows all the other's feeds, and which of them are replicated."""
        return self._exchange is not None and self._exchange.settled

    @property
    def agreed(self) -> frozenset[bytes]:
        """The keys of the feeds that both sides replicate."""
        return frozenset(self._agreed)

    # --- the session's events

    def on_handshake(self) -> None:
        """Both sides know each other's static key; the peer has to greet us in time."""
        if not self.owns_stream or self._timer is not None or self.greeted:
            return
        if self._timeout_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._timeout_s, self._on_timeout)

    def on_remote_open(self, discovery_key: bytes) -> bool:
        """The peer opens our root key's channel, or one of an agreed feed, maybe once more."""
        if discovery_key == self._feeds.discovery_key:
            if self._exchange is None and self._failures < FAILURES_MAX:
                self._open()
            return self._exchange is not None
        feed = self._feeds.feed_by_discovery_key(discovery_key)
        if feed is not None and feed.key in self._agreed:
            self.replicate([feed])
            return True
        # Another multifeed may come to this stream later. JavaScript would not open its channel
        # again, so its Open is left waiting, unless a store answers for what nobody knows.
        return self.stream.live and not self._feeds.is_store_on(self.stream)

    def on_channel_error(self, channel: Channel, error: Exception) -> None:
        """One feed's channel failed; the stream and its other feeds go on."""
        if channel.key in self._agreed:
            name = channel.discovery_key.hex()[:8]
            _log.warning("feed %s and a peer part: %s", name, error)

    def on_close(self, error: Exception | None) -> None:
        """The stream is over."""
        del error
        self._over()

    # --- for the exchange

    def replicate(self, feeds: Iterable[Hypercore]) -> None:
        """Open channels for feeds that both sides have agreed on."""
        session = self.stream.session
        for feed in feeds:
            self._agreed.add(feed.key)
            if not (session.closed or feed.closed or session.opened(feed.discovery_key)):
                feed.replicate(self.stream.initiator, stream=self.stream, **self._options)

    def on_greeting(self) -> None:
        """A compatible peer is there."""
        self.greeted = True
        self._stop_timer()

    def exchange_over(self, error: Exception | None) -> None:
        """The root key's channel is closed."""
        self._exchange = None
        if error is None:
            return
        self._failures += 1
        self.error = error
        self._feeds.count(failed=1)
        _log.info("multifeed exchange failed: %s", error)
        if self._is_alone():
            self.stream.destroy(error)

    def limited(self, keys: list[bytes]) -> list[bytes]:
        """Return the known ones of ``keys``, and new ones as far as this peer's quota goes."""
        wanted = []
        for key in keys:
            if self._feeds.feed(key) is None:
                if self._asked_new >= NEW_FEEDS_PER_STREAM_MAX:
                    continue
                self._asked_new += 1
            wanted.append(key)
        return wanted

    # --- inside

    def _open(self) -> None:
        session = self.stream.session
        if self._detached or session.closed or session.opened(self._feeds.discovery_key):
            return
        exchange = self._exchange = _Exchange(self, self._feeds, self._user_data)
        session.open(self._feeds.key, exchange)

    def _on_timeout(self) -> None:
        self._timer = None
        if self._is_alone():
            self.stream.destroy(ReplicationTimeoutError("Multifeed handshake remote timeout"))

    def _is_alone(self) -> bool:
        """Whether the stream is there for this multifeed only."""
        if not self.owns_stream or _muxes.get(self.stream) != [self]:
            return False
        ours = self._agreed | {self._feeds.key}
        return all(channel.key is None or channel.key in ours for channel in self._channels())

    def _channels(self) -> list[Channel]:
        return self.stream.session.channels

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        self._stop_timer()
        if not self._detached:
            self._detached = True
            muxes = _muxes.get(self.stream, [])
            if self in muxes:
                muxes.remove(self)
            self._feeds.mux_over(self)


class _Exchange(ChannelHandler):
    """One opening of the root key's channel."""

    __slots__ = (
        "_again",
        "_deciding",
        "_feeds",
        "_mux",
        "_names",
        "_over",
        "_refused",
        "_sync",
        "_work",
    )

    def __init__(self, mux: Mux, feeds: FeedSet, user_data: object) -> None:
        self._mux = mux
        self._feeds = feeds
        self._sync = MultifeedSync(feeds.key, user_data=user_data)
        self._names: list[str] = []
        self._deciding: deque[ManifestReceived] = deque()
        self._refused: dict[bytes, None] = {}
        self._again = False
        self._work = 0
        self._over = False

    def on_open(self) -> None:
        self._sync.offer(feed.key for feed in self._feeds.feeds())
        self.channel.send(MessageType.OPTIONS, encode_options(EXTENSIONS, ack=False))
        self._sync.start()
        self._send()

    def on_options(self, options: Options) -> None:
        self._names = bounded_names(options.extensions)

    def on_extension(self, extension_id: int, payload: bytes) -> None:
        if extension_id >= len(self._names):
            return
        sync = self._sync
        skipped, ignored = sync.skipped, sync.ignored
        try:
            events = sync.receive(self._names[extension_id], payload)
            self._flush()  # the peer hears which feeds we replicate before it sees their channels
            for event in events:
                self._on_event(event)
        except ReplicationError as error:
            self.channel.close(error)
            return
        self._send()
        if sync.skipped > skipped or sync.ignored > ignored:
            self._feeds.count(skipped=sync.skipped - skipped, ignored=sync.ignored - ignored)
            _log.info("left out %d keys of a peer's message", sync.skipped - skipped)

    def on_close(self, error: Exception | None) -> None:
        if not self._over:
            self._over = True
            self._deciding.clear()
            if not self._mux.stream.session.closed:
                self._mux.exchange_over(error)

    @property
    def settled(self) -> bool:
        """Whether all is agreed on."""
        return not self._work and self._sync.settled

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()

    def offer(self, keys: Iterable[bytes]) -> None:
        """Offer more feeds."""
        if self.channel.ready:
            self._sync.offer(keys)
            self._send()

    def reconsider(self) -> None:
        """Take what was refused as if it had just been offered again."""
        self._again = bool(self._deciding)  # what is being decided may rest on the old mind
        if self.channel.ready and self._refused:
            refused, self._refused = list(self._refused), {}
            for manifest in self._sync.reconsider(refused):
                self._on_manifest(manifest)
            self._send()

    def _on_event(self, event: Event) -> None:
        match event:
            case HandshakeReceived():
                self._mux.on_greeting()
            case ManifestReceived():
                self._on_manifest(event)
            case FeedsRequested(keys):
                found = (self._feeds.feed(key) for key in keys)
                self._mux.replicate(feed for feed in found if feed is not None)
            case FeedsGranted(keys):
                self._on_granted(keys)

    def _on_manifest(self, manifest: ManifestReceived) -> None:
        if not self._deciding:
            wanted = self._feeds.wants_at_once(manifest.keys)
            if wanted is not None:
                self._request(manifest.keys, wanted)
                return
        self._deciding.append(manifest)
        if len(self._deciding) == 1:
            self._begin(self._decide())

    async def _decide(self) -> None:
        peer = Peer(self._mux.stream.remote_public_key, self._sync.remote_user_data)
        while self._deciding:
            keys, hints = self._deciding[0]
            wanted = await self._feeds.wants(keys, peer, hints)
            if not self._deciding:  # the channel was closed meanwhile
                return
            self._deciding.popleft()
            self._request(keys, wanted)
            self._send()
        if self._again:
            self.reconsider()

    def _request(self, offered: list[bytes], wanted: list[bytes]) -> None:
        limited = self._mux.limited(wanted)
        if len(limited) < len(offered):
            self._feeds.count(skipped=len(offered) - len(limited))
            self._remember(offered, set(limited))
        self._sync.request(limited)

    def _remember(self, offered: list[bytes], taken: set[bytes]) -> None:
        room = REFUSED_KEPT_MAX - len(self._refused)
        refused = [key for key in offered if key not in taken and key not in self._refused]
        self._refused.update(dict.fromkeys(refused[:room]))

    def _on_granted(self, keys: list[bytes]) -> None:
        missing = [key for key in keys if self._feeds.feed(key) is None]
        if missing:
            coming = {discovery_key_of(key): key for key in missing}
            self._mux.stream.session.expect(coming)
            self._begin(self._add(keys, coming))
        else:
            self._replicate(keys)

    async def _add(self, keys: list[bytes], coming: dict[bytes, bytes]) -> None:
        session = self._mux.stream.session
        try:
            await self._feeds.add_remote(list(coming.values()))
        finally:
            session.unexpect(coming)
            for discovery_key, key in coming.items():
                if self._feeds.feed(key) is None and session.remote_opened(discovery_key):
                    session.refuse(discovery_key)  # a quota, or a core that cannot be opened
        self._replicate(keys)

    def _replicate(self, keys: list[bytes]) -> None:
        found = [feed for key in keys if (feed := self._feeds.feed(key)) is not None]
        self._mux.replicate(found)
        self._mux.stream.add_remote_feeds(found)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``; until it is done, a stream that is not live does not end."""
        self._work += 1
        self._mux.stream.session.hold()
        self._feeds.spawn(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except HypermultifeedError as error:
            _log.warning("cannot take feeds of a peer: %s", error)
            self.channel.close(error)
        finally:
            self._work -= 1
            self._finish_if_settled()
            self._mux.stream.session.release()

    def _send(self) -> None:
        self._flush()
        self._finish_if_settled()

    def _flush(self) -> None:
        for name, payload in self._sync.messages_to_send():
            self.channel.send_extension(EXTENSIONS.index(name), payload)

    def _finish_if_settled(self) -> None:
        """Close the channel of a replication that is not live once all is agreed on."""
        if not (self._mux.live or self._over) and self.settled:
            self.channel.close()
