"""Corestore: many cores in one storage, named by keys derived from one master key.

The folder is corestore 5's, byte for byte: one folder serves JavaScript and us, in turns.

    async with Corestore("./store") as store:
        core = await store.default()
        other = await store.get(name="settings")
        feed = await store.namespace("app").default()
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from hypermultifeed.core_names import (
    DEFAULT_NAME,
    MASTER_KEY_BYTES,
    MASTER_KEY_FILE,
    NOISE_SEED_FILE,
    core_folder,
    decode_name_file,
    derive_key_pair,
    encode_name_file,
    nested_name,
    raw_name,
)
from hypermultifeed.crypto import SEED_BYTES
from hypermultifeed.errors import (
    ClosedError,
    CorruptStorageError,
    HypermultifeedError,
    NotReadyError,
    StorageError,
)
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import KeyPair, NoiseKeyPair, discovery_key, parse_key
from hypermultifeed.replication.channels import SessionOwner
from hypermultifeed.storage import Durability, Storage, StorageFactory, Write, files
from hypermultifeed.stream import ReplicationStream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import TracebackType

    from hypermultifeed.codecs import Codec
    from hypermultifeed.replication.channels import Channel

PASSIVE_CORES_MAX: Final = 1000
"""Cores kept open only because a peer asked for them; more are not opened for peers."""

PRIVATE_NAME_SUFFIX: Final = b":@multifeed:persist"
"""Cores whose name ends so are a multifeed's list of its feeds; no peer ever gets them."""

_log = logging.getLogger("hypermultifeed.corestore")


