"""Storage in a folder: a journal in front of JavaScript's files.

A commit is one record in the journal and a change of pages in memory. The files change only at a
checkpoint, which runs in a worker thread once enough has gathered, and at ``close()``. There are
two journal segments: while one is brought into the files, commits go to the other.

So at every moment files plus journal are a state between two commits:

* the journal is on the disk before a file is touched, so a checkpoint that is cut off is done
  again from the journal;
* a segment is used again only when its contents are in the files, durably, and the journal's
  mark says so, durably;
* a record of an earlier use is never taken for one of this: see journal.py.

Only ``sync()`` under ``"full"`` waits for the disk, and all who wait share one fsync().
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import secrets
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.errors import ClosedError, StorageError
from hypermultifeed.storage.checkpoint import Checkpointer, SyncFailedError, sync, sync_root
from hypermultifeed.storage.disk import (
    RESERVED_PREFIX,
    FolderDisk,
    check_name,
    make_folders,
    share_of_descriptors,
)
from hypermultifeed.storage.interface import check_durability
from hypermultifeed.storage.journal import (
    CUT,
    DEFINE,
    RECORDS_START,
    REMOVE,
    WRITE,
    Mark,
    encode_large_record,
    encode_record,
    pack_operation,
    write_mark,
)
from hypermultifeed.storage.lock import FolderLock
from hypermultifeed.storage.pager import (
    BULK_PAGE_SHIFT,
    SMALL_PAGE_SHIFT,
    PageCache,
    StoredFile,
    is_bulk,
    refusal,
)
from hypermultifeed.storage.recovery import OldJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.feed.files import Write
    from hypermultifeed.storage.disk import Buffer, Disk
    from hypermultifeed.storage.interface import Durability, StorageFactory
    from hypermultifeed.storage.lock import Lock
    from hypermultifeed.storage.pager import Frozen

JOURNAL_NAMES: Final = (f"{RESERVED_PREFIX}.journal-0", f"{RESERVED_PREFIX}.journal-1")

_LARGE_COMMIT_BYTES: Final = 16384  # from here on gathering buffers beats joining them
_OFFSET_BITS: Final = 62
_LENGTH_BITS: Final = 32
_KEPT_SEGMENTS: Final = 4  # a segment that grew to more than so many times its limit is cut
_RETRIES: Final = 8  # attempts to bring a segment into the files while the other fills up
_WORKERS_MAX: Final = 8
_NO_SPACE: Final = {errno.ENOSPC, errno.EDQUOT}
_BITFIELD: Final = "bitfield"

_log = logging.getLogger(__name__)


class Limits(NamedTuple):
    """Sizes that bound memory, disk space and descriptors."""

    journal_bytes: int = 8 << 20
    """A segment longer than this is brought into the files; twice this makes commits wait."""

    dirty_bytes: int = 8 << 20
    """The same for changed pages in memory."""

    clean_pages: int = 4096
    """Pages of small files kept after reading: 16 MiB."""

    descriptors: int = 64
    """Files open for reading."""

    small_page_shift: int = SMALL_PAGE_SHIFT
    bulk_page_shift: int = BULK_PAGE_SHIFT


class Segment:
    """One file of the journal.

    Attributes:
        end: offset behind the last record.
        last: number of the last record, 0 for none.
    """

    def __init__(self, disk: Disk, name: str) -> None:
        self.name = name
        self.descriptor = -1
        self.end = RECORDS_START
        self.last = 0
        self._disk = disk
        self._synced = 0
        self._in_folder = False
        self._failed = False
        self._lock = threading.Lock()

    def create(self) -> None:
        """Make the file, the first time it is used."""
        self.descriptor = self._disk.create(self.name)

    def sync(self) -> None:
        """Wait until all records written so far, and the file's name, are on the disk.

        One thread at a time: a failure is told to one caller of fsync() only, and nobody else
        may conclude from a later success that all is well.
        """
        with self._lock:
            if self._failed:
                raise SyncFailedError("fsync of the journal failed before", file=self.name)
            last = self.last
            if self._synced >= last:
                return
            self._failed = True
            sync(self._disk, self.descriptor)
            if not self._in_folder:
                sync_root(self._disk)
                self._in_folder = True
            self._failed = False
            self._synced = last

    def reuse(self, size_max: int) -> None:
        """Go back to the start; the file keeps its space, unless it is very large."""
        if self.end > size_max:
            self._disk.truncate(self.descriptor, RECORDS_START)
        self.end = RECORDS_START

    def close(self) -> None:
        """Close the descriptor."""
        if self.descriptor >= 0:
            self._disk.close(self.descriptor)
            self.descriptor = -1


class FileStorage:
    """See ``storage.files()``; opening replays a journal that a crash has left.

    Args:
        disk, lock: the folder, locked already; the lock is released by ``close()``.
        start: runs a function in a worker thread.

    Raises:
        CorruptStorageError: the journal has lost what had been on the disk.
        StorageError: the folder cannot be read.
    """

    def __init__(
        self,
        disk: Disk,
        lock: Lock,
        durability: Durability,
        *,
        limits: Limits | None = None,
        start: Callable[[Callable[[], None]], Future[None]] | None = None,
    ) -> None:
        self._disk = disk
        self._lock = lock
        self._full = durability == "full"
        self._limits = limits or Limits()
        self._start = start or run_in_worker
        self._cache = PageCache(
            disk,
            clean_pages_max=self._limits.clean_pages,
            descriptors_max=share_of_descriptors(self._limits.descriptors),
        )
        self._files: dict[str, StoredFile] = {}
        self._failure: Exception | None = None
        self._failure_told = False  # whether a caller knows of it
        self._closing: asyncio.Task[None] | None = None
        self._checkpointer = Checkpointer(disk)
        self._segments = (Segment(disk, JOURNAL_NAMES[0]), Segment(disk, JOURNAL_NAMES[1]))
        self._active, self._spare = self._segments
        self._use = 1  # counts the uses of segments; a file is defined anew in each
        self._salt = secrets.randbits(64)
        self._mark = Mark(self._salt, 0, 0)
        self._number = 0
        self._durable = 0
        self._flush: Future[None] | None = None
        self._frozen: list[Frozen] | None = None
        self._frozen_files: list[StoredFile] = []
        self._checkpoint: Future[None] | None = None
        self._retry_at = 0
        try:
            self._recover()
        except OSError as error:
            self._let_go(ClosedError("the storage could not be opened"))
            self._lock.release()
            raise StorageError(f"cannot replay the journal: {error.strerror or error}") from error
        except BaseException:
            self._let_go(ClosedError("the storage could not be opened"))
            self._lock.release()
            raise
        _open_storages.add(self)

    # Reading

    def file(self, name: str) -> StoredFile:
        """As ``Storage.file``."""
        self._check_open()
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = self._find(name)
        return file

    def exists(self, file: str) -> bool:
        """As ``Storage.exists``."""
        found = self._files.get(file)
        if found is None:  # peers make us ask for many names: those asked for are not kept
            return self._size_on_disk(file) is not None
        return found.exists

    def size(self, file: str) -> int:
        """As ``Storage.size``."""
        found = self._files.get(file)
        if found is None:
            return self._size_on_disk(file) or 0
        return found.size

    def read(self, file: str, offset: int, size: int) -> bytes:
        """As ``Storage.read``."""
        found = self._files.get(file)
        if found is None:
            if self._size_on_disk(file) is None:
                return b""
            found = self.file(file)
        return found.read(offset, size)

    def list_files(self, prefix: str = "") -> list[str]:
        """As ``Storage.list_files``."""
        self._check_open()
        try:
            there = self._disk.list_files(prefix.rpartition("/")[0])
        except OSError as error:
            raise StorageError(f"cannot list files: {error.strerror or error}") from error
        names = {n for n in there if not n.startswith(RESERVED_PREFIX)}
        for name, file in self._files.items():
            if file.exists:
                names.add(name)
            else:
                names.discard(name)
        return sorted(n for n in names if n.startswith(prefix))

    # Writing

    def commit(self, writes: Sequence[Write]) -> None:
        """As ``Storage.commit``."""
        if self._failure is not None:
            raise self._refusal()
        files = self._files
        operations: list[Buffer] = []
        append = operations.append
        size = 0
        for name, offset, data in writes:
            file = files.get(name)
            if file is None:
                file = self.file(name)
            if file.defined != self._use:
                append(_definition(file))
            if offset >> _OFFSET_BITS:
                raise StorageError("offset out of range", file=name, offset=offset)
            if data is None:
                file.prepare(offset, 0)
                append(pack_operation(CUT, file.number, offset, 0))
            else:
                length = len(data)
                if length >> _LENGTH_BITS:
                    raise StorageError("too many bytes for one write", file=name, offset=offset)
                if type(data) is memoryview and data.nbytes != length:
                    raise StorageError("a memoryview must be one of bytes", file=name)
                shift, dirty = file.shift, file.dirty
                if offset >> shift not in dirty or (offset + length) >> shift not in dirty:
                    file.prepare(offset, length)
                append(pack_operation(WRITE, file.number, offset, length))
                append(data)
                size += length
        if not operations:
            return
        self._journal(operations, size)
        try:
            use = self._use
            for name, offset, data in writes:
                file = files[name]
                file.defined = use
                if data is None:
                    file.cut(offset)
                else:
                    file.write(offset, data)
        except BaseException as error:
            self._failure_told = True
            raise self._fail(error, readable=False) from error
        self._after_commit()

    def remove(self, prefix: str) -> None:
        """As ``Storage.remove``."""
        if self._failure is not None:
            raise self._refusal()
        found = [self.file(name) for name in self.list_files(prefix)]
        if not found:
            return
        operations: list[Buffer] = []
        for file in found:
            if file.defined != self._use:
                operations.append(_definition(file))
            operations.append(pack_operation(REMOVE, file.number, 0, 0))
        self._journal(operations, 0)
        for file in found:
            file.defined = self._use
            file.remove()
            self._lock.release_feed(file.name)
        self._after_commit()

    async def sync(self) -> None:
        """As ``Storage.sync``."""
        if self._failure is not None:
            raise self._refusal()
        if not self._full:
            return
        wanted = self._number
        while self._durable < wanted:
            flush = self._flush
            if flush is None or flush.done():
                flush = self._flush = self._start(self._flush_journal)
            await asyncio.shield(asyncio.wrap_future(flush))
            if self._failure is not None:
                raise self._refusal()
        self._poll()

    async def close(self) -> None:
        """As ``Storage.close``.

        Raises:
            StorageError: the files could not be written; the journal keeps what they lack, and
                the next opening tries again.
        """
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    # Journal

    def _journal(self, operations: list[Buffer], size: int) -> None:
        segment = self._active
        number = self._number + 1
        try:
            self._lock.check()
        except StorageError as error:
            self._fail(error)
            self._failure_told = True
            raise
        try:
            if segment.descriptor < 0:
                segment.create()
            if size < _LARGE_COMMIT_BYTES:
                record = encode_record(self._salt, number, self._durable, operations)
                self._disk.write(segment.descriptor, segment.end, record)
                end = segment.end + len(record)
            else:
                buffers = encode_large_record(self._salt, number, self._durable, operations)
                self._disk.write_all(segment.descriptor, segment.end, buffers)
                end = segment.end + sum(map(len, buffers))
        except BaseException as error:
            self._failure_told = True
            raise self._fail(error) from error
        segment.end = end
        segment.last = number
        self._number = number  # last: who reads it may rely on the segment

    def _flush_journal(self) -> None:
        """In a worker: make durable what is committed when this begins."""
        number = self._number
        try:
            for segment in self._segments:
                segment.sync()
        except (OSError, StorageError) as error:
            self._fail(error)
            return
        self._durable = max(self._durable, number)

    # Checkpoints

    def _after_commit(self) -> None:
        if self._frozen is not None:
            self._poll()
        over = max(
            self._active.end - self._limits.journal_bytes,
            self._cache.dirty_bytes - self._limits.dirty_bytes,
        )
        if over <= 0:
            return
        if self._frozen is None:
            self._begin_checkpoint()
        elif over > min(self._limits.journal_bytes, self._limits.dirty_bytes):
            self._wait_for_space()

    def _begin_checkpoint(self) -> None:
        self._frozen_files = self._cache.changed
        self._frozen = [file.freeze() for file in self._frozen_files]
        self._cache.changed = []
        self._cache.dirty_bytes = 0
        self._active, self._spare = self._spare, self._active
        self._use += 1
        self._checkpoint = self._start(self._run_checkpoint)

    def _run_checkpoint(self) -> None:
        """In a worker: bring the spare segment's commits into the files, and mark that."""
        spare = self._spare
        spare.sync()
        self._checkpointer.write(self._frozen or ())
        mark = self._mark.next(spare.last)
        descriptor = self._disk.open(JOURNAL_NAMES[0], write=True)
        try:
            write_mark(self._disk, descriptor, mark)
            sync(self._disk, descriptor)
        finally:
            self._disk.close(descriptor)
        self._mark = mark
        spare.reuse(self._limits.journal_bytes * _KEPT_SEGMENTS)

    def _poll(self) -> None:
        """Take note of a checkpoint that has ended; try again one that found no space."""
        if self._checkpoint is not None:
            if self._checkpoint.done():
                self._end_checkpoint()
        elif self._frozen is not None and 0 < self._retry_at <= self._active.end:
            self._retry_checkpoint()

    def _retry_checkpoint(self) -> None:
        self._retry_at = 0
        self._checkpoint = self._start(self._run_checkpoint)

    def _end_checkpoint(self) -> StorageError | None:
        """Wait for the checkpoint under way; the error if its work is still to be done."""
        checkpoint, self._checkpoint = self._checkpoint, None
        if checkpoint is None:
            return None
        error = checkpoint.exception()
        if error is None:
            for file in self._frozen_files:
                file.thaw()
            self._frozen = None
            self._frozen_files = []
            return None
        if not isinstance(error, OSError):
            return self._fail(error)
        _log.warning("writing to the files failed, the journal keeps the changes: %s", error)
        self._retry_at = self._active.end + self._limits.journal_bytes // _RETRIES
        return _storage_error(error)

    def _wait_for_space(self) -> None:
        """Both segments are full: nothing goes on before the checkpoint has ended."""
        if self._retry_at:
            self._retry_checkpoint()
        if self._checkpoint is None:
            return
        error = self._end_checkpoint()
        if error is not None:
            self._fail(error)
        else:
            self._begin_checkpoint()

    # Opening and closing

    def _find(self, name: str) -> StoredFile:
        size = self._size_on_disk(name)
        bulk = is_bulk(name)
        try:
            if name == _BITFIELD or name.endswith(f"/{_BITFIELD}"):
                self._lock.hold_feed(name, create=name == _BITFIELD)
        except OSError as error:
            raise StorageError(f"cannot open: {error.strerror or error}", file=name) from error
        return StoredFile(
            name,
            self._limits.bulk_page_shift if bulk else self._limits.small_page_shift,
            self._cache,
            number=len(self._files),
            size=size,
            bulk=bulk,
        )

    def _size_on_disk(self, name: str) -> int | None:
        self._check_open()
        try:
            return self._disk.size(check_name(name))
        except OSError as error:
            raise StorageError(f"cannot open: {error.strerror or error}", file=name) from error

    def _recover(self) -> None:
        journal = OldJournal(self._disk, JOURNAL_NAMES)
        try:
            journal.replay(self.file, self._write_back_if_much)
            self._write_back()
            if self._failure is None:
                journal.remove()
        finally:
            journal.close()

    def _write_back_if_much(self) -> None:
        if self._cache.dirty_bytes > self._limits.dirty_bytes:
            self._write_back()

    def _write_back(self) -> None:
        """While opening: bring what was replayed so far into the files.

        Without space for that, all is replayed in memory and can be read; the journal stays for
        the opening that finds space.
        """
        changed = self._cache.changed
        if self._failure is not None or not changed:
            return
        self._cache.changed = []
        self._cache.dirty_bytes = 0
        try:
            self._checkpointer.write([file.freeze() for file in changed])
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise
            self._failure = StorageError(f"the last session's changes wait for space: {error}")
            self._failure_told = True
            _log.warning("%s", self._failure)
            return
        for file in changed:
            file.thaw()

    async def _close(self) -> None:
        failed = self._failure
        self._failure = ClosedError("the storage is closed")
        try:
            if self._flush is not None:
                await _ended(self._flush)
            if failed is None:
                await self._finish()
            elif not self._failure_told:
                raise refusal(failed)
        finally:
            self._let_go(self._failure)
            self._lock.release()

    async def _finish(self) -> None:
        """Bring everything into the files and remove the journal."""
        if self._frozen is not None:
            if self._retry_at:
                self._retry_checkpoint()
            await self._checkpoint_ended()
        if self._cache.changed:
            self._begin_checkpoint()
            await self._checkpoint_ended()
        await _ended(removal := self._start(self._remove_journal))
        error = removal.exception()
        if error is not None:
            raise _storage_error(error) from error

    async def _checkpoint_ended(self) -> None:
        if self._checkpoint is not None:
            await _ended(self._checkpoint)
        error = self._end_checkpoint()
        if error is not None:
            raise error

    def _remove_journal(self) -> None:
        """In a worker: remove the segments, which hold nothing any more."""
        used = [segment for segment in self._segments if segment.descriptor >= 0]
        for segment in used:
            segment.close()
            self._disk.remove(segment.name)
        if used:
            sync_root(self._disk)

    def abandon(self) -> None:
        """Let go at once, as a killed process would; the journal stays for the next opening."""
        self._failure = ClosedError("the storage was open before fork(): open it anew")
        self._let_go(self._failure)
        self._lock.abandon()

    def _let_go(self, reason: Exception) -> None:
        self._shut(reason)
        for segment in self._segments:
            segment.close()
        _open_storages.discard(self)

    def _shut(self, reason: Exception) -> None:
        """Refuse reading from now on."""
        self._cache.closed = reason
        self._cache.close()
        for file in self._files.values():
            file.abandon()
        self._files.clear()

    def _check_open(self) -> None:
        self._cache.check()

    def _refusal(self) -> Exception:
        self._failure_told = True
        return refusal(self._failure or ClosedError("the storage is closed"))

    def _fail(self, error: BaseException, *, readable: bool = True) -> StorageError:
        """Refuse writing from now on."""
        failure = _storage_error(error)
        if self._failure is None:
            self._failure = failure
        if not readable:
            self._shut(failure)
        return failure


