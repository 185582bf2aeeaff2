"""One core (a feed of signed blocks), the asyncio face of `Log` and `FeedSync`.

    async with Hypercore("./folder", value_encoding="json") as core:
        await core.append({"hello": "world"})

Reading a block that is here costs no waiting; one that is not is fetched from the peers of the
core's replications. Whoever waits may be cancelled, which takes the request back.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from hypermultifeed.codecs import BINARY, resolve_codec
from hypermultifeed.errors import (
    BlockMissingError,
    ClosedError,
    CorruptStorageError,
    FeedError,
    ForkError,
    NotReadyError,
    ReplicationTimeoutError,
    StreamClosedError,
)
from hypermultifeed.events import Publisher, Subscription, Watch
from hypermultifeed.feed.layout import KEY as KEY_FILE
from hypermultifeed.feed.log import AuditReport, Log
from hypermultifeed.keys import KeyPair, parse_key
from hypermultifeed.keys import discovery_key as discovery_key_of
from hypermultifeed.replication.channels import SessionOwner
from hypermultifeed.replication.feed_sync import (
    ENDLESS,
    FeedPeer,
    FeedSync,
    MissingReport,
    Observer,
    TransferStats,
)
from hypermultifeed.storage import Durability, Storage, StorageFactory, files
from hypermultifeed.stream import ReplicationStream, guarded

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from types import TracebackType

    from hypermultifeed.codecs import Codec
    from hypermultifeed.encoding.node import Node
    from hypermultifeed.replication.demands import Demand, Done
    from hypermultifeed.replication.extensions import Extension

APPENDS_PER_TURN: Final = 64
"""Commits of a task that never waits for anything, before others get their turn."""

_log = logging.getLogger("hypermultifeed.hypercore")

READ_BATCH: Final = 64
"""Blocks that `Hypercore.read` takes with one read, and fetches ahead."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The core has grown to ``length`` blocks: by our append, or proved by a peer."""

    name: ClassVar[str] = "appended"
    length: int


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Blocks ``[start, stop)`` came from ``peer``, were verified and are stored."""

    name: ClassVar[str] = "downloaded"
    start: int
    stop: int
    peer: FeedPeer


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A block of ``size`` bytes was sent to ``peer``."""

    name: ClassVar[str] = "uploaded"
    index: int
    size: int
    peer: FeedPeer


@dataclass(frozen=True, slots=True)
class PeerAdded:
    """A replication of this core has begun; the peer may not know the core."""

    name: ClassVar[str] = "peer-added"
    peer: FeedPeer


@dataclass(frozen=True, slots=True)
class PeerOpened:
    """The peer has the core too."""

    name: ClassVar[str] = "peer-opened"
    peer: FeedPeer


@dataclass(frozen=True, slots=True)
class PeerRemoved:
    """A replication of this core is over; ``error`` says why, if something failed."""

    name: ClassVar[str] = "peer-removed"
    peer: FeedPeer
    error: Exception | None


@dataclass(frozen=True, slots=True)
class Forked:
    """Two signed histories of this core exist; ``error`` holds both signed roots."""

    name: ClassVar[str] = "forked"
    peer: FeedPeer
    error: ForkError


CoreEvent = Appended | Downloaded | Uploaded | PeerAdded | PeerOpened | PeerRemoved | Forked


@dataclass(frozen=True, slots=True)
class CoreStats:
    """What went over for one core.

    Attributes:
        totals: with all present and former peers.
        peers: with each present peer.
    """

    totals: TransferStats
    peers: list[TransferStats]