class Corestore:
    """A set of cores in one storage. The constructor does no I/O.

    Args:
        storage: a folder, or a storage factory such as ``memory()``.
        master_key: 32 bytes (or hex) from which named cores are derived. It is not stored; without
            it, the one in the storage's ``master_key`` file is used, or made when there is none.
        durability: what an acknowledged append survives, ``"full"`` or ``"relaxed"``.
        sparse: whether cores fetch only blocks that are asked for.
        hypercore: makes the core objects.
    """

    def __init__(
        self,
        storage: str | os.PathLike[str] | StorageFactory,
        *,
        master_key: bytes | str | None = None,
        durability: Durability = "full",
        sparse: bool = False,
        hypercore: Callable[..., Hypercore] = Hypercore,
    ) -> None:
        factory = files(storage) if isinstance(storage, (str, os.PathLike)) else storage
        if not callable(factory):
            raise TypeError(f"storage is a path or a storage factory, not {storage!r:.80}")
        given = None if master_key is None else parse_key(master_key)
        options = {"sparse": True} if sparse else {}
        self._inner = CoreTable(factory, given, durability, hypercore, options)
        self._name: str | None = None
        self._got: dict[bytes, Hypercore] = {}
        self._namespace_closed = False

    def __repr__(self) -> str:
        return f"<Corestore {self.name!r} cores={len(self._got)}>"

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
    def name(self) -> str:
        """The full name of this namespace, ``"default"`` for the store itself."""
        return DEFAULT_NAME if self._name is None else self._name

    @property
    def closed(self) -> bool:
        """Whether this store, or the store this namespace is in, is closed."""
        return self._namespace_closed or self._inner.closed

    @property
    def cores(self) -> CoreTable:
        """What is shared with every namespace; for multifeed and networker."""
        return self._inner

    async def ready(self) -> None:
        """Open the storage and read or make the master key. Idempotent.

        Raises:
            StorageLockedError: it is open elsewhere.
            CorruptStorageError: the master key of existing cores is missing.
        """
        await self._inner.ready()

    async def get(
        self,
        key: bytes | str | None = None,
        *,
        name: str | bytes | None = None,
        key_pair: KeyPair | None = None,
        discovery_key: bytes | str | None = None,
        value_encoding: str | Codec = "binary",
    ) -> Hypercore:
        """Return a ready core; always the same object for one core while it is open.

        Args:
            key: of a core to fetch from others, or of one that is stored here.
            name: of a core of our own. As in JS it is not mixed with the namespace's name.
            key_pair: of a core of our own; its secret key is stored beside it.
            discovery_key: of a core that is stored here.
            value_encoding: how values become blocks; what the first opener says holds.

        Without any of them, a new core with a random name.

        Raises:
            ValueError: more than one of them, or a malformed key.
            StorageError: nothing is stored under that discovery key.
        """
        wanted = CoreRequest.of(key, name, key_pair, discovery_key)
        return await self.open(wanted, value_encoding=value_encoding)

    async def default(self, *, value_encoding: str | Codec = "binary") -> Hypercore:
        """Return the core named after this namespace."""
        return await self.get(name=self.name, value_encoding=value_encoding)

    async def open(self, wanted: CoreRequest, **options: Any) -> Hypercore:
        """As `get`, with every option of the core; for multifeed."""
        self._check_open()
        core = await self._inner.open(wanted, **options)
        self._check_open()
        self._got[core.discovery_key] = core
        self._inner.refer(core, self)
        return core

    def namespace(self, name: str | bytes | None = None) -> Corestore:
        """Return a view of this store with names of its own; a random one if none is given."""
        inside = secrets.token_bytes(32) if name is None else name
        child = object.__new__(type(self))
        child._inner = self._inner
        child._name = nested_name(self._name, inside)
        child._got = {}
        child._namespace_closed = False
        return child

    def list(self) -> Mapping[bytes, Hypercore]:
        """Return the open cores by discovery key.

        Of the store itself: every core that anyone got. Of a namespace: those got through it.
        """
        cores = self._inner.referenced() if self._name is None else self._got
        return MappingProxyType({key: core for key, core in cores.items() if not core.closed})

    def replicate(
        self,
        initiator: bool,
        *,
        stream: ReplicationStream | None = None,
        live: bool = True,
        upload: bool = True,
        download: bool = True,
        share: Callable[[bytes], bool] | None = None,
        **options: Any,
    ) -> ReplicationStream:
        """Replicate with one peer, over a new stream or over ``stream``.

        Of the store itself: all open cores, those opened later, and stored ones that the peer
        asks for. Of a namespace: the cores got through it. Other cores that the peer opens are
        refused, and so are always the private lists of multifeeds.

        Args:
            initiator: True on the side that dialled; the two sides must differ.
            stream: share that stream instead of making one.
            live: go on with what comes later.
            upload, download: whether to send blocks, and to ask for them.
            share: ``share(discovery_key)`` decides about each core whether this peer gets it.
            options: of a stream that is made.

        Raises:
            NotReadyError, ClosedError
        """
        self._inner.check_ready()
        self._check_open()
        if stream is None:
            stream = ReplicationStream(initiator, live=live, **options)
        only = None if self._name is None else self
        transfer = {"live": live, "upload": upload, "download": download}
        self._inner.attach(
            stream, StoreReplication(self._inner, stream, only=only, share=share, **transfer)
        )
        return stream

    async def close(self) -> None:
        """Close the cores, the streams and the storage. Idempotent.

        Closing a namespace closes the cores that were got through it alone.
        """
        if self._name is None:
            await self._inner.close()
        elif not self._namespace_closed:
            self._namespace_closed = True
            await self._inner.release(self)
        self._got.clear()

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("the corestore is closed")


class CoreRequest:
    """Which core is wanted, by exactly one of the ways to say so."""

    def __init__(
        self,
        *,
        key: bytes | None = None,
        name: bytes | None = None,
        key_pair: KeyPair | None = None,
        discovery_key: bytes | None = None,
    ) -> None:
        self.key = key
        self.name = name
        self.key_pair = key_pair
        self.discovery_key = discovery_key

    @classmethod
    def of(
        cls,
        key: bytes | str | None = None,
        name: str | bytes | None = None,
        key_pair: KeyPair | None = None,
        discovery_key: bytes | str | None = None,
    ) -> CoreRequest:
        """Check what a caller said.

        Raises:
            ValueError: more than one way, or a malformed key or name.
        """
        if sum(given is not None for given in (key, name, key_pair, discovery_key)) > 1:
            raise ValueError("a core is named by one of key, name, key_pair and discovery_key")
        if key is not None:
            return cls(key=parse_key(key))
        if key_pair is not None:
            return cls(key_pair=key_pair)
        if discovery_key is not None:
            return cls(discovery_key=parse_key(discovery_key))
        if name is None:
            return cls(name=secrets.token_bytes(32))
        if not name:
            raise ValueError("a core's name is not empty")
        return cls(name=raw_name(name))

    def resolve(self, master_key: bytes) -> CoreId:
        """Return what the store knows of the core before it looks for it."""
        if self.discovery_key is not None:
            return CoreId(self.discovery_key)
        pair = self.key_pair
        if self.name is not None:
            pair = derive_key_pair(master_key, self.name)
        key = self.key if pair is None else pair.public_key
        if key is None:
            raise ValueError("no core named")
        return CoreId(discovery_key(key), key, pair, self.name)


