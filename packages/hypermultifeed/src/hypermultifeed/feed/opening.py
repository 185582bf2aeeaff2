"""Opening a feed's folder: keys, headers, bits, and then what they prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypermultifeed import crypto
from hypermultifeed.errors import CorruptStorageError, StorageError
from hypermultifeed.feed import layout
from hypermultifeed.feed.feed_bits import PAGE_BYTES
from hypermultifeed.feed.files import Write
from hypermultifeed.feed.recovery import Opened, read_state
from hypermultifeed.feed.store import FeedStore
from hypermultifeed.feed.verification import SignedRoot, is_signed

if TYPE_CHECKING:
    from hypermultifeed.feed.files import Files
    from hypermultifeed.keys import KeyPair


class OpenedStore(NamedTuple):
    """A feed's files, opened."""

    store: FeedStore
    secret_key: bytes | None
    state: Opened
    fork: tuple[SignedRoot, SignedRoot] | None


def open_store(
    storage: Files,
    prefix: str,
    *,
    key: bytes | None,
    key_pair: KeyPair | None,
    store_secret_key: bool,
    create: bool,
) -> OpenedStore:
    """See ``Log.open``. Whole and unchanged files are not written to."""
    if key_pair is not None:
        if key is not None and key != key_pair.public_key:
            raise ValueError("key and key_pair name different feeds")
        key = key_pair.public_key
    stored_key = _read_raw(storage, prefix + layout.KEY, layout.HASH_BYTES)
    key = _choose_key(storage, prefix, stored_key, key, create=create)
    secret_key = _secret_key(storage, prefix, key)
    writes = []
    if stored_key is None:
        writes.append(Write(prefix + layout.KEY, 0, key))
    if secret_key is None and key_pair is not None:
        secret_key = key_pair.secret_key
        if store_secret_key:
            writes.append(Write(prefix + layout.SECRET_KEY, 0, secret_key))
    page_bytes = _headers(storage, prefix, writes)
    store = FeedStore(storage, prefix, key, page_bytes)
    state = read_state(store, secret_key)
    if stored_key is None and state.claimed > state.length:
        raise CorruptStorageError("the feed's key is missing", file=prefix + layout.KEY)
    writes += state.writes
    if writes or store.bits.pages.changed:
        store.commit(writes)
    return OpenedStore(store, secret_key, state, _read_fork(storage, prefix, key))


def reread(store: FeedStore) -> Opened:
    """What the files say now, as a reader sees it; nothing is written."""
    return read_state(store, None)


def _read_fork(storage: Files, prefix: str, key: bytes) -> tuple[SignedRoot, SignedRoot] | None:
    """The proof of a fork that was kept, if it is whole."""
    unpack, size = layout.SIGNED_ROOT.unpack, layout.SIGNED_ROOT.size
    raw = storage.file(prefix + layout.FORK).read(0, 2 * size + 1)
    if len(raw) != 2 * size:
        return None
    ours, theirs = SignedRoot(*unpack(raw[:size])), SignedRoot(*unpack(raw[size:]))
    for root in (ours, theirs):
        if not is_signed(key, root.tree_hash, root.length, root.signature):
            return None
    return ours, theirs


def _read_raw(storage: Files, name: str, size: int) -> bytes | None:
    """A file that holds one key, None if it is absent or empty."""
    file = storage.file(name)
    if not file.size:
        return None
    raw = file.read(0, size)
    if len(raw) != size or file.size != size:
        raise CorruptStorageError(f"{file.size} bytes, not {size}", file=name, offset=0)
    return raw


def _choose_key(
    storage: Files, prefix: str, stored: bytes | None, wanted: bytes | None, *, create: bool
) -> bytes:
    if stored is not None:
        if wanted is not None and wanted != stored:
            raise StorageError(
                f"another feed is stored here: {stored.hex()}", file=prefix + layout.KEY
            )
        return stored
    in_use = storage.file(prefix + layout.BITFIELD).size > layout.HEADER_BYTES
    if wanted is None and in_use:
        raise CorruptStorageError("the feed's key is missing", file=prefix + layout.KEY)
    if wanted is None or not (create or in_use):
        raise StorageError("no feed is stored here", file=prefix + layout.KEY)
    if len(wanted) != layout.HASH_BYTES:
        raise ValueError(f"a key has {layout.HASH_BYTES} bytes, not {len(wanted)}")
    return wanted


def _secret_key(storage: Files, prefix: str, key: bytes) -> bytes | None:
    name = prefix + layout.SECRET_KEY
    secret_key = _read_raw(storage, name, 64)
    if secret_key is not None and crypto.signing_key_pair(secret_key[:32]) != (key, secret_key):
        raise CorruptStorageError("the secret key is not this feed's", file=name, offset=0)
    return secret_key


def _headers(storage: Files, prefix: str, writes: list[Write]) -> int:
    """Check the three headers, or note them for writing; the bytes of a bitfield page."""
    sizes = {layout.BITFIELD: PAGE_BYTES, layout.SIGNATURES: 64, layout.TREE: 40}
    for file, size in sizes.items():
        name = prefix + file
        stored = storage.file(name).read(0, layout.HEADER_BYTES)
        if len(stored) < layout.HEADER_BYTES:
            writes.append(Write(name, 0, layout.header(file, size)))
            continue
        found = layout.entry_bytes(file, stored, name)
        if file == layout.BITFIELD:
            sizes[file] = _page_bytes(found, name)
        elif found != size:
            raise CorruptStorageError(f"entries of {found} bytes, not {size}", file=name, offset=5)
    return sizes[layout.BITFIELD]


def _page_bytes(found: int, name: str) -> int:
    """Old feeds have smaller pages; what is above block and tree bits is a power of two."""
    index = found - layout.BITFIELD_PAGE_BYTES_MIN
    if index < 0 or index & (index - 1):
        raise CorruptStorageError(f"pages of {found} bytes", file=name, offset=5)
    return found
