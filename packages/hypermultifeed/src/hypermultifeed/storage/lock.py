"""Who may use a folder: one storage at a time, in one process.

Two locks. Ours is a file in the folder, locked as a whole by the operating system, so that death
frees it; it names its holder. JavaScript's is on each feed's ``bitfield`` file
(hypercore-default-storage and corestore 5 take ``flock(LOCK_EX | LOCK_NB)`` there): we take it
too, so that neither side opens a feed that the other has open.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import socket
import sys
from typing import Final, Protocol

from hypermultifeed.errors import StorageError, StorageLockedError
from hypermultifeed.storage.disk import RESERVED_PREFIX, share_of_descriptors

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_NAME: Final = f"{RESERVED_PREFIX}.lock"

FEED_LOCKS_MAX: Final = 64
"""Feeds whose ``bitfield`` stays locked; of more, we only look whether they are free."""

_HOLDER_BYTES_MAX: Final = 512
_ATTEMPTS_MAX: Final = 100
_WINDOWS_LOCKED_BYTE: Final = 1 << 30  # beyond the text: what is locked there cannot be read
_BUSY: Final = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
_BINARY: Final = getattr(os, "O_BINARY", 0)

_log = logging.getLogger(__name__)
_open_here: set[tuple[int, int]] = set()  # folders, as (device, inode), locked in this process


class Lock(Protocol):
    """What file storage needs of a lock."""

    def check(self) -> None:
        """Raise ``StorageLockedError`` if the folder is no longer ours."""

    def hold_feed(self, name: str, *, create: bool) -> None:
        """Take JavaScript's lock on a ``bitfield`` file."""

    def release_feed(self, name: str) -> None:
        """Let go of it."""

    def release(self) -> None:
        """Let go of all, and remove what the lock put into the folder."""

    def abandon(self) -> None:
        """In a child after ``fork()``: let go without taking anything from the parent."""