class CoreId(NamedTuple):
    """What identifies a core, as far as known."""

    discovery_key: bytes
    key: bytes | None = None
    key_pair: KeyPair | None = None
    name: bytes | None = None


class _Opened(NamedTuple):
    storage: Storage
    master_key: bytes


class CoreTable:
    """The cores, the storage and the streams that a store shares with its namespaces."""

    def __init__(
        self,
        factory: StorageFactory,
        master_key: bytes | None,
        durability: Durability,
        hypercore: Callable[..., Hypercore],
        options: dict[str, Any],
    ) -> None:
        self._factory = factory
        self._master_key = master_key
        self._durability = durability
        self._hypercore = hypercore
        self._options = options
        self._opened: _Opened | None = None
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._cores: dict[bytes, Hypercore] = {}
        self._loading: dict[bytes, asyncio.Task[Hypercore]] = {}
        self._serving: set[bytes] = set()
        self._holders: dict[bytes, set[Corestore]] = {}
        self._private: set[bytes] = set()
        self._quiet: set[bytes] = set()
        self._streams: dict[StoreReplication, ReplicationStream] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.closed = False

    # --- opening and closing

    async def ready(self) -> None:
        """Open; see `Corestore.ready`."""
        if self._closing is not None:
            raise ClosedError("the corestore is closed")
        if self._opened is not None:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_storage())
        await asyncio.shield(self._opening)

    async def _open_storage(self) -> None:
        storage = self._factory(self._durability)
        try:
            self._opened = _Opened(storage, self._master_key or await _load_master_key(storage))
        except BaseException:
            await storage.close()
            raise

    def check_ready(self) -> _Opened:
        """Raise NotReadyError before `ready`, ClosedError after `close`."""
        if self._closing is not None:
            raise ClosedError("the corestore is closed")
        if self._opened is None:
            raise NotReadyError("await the corestore's ready() first")
        return self._opened

    @property
    def storage(self) -> Storage:
        """The open storage.

        Raises:
            NotReadyError, ClosedError
        """
        return self.check_ready().storage

    async def close(self) -> None:
        """Close everything; a second caller waits for the first."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        streams = list(self._streams.values())
        await asyncio.gather(*(stream.close() for stream in streams), return_exceptions=True)
        for task in [*self._tasks, *self._loading.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._loading.values(), return_exceptions=True)
        try:
            for core in list(self._cores.values()):
                await core.close()
        finally:
            self._cores.clear()
            self._holders.clear()
            self.closed = True
            if self._opened is not None:
                await self._opened.storage.close()

    # --- cores

    async def open(
        self,
        wanted: CoreRequest,
        *,
        private: bool = False,
        quiet: bool = False,
        hypercore: Callable[..., Hypercore] | None = None,
        **options: Any,
    ) -> Hypercore:
        """Return the ready core, opened by whoever asked first.

        Args:
            wanted: which one.
            private: no peer ever gets it.
            quiet: peers get it when they ask; a store's replication does not offer it.
            hypercore: makes the object instead of the store's own.
            options: of the core.
        """
        master_key = self.check_ready().master_key
        core_id = wanted.resolve(master_key)
        if private:
            self._private.add(core_id.discovery_key)
        if quiet:
            self._quiet.add(core_id.discovery_key)
        core = self.loaded(core_id.discovery_key)
        if core is None:
            core = await self._load(core_id, hypercore or self._hypercore, options)
        if core_id.key_pair is not None and not core.writable:
            raise StorageError("the core is open as a remote one; close and reopen the store")
        return core

    async def _load(
        self, core_id: CoreId, make: Callable[..., Hypercore], options: dict[str, Any]
    ) -> Hypercore:
        """Open a core; who asks for it meanwhile shares the opening."""
        wanted = core_id.discovery_key
        task = self._loading.get(wanted)
        if task is None:
            task = asyncio.create_task(self._open_core(core_id, make, options))
            self._loading[wanted] = task
            task.add_done_callback(lambda _: self._loading.pop(wanted, None))
        return await asyncio.shield(task)

    async def _open_core(
        self, core_id: CoreId, make: Callable[..., Hypercore], options: dict[str, Any]
    ) -> Hypercore:
        storage = self.storage
        prefix = core_folder(core_id.discovery_key)
        key, pair, name = core_id.key, core_id.key_pair, core_id.name
        stored = storage.read(f"{prefix}key", 0, 32)
        if stored:
            if len(stored) != 32 or discovery_key(stored) != core_id.discovery_key:
                raise CorruptStorageError("not the key of this core", file=f"{prefix}key")
            key = stored
            if pair is None:
                pair = self._stored_pair(prefix, key)
        elif key is None:
            raise StorageError("no core is stored under this discovery key")
        has_name = storage.size(f"{prefix}name") > 0
        if name is not None and not has_name:
            storage.commit([Write(f"{prefix}name", 0, encode_name_file(name))])
        if (name is not None or has_name) and self.is_private(core_id.discovery_key):
            self._private.add(core_id.discovery_key)
        core = make(
            storage,
            key,
            prefix=prefix,
            key_pair=pair,
            store_secret_key=name is None and not has_name,
            **{**self._options, **options},
        )
        try:
            await core.ready()
        except BaseException:
            await core.close()
            raise
        self._loaded(core)
        return core

    def _stored_pair(self, prefix: str, key: bytes) -> KeyPair | None:
        """Return the key pair of a stored core of ours whose name is beside it."""
        name = self.stored_name(prefix)
        if name is None:
            return None
        pair = self.derive(name)
        if pair.public_key == key:
            return pair
        # JS fails here ("Not writable"); its blocks can still be read and shared.
        _log.warning("core %s was made with another master key: read only", key.hex()[:8])
        return None

    def _loaded(self, core: Hypercore) -> None:
        found = core.discovery_key
        self._cores[found] = core
        if found not in self._private and found not in self._quiet:
            for replication in list(self._streams):
                replication.add(core)

    def stored_name(self, prefix: str) -> bytes | None:
        """Return the name kept beside the core in that folder, or None."""
        return decode_name_file(self.storage.read(f"{prefix}name", 0, 8192))

    def is_private(self, wanted: bytes) -> bool:
        """Whether no peer may have the core of that discovery key."""
        if wanted in self._private:
            return True
        name = self.stored_name(core_folder(wanted))
        return name is not None and name.endswith(PRIVATE_NAME_SUFFIX)

    def is_stored(self, wanted: bytes) -> bool:
        """Whether a core of that discovery key is stored here."""
        return self.storage.exists(f"{core_folder(wanted)}key")

    def loaded(self, wanted: bytes) -> Hypercore | None:
        """Return the core of that discovery key if it is open."""
        core = self._cores.get(wanted)
        return None if core is None or core.closed else core

    async def noise_key_pair(self) -> NoiseKeyPair:
        """Return the pair that peers know this storage by; made at the first call, and kept.

        Raises:
            NotReadyError, ClosedError, StorageError
        """
        storage = self.storage
        seed = storage.read(NOISE_SEED_FILE, 0, SEED_BYTES)
        if len(seed) < SEED_BYTES:
            seed = secrets.token_bytes(SEED_BYTES)
            storage.commit([Write(NOISE_SEED_FILE, 0, seed)])
            await storage.sync()
        return NoiseKeyPair.from_seed(seed)

    def derive(self, name: str | bytes) -> KeyPair:
        """Return the key pair that the master key gives to that name."""
        return derive_key_pair(self.check_ready().master_key, name)

    def refer(self, core: Hypercore, holder: Corestore) -> None:
        """Note that ``holder`` uses ``core``; it stays open until the holder lets go."""
        self._holders.setdefault(core.discovery_key, set()).add(holder)

    def referenced(self) -> dict[bytes, Hypercore]:
        """Return the open cores that anybody holds."""
        return {key: self._cores[key] for key in self._holders if key in self._cores}

    async def release(self, holder: Corestore) -> None:
        """Close the cores that ``holder`` alone holds."""
        for found, holders in list(self._holders.items()):
            holders.discard(holder)
            if not holders:
                del self._holders[found]
                core = self._cores.pop(found, None)
                if core is not None:
                    await core.close()

    # --- replication

    def attach(self, stream: ReplicationStream, replication: StoreReplication) -> None:
        """Let ``replication`` serve ``stream`` until the stream is over."""
        self._streams[replication] = stream
        stream.session.attach(replication)
        for core in self.referenced().values():
            if core.discovery_key not in self._private and core.discovery_key not in self._quiet:
                replication.add(core)

    def detach(self, replication: StoreReplication) -> None:
        """The stream is over."""
        self._streams.pop(replication, None)

    def is_on(self, stream: ReplicationStream) -> bool:
        """Whether the store replicates on that stream."""
        return any(known is stream for known in self._streams.values())

    def open_for_peer(self, wanted: bytes, replication: StoreReplication) -> bool:
        """Open a stored core that a peer asks for; whether it may have it."""
        if self._closing is not None or not self.is_stored(wanted) or self.is_private(wanted):
            return False
        passive = len(self._cores) - len(self._holders) + len(self._serving)
        if passive >= PASSIVE_CORES_MAX and not self._drop_idle_core():
            return False
        self._serving.add(wanted)
        self.spawn(self._serve(wanted, replication))
        return True

    async def _serve(self, wanted: bytes, replication: StoreReplication) -> None:
        try:
            core = await self.open(CoreRequest(discovery_key=wanted))
        except HypermultifeedError as error:
            _log.warning("cannot open core %s for a peer: %s", wanted.hex()[:8], error)
            replication.refuse(wanted)
        else:
            replication.add(core)
        finally:
            self._serving.discard(wanted)

    def _drop_idle_core(self) -> bool:
        """Close the oldest core that only a peer wanted and that no peer uses now."""
        for found, core in self._cores.items():
            if found not in self._holders and not core.peers:
                del self._cores[found]
                self.spawn(core.close())
                return True
        return False

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run ``work`` until done, at most until the store closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work of the corestore failed", exc_info=error)


class StoreReplication(SessionOwner):
    """A store's part in one replication stream."""

    def __init__(
        self,
        cores: CoreTable,
        stream: ReplicationStream,
        *,
        only: Corestore | None,
        share: Callable[[bytes], bool] | None,
        **transfer: bool,
    ) -> None:
        self._cores = cores
        self._stream = stream
        self._only = only
        self._share = share
        self._transfer: dict[str, Any] = transfer

    def add(self, core: Hypercore) -> None:
        """Open a channel for ``core``, unless there is one or it is none of our business."""
        if self._only is not None and core.discovery_key not in self._only.list():
            return
        if not self._is_shared(core.discovery_key):
            return
        session = self._stream.session
        if not core.closed and not session.closed and not session.opened(core.discovery_key):
            core.replicate(self._stream.initiator, stream=self._stream, **self._transfer)

    def refuse(self, wanted: bytes) -> None:
        """Tell the peer that it does not get that core after all."""
        if not self._stream.session.opened(wanted):
            self._stream.session.refuse(wanted)

    def on_remote_open(self, discovery_key: bytes) -> bool:
        """Answer from what is open, then from what is stored; otherwise let it be refused."""
        if self._cores.closed or not self._is_shared(discovery_key):
            return False
        core = self._cores.loaded(discovery_key)
        if core is None:
            return self._only is None and self._cores.open_for_peer(discovery_key, self)
        if self._cores.is_private(discovery_key):
            return False
        self.add(core)
        return self._stream.session.opened(discovery_key)

    def on_channel_error(self, channel: Channel, error: Exception) -> None:
        """One core's channel failed; the stream goes on."""
        _log.warning("core %s and a peer part: %s", channel.discovery_key.hex()[:8], error)

    def on_close(self, error: Exception | None) -> None:
        """The stream is over."""
        del error
        self._cores.detach(self)

    def _is_shared(self, discovery_key: bytes) -> bool:
        return self._share is None or self._share(discovery_key)


async def _load_master_key(storage: Storage) -> bytes:
    """Read the master key, or make one where there are no cores that another one made."""
    if storage.size(MASTER_KEY_FILE) >= MASTER_KEY_BYTES:
        return storage.read(MASTER_KEY_FILE, 0, MASTER_KEY_BYTES)
    if any(name.endswith("/name") for name in storage.list_files()):
        raise CorruptStorageError(
            "the master key of the cores in this storage is missing; give it as master_key",
            file=MASTER_KEY_FILE,
        )
    master_key = secrets.token_bytes(MASTER_KEY_BYTES)
    storage.commit([Write(MASTER_KEY_FILE, 0, master_key)])
    await storage.sync()
    return master_key
