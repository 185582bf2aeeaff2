"""Bringing what the journal holds into the feeds' own files.

Runs in a worker thread, on pages that nobody changes. When it returns, all is on the disk: bytes,
sizes and names. When it is interrupted anywhere, doing the journal's commits again from the
first one repairs everything, whatever part of the work was done.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from hypermultifeed.errors import StorageError
from hypermultifeed.storage.disk import share_of_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypermultifeed.storage.disk import Buffer, Disk
    from hypermultifeed.storage.pager import Frozen

_FILES_OPEN_MAX: Final = 32
_SYNC_EVERYTHING_FROM: Final = 8  # files; from here on one sync() for all is quicker


class SyncFailedError(StorageError):
    """What was written may not be on the disk, and asking again would not tell.

    After a failed fsync() the system takes the pages for clean: a second one succeeds and says
    nothing (Rebello et al., "Can applications recover from fsync failures?", ATC 2020).
    """


class Checkpointer:
    """Writes files below one folder; remembers which folders are known to be on the disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._durable_folders: set[str] = set()

    def write(self, files: Sequence[Frozen]) -> None:
        """Do all that ``files`` say.

        Raises:
            OSError: writing failed, such as for want of space; it may be tried again.
            SyncFailedError: never to be tried again before the storage was opened anew.
        """
        step = share_of_descriptors(_FILES_OPEN_MAX)
        for first in range(0, len(files), step):
            self._write_some(files[first : first + step])
        for file in files:
            for folder in _ancestors(file.name):
                self._sync_folder(folder)

    def _write_some(self, files: Sequence[Frozen]) -> None:
        descriptors: list[int] = []
        try:
            for file in files:
                if file.exists:
                    descriptors.append(self._open(file.name))
                    _write_file(self._disk, descriptors[-1], file)
                else:
                    self._remove(file.name)
            if len(descriptors) >= _SYNC_EVERYTHING_FROM:
                self._disk.sync_everything()
            for descriptor in descriptors:
                sync(self._disk, descriptor)
        finally:
            for descriptor in descriptors:
                self._disk.close(descriptor)

    def _open(self, name: str) -> int:
        try:
            return self._disk.open(name, write=True)
        except FileNotFoundError:
            pass
        folder = ""
        for below in reversed(_ancestors(name)[:-1]):
            if self._disk.make_folder(below):
                self._durable_folders.discard(folder)
            folder = below
        self._durable_folders.discard(folder)
        return self._disk.create(name)

    def _remove(self, name: str) -> None:
        self._disk.remove(name)
        folders = _ancestors(name)
        self._durable_folders.discard(folders[0])
        for folder, parent in itertools.pairwise(folders):
            if not self._disk.remove_folder(folder):
                return
            self._durable_folders.discard(parent)

    def _sync_folder(self, folder: str) -> None:
        if folder in self._durable_folders:
            return
        try:
            self._disk.sync_folder(folder)
        except FileNotFoundError:
            return  # it was removed
        except OSError as error:
            raise SyncFailedError(f"fsync of a folder failed: {error}", file=folder) from error
        self._durable_folders.add(folder)


def sync(disk: Disk, descriptor: int) -> None:
    """Wait until a file is on the disk; raise ``SyncFailedError`` if it cannot be known."""
    try:
        disk.sync(descriptor)
    except OSError as error:
        raise SyncFailedError(f"fsync failed: {error.strerror or error}") from error


def sync_root(disk: Disk) -> None:
    """As ``sync``, for the names in the storage's own folder."""
    try:
        disk.sync_folder("")
    except OSError as error:
        raise SyncFailedError(f"fsync of a folder failed: {error.strerror or error}") from error


def _ancestors(name: str) -> list[str]:
    """The folders that hold a file, the nearest first, the root ``""`` last."""
    folders = []
    while name:
        name = name.rpartition("/")[0]
        folders.append(name)
    return folders


def _write_file(disk: Disk, descriptor: int, file: Frozen) -> None:
    if file.cut is not None:
        disk.truncate(descriptor, file.cut)
    for offset, pages in _runs(file):
        disk.write_all(descriptor, offset, pages)
    if file.cut is not None:
        disk.truncate(descriptor, file.size)  # the end may lie in a hole


def _runs(file: Frozen) -> Iterator[tuple[int, list[Buffer]]]:
    """Pages that lie one behind the other, as (offset, pages)."""
    run: list[Buffer] = []
    start = end = -1
    for number in sorted(file.pages):
        page = file.pages[number]
        offset = number * file.page_size
        if offset != end:
            if run:
                yield start, run
            run, start = [], offset
        if page:
            run.append(page)
        end = offset + len(page)
    if run:
        yield start, run