def run_in_worker(function: Callable[[], None]) -> Future[None]:
    """Run a function in one of a few threads that all storages share."""
    global _workers  # noqa: PLW0603
    if _workers is None:
        _workers = ThreadPoolExecutor(_WORKERS_MAX, thread_name_prefix="hypermultifeed-storage")
    return _workers.submit(function)


def _after_fork() -> None:
    """In the child: the threads are the parent's, and so are the open storages."""
    global _workers  # noqa: PLW0603
    _workers = None
    for storage in list(_open_storages):
        storage.abandon()


_workers: ThreadPoolExecutor | None = None
_open_storages: weakref.WeakSet[FileStorage] = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _definition(file: StoredFile) -> bytes:
    name = file.name.encode()
    return pack_operation(DEFINE, file.number, 0, len(name)) + name


def _storage_error(error: BaseException) -> StorageError:
    if isinstance(error, StorageError):
        return error
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return StorageError(f"writing failed: {reason}")


async def _ended(future: Future[None]) -> None:
    """Wait for a worker; what came of it is for others to ask."""
    with contextlib.suppress(Exception):
        await asyncio.wrap_future(future)


def files(path: str | os.PathLike[str], *, lock: bool = True) -> StorageFactory:
    """Storage in a folder, created when first opened (mode 0700, files 0600).

    The folder holds JavaScript's files, byte for byte, once closed; while open, and after a
    crash, also a journal, which the next opening replays.

    Args:
        path: the folder; it may be a symbolic link to one.
        lock: False only where the file system has no locks. The latest opener then owns the
            folder, and an earlier one fails at its next commit.
    """
    root = os.path.abspath(path)

    def open_folder(durability: Durability) -> FileStorage:
        check_durability(durability)
        disk = FolderDisk(root)
        try:
            make_folders(root)
            folder_lock = FolderLock(root, locking=lock)
        except OSError as error:
            raise StorageError(f"cannot use {root}: {error.strerror or error}") from error
        return FileStorage(disk, folder_lock, durability)

    return open_folder
