"""A file as a dictionary of pages: what was written, before (or without) a disk below it.

Pages are as long as what they hold: a 32-byte file costs 32 bytes, not a page, and a hole costs
nothing, so a sparse copy of a large feed stays small in memory too.
"""

from __future__ import annotations

from typing import Final

SMALL_PAGE_SHIFT: Final = 12
"""Pages of tree, bitfield, signatures, keys: 4 KiB."""

BULK_PAGE_SHIFT: Final = 14
"""Pages of ``data``: 16 KiB."""

_COPY_ONCE_BYTES: Final = 2048  # from here on a memoryview costs less than a second copy


def page_shift(name: str) -> int:
    """The page size, as a shift, that suits a file of this name."""
    return BULK_PAGE_SHIFT if name == "data" or name.endswith("/data") else SMALL_PAGE_SHIFT


class PagedFile:
    """One file held in pages, all of them in memory.

    Attributes:
        name: name within the storage.
        size: bytes.
        exists: False until something is written.

    A page may be shorter than the page size; what is missing of it below ``size`` is zeros.
    """

    __slots__ = ("_mask", "_shift", "exists", "name", "pages", "size")

    def __init__(self, name: str, shift: int) -> None:
        self.name = name
        self.size = 0
        self.exists = False
        self.pages: dict[int, bytearray] = {}
        self._shift = shift
        self._mask = (1 << shift) - 1

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer at the end of the file, none beyond it."""
        page = self.pages.get(offset >> self._shift)
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
            page = self._writable(offset >> self._shift)
            self._put(page, start, data, size)
        else:
            self._write_across(offset, data)
        if stop > self.size:
            self.size = stop

    def cut(self, offset: int) -> None:
        """End the file at ``offset``; nothing happens to a shorter file."""
        if offset >= self.size:
            return
        number = offset >> self._shift
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
                page = self._writable((offset + done) >> self._shift)
                self._put(page, start, view[done : done + size], size)
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
            page = self.pages.get((offset + done) >> self._shift)
            if page is not None:
                piece = page[start : start + size]
                out[done : done + len(piece)] = piece
            done += size