class FolderLock:
    """A lock on one folder.

    Args:
        root: the folder.
        locking: False to do without locks of the operating system. Then the lock file holds a
            token, which the next opener replaces, and ``check()`` compares.

    Raises:
        StorageLockedError: another storage has the folder.
        StorageError: the folder cannot be written to, or cannot be locked.
    """

    def __init__(self, root: str, *, locking: bool = True) -> None:
        self._root = root
        self._path = os.path.join(root, LOCK_NAME)
        self._token = secrets.token_hex(16)
        self._locking = locking
        self._descriptor = -1
        self._feeds: dict[str, int] = {}
        self._placeholder: str | None = None
        status = os.stat(root)
        self._folder = (status.st_dev, status.st_ino)
        if self._folder in _open_here:
            raise self._locked(f"this process ({os.getpid()})")
        if locking:
            self._descriptor = self._acquire()
        else:
            _log.warning("%s is used without a lock: open it once at a time", root)
            self._descriptor = self._open()
        self._write_holder()
        _open_here.add(self._folder)

    def check(self) -> None:
        """Without locks, see whether a later opener took the folder."""
        if self._locking:
            return
        try:
            with open(self._path, "rb") as file:
                text = file.read(_HOLDER_BYTES_MAX).decode(errors="replace")
        except OSError:
            text = ""
        if self._token not in text:
            raise self._locked(_holder(text))

    def hold_feed(self, name: str, *, create: bool) -> None:
        """Take JavaScript's lock on a ``bitfield`` file, if it is there or to be created.

        Raises:
            StorageLockedError: another process has the feed open.
            OSError: the lock cannot be asked for.
        """
        if not self._locking or name in self._feeds:
            return
        path = os.path.join(self._root, *name.split("/"))
        try:
            descriptor = os.open(path, os.O_RDWR | _BINARY)
        except FileNotFoundError:
            if not create:
                return
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            self._placeholder = path
        try:
            free = _try_lock(descriptor, 0)
        except OSError:
            os.close(descriptor)
            raise
        if not free:
            holder = _flock_holder(descriptor)
            os.close(descriptor)
            raise StorageLockedError(
                f"the feed in {os.path.dirname(path)} is open in {holder}", holder=holder, file=name
            )
        if sys.platform == "win32" or len(self._feeds) >= share_of_descriptors(FEED_LOCKS_MAX):
            # On Windows the lock would keep our own other descriptors out.
            _unlock(descriptor, 0)
            os.close(descriptor)
        else:
            self._feeds[name] = descriptor

    def release_feed(self, name: str) -> None:
        """Let go of a feed's lock."""
        descriptor = self._feeds.pop(name, -1)
        if descriptor >= 0:
            os.close(descriptor)

    def release(self) -> None:
        """Let go of all; the lock file goes while it is still locked, so that nobody is misled."""
        if self._placeholder is not None:
            _remove_if_empty(self._placeholder)
        for name in list(self._feeds):
            self.release_feed(name)
        if self._descriptor < 0:
            return
        if sys.platform == "win32":
            self._close()
            _remove(self._path)
        else:
            if self._locking or self._is_ours():
                _remove(self._path)
            self._close()
        _open_here.discard(self._folder)

    def abandon(self) -> None:
        """Close the child's copies: the lock itself stays the parent's, and ends with it."""
        for name in list(self._feeds):
            self.release_feed(name)
        self._close()
        _open_here.discard(self._folder)

    def _acquire(self) -> int:
        for _ in range(_ATTEMPTS_MAX):
            descriptor = self._open()
            try:
                free = _try_lock(descriptor, _WINDOWS_LOCKED_BYTE)
            except OSError as error:
                os.close(descriptor)
                raise StorageError(
                    f"cannot lock {self._root} ({error.strerror}): where the file system has no"
                    " locks, open it with files(path, lock=False), once at a time"
                ) from error
            if not free:
                text = os.read(descriptor, _HOLDER_BYTES_MAX).decode(errors="replace")
                os.close(descriptor)
                raise self._locked(_holder(text))
            if self._is_current(descriptor):
                return descriptor
            os.close(descriptor)  # its last holder removed it meanwhile
        raise StorageError(f"cannot lock {self._root}: the lock file keeps changing")

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        except OSError as error:
            raise StorageError(f"cannot write in {self._root}: {error.strerror}") from error

    def _is_current(self, descriptor: int) -> bool:
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(descriptor)
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)

    def _is_ours(self) -> bool:
        try:
            self.check()
        except StorageLockedError:
            return False
        return True

    def _write_holder(self) -> None:
        text = f"process {os.getpid()} on {socket.gethostname()}\n{self._token}\n".encode()
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, text)
        except OSError:
            if not self._locking:  # the text is the lock
                self._close()
                raise

    def _locked(self, holder: str) -> StorageLockedError:
        return StorageLockedError(f"{self._root} is open in {holder}", holder=holder)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class NoLock:
    """For storage that nobody else can reach."""

    def check(self) -> None:
        """Ours."""

    def hold_feed(self, name: str, *, create: bool) -> None:
        """Nobody else wants it."""

    def release_feed(self, name: str) -> None:
        """Nothing was taken."""

    def release(self) -> None:
        """Nothing was taken."""

    def abandon(self) -> None:
        """Nothing was taken."""


def _holder(text: str) -> str:
    line = "".join(c for c in text.partition("\n")[0] if c.isprintable())
    return line or "another process"


def _flock_holder(descriptor: int) -> str:
    """Who has the lock on an open file, where the system tells (Linux does)."""
    unknown = "another process (perhaps Hypercore in JavaScript)"
    try:
        with open("/proc/locks", encoding="ascii") as file:
            lines = file.readlines()
    except OSError:
        return unknown
    status = os.fstat(descriptor)
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 4711 fe:00:2639649 0 EOF"
        fields = line.split()
        place = fields[5].split(":") if len(fields) > 5 else []
        if fields[1:2] == ["FLOCK"] and len(place) == 3 and int(place[2]) == status.st_ino:
            return f"process {fields[4]}"
    return unknown


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        _log.debug("could not remove %s", path)  # it does no harm: what counts is the lock on it


def _remove_if_empty(path: str) -> None:
    try:
        empty = os.path.getsize(path) == 0
    except OSError:
        return
    if empty:
        _remove(path)


if sys.platform == "win32":

    def _try_lock(descriptor: int, offset: int) -> bool:
        os.lseek(descriptor, offset, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in _BUSY:
                os.lseek(descriptor, 0, os.SEEK_SET)
                return False
            raise
        return True

    def _unlock(descriptor: int, offset: int) -> None:
        os.lseek(descriptor, offset, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _try_lock(descriptor: int, offset: int) -> bool:
        del offset  # flock() is about the whole file
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            raise
        return True

    def _unlock(descriptor: int, offset: int) -> None:
        del offset
        fcntl.flock(descriptor, fcntl.LOCK_UN)
