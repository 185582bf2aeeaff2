"""A file as a dictionary of pages: what was written, before (or without) a disk below it.

Pages are as long as what they hold: a 32-byte file costs 32 bytes, not a page, and a hole costs
nothing, so a sparse copy of a large feed stays small in memory too.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.errors import ClosedError, CorruptStorageError, StorageError

if TYPE_CHECKING:
    from hypermultifeed.storage.disk import Disk

SMALL_PAGE_SHIFT: Final = 12
"""Pages of tree, bitfield, signatures, keys: 4 KiB."""

BULK_PAGE_SHIFT: Final = 14
"""Pages of ``data``: 16 KiB."""

_PAGE_OVERHEAD: Final = 128  # what a page costs besides its bytes
_COPY_ONCE_BYTES: Final = 2048  # from here on a memoryview costs less than a second copy


def is_bulk(name: str) -> bool:
    """Whether a file holds blocks: large, and not worth keeping in memory once written."""
    return name == "data" or name.endswith("/data")


def refusal(failure: Exception) -> Exception:
    """The error for whoever comes after the failure."""
    if isinstance(failure, ClosedError):
        return ClosedError(*failure.args)
    error = StorageError(f"the storage failed and must be opened anew: {failure}")
    error.__cause__ = failure
    return error


class PagedFile:
    """One file held in pages, all of them in memory.

    Attributes:
        name: name within the storage.
        size: bytes.
        exists: False until something is written.
        pages: what is held, by number.
        shift: a page is ``1 << shift`` bytes.

    A page may be shorter than the page size; what is missing of it below ``size`` is zeros.
    """

    __slots__ = ("_mask", "exists", "name", "pages", "shift", "size")

    def __init__(self, name: str, shift: int) -> None:
        self.name = name
        self.size = 0
        self.exists = False
        self.pages: dict[int, bytearray] = {}
        self.shift = shift
        self._mask = (1 << shift) - 1

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer at the end of the file, none beyond it."""
        page = self.pages.get(offset >> self.shift)
        if page is not None:
            start = offset & self._mask
            end = start + size
            if start < end <= len(page):
                if size < _COPY_ONCE_BYTES:
                    return bytes(page[start:end])
                return bytes(memoryview(page)[start:end])
        return self._read_across(offset, size)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put ``data`` at ``offset``; a gap left before it reads as zeros."""
        self.exists = True
        size = len(data)
        if not size:
            return
        stop = offset + size
        start = offset & self._mask
        if start + size <= self._mask + 1:
            page = self._writable(offset >> self.shift)
            self._put(page, start, data, size)
        else:
            self._write_across(offset, data)
        if stop > self.size:
            self.size = stop

    def cut(self, offset: int) -> None:
        """End the file at ``offset``; nothing happens to a shorter file."""
        if offset >= self.size:
            return
        number = offset >> self.shift
        for beyond in [n for n in self.pages if n > number]:
            self._drop(beyond)
        if number in self.pages:
            start = offset & self._mask
            if start:
                del self._writable(number)[start:]
            else:
                self._drop(number)
        self.size = offset

    def remove(self) -> None:
        """Make the file one that was never written."""
        for number in list(self.pages):
            self._drop(number)
        self.size = 0
        self.exists = False

    def _writable(self, number: int) -> bytearray:
        page = self.pages.get(number)
        if page is None:
            page = self.pages[number] = bytearray()
        return page

    def _replace(self, number: int, page: bytearray) -> None:
        self.pages[number] = page

    def _drop(self, number: int) -> None:
        del self.pages[number]

    def _put(
        self, page: bytearray, start: int, data: bytes | bytearray | memoryview, size: int
    ) -> None:
        if start > len(page):
            page.extend(bytes(start - len(page)))
        page[start : start + size] = data

    def _write_across(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        page_size = self._mask + 1
        done = 0
        with memoryview(data) as view:
            while done < len(view):
                start = (offset + done) & self._mask
                size = min(page_size - start, len(view) - done)
                number = (offset + done) >> self.shift
                if size == page_size:
                    self._replace(number, bytearray(view[done : done + size]))
                else:
                    self._put(self._writable(number), start, view[done : done + size], size)
                done += size

    def _read_across(self, offset: int, size: int) -> bytes:
        if offset < 0 or size < 0:
            raise ValueError("offset and size must not be negative")
        stop = min(offset + size, self.size)
        if offset >= stop:
            return b""
        out = bytearray(stop - offset)
        self._fill(out, offset)
        return bytes(out)

    def _fill(self, out: bytearray, offset: int) -> None:
        """Copy what the pages hold from ``offset`` on into ``out``, which is zeros."""
        page_size = self._mask + 1
        done = 0
        while done < len(out):
            start = (offset + done) & self._mask
            size = min(page_size - start, len(out) - done)
            page = self.pages.get((offset + done) >> self.shift)
            if page is not None:
                piece = page[start : start + size]
                out[done : done + len(piece)] = piece
            done += size


class Frozen(NamedTuple):
    """What a checkpoint has to do to one file. Its pages are not changed any more.

    First the file is cut to ``cut``, if that is not None; then the pages go in; then it has
    ``size`` bytes. A file that does not ``exist`` is removed.
    """

    name: str
    exists: bool
    cut: int | None
    size: int
    pages: dict[int, bytearray]
    page_size: int


class PageCache:
    """What the files of one storage share: the disk, open descriptors, counts of pages.

    Attributes:
        changed: files with changes that no checkpoint has taken yet.
        dirty_bytes: about how much memory these changes hold.
        closed: the error that reading raises, once there is one.
    """

    def __init__(self, disk: Disk, *, clean_pages_max: int, descriptors_max: int) -> None:
        self.disk = disk
        self.changed: list[StoredFile] = []
        self.dirty_bytes = 0
        self.closed: Exception | None = None
        self._clean: deque[tuple[StoredFile, int]] = deque()
        self._clean_max = clean_pages_max
        self._opened: deque[StoredFile] = deque()
        self._opened_max = descriptors_max

    def check(self) -> None:
        """Raise if reading is over."""
        if self.closed is not None:
            raise refusal(self.closed)

    def read(self, file: StoredFile, offset: int, size: int) -> bytes:
        """Bytes that must be on the disk."""
        try:
            descriptor = file.descriptor
            if descriptor < 0:
                descriptor = self._open(file)
            data = self.disk.read(descriptor, offset, size)
        except OSError as error:
            raise StorageError(
                f"cannot read: {error.strerror or error}", file=file.name, offset=offset
            ) from error
        if len(data) < size:
            raise CorruptStorageError(
                "the file has become shorter", file=file.name, offset=offset + len(data)
            )
        return data

    def keep(self, file: StoredFile, number: int) -> None:
        """Count a clean page; another may have to go.

        First in, first out: no hit has to be recorded, which keeps reading cheap, and a page
        that is needed again costs one read.
        """
        self._clean.append((file, number))
        if len(self._clean) > self._clean_max:
            old, page = self._clean.popleft()
            old.forget(page)

    def close_descriptor(self, file: StoredFile) -> None:
        """Close a file's descriptor, if it has one."""
        if file.descriptor >= 0:
            self._opened.remove(file)
            self.disk.close(file.descriptor)
            file.descriptor = -1

    def close(self) -> None:
        """Close all descriptors and forget what was read and changed."""
        for file in self._opened:
            self.disk.close(file.descriptor)
            file.descriptor = -1
        self._opened.clear()
        self._clean.clear()
        self.changed.clear()

    def _open(self, file: StoredFile) -> int:
        descriptor = self.disk.open(file.name)
        while len(self._opened) >= self._opened_max:
            self.close_descriptor(self._opened[0])
        self._opened.append(file)
        file.descriptor = descriptor
        return descriptor