class Hypercore:
    """A feed of signed blocks that is ours, or a copy of somebody else's.

    Several tasks of one event loop may use it at once; it is not safe for threads.

    Attributes:
        closed: whether `close` was called.
        value_encoding: the codec of values.
        sparse: fetch only what is asked for, not everything peers have.
    """

    def __init__(
        self,
        storage: str | os.PathLike[str] | StorageFactory | Storage,
        key: bytes | str | None = None,
        *,
        key_pair: KeyPair | None = None,
        value_encoding: str | Codec = "binary",
        sparse: bool = False,
        durability: Durability = "full",
        prefix: str = "",
        create: bool = True,
        store_secret_key: bool = True,
        eager_update: bool = False,
        if_available: bool = False,
        allow_push: bool = False,
        on_write: Callable[[int, bytes, FeedPeer | None], None] | None = None,
    ) -> None:
        """Describe a core; no I/O happens before `ready`.

        Args:
            storage: a folder, a factory such as ``memory()``, or an open storage, which is then
                shared and stays open.
            key: public key of the core, 32 bytes or hex; None: the stored one, or a new one.
            key_pair: for a core of our own whose keys are given.
            value_encoding: ``"binary"``, ``"utf-8"``, ``"json"``, or a codec.
            sparse: fetch only what is asked for.
            durability: what an acknowledged append survives, ``"full"`` or ``"relaxed"``.
            prefix: folder of the core's files within the storage, ending in ``/`` if not empty.
            create: False: fail if no core is stored here.
            store_secret_key: write the secret key beside the core.
            eager_update: keep the length up to date though ``sparse``.
            if_available: what `get`, `update`, `seek` do unless told otherwise.
            allow_push: take blocks that were not asked for.
            on_write: called for each block, with the peer it came from: None for our own, which
                an error keeps from being appended. Others' blocks are verified by then; an error
                ends the exchange with that peer.

        Raises:
            ValueError: a key that is none.
        """
        self._storage_given = storage
        self._key = None if key is None else parse_key(key)
        if key_pair is not None:
            if self._key is not None and self._key != key_pair.public_key:
                raise ValueError("the key is not the key pair's public key")
            self._key = key_pair.public_key
        self._key_pair = key_pair
        self._create = create
        self._store_secret_key = store_secret_key
        self._prefix = prefix
        self._durability: Durability = durability
        self.value_encoding = resolve_codec(value_encoding)
        self.sparse = sparse
        self.closed = False
        self._eager_update = eager_update
        self._if_available = if_available
        self._allow_push = allow_push
        self._on_write = on_write
        self._storage: Storage | None = None
        self._owns_storage = False
        self._log: Log | None = None
        self._sync: FeedSync | None = None
        self._publisher: Publisher[CoreEvent] = Publisher()
        self._uploading = True
        self._downloading: bool | None = None
        self._streams: dict[ReplicationStream, None] = {}
        self._append_lock = asyncio.Lock()
        self._append_queue: list[_Batch] = []
        self._appender: asyncio.Task[object] | None = None
        self._commits = 0
        self._synced = 0
        self._close_lock = asyncio.Lock()

    def __repr__(self) -> str:
        key = self._key.hex()[:8] if self._key else "?"
        return f"<Hypercore {key} length={self._log.length if self._log else '?'}>"

    # --- life

    async def ready(self) -> None:
        """Open the core; called by ``async with``. Idempotent.

        Raises:
            StorageError: the storage cannot be used, or holds another core.
            StorageLockedError: somebody else has it open.
            ClosedError: the core was closed.
        """
        if self.closed:
            raise ClosedError("the core is closed")
        if self._log is not None:
            return
        given = self._storage_given
        if isinstance(given, (str, bytes)) or hasattr(given, "__fspath__"):
            given = files(given)  # type: ignore[arg-type]
        if hasattr(given, "commit"):
            storage: Storage = given  # type: ignore[assignment]
        else:
            storage = given(self._durability)
            self._owns_storage = True
        try:
            self._open_log(storage)
        except BaseException:
            if self._owns_storage:
                await storage.close()
            raise
        self._storage = storage
        await storage.sync()

    def _open_log(self, storage: Storage) -> None:
        pair = self._key_pair
        stored = storage.size(f"{self._prefix}{KEY_FILE}")
        if pair is None and self._key is None and self._create and not stored:
            pair = KeyPair.generate()
        log = Log.open(
            storage,
            self._prefix,
            key=self._key,
            key_pair=pair,
            store_secret_key=self._store_secret_key,
            create=self._create,
        )
        self._log = log
        self._key = log.key
        self._sync = FeedSync(
            log,
            whole=not self.sparse,
            observer=_CoreObserver(self._publisher),
            randbelow=secrets.randbelow,
            allow_push=self._allow_push,
            on_write=None if self._on_write is None else self._tell_write,
        )
        if self._eager_update and not log.writable:
            self._watch_length()

    async def close(self) -> None:
        """Close the core's channels and, if it is its own, the storage. Idempotent.

        Whoever waits for a block gets `ClosedError`. A second caller waits for the first.
        """
        async with self._close_lock:
            if self.closed:
                return
            self.closed = True
            if self._sync is not None:
                self._sync.close(ClosedError("the core is closed"))
            try:
                async with self._append_lock:
                    pass  # an append under way is finished
                if self._owns_storage and self._storage is not None:
                    await self._storage.close()
            finally:
                for stream in self._streams:
                    stream.unsynced.pop(self, None)
                self._publisher.close()

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

    # --- what it is

    @property
    def key(self) -> bytes:
        """The public key, 32 bytes: who knows it can read."""
        if self._key is None:
            raise NotReadyError("the core is not ready")
        return self._key

    @property
    def discovery_key(self) -> bytes:
        """The name under which peers look for the core; does not tell the key."""
        return discovery_key_of(self.key)

    @property
    def secret_key(self) -> bytes | None:
        """The secret key, 64 bytes, or None for somebody else's core."""
        return self._opened.secret_key

    @property
    def writable(self) -> bool:
        """Whether we can append."""
        return self._opened.writable

    @property
    def length(self) -> int:
        """Blocks in the core, as far as known; not all need be here."""
        return self._opened.length

    @property
    def byte_length(self) -> int:
        """Bytes of all blocks of that length."""
        return self._opened.byte_length

    @property
    def live(self) -> bool:
        """Whether the core can grow (all made here can)."""
        return self._opened.live

    @property
    def fork(self) -> ForkError | None:
        """The proof that the owner signed two histories, if a peer had one."""
        return self._syncing.fork

    @property
    def log(self) -> Log:
        """The synchronous layer below."""
        return self._opened

    def events(self) -> Subscription[CoreEvent]:
        """What happens from now on, as an async iterator and context manager."""
        return self._publisher.subscribe()

    def watch(self, on_event: Callable[[], None]) -> Watch[CoreEvent]:
        """Call ``on_event`` at each of these events and when the core closes; a context manager.

        For those who look for themselves what is new.
        """
        return self._publisher.watch(on_event)

    # --- writing

    async def append(self, value: object) -> int:
        """Append one value; returns its index once it is as durable as the storage promises.

        Appends that wait at the same time are signed and stored together.

        Raises:
            NotWritableError: the core is somebody else's.
            BlockTooLargeError: nothing was changed.
            StorageError: the storage failed; nothing is acknowledged.
        """
        return (await self._append([self.value_encoding.encode(value)])).start

    async def extend(self, values: Iterable[object]) -> range:
        """Append several values as one batch; returns their indexes. See `append`."""
        if self.value_encoding is BINARY:  # in large batches the calls would be felt
            blocks = [v if type(v) is bytes else BINARY.encode(v) for v in values]  # type: ignore[arg-type]
        else:
            blocks = list(map(self.value_encoding.encode, values))
        return await self._append(blocks)

    async def clear(self, start: int, stop: int) -> int:
        """Forget blocks ``[start, stop)`` (their hashes stay); returns how many were here."""
        log = self._check_open()
        cleared = log.clear(start, stop)
        assert self._storage is not None
        await self._storage.sync()
        if cleared:
            self._syncing.cleared(start, stop, _now())
        return cleared

    # --- reading

    async def get(
        self,
        index: int,
        wait: bool = True,
        timeout_s: float | None = None,
        *,
        if_available: bool | None = None,
        value_encoding: str | Codec | None = None,
    ) -> Any:
        """The value of one block, fetched from a peer if it is not here.

        Args:
            index: from 0; may lie beyond the length.
            wait: False: fail at once if it is not here.
            timeout_s: how long to wait at most.
            if_available: fail once no connected peer can be expected to have it.
            value_encoding: instead of the core's.

        Raises:
            BlockMissingError: it is not here (``wait=False``), or nobody has it.
            ReplicationTimeoutError: it did not come in time.
            ForkError: its owner has signed two histories, so that nothing more is fetched.
            CorruptStorageError: it was damaged, and no connected peer has it.
            ClosedError: the core was closed meanwhile.
        """
        log = self._check_open()
        if not log.has(index):
            if index < 0:
                raise IndexError("blocks are numbered from 0")
            if not wait:
                raise BlockMissingError(f"block {index} is not here", key=self.key, index=index)
            await self._fetch(index, timeout_s, if_available=if_available)
        codec = self.value_encoding if value_encoding is None else resolve_codec(value_encoding)
        try:
            block = log.get(index)
        except CorruptStorageError:
            if not self._is_coming_back([index]) or not wait:
                raise
            await self._fetch(index, timeout_s, if_available=if_available)
            block = log.get(index)
        return codec.decode(block)

    def has(self, start: int, stop: int | None = None) -> bool:
        """Whether block ``start``, or all of ``[start, stop)``, is here."""
        if stop is None:
            return self._opened.has(start)
        return start >= stop or self._opened.next_missing(start, stop) < 0

    def downloaded(self, start: int = 0, stop: int | None = None) -> int:
        """How many blocks of ``[start, stop)`` are here; ``stop`` defaults to the length."""
        return self._opened.count(start, stop)

    async def head(
        self,
        *,
        update: bool = False,
        if_available: bool | None = None,
        value_encoding: str | Codec | None = None,
    ) -> Any:
        """The last value, after waiting for a longer core if ``update``.

        Raises:
            BlockMissingError: the core is empty, or nobody has an update.
        """
        if update:
            await self.update(if_available=if_available)
        length = self._check_open().length
        if not length:
            raise BlockMissingError("the core is empty", key=self.key)
        return await self.get(length - 1, if_available=if_available, value_encoding=value_encoding)

    async def update(
        self, min_length: int | None = None, *, if_available: bool | None = None
    ) -> int:
        """Wait until the core has ``min_length`` blocks (default: one more); returns the length.

        Fetches the proof only, no block.

        Raises:
            BlockMissingError: ``if_available``, and no connected peer has a longer core.
        """
        log = self._check_open()
        least = log.length + 1 if min_length is None else min_length
        if log.length < least:
            sync = self._syncing
            only = self._if_available if if_available is None else if_available
            await self._wait(lambda done: sync.grow(least, _now(), done, if_available=only))
        return log.length

    async def seek(self, byte_offset: int, *, if_available: bool | None = None) -> tuple[int, int]:
        """The block that holds a byte of the core, and the byte's place in it.

        Raises:
            BlockMissingError: ``if_available``, and no connected peer has a core so long, or
                knows where in it the byte is.
        """
        log = self._check_open()
        sync = self._syncing
        only = self._if_available if if_available is None else if_available
        while True:
            try:
                return log.seek(byte_offset)
            except BlockMissingError:
                await self._wait(
                    lambda done: sync.seek(byte_offset, _now(), done, if_available=only)
                )
            except ValueError:
                if byte_offset < 0:
                    raise
                await self.update(if_available=if_available)

    async def download(self, start: int = 0, stop: int | None = None) -> None:
        """Fetch blocks ``[start, stop)``; returns when all are here. Cancel to stop.

        ``stop`` defaults to the length known now.
        """
        log = self._check_open()
        end = log.length if stop is None else stop
        if start < end and log.next_missing(start, end) >= 0:
            sync = self._syncing
            await self._wait(lambda done: sync.download(start, end, _now(), done))

    def read(
        self, start: int = 0, stop: int | None = None, *, live: bool = False, tail: bool = False
    ) -> AsyncIterator[Any]:
        """The values of blocks ``[start, stop)`` in order, each fetched if it is not here.

        Args:
            start: first block.
            stop: one after the last block; default: the length at the time of the call, or
                with ``live`` never.
            live: go on with what is appended later.
            tail: begin at the end, as it is at the time of the call, not at ``start``.
        """
        log = self._check_open()
        index = log.length if tail else start
        end = stop if stop is not None else ENDLESS if live else log.length
        return self._read(log, index, end)

    async def _read(self, log: Log, index: int, end: int) -> AsyncIterator[Any]:
        while index < end:
            ahead = min(end, log.length, index + READ_BATCH)
            if index < ahead:
                await self._fetch_run(index, ahead)
            else:
                await self._fetch(index, None, if_available=False)
                ahead = index + 1
            try:
                blocks = log.get_run(index, ahead)
            except CorruptStorageError:
                blocks = [await self.get(i, value_encoding="binary") for i in range(index, ahead)]
            index = ahead
            for block in blocks:
                yield self.value_encoding.decode(block)
            self._check_open()

    # --- checking

    async def audit(self) -> AuditReport:
        """Hash every stored block again; damaged ones are forgotten and can be fetched anew."""
        log = self._check_open()
        report = log.audit()
        assert self._storage is not None
        await self._storage.sync()
        if report.bad:
            self._is_coming_back(report.bad)
        return report

    def signature(self, index: int | None = None) -> tuple[int, bytes]:
        """The first signature at or after ``index`` (default: the last), with its index."""
        return self._opened.signature(index)

    def verify(self, index: int, signature: bytes) -> bool:
        """Whether the owner signed the core of length ``index + 1`` with this signature."""
        return self._opened.verify(index, signature)

    def root_hashes(self, index: int | None = None) -> list[Node]:
        """The roots of the tree of length ``index + 1`` (default: of the core)."""
        log = self._opened
        return log.root_hashes(log.length - 1 if index is None else index)

    # --- replication

    def replicate(
        self,
        initiator: bool | None = None,
        *,
        stream: ReplicationStream | None = None,
        live: bool = True,
        upload: bool | None = None,
        download: bool | None = None,
        ack: bool = False,
        on_authenticate: Callable[[bytes, bytes | None], bool] | None = None,
        **options: Any,
    ) -> ReplicationStream:
        """Replicate this core with one peer, over a new stream or over ``stream``.

        Args:
            initiator: True on the side that dialled; not needed with ``stream``.
            stream: share this stream with others; opening twice does nothing.
            live: go on for ever; False: end when both sides have what they want.
            upload: answer the peer's requests.
            download: ask the peer; default: unless the core is ours.
            ack: have the peer acknowledge what it stored; see ``ReplicationStream.on_ack``.
            on_authenticate: gets this core's key and the peer's; False keeps the core from it.
            options: of a new `ReplicationStream`.

        Raises:
            NotReadyError, ClosedError, StreamClosedError
        """
        log = self._check_open()
        made_here = stream is None
        if stream is None:
            if initiator is None:
                raise TypeError("initiator or stream is needed")
            stream = ReplicationStream(initiator, live=live, **options)
        if stream.closed:
            raise StreamClosedError("the replication stream is closed") from stream.error
        wanted = self._downloading if self._downloading is not None else not log.writable
        channel_options: dict[str, Any] = {
            "live": live,
            "upload": self._uploading if upload is None else upload and self._uploading,
            "download": wanted if download is None else download and self._downloading is not False,
            "ack": ack,
        }
        if stream.session.opened(self.discovery_key):
            return stream
        if stream in self._streams and on_authenticate is None:
            self.join(stream, **channel_options)  # the channel was closed; our part was not
        else:
            stream.session.attach(
                _CoreReplication(
                    self, stream, channel_options, on_authenticate, patient=made_here and live
                )
            )
        return stream

    def join(self, stream: ReplicationStream, **options: Any) -> None:
        """Open the core's channel on ``stream``, unless it is open; see `replicate`."""
        session = stream.session
        if session.closed or session.opened(self.discovery_key):
            return
        self._streams[stream] = None
        if self._synced < self._commits:
            assert self._storage is not None
            stream.unsynced[self] = self._storage.sync
        peer = self._syncing.peer(**options)
        peer.stream = stream
        session.open(self.key, peer)

    def part(self, stream: ReplicationStream) -> None:
        """Forget a stream that is over."""
        self._streams.pop(stream, None)

    @property
    def peers(self) -> list[FeedPeer]:
        """The channels of the running replications."""
        return list(self._syncing.peers)

    @property
    def stats(self) -> CoreStats:
        """Counters of blocks and bytes."""
        sync = self._syncing
        return CoreStats(sync.stats, [peer.stats for peer in sync.peers])

    def missing(self) -> MissingReport:
        """What is here, what is not, and who has it."""
        return self._syncing.report()

    @property
    def uploading(self) -> bool:
        """Whether requests are answered."""
        return self._uploading

    def set_uploading(self, uploading: bool) -> None:
        """Start or stop answering requests, of all present and later peers."""
        self._uploading = uploading
        self._syncing.set_uploading(uploading)

    @property
    def downloading(self) -> bool:
        """Whether peers are asked."""
        return self._downloading is not False

    def set_downloading(self, downloading: bool) -> None:
        """Start or stop asking, all present and later peers."""
        self._downloading = downloading
        self._syncing.set_downloading(_now(), downloading=downloading)

    def register_extension(
        self,
        name: str,
        *,
        encoding: str | Codec = "binary",
        on_message: Callable[[Any, FeedPeer], None] | None = None,
        on_error: Callable[[Exception, FeedPeer], None] | None = None,
    ) -> Extension:
        """Register an extension of this core.

        ``on_message(message, peer)`` gets what arrives; send with ``extension.send(message,
        peer)`` or ``extension.broadcast(message)``.

        Raises:
            ValueError: the name is taken.
        """
        return self._syncing.extensions.add(
            name,
            encoding=encoding,
            on_message=guarded(on_message, name),
            on_error=guarded(on_error, name),
        )

    # --- inside

    @property
    def _opened(self) -> Log:
        if self._log is None:
            raise NotReadyError("the core is not ready")
        return self._log

    @property
    def _syncing(self) -> FeedSync:
        if self._sync is None:
            raise NotReadyError("the core is not ready")
        return self._sync

    def _check_open(self) -> Log:
        if self.closed:
            raise ClosedError("the core is closed")
        return self._opened

    async def _append(self, blocks: list[bytes]) -> range:
        log = self._check_open()
        batch = _Batch(blocks)
        self._append_queue.append(batch)
        try:
            async with self._append_lock:
                if batch.start < 0 and batch.error is None:
                    if self._others_append() or not self._commits % APPENDS_PER_TURN:
                        await asyncio.sleep(0)  # who appends in the same turn joins
                        self._check_open()
                    self._commit(log)
                if batch.error is None and batch.commit > self._synced:
                    await self._make_durable()
        finally:
            if batch in self._append_queue:
                self._append_queue.remove(batch)
        if batch.error is not None:
            raise batch.error
        return range(batch.start, batch.start + len(blocks))

    def _others_append(self) -> bool:
        """Whether another task has appended in this turn of the event loop.

        Then more are likely to come, and one signature for all of them is worth the wait. A task
        that appends one block after another should not have to wait.
        """
        task = asyncio.current_task()
        if self._appender is None:
            self._appender = task
            asyncio.get_running_loop().call_soon(self._end_turn)
        return self._appender is not task

    def _end_turn(self) -> None:
        self._appender = None

    def _commit(self, log: Log) -> None:
        """Sign and store everything that is queued; a refused batch does not harm the others."""
        batches, self._append_queue = self._append_queue, []
        try:
            self._commit_together(log, batches)
        except ValueError:
            for batch in batches:
                try:
                    self._commit_together(log, [batch])
                except Exception as error:  # raised by whoever appended it
                    batch.error = error
        except Exception as error:  # raised by everyone who appended
            for batch in batches:
                batch.error = error

    def _commit_together(self, log: Log, batches: list[_Batch]) -> None:
        blocks = batches[0].blocks if len(batches) == 1 else [b for x in batches for b in x.blocks]
        if self._on_write is not None:
            for index, block in enumerate(blocks, log.length):
                self._on_write(index, block, None)
        start = log.append(blocks)
        self._commits += 1
        assert self._storage is not None
        for stream in self._streams:
            stream.unsynced[self] = self._storage.sync
        for batch in batches:
            batch.start = start
            batch.commit = self._commits
            start += len(batch.blocks)

    async def _make_durable(self) -> None:
        sync = self._syncing
        storage = self._storage
        assert storage is not None
        commits = self._commits
        length = self._opened.length
        announced = sync.announced
        await storage.sync()
        if commits > self._synced:
            self._synced = commits
            if commits == self._commits:
                for stream in self._streams:
                    stream.unsynced.pop(self, None)
            if length > announced:
                sync.appended(announced, length - announced, _now())

    def _is_coming_back(self, damaged: Sequence[int]) -> bool:
        """Ask for blocks that were damaged; whether a peer says it has the first of them."""
        sync = self._syncing
        sync.damaged(damaged, _now())
        return any(peer.downloading and peer.remote.get(damaged[0]) for peer in sync.peers)

    def _tell_write(self, index: int, block: bytes, peer: FeedPeer) -> None:
        """A program's mistake about one block of a peer ends that core's channel at most."""
        assert self._on_write is not None
        try:
            self._on_write(index, block, peer)
        except Exception as error:
            raise FeedError("on_write failed", key=self._key, index=index) from error

    async def _fetch(self, index: int, timeout_s: float | None, if_available: bool | None) -> None:
        sync = self._syncing
        only = self._if_available if if_available is None else if_available
        try:
            async with asyncio.timeout(timeout_s):
                await self._wait(lambda done: sync.get(index, _now(), done, if_available=only))
        except TimeoutError:
            raise ReplicationTimeoutError(f"block {index} did not come in time") from None

    async def _fetch_run(self, start: int, stop: int) -> None:
        if self._opened.next_missing(start, stop) >= 0:
            sync = self._syncing
            await self._wait(lambda done: sync.download(start, stop, _now(), done, linear=True))

    async def _wait(self, demand_of: Callable[[Done], Demand]) -> None:
        """Wait until a demand is done; cancelling takes it back."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        demand = demand_of(done)
        try:
            await future
        except asyncio.CancelledError:
            self._syncing.cancel(demand)
            raise

    def _watch_length(self) -> None:
        """For ``eager_update``: ask for a longer core again and again."""
        sync = self._syncing

        def again(error: Exception | None) -> None:
            if error is None and not self.closed:
                self._watch_length()

        sync.grow(sync.log.length + 1, sync.now, again)


class _Batch:
    """What one call of append or extend wants stored."""

    __slots__ = ("blocks", "commit", "error", "start")

    def __init__(self, blocks: list[bytes]) -> None:
        self.blocks = blocks
        self.start = -1
        self.commit = 0
        self.error: Exception | None = None


class _CoreReplication(SessionOwner):
    """A core's part in one stream.

    ``patient``: other cores may join the stream later, so what the peer opens is left idle.
    """

    def __init__(
        self,
        core: Hypercore,
        stream: ReplicationStream,
        options: dict[str, Any],
        on_authenticate: Callable[[bytes, bytes | None], bool] | None,
        *,
        patient: bool,
    ) -> None:
        self._patient = patient
        self.is_asked = patient or on_authenticate is not None
        self._core = core
        self._stream = stream
        self._options = options
        self._authenticate = on_authenticate
        if on_authenticate is None:
            core.join(stream, **options)

    def on_handshake(self) -> None:
        if self._authenticate is None or self._core.closed:
            return
        authenticate, self._authenticate = self._authenticate, None
        try:
            accepted = authenticate(self._core.key, self._stream.remote_public_key)
        except Exception:
            _log.exception("on_authenticate failed, which means no")
            accepted = False
        if accepted:
            self._core.join(self._stream, **self._options)
        else:
            self._stream.session.refuse(self._core.discovery_key)

    def on_remote_open(self, discovery_key: bytes) -> bool:
        asking = self._authenticate is not None and discovery_key == self._core.discovery_key
        return self._patient or asking

    def on_close(self, error: Exception | None) -> None:
        del error
        self._core.part(self._stream)


class _CoreObserver(Observer):
    """Turns what happens below into events."""

    def __init__(self, publisher: Publisher[CoreEvent]) -> None:
        self._publisher = publisher
        self._publish = publisher.publish

    def on_peer_added(self, peer: FeedPeer) -> None:
        self._publish(PeerAdded(peer))

    def on_peer_opened(self, peer: FeedPeer) -> None:
        self._publish(PeerOpened(peer))

    def on_peer_removed(self, peer: FeedPeer, error: Exception | None) -> None:
        self._publish(PeerRemoved(peer, error))

    def on_downloaded(self, peer: FeedPeer, start: int, stop: int) -> None:
        self._publish(Downloaded(start, stop, peer))

    def on_uploaded(self, peer: FeedPeer, index: int, size: int) -> None:
        if self._publisher.is_heard:
            self._publish(Uploaded(index, size, peer))

    def on_length(self, length: int) -> None:
        if self._publisher.is_heard:
            self._publish(Appended(length))

    def on_fork(self, peer: FeedPeer, error: ForkError) -> None:
        name = discovery_key_of(peer.log.key).hex()[:8]
        _log.warning("core %s is forked, nothing more is fetched: %s", name, error)
        self._publish(Forked(peer, error))

    def on_ack(self, peer: FeedPeer, start: int, length: int) -> None:
        on_ack = getattr(peer.stream, "on_ack", None)
        if on_ack is not None:
            try:
                on_ack(start, length)
            except Exception:
                _log.exception("a handler of acknowledgements failed")


def _now() -> float:
    return asyncio.get_running_loop().time()
