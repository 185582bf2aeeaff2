"""Multifeed: many writers, one shared set of feeds.

Whoever knows the root key finds the set, learns all its feeds and passes them on. Every feed is
a signed append-only log that only its writer can extend.

    async with Multifeed("./db", key=root_key, value_encoding="json") as multi:
        writer = await multi.writer("local")
        await writer.append({"hello": "world"})
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from hypermultifeed.core_names import MASTER_KEY_FILE, core_folder
from hypermultifeed.corestore import CoreRequest, Corestore
from hypermultifeed.entries import EntryBatch, read_entries
from hypermultifeed.errors import (
    ClosedError,
    CorruptStorageError,
    HypermultifeedError,
    NotReadyError,
    StorageError,
)
from hypermultifeed.events import Publisher, Subscription, Watch
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import DEFAULT_KEY, KeyPair, discovery_key, parse_key
from hypermultifeed.mux import Mux, Peer
from hypermultifeed.stream import ReplicationStream

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
    from types import TracebackType

    from hypermultifeed.codecs import Codec
    from hypermultifeed.entries import Holes
    from hypermultifeed.storage import Durability, StorageFactory

    Accept = Callable[[bytes, Peer, Mapping[str, Any]], bool | Awaitable[bool]]

FEEDS_MAX: Final = 100_000
"""Feeds in one multifeed above which no more are taken from peers."""

STREAM_HANDSHAKE_TIMEOUT_S: Final = 10.0
"""How long a stream's own handshake may take when the peer's greeting may take for ever."""

ACCEPT_TIMEOUT_S: Final = 10.0
"""How long an ``accept`` policy may think about one feed; then the answer is no."""

ACCEPTS_AT_ONCE: Final = 256
"""Feeds of one manifest that an asynchronous policy is asked about at a time."""

WRITER_NAME_BYTES_MAX: Final = 1024
"""Longest name of a writer, in UTF-8."""

ROOT_NAMESPACE: Final = "@multifeed:"
FEED_NAMESPACE: Final = "@multifeed:feed:"
PERSIST_NAMESPACE: Final = "@multifeed:persist"

_ROOT_IN_NAME: Final = re.compile(rb"@multifeed:([0-9a-f]{64}):@multifeed:")

_log = logging.getLogger("hypermultifeed.multifeed")


class FeedAdded(NamedTuple):
    """A feed has come into the set, by us or by a peer.

    Attributes:
        name: a writer's name, or a number for feeds without one of ours.
        feed: the feed, ready.
    """

    name: str
    feed: Hypercore


@dataclass(slots=True)
class MultifeedStats:
    """Counters of what peers said in vain.

    Attributes:
        skipped_keys: offered or asked-for keys left out: malformed, unknown, refused by the
            policy, or above a quota.
        ignored_messages: out of order, or of an unknown kind.
        failed_exchanges: peers' greetings and lists that could not be understood.
    """

    skipped_keys: int = 0
    ignored_messages: int = 0
    failed_exchanges: int = 0


class Multifeed:
    """A set of feeds shared by everybody who knows its root key. The constructor does no I/O.

    Args:
        storage: a folder, a storage factory such as ``memory()``, or a `Corestore` to share.
        key: the root key, 32 bytes or hex. Without one, the key that everybody knows.
        encryption_key: another name for ``key``.
        value_encoding: how values become blocks, in every feed.
        hypercore: makes the feed objects.
        accept: ``accept(key, peer, hints)`` decides about each feed that a peer offers; it gets
            the feed's key, a `Peer`, and what stood in the offer beside the keys. May be a
            coroutine function. Anything but True, an error, and silence mean no.
        durability: what an acknowledged append survives; of no effect on a shared store.

    Attributes:
        stats: counters.

    Raises:
        ValueError: ``key`` and ``encryption_key`` differ, or a key is malformed.
    """

    def __init__(
        self,
        storage: str | os.PathLike[str] | StorageFactory | Corestore,
        *,
        key: bytes | str | None = None,
        encryption_key: bytes | str | None = None,
        value_encoding: str | Codec = "binary",
        hypercore: Callable[..., Hypercore] = Hypercore,
        accept: Accept | None = None,
        durability: Durability = "full",
    ) -> None:
        self._key = _root_key(key, encryption_key)
        self._discovery_key = discovery_key(self._key)
        self._owns_store = not isinstance(storage, Corestore)
        self._store = (
            storage if isinstance(storage, Corestore) else Corestore(storage, durability=durability)
        )
        self._space = self._store.namespace(ROOT_NAMESPACE + self._key.hex())
        self._core_options: dict[str, Any] = {
            "value_encoding": value_encoding,
            "hypercore": hypercore,
            "quiet": True,
        }
        self._accept = accept
        self.stats = MultifeedStats()
        self._events = Publisher[FeedAdded]()
        self._feeds: dict[bytes, Hypercore] = {}
        self._by_discovery_key: dict[bytes, Hypercore] = {}
        self._names: set[str] = set()
        self._writers: dict[str, Hypercore] = {}
        self._creating: dict[str, asyncio.Task[Hypercore]] = {}
        self._joining: list[_Joining] = []
        self._muxes: dict[ReplicationStream, Mux] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._opened = False
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._opened else "not ready"
        return f"<Multifeed {self._discovery_key.hex()[:8]} {state} feeds={len(self._feeds)}>"

    async def __aenter__(self) -> Self:
        try:
            await self.ready()
        except BaseException:  # __aexit__ is not called, and a cancelled opening goes on
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def key(self) -> bytes:
        """The root key, 32 bytes: who has it can join."""
        return self._key

    @property
    def discovery_key(self) -> bytes:
        """The topic under which peers find each other, 32 bytes; tells nothing of the key."""
        return self._discovery_key

    @property
    def corestore(self) -> Corestore:
        """The store that holds the feeds."""
        return self._store

    @property
    def closed(self) -> bool:
        """Whether `close` is done."""
        return self._closed

    # --- opening and closing

    async def ready(self) -> None:
        """Open the store and the feeds listed in it. Idempotent; concurrent callers share it.

        Raises:
            StorageError: the storage holds multifeeds, but none with this root key.
            StorageLockedError, CorruptStorageError: as the storage says.
            ClosedError: closed already.
        """
        self._check_not_closed()
        if self._opened:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        await self._store.ready()
        try:
            if self._owns_store:
                _check_root_key(self._store, self._key, self._core_name(PERSIST_NAMESPACE))
            await self._open_feeds()
        except BaseException:
            if self._owns_store:
                await self._store.close()
                self._closed = True
            raise
        self._opened = True

    async def _open_feeds(self) -> None:
        self._list = await self._space.open(
            CoreRequest(name=self._core_name(PERSIST_NAMESPACE).encode()),
            value_encoding="json",
            private=True,
        )
        for index in range(self._list.length):
            try:
                entry = await self._list.get(index)
            except ValueError as error:
                _log.warning("entry %d of the list of feeds is not JSON: %s", index, error)
                continue
            match entry:
                case {"key": str(key), "name": str(name)} if _is_key(key):
                    if bytes.fromhex(key) not in self._feeds:
                        await self._reopen(bytes.fromhex(key), name)
                case _:
                    _log.warning("entry %d of the list of feeds is malformed", index)

    async def _reopen(self, key: bytes, name: str) -> None:
        feed = await self._space.open(CoreRequest(key=key), **self._core_options)
        stored = self._store.cores.stored_name(core_folder(feed.discovery_key))
        expected = self._core_name(FEED_NAMESPACE + name).encode()
        if feed.writable and (stored is None or stored == expected):
            self._writers[name] = feed
        self._include(feed, name)

    async def close(self) -> None:
        """End our replications and close the feeds. Idempotent; a second caller waits.

        A shared store stays open, and so do cores in it that somebody else uses; streams shared
        with others stay, without our channels.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        muxes = list(self._muxes.values())
        owned = [mux.stream.close() for mux in muxes if mux.owns_stream]
        await asyncio.gather(*owned, return_exceptions=True)
        for mux in muxes:
            mux.detach()
        tasks = [*self._tasks, *self._creating.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await (self._store if self._owns_store else self._space).close()
        finally:
            self._closed = True
            self._feeds.clear()
            self._by_discovery_key.clear()
            self._writers.clear()
            self._events.close()

    def _check_not_closed(self) -> None:
        if self._closing is not None or self._closed:
            raise ClosedError("the multifeed is closed")

    # --- feeds

    def feeds(self) -> list[Hypercore]:
        """Return all feeds known now, in the order in which they came."""
        return list(self._feeds.values())

    def feed(self, key: bytes | str) -> Hypercore | None:
        """Return the feed with that public key (bytes or hex), or None.

        Raises:
            ValueError: that is no key.
        """
        return self._feeds.get(parse_key(key))

    def feed_by_discovery_key(self, discovery_key: bytes) -> Hypercore | None:
        """Return the feed with that discovery key, or None."""
        return self._by_discovery_key.get(discovery_key)

    def events(self) -> Subscription[FeedAdded]:
        """Return a subscription to feeds that come into the set from now on."""
        return self._events.subscribe()

    def watch(self, on_event: Callable[[], None]) -> Watch[FeedAdded]:
        """Call ``on_event`` when a feed comes and when the multifeed closes; a context manager."""
        return self._events.watch(on_event)

    def entries(
        self,
        after: Mapping[str, str] | None = None,
        live: bool = False,
        *,
        holes: Holes = "wait",
    ) -> AsyncIterator[EntryBatch]:
        """Every block of every feed once, in batches, with positions for the caller to store.

        Effects and positions that are stored together happen exactly once; what was not stored
        is delivered again by the next call.

        Args:
            after: positions stored with an earlier batch, by feed key in hex; None: from the
                start. Feeds that are not among them are read from their beginning.
            live: go on with what comes later, new feeds included, until the multifeed closes.
            holes: what to do about blocks that are not here. ``"wait"``: a feed's entries come
                strictly in order, so a hole holds up its feed. ``"skip"``: take what is here in
                ascending order; what comes into a hole later is delivered then.

        Raises (when iterated):
            ValueError: ``after`` holds something that is no position.
            CorruptStorageError: a block is damaged on disk.
            ClosedError: the multifeed was closed within a batch.
        """
        self._check_not_closed()
        return read_entries(self, after or {}, live=live, holes=holes)

    async def writer(
        self, name: str | None = None, *, key_pair: KeyPair | None = None
    ) -> Hypercore:
        """Return a feed of our own; made now unless there is one of that name.

        Args:
            name: names a writer within this multifeed on this storage; without a name, every
                call makes a new feed. Feeds of others are never found by name.
            key_pair: makes the feed, instead of keys derived from the name. Its secret key is
                stored.

        Raises:
            ValueError: the name is empty, too long, has control characters or is not in
                Unicode's composed form (NFC); or the writer of that name has other keys.
            ClosedError: the multifeed is closed.
        """
        await self.ready()
        if name is not None and name not in self._writers:
            self._check_name(name)
        label = name if name is not None else _unnamed(key_pair)
        feed = self._writers.get(label)
        if feed is None:
            task = self._creating.get(label)
            if task is None:
                task = asyncio.create_task(self._create(label, name is None, key_pair))
                self._creating[label] = task
                task.add_done_callback(lambda _: self._creating.pop(label, None))
            feed = await asyncio.shield(task)
        if key_pair is not None and feed.key != key_pair.public_key:
            raise ValueError(f"the writer {label!r} has another key pair")
        return feed

    async def _create(self, label: str, unnamed: bool, key_pair: KeyPair | None) -> Hypercore:
        if key_pair is not None:
            wanted = CoreRequest(key_pair=key_pair)
        else:
            wanted = CoreRequest(name=self._core_name(FEED_NAMESPACE + label).encode())
        feed = await self._space.open(wanted, **self._core_options)
        known = feed.key in self._feeds
        if not unnamed or key_pair is not None:
            self._writers[label] = feed
        if not known:
            try:
                await self._join([(feed, None if unnamed and key_pair is None else label)])
            except BaseException:
                self._writers.pop(label, None)
                raise
        return feed

    def _check_name(self, name: str) -> None:
        try:
            raw = name.encode()
        except UnicodeEncodeError:
            raise ValueError("a writer's name is text, without lone surrogates") from None
        if not 0 < len(raw) <= WRITER_NAME_BYTES_MAX:
            raise ValueError(f"a writer's name has 1 to {WRITER_NAME_BYTES_MAX} bytes in UTF-8")
        if any(unicodedata.category(char) == "Cc" for char in name):
            raise ValueError("a writer's name has no control characters")
        if not unicodedata.is_normalized("NFC", name):
            raise ValueError("a writer's name is in Unicode's composed form (NFC)")

    def _core_name(self, inside: str) -> str:
        return f"{self._space.name}:{inside}"

    async def _join(self, feeds: list[tuple[Hypercore, str | None]]) -> None:
        """Add feeds to the list on disk, then to the set; many callers share one append."""
        joining = _Joining(feeds, asyncio.get_running_loop().create_future())
        self._joining.append(joining)
        if len(self._joining) == 1:
            self.spawn(self._join_all())
        await joining.done

    async def _join_all(self) -> None:
        while self._joining:
            await asyncio.sleep(0)  # whoever comes in the same turn shares the append
            batch = list(self._joining)
            try:
                added = await self._persist(batch)
            except HypermultifeedError as error:
                for joining in batch:
                    joining.fail(error)
            else:
                for feed, name in added:
                    self._include(feed, name)
                for mux in list(self._muxes.values()):
                    mux.offer([feed.key for feed, _ in added])
                for joining in batch:
                    joining.succeed()
            finally:
                del self._joining[: len(batch)]

    async def _persist(self, batch: list[_Joining]) -> list[tuple[Hypercore, str]]:
        added: dict[bytes, tuple[Hypercore, str]] = {}
        taken = set(self._names)
        for feed, wanted in (pair for joining in batch for pair in joining.feeds):
            if feed.key in self._feeds or feed.key in added:
                continue
            number = len(self._feeds) + len(added)
            while (name := str(number) if wanted is None else wanted) in taken and not wanted:
                number += 1
            taken.add(name)
            added[feed.key] = (feed, name)
        if added:
            entries = [{"key": feed.key.hex(), "name": name} for feed, name in added.values()]
            await self._list.extend(entries)
        return list(added.values())

    def _include(self, feed: Hypercore, name: str) -> None:
        self._feeds[feed.key] = feed
        self._by_discovery_key[feed.discovery_key] = feed
        self._names.add(name)
        self._events.publish(FeedAdded(name, feed))

    # --- replication

    def replicate(
        self,
        initiator: bool,
        *,
        stream: ReplicationStream | None = None,
        live: bool = True,
        handshake_timeout_s: float | None = 10.0,
        upload: bool = True,
        download: bool = True,
        user_data: object = None,
    ) -> ReplicationStream:
        """Replicate with one peer: exchange lists of feeds, then the feeds themselves.

        Args:
            initiator: True on the side that dialled; the two sides must differ.
            stream: share that stream instead of making one. A peer that does not have this
                multifeed then does no harm, and may come to have it later.
            live: go on with what comes later; otherwise the stream ends when both sides have
                what they want.
            handshake_timeout_s: how long, on a stream of our own, the peer may take to greet us;
                None for ever.
            upload, download: whether to send blocks, and to ask for them.
            user_data: any JSON value for the peer's policy.

        Raises:
            NotReadyError: await `ready` first.
            ClosedError: the multifeed is closed.
        """
        self._check_not_closed()
        if not self._opened:
            raise NotReadyError('tried to use "replicate" before multifeed is ready')
        if stream is not None and stream in self._muxes:
            return stream
        own = stream is None
        if stream is None:
            limit = handshake_timeout_s or STREAM_HANDSHAKE_TIMEOUT_S
            stream = ReplicationStream(initiator, live=live, handshake_timeout_s=limit)
        mux = Mux(
            self,
            stream,
            owns_stream=own,
            live=live,
            upload=upload,
            download=download,
            handshake_timeout_s=handshake_timeout_s,
            user_data=user_data,
        )
        self._muxes[stream] = mux
        mux.attach()
        return stream

    def detach(self, stream: ReplicationStream) -> bool:
        """Take this multifeed off a stream, which stays open; whether it was on it."""
        mux = self._muxes.get(stream)
        if mux is None:
            return False
        mux.detach()
        return True

    def reconsider(self) -> None:
        """Ask ``accept`` again about the feeds that connected peers have offered and were refused.

        For a policy that has changed its mind. It gets no hints this time.
        """
        for mux in list(self._muxes.values()):
            mux.reconsider()

    def exchanges(self) -> list[Mux]:
        """Return this multifeed's part in each stream that it is on."""
        return list(self._muxes.values())

    # --- for the muxes

    def count(self, *, skipped: int = 0, ignored: int = 0, failed: int = 0) -> None:
        """Count what peers said in vain."""
        self.stats.skipped_keys += skipped
        self.stats.ignored_messages += ignored
        self.stats.failed_exchanges += failed

    def is_store_on(self, stream: ReplicationStream) -> bool:
        """Whether the store replicates on that stream, too."""
        return self._store.cores.is_on(stream)

    def mux_over(self, mux: Mux) -> None:
        """A stream is over, for us at least."""
        self._muxes.pop(mux.stream, None)

    def wants_at_once(self, keys: Sequence[bytes]) -> list[bytes] | None:
        """The wanted ones of ``keys`` if no policy has to be asked, else None."""
        if self._accept is None:
            return self._within_quota(keys)
        return list(keys) if all(key in self._feeds for key in keys) else None

    async def wants(
        self, keys: Sequence[bytes], peer: Peer, hints: Mapping[str, Any]
    ) -> list[bytes]:
        """The wanted ones of ``keys``, by policy and quota."""
        wanted: set[bytes] = set()
        for start in range(0, len(keys), ACCEPTS_AT_ONCE):
            part = keys[start : start + ACCEPTS_AT_ONCE]
            answers = await asyncio.gather(*(self._is_accepted(key, peer, hints) for key in part))
            wanted.update(key for key, yes in zip(part, answers, strict=True) if yes)
        return self._within_quota([key for key in keys if key in wanted])

    async def _is_accepted(self, key: bytes, peer: Peer, hints: Mapping[str, Any]) -> bool:
        if key in self._feeds or self._accept is None:
            return True
        try:
            answer = self._accept(key, peer, hints)
            if inspect.isawaitable(answer):
                async with asyncio.timeout(ACCEPT_TIMEOUT_S):
                    answer = await answer
        except Exception as error:
            _log.warning("the accept policy failed on a feed, which means no: %r", error)
            return False
        return answer is True

    def _within_quota(self, keys: Sequence[bytes]) -> list[bytes]:
        room = FEEDS_MAX - len(self._feeds)
        wanted = []
        for key in keys:
            if key not in self._feeds:
                room -= 1
                if room < 0:
                    continue
            wanted.append(key)
        return wanted

    async def add_remote(self, keys: Sequence[bytes]) -> None:
        """Take feeds of others into the set, as far as the quota goes."""
        opened: list[tuple[Hypercore, str | None]] = []
        for key in self._within_quota(keys):
            try:
                feed = await self._space.open(CoreRequest(key=key), **self._core_options)
            except StorageError as error:
                _log.warning("cannot open the feed %s: %s", key.hex()[:8], error)
                continue
            opened.append((feed, None))
        if opened:
            await self._join(opened)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run background work until done, at most until the multifeed closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work of a multifeed failed", exc_info=error)


class _Joining:
    """Feeds on their way into the set, and who waits for it."""

    __slots__ = ("done", "feeds")

    def __init__(
        self, feeds: list[tuple[Hypercore, str | None]], done: asyncio.Future[None]
    ) -> None:
        self.feeds = feeds
        self.done = done

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _root_key(key: bytes | str | None, encryption_key: bytes | str | None) -> bytes:
    given = {parse_key(one) for one in (key, encryption_key) if one is not None}
    if len(given) > 1:
        raise ValueError("key and encryption_key name one thing, but these are two different keys")
    if given:
        return given.pop()
    _log.warning("no root key given: using the default one, which everybody knows")
    return DEFAULT_KEY


def _unnamed(key_pair: KeyPair | None) -> str:
    """Return what stands for the name of a writer without one."""
    return secrets.token_hex(16) if key_pair is None else key_pair.public_key.hex()[:16]


def _is_key(text: str) -> bool:
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)