class StoredFile(PagedFile):
    """A file on the disk, and over it the pages that were changed since.

    The file itself changes at a checkpoint only, and a checkpoint runs in another thread: it
    takes the changed pages (``freeze``), which are copied when they are written to meanwhile,
    and gives them back (``thaw``) when the file holds them. Until then a page that is missing
    from ``pages`` is, below ``_base``, as it is in the file, and zeros above.

    Attributes:
        dirty: the changed pages, by number.
        number: what the journal calls the file.
        defined: the use of a journal segment that knows this number.
        descriptor: open for reading, or -1.
    """

    __slots__ = (
        "_base",
        "_bulk",
        "_cache",
        "_changed",
        "_cut",
        "_frozen",
        "defined",
        "descriptor",
        "dirty",
        "number",
    )

    def __init__(
        self, name: str, shift: int, cache: PageCache, *, number: int, size: int | None, bulk: bool
    ) -> None:
        super().__init__(name, shift)
        self.exists = size is not None
        self.size = self._base = size or 0
        self.number = number
        self.defined = 0
        self.descriptor = -1
        self._bulk = bulk
        self._cache = cache
        self._changed = False
        self._cut: int | None = None
        self.dirty: dict[int, bytearray] = {}
        self._frozen: Frozen | None = None

    def prepare(self, offset: int, size: int) -> None:
        """Read what a write needs of the file, so that the write itself cannot fail."""
        for position in {offset, offset + size - 1} if size else {offset}:
            number = position >> self.shift
            if number not in self.pages and number << self.shift < self._base:
                self.pages[number] = bytearray(self._load(number))
                if not self._bulk:
                    self._cache.keep(self, number)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:  # noqa: D102
        size = len(data)
        if not self._changed:
            self.touch()
        self.exists = True
        start = offset & self._mask
        stop = start + size
        if stop <= self._mask + 1:
            if not size:
                return
            number = offset >> self.shift
            page = self.dirty.get(number)
            if page is None:
                page = self._writable(number)
            length = len(page)
            if stop > length:
                self._cache.dirty_bytes += stop - length
                if start > length:
                    page.extend(bytes(start - length))
            page[start:stop] = data
        else:
            self._write_across(offset, data)
        if offset + size > self.size:
            self.size = offset + size

    def cut(self, offset: int) -> None:  # noqa: D102
        if offset < self.size:
            self.touch()
            super().cut(offset)
            self._base = min(self._base, offset)
            self._cut = offset if self._cut is None else min(self._cut, offset)

    def remove(self) -> None:  # noqa: D102
        self.touch()
        super().remove()
        self._base = self._cut = 0
        self._cache.close_descriptor(self)

    def touch(self) -> None:
        """Let the next checkpoint deal with this file."""
        if not self._changed:
            self._changed = True
            self._cache.changed.append(self)

    def freeze(self) -> Frozen:
        """Hand the changes to a checkpoint; later ones are counted anew."""
        frozen = Frozen(self.name, self.exists, self._cut, self.size, self.dirty, self._mask + 1)
        self._frozen = frozen
        self.dirty = {}
        self._cut = None
        self._changed = False
        return frozen

    def thaw(self) -> None:
        """The checkpoint has done what ``freeze`` returned, and it will not be undone."""
        frozen = self._frozen
        if frozen is None:
            return
        self._frozen = None
        self._base = frozen.size if self._cut is None else min(frozen.size, self._cut)
        for number, page in frozen.pages.items():
            if self.pages.get(number) is page:
                if self._bulk:
                    del self.pages[number]
                else:
                    self._cache.keep(self, number)

    def abandon(self) -> None:
        """Forget everything; reading then asks the cache, which refuses."""
        self.pages = {}
        self.dirty = {}
        self._frozen = None

    def forget(self, number: int) -> None:
        """Drop a page, unless it holds what the file does not."""
        if number not in self.dirty and (self._frozen is None or number not in self._frozen.pages):
            self.pages.pop(number, None)

    def _writable(self, number: int) -> bytearray:
        page = self.dirty.get(number)
        if page is not None:
            return page
        page = self.pages.get(number)
        if page is None:
            page = bytearray(self._load(number))
        elif self._frozen is not None and number in self._frozen.pages:
            page = bytearray(page)
        self.pages[number] = self.dirty[number] = page
        self._cache.dirty_bytes += len(page) + _PAGE_OVERHEAD
        return page

    def _replace(self, number: int, page: bytearray) -> None:
        if number not in self.dirty:
            self._cache.dirty_bytes += len(page) + _PAGE_OVERHEAD
        self.pages[number] = self.dirty[number] = page

    def _drop(self, number: int) -> None:
        del self.pages[number]
        self.dirty.pop(number, None)

    def _put(
        self, page: bytearray, start: int, data: bytes | bytearray | memoryview, size: int
    ) -> None:
        if start + size > len(page):
            self._cache.dirty_bytes += start + size - len(page)
        super()._put(page, start, data, size)

    def _load(self, number: int) -> bytes:
        start = number << self.shift
        size = min(self._base - start, self._mask + 1)
        return self._cache.read(self, start, size) if size > 0 else b""

    def _read_across(self, offset: int, size: int) -> bytes:
        self._cache.check()
        if offset < 0 or size < 0:
            raise ValueError("offset and size must not be negative")
        size = min(size, self.size - offset)
        if size <= 0:
            return b""
        first = offset >> self.shift
        last = (offset + size - 1) >> self.shift
        if first == last:
            return self._read_within(first, offset, size)
        if not self.pages or not any(n in self.pages for n in range(first, last + 1)):
            return self._read_disk(offset, size)
        out = bytearray(size)
        self._fill(out, offset)
        return bytes(out)

    def _read_within(self, number: int, offset: int, size: int) -> bytes:
        page = self.pages.get(number)
        if page is None:
            if self._bulk:
                return self._read_disk(offset, size)
            page = self.pages[number] = bytearray(self._load(number))
            self._cache.keep(self, number)
        start = offset & self._mask
        return bytes(page[start : start + size]).ljust(size, b"\0")

    def _read_disk(self, offset: int, size: int) -> bytes:
        there = min(self._base - offset, size)
        if there == size:
            return self._cache.read(self, offset, size)
        return (self._cache.read(self, offset, there) if there > 0 else b"").ljust(size, b"\0")

    def _fill(self, out: bytearray, offset: int) -> None:
        super()._fill(out, offset)
        page_size = self._mask + 1
        stop = offset + len(out)
        position = offset
        while position < stop:  # stretches without pages come from the file, each in one read
            number = position >> self.shift
            after = number
            while after << self.shift < stop and after not in self.pages:
                after += 1
            if after > number:
                end = min(after << self.shift, stop)
                out[position - offset : end - offset] = self._read_disk(position, end - position)
                position = end
            else:
                position = (number << self.shift) + page_size
