"""What file storage asks of the operating system, and nothing else.

``Disk`` is the seam: storage in a folder runs on ``FolderDisk``; crash tests run the same code on
a simulated one that forgets, tears and fails. Names are relative to the folder, with slashes;
``""`` is the folder itself. Every failure is an ``OSError``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from typing import Final, Protocol

if sys.platform == "darwin":
    import fcntl
if sys.platform != "win32":
    import resource

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

RESERVED_PREFIX: Final = ".hypermultifeed"
"""Names that start so are the storage's own: its journal and its lock."""

NAME_BYTES_MAX: Final = 512

_NAME_PART: Final = r"(?!\.\.?(?:/|$))[A-Za-z0-9._-]+"
_NAME: Final = re.compile(rf"(?!{re.escape(RESERVED_PREFIX)}){_NAME_PART}(?:/{_NAME_PART})*\Z")
_BUFFERS_MAX: Final = 512  # in one system call; POSIX allows 1024 on the systems that matter
_BINARY: Final = getattr(os, "O_BINARY", 0)
_HAS_POSITIONED_IO: Final = hasattr(os, "pread") and hasattr(os, "pwrite")
_HAS_VECTOR_IO: Final = hasattr(os, "pwritev")

Buffer = bytes | bytearray | memoryview


def share_of_descriptors(most: int) -> int:
    """How many files one part of a storage may keep open: an eighth of what the process may."""
    if sys.platform != "win32":
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY:
            return max(4, min(most, limit // 8))
    return most


def check_name(name: str) -> str:
    """``name``, if it may name a file of a storage.

    Raises:
        ValueError: absolute, with ``..``, with unusual characters, too long, or reserved.
    """
    if len(name) > NAME_BYTES_MAX or not _NAME.match(name):
        raise ValueError(f"not a name of a file in a storage: {name[:80]!r}")
    return name


class Disk(Protocol):
    """Files below one folder.

    A descriptor is used by one thread at a time, but for ``sync``, which may run beside a write.
    """

    def open(self, name: str, *, write: bool = False) -> int:
        """A descriptor of an existing file."""

    def create(self, name: str) -> int:
        """A descriptor of a new file, for reading and writing; ``FileExistsError`` if there."""

    def close(self, descriptor: int) -> None:
        """Let go of a descriptor."""

    def size(self, name: str) -> int | None:
        """Bytes in a file; None if there is none."""

    def read(self, descriptor: int, offset: int, size: int) -> bytes:
        """``size`` bytes, or fewer where the file ends."""

    def write(self, descriptor: int, offset: int, data: Buffer) -> None:
        """All of ``data``, or an error."""

    def write_all(self, descriptor: int, offset: int, buffers: list[Buffer]) -> None:
        """All buffers, one behind the other, or an error."""

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut or extend a file."""

    def sync(self, descriptor: int) -> None:
        """Wait until a file's bytes and size survive a power loss."""

    def sync_folder(self, name: str) -> None:
        """Wait until the names in a folder survive a power loss."""

    def sync_everything(self) -> None:
        """Start what makes many ``sync`` calls quick; promises nothing."""

    def make_folder(self, name: str) -> bool:
        """Make one folder; False if it is there."""

    def remove(self, name: str) -> None:
        """Remove a file that may be missing."""

    def remove_folder(self, name: str) -> bool:
        """Remove an empty folder; False if it is not empty or not there."""

    def list_files(self, folder: str) -> list[str]:
        """The names of all files below ``folder``, at any depth."""


class FolderDisk:
    """The real thing."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, name: str) -> str:
        """Where a name lies."""
        return os.path.join(self.root, *name.split("/")) if name else self.root

    def open(self, name: str, *, write: bool = False) -> int:  # noqa: D102
        flags = os.O_RDWR if write else os.O_RDONLY
        return os.open(self.path(name), flags | _BINARY)

    def create(self, name: str) -> int:  # noqa: D102
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY
        descriptor = os.open(self.path(name), flags, FILE_MODE)
        if sys.platform != "win32":
            os.fchmod(descriptor, FILE_MODE)  # whatever the umask took away
        return descriptor

    def close(self, descriptor: int) -> None:  # noqa: D102
        os.close(descriptor)

    def size(self, name: str) -> int | None:  # noqa: D102
        try:
            status = os.stat(self.path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError(f"{name} is not a file")
        return status.st_size

    def read(self, descriptor: int, offset: int, size: int) -> bytes:  # noqa: D102
        data = _read(descriptor, offset, size)
        if len(data) == size or not data:
            return data
        pieces = [data]
        done = len(data)
        while done < size:
            data = _read(descriptor, offset + done, size - done)
            if not data:
                break
            pieces.append(data)
            done += len(data)
        return b"".join(pieces)

    def write(self, descriptor: int, offset: int, data: Buffer) -> None:  # noqa: D102
        done = _write(descriptor, offset, data)
        if done == len(data):
            return
        with memoryview(data) as view:
            while done < len(view):
                written = _write(descriptor, offset + done, view[done:])
                if not written:
                    raise OSError(errno.EIO, "write() wrote nothing")
                done += written

    def write_all(self, descriptor: int, offset: int, buffers: list[Buffer]) -> None:  # noqa: D102
        first = 0
        while first < len(buffers):
            some = buffers[first : first + _BUFFERS_MAX]
            first += _BUFFERS_MAX
            size = sum(map(len, some))
            done = _write_vector(descriptor, offset, some)
            if done < size:
                self.write(descriptor, offset + done, b"".join(some)[done:])
            offset += size

    def truncate(self, descriptor: int, size: int) -> None:  # noqa: D102
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:  # noqa: D102
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync() stops at the drive's own cache
        elif sys.platform == "win32":
            os.fsync(descriptor)
        else:
            os.fdatasync(descriptor)

    def sync_folder(self, name: str) -> None:  # noqa: D102
        if sys.platform != "win32":  # Windows cannot open a folder, and orders names by itself
            descriptor = os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def sync_everything(self) -> None:  # noqa: D102
        if sys.platform == "linux":  # elsewhere sync() does not wait
            os.sync()

    def make_folder(self, name: str) -> bool:  # noqa: D102
        path = self.path(name)
        try:
            os.mkdir(path, FOLDER_MODE)
        except FileExistsError:
            if os.path.isdir(path):
                return False
            raise
        os.chmod(path, FOLDER_MODE)  # whatever the umask took away
        return True

    def remove(self, name: str) -> None:  # noqa: D102
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name))

    def remove_folder(self, name: str) -> bool:  # noqa: D102
        try:
            os.rmdir(self.path(name))
        except OSError:
            return False
        return True

    def list_files(self, folder: str) -> list[str]:  # noqa: D102
        found: list[str] = []
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            try:
                entries = os.scandir(self.path(folder))
            except (FileNotFoundError, NotADirectoryError):
                continue
            with entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(name)
                    elif entry.is_file():
                        found.append(name)
        return found


def make_folders(path: str) -> None:
    """Make a folder and those above it, durably; nothing happens if it is there."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folders(parent)
    disk = FolderDisk(parent)
    disk.make_folder(os.path.basename(path))
    disk.sync_folder("")


if sys.platform != "win32" and _HAS_POSITIONED_IO:

    def _read(descriptor: int, offset: int, size: int) -> bytes:
        return os.pread(descriptor, size, offset)

    def _write(descriptor: int, offset: int, data: Buffer) -> int:
        return os.pwrite(descriptor, data, offset)

else:  # a descriptor has one user at a time, so its position is ours

    def _read(descriptor: int, offset: int, size: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)

    def _write(descriptor: int, offset: int, data: Buffer) -> int:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)


if sys.platform != "win32" and _HAS_VECTOR_IO:

    def _write_vector(descriptor: int, offset: int, buffers: list[Buffer]) -> int:
        return os.pwritev(descriptor, buffers, offset)

else:

    def _write_vector(descriptor: int, offset: int, buffers: list[Buffer]) -> int:
        return _write(descriptor, offset, b"".join(buffers))