def _check_root_key(store: Corestore, root_key: bytes, list_name: str) -> None:
    """Refuse storage that holds multifeeds, but none with this root key."""
    cores = store.cores
    pair = cores.derive(list_name)
    topic = discovery_key(pair.public_key)
    if cores.is_stored(topic):
        return
    ours = False
    others: dict[str, str] = {}
    for file in cores.storage.list_files():
        if file.endswith("/name"):
            name = cores.stored_name(file.removesuffix("name"))
            found = None if name is None else _ROOT_IN_NAME.match(name)
            if found is None:
                continue
            other = bytes.fromhex(found[1].decode())
            if name == list_name.encode() and file != f"{core_folder(topic)}name":
                # Its keys come from the master key alone, and they are not those of its folder.
                raise CorruptStorageError(
                    "not the master key that the feeds of this multifeed were made with",
                    file=MASTER_KEY_FILE,
                )
            if other == root_key:
                ours = True  # but a crash came before its list was made
            else:
                others.setdefault(discovery_key(other).hex(), file)
    if others and not ours:
        topics = ", ".join(sorted(topic[:16] for topic in others))
        raise StorageError(
            "the storage belongs to a multifeed with another root key (topic "
            f"{topics}); open it with that key, or through a Corestore to keep several in one",
            file=next(iter(others.values())),
        )
